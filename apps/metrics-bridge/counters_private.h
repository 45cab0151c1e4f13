/* How the counters are laid out: for series_counters.c (counting), counter_state.c (saving, restoring) and
 * counter_snapshot.c (reading). */
#ifndef METRICS_BRIDGE_COUNTERS_PRIVATE_H
#define METRICS_BRIDGE_COUNTERS_PRIVATE_H

#include "label_set.h"
#include "series_counters.h"

#include "buffer/buffer.h"

#include <pthread.h>

#define COUNTER_SERVICE_SLOTS 4096 /* at most a quarter full */

struct counter_partition {
    struct series_counters *counters;
    struct label_set **slots; /* open addressing, at most half full */
    size_t slot_count, count;
    struct label_set *touched; /* since the last commit */
    struct label_set *saving;  /* where counter_partition_next_saved stands */
    struct label_set *hidden;  /* those that stand at zero */
    bool totals_touched, is_saving;
    bool is_restored;       /* under the lock */
    const char *totals_key; /* one of each topic that is counted */
    uint64_t totals[TOTAL_COUNT], shown_totals[TOTAL_COUNT];
    struct buffer value;
    struct counter_partition *next;
    unsigned holders; /* the list and each snapshot; the last frees; under the lock */
};

struct series_counters {
    struct series_counters_settings settings;
    uint64_t seed;
    size_t label_sets, overflow_sets; /* of all partitions */
    uint64_t services[COUNTER_SERVICE_SLOTS];
    size_t service_count;
    pthread_mutex_t lock; /* of partitions, their slots, and everything shown */
    struct counter_partition *partitions;
    bool is_settled; /* all partitions are there and restored: sums over them may be shown */
};

/* A new label set in its place. NULL: no memory. */
struct label_set *counter_partition_add(struct counter_partition *partition, const struct label_names *names);
void counter_partition_touch(struct counter_partition *partition, struct label_set *set);
/* The lock is held. */
void counter_partition_drop(struct counter_partition *partition);

#endif
