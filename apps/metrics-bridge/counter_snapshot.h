/* The committed counters of one moment, for a scrape. Taking one holds the counters' lock for a copy; after
 * that it is the caller's own and may be read slowly. Memory: 40 bytes a label set, and what was shown of it
 * when it is counted on meanwhile. */
#ifndef METRICS_BRIDGE_COUNTER_SNAPSHOT_H
#define METRICS_BRIDGE_COUNTER_SNAPSHOT_H

#include "label_numbers.h"
#include "series_counters.h"

struct counter_row {
    enum counter_kind kind;
    const char *labels; /* name="value",… as the text format wants it, NUL-ended; until the release */
    size_t labels_bytes;
    bool overflow; /* its utilisation means nothing */
    struct packed_numbers *numbers;
};

struct counter_snapshot {
    struct counter_row *rows; /* by kind, then by labels; no two are equal in both */
    size_t count;
    size_t first[COUNTER_KINDS + 1]; /* where the rows of each kind begin; the last: count */
    bool is_settled;                 /* false: no rows of overflow, and totals mean nothing */
    uint64_t totals[TOTAL_COUNT];
    size_t label_sets, overflow_sets;
    int64_t idle_before_ms;          /* what was sampled before that isn't shown */
    struct counter_partition **held; /* keeps the labels alive */
    size_t held_count;
};

/* now_ms: wall clock. Any thread. -1: no memory. */
int counter_snapshot_take(struct series_counters *counters, int64_t now_ms,
                          struct counter_snapshot *snapshot);
void counter_snapshot_release(struct series_counters *counters, struct counter_snapshot *snapshot);

#endif
