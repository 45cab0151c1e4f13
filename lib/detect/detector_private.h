/* lib/detect/detector_private: how a detector is laid out; for detector.c, detector_state.c and explain.c. */
#ifndef OBS_DETECT_DETECTOR_PRIVATE_H
#define OBS_DETECT_DETECTOR_PRIVATE_H

#include "detect/detector.h"
#include "detect/series.h"

#include "buffer/buffer.h"

/* The state of an alert whose series isn't there: closed because nothing came for long, or loaded and not
 * seen yet. */
struct resting_alert {
    uint64_t fingerprint; /* 0: free slot */
    char rule[RULE_NAME_BYTES];
    struct alert_labels *labels; /* owned; only of one that was loaded, until its series is there */
    struct rule_state state;
    bool changed; /* its rule is gone and it was resolved for that: to be saved */
};

struct resting_table {
    struct resting_alert *slots; /* open addressing, at most half full */
    size_t slot_count, count;
};

/* The first offset at which the partition's clock stood at a second. */
struct replay_mark {
    int64_t second, offset;
};

struct detector {
    const struct rule_set *rules;
    struct detector_limits limits;
    struct series_table table;
    struct resting_table resting;
    int64_t clock_ms;      /* INT64_MIN before the first event */
    int64_t swept_s;       /* the clock's second at the last sweep over idle series */
    int64_t close_after_s; /* without records for so long, a series that fires nothing is closed */
    int64_t settle_steps;  /* after so many empty steps nothing changes any more */
    bool settled;          /* loaded firing alerts have their series */
    struct replay_mark *marks;
    size_t mark_count;
    struct alert_transition *queue; /* transitions not drained yet */
    size_t queue_count, queue_next, queue_capacity;
    size_t drain_series, drain_rule; /* where the draining of states stands */
    bool any_changed;
    struct buffer state_key, state_value; /* what the last detector_next_state pointed to */
    struct detector_totals totals;
};

/* detector_state.c */
void resting_table_free(struct resting_table *table);
/* Moves the state of a fingerprint out of rest; false: none rests. */
bool resting_table_take(struct resting_table *table, uint64_t fingerprint, struct rule_state *state);
bool resting_table_put(struct resting_table *table, const struct resting_alert *alert);

/* detector.c */
struct series *detector_add_series(struct detector *detector, uint64_t hash, const struct event_text *service,
                                   const struct event_text *region, const struct event_text *route,
                                   int64_t start_ms);
/* Room for one more transition at the end of the queue. */
struct alert_transition *detector_extend_queue(struct detector *detector);

#endif
