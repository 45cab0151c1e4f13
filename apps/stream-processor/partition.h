/* One partition while this processor owns it: its detector, where it stands in the log and in time, and what
 * happened since its last commit. Private to the worker's files:
 *
 *   detection_worker.c   the calls of the loop, and the pages' way to the detectors
 *   partition.c          it comes out of the saved state, and is saved
 *   publish.c            transitions and dead letters
 *   silence.c            ticks
 */
#ifndef STREAM_PROCESSOR_PARTITION_H
#define STREAM_PROCESSOR_PARTITION_H

#include "detection_worker.h"
#include "processor_metrics.h"
#include "record_feed.h"
#include "rules_file.h"
#include "rules_record.h"
#include "stream_feed.h"
#include "transition_ring.h"

#include "buffer/buffer.h"
#include "log/log.h"

#include <pthread.h>

#define WAITING_DECISIONS                                                                                    \
    64 /* transitions of one commit whose latency is measured; more are published all the same */

struct partition {
    struct feed_place place;
    int64_t next_offset; /* after the last record read */
    bool is_started;     /* where it begins to read is known */
    bool clock_changed, tick_changed, at_end;
    struct rules_record last_rules; /* the newest that is saved, without text */
    uint64_t rules_hash;            /* of it; 0: none yet */
    int64_t tick_clock_before_ms;   /* of the last tick that the rules before decided */
    int64_t silent_since_ms;        /* steady */
    int64_t looked_ms;              /* steady: when silence was last looked for */
    int64_t next_pruning_ms;        /* steady */
    struct processor_counts counts;
    uint64_t routes_refused;               /* as the metrics know it */
    int64_t decided_ms[WAITING_DECISIONS]; /* append times of the records that decided, until the commit */
    size_t decided_count;
    struct buffer decided_text; /* the same transitions as events of GET /stream */
    int64_t told_ms;            /* how far GET /stream has told the series' times */
    struct partition *next;
};

struct detection_worker {
    struct program *program;
    struct bus *bus;
    struct detection_settings settings;
    struct rules_file rules, next_rules; /* next: of a reload, until no partition uses the old ones */
    struct processor_metrics metrics;
    struct record_feed *feed;
    struct group_worker *loop; /* during its calls */
    struct stream_feed *stream;
    struct transition_ring *ring;
    struct buffer text;
    struct log_throttle late_throttle, refused_throttle, malformed_throttle;
    pthread_mutex_t lock; /* of partitions and their detectors: the pages read them */
    struct partition *partitions;
};

int64_t worker_wall_ms(const struct detection_worker *worker);
int64_t worker_steady_ms(const struct detection_worker *worker);

/* partition.c: NULL: no memory (error filled). */
struct partition *partition_create(struct detection_worker *worker, const struct bus_partition *assigned,
                                   struct error *error);
void partition_destroy(struct partition *partition);
int partition_restore(struct detection_worker *worker, struct partition *partition,
                      const struct bus_record *record, struct error *error);
/* From where to read. */
int64_t partition_start(struct detection_worker *worker, struct partition *partition,
                        const struct bus_partition *assigned);
/* All that has changed since the last commit, into the next one. */
int partition_save(struct detection_worker *worker, struct partition *partition, struct error *error);

/* publish.c */
const struct record_feed_calls *publish_calls(void); /* their context is the worker */
/* Counts and says that series of routes were refused since the last call. */
void publish_refused_routes(struct detection_worker *worker, struct partition *partition);

/* stream_feed.c is GET /stream. */

/* silence.c: about once a second. */
int silence_tick(struct detection_worker *worker, struct partition *partition, struct error *error);

#endif
