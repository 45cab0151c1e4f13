/* The inside of struct alert_table, for alert_table*.c. */
#ifndef OBS_ALERT_FORWARDER_ALERT_TABLE_PRIVATE_H
#define OBS_ALERT_FORWARDER_ALERT_TABLE_PRIVATE_H

#include "alert_table.h"

#include <pthread.h>

#define NO_OFFSET (-1) /* known from alerts.active only: nothing of the log waits for it */

struct told {
    uint64_t version; /* the last one accepted or refused */
    bool refused;
    int64_t due_ms; /* steady: when it is repeated */
};

struct tracked {
    struct tracked *next; /* in its bucket */
    struct alert_transition transition;
    enum rule_severity severity; /* it began with: part of its identity, so it ends with the same */
    int32_t partition;
    int64_t offset;
    int64_t firing_since_ms; /* wall; 0: it began before anything we read */
    int64_t forget_ms;       /* steady; of a resolved one */
    uint64_t version;        /* of its last change; grows over the whole table, never given twice */
    uint64_t moved;          /* the version that its transition made: what the position waits for */
    bool held;               /* only the log's past knows it: not told before the end is reached */
    bool live;               /* it happened while we watched, so its delay means something */
    bool paged;              /* has, or may have had, its second form */
    struct told told[ALERT_TABLE_TARGETS];
};

struct alert_table {
    struct alert_table_settings settings;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t changed;
    struct tracked **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
    uint64_t version; /* the last one given */
    bool *behind;     /* partition: its end hasn't been reached yet */
    size_t behind_count;
    uint64_t wakes;
};

/* With the lock held. */
struct tracked *alert_table_find(const struct alert_table *table, uint64_t fingerprint);
/* The first one at or after bucket *bucket, 0 to begin with; then that after previous. NULL: no more. */
struct tracked *alert_table_next(const struct alert_table *table, size_t *bucket, struct tracked *previous);
/* Every target has accepted or refused that version or a later one. */
bool alert_table_is_told(const struct alert_table *table, const struct tracked *alert, uint64_t version);
/* When its transition was detected, but not later than now: clocks of two machines differ. */
int64_t alert_table_detected_ms(const struct alert_table *table, const struct tracked *alert);

#endif
