/* The bridge's counters: for each label set what has been counted (live) and what a commit holds (shown).
 * Only the shown is exposed: an uncommitted count that a kill takes back would look like a reset to
 * Prometheus.
 *
 * A label set holds service and region, so it lives in one input partition; its totals are the partition's
 * state and move with it. Past max_series new label sets are counted under "_overflow" in every label but the
 * service; past 1 000 services there too. A label set that was idle for an hour is not exposed, but kept, and
 * goes on at its old total.
 *
 * Threads: one counts, saves and commits; any may take a snapshot. Counting takes no lock; a commit and the
 * first moment of a snapshot take a short one, and a snapshot keeps label sets alive until it is released
 * (only giving up a partition waits for it). Memory: about 700 bytes a label set, names included. */
#ifndef METRICS_BRIDGE_SERIES_COUNTERS_H
#define METRICS_BRIDGE_SERIES_COUNTERS_H

#include "bus/bus.h"
#include "error/error.h"
#include "event/event.h"
#include "event/log_record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNTER_BUCKETS 14 /* of http_server_request_duration_seconds, without +Inf */
#define COUNTER_VALUES  (COUNTER_BUCKETS + 1)

extern const double counter_bucket_bounds[COUNTER_BUCKETS];

enum counter_kind {
    COUNTER_REQUESTS, /* histogram by service, region, route, method, status: values = buckets, not cumulated
                       */
    COUNTER_CLASSES,  /* requests by service, region: values = 1xx … 5xx; also utilisation */
    COUNTER_LOGS      /* log records by service, region, severity: values[0] */
};

enum counter_total {
    TOTAL_EVENTS_COUNTED,
    TOTAL_EVENTS_MALFORMED,
    TOTAL_LOGS_COUNTED,
    TOTAL_LOGS_MALFORMED,
    TOTAL_COUNT
};

struct series_counters;
struct counter_partition;

struct series_counters_settings {
    size_t max_series;
    int64_t zero_first_ms; /* how long a new service x region stands at 0 */
    int64_t idle_ms;       /* after how long a label set leaves the exposition */
};

int series_counters_create(struct series_counters **out, const struct series_counters_settings *settings,
                           struct error *error);
void series_counters_destroy(struct series_counters *counters);

/* totals_key: the key under which the partition's totals are saved; lives for ever. */
int counter_partition_open(struct series_counters *counters, const char *totals_key,
                           struct counter_partition **out, struct error *error);
void counter_partition_close(struct series_counters *counters, struct counter_partition *partition);

/* now_ms: wall clock. -1: no memory. */
int counter_partition_count_event(struct counter_partition *partition, const struct event *event,
                                  int64_t now_ms);
int counter_partition_count_log(struct counter_partition *partition, const struct log_record *record,
                                int64_t now_ms);
void counter_partition_count_total(struct counter_partition *partition, enum counter_total total);

/* One saved record; before anything is counted. */
int counter_partition_restore(struct counter_partition *partition, struct bus_bytes key,
                              struct bus_bytes value, int64_t now_ms, struct error *error);
/* What was touched since the last commit, one a call; false: no more (and the next call begins anew).
 * Borrowed until the next call. */
bool counter_partition_next_saved(struct counter_partition *partition, struct bus_bytes *key,
                                  struct bus_bytes *value);
void counter_partition_commit(struct counter_partition *partition); /* what was touched is shown */

/* --- reading ---- */

struct counter_row {
    enum counter_kind kind;
    bool overflow;      /* rows of equal labels may come from several partitions: add them up */
    const char *labels; /* name="value",… as the text format wants it; lives until the snapshot is released */
    size_t labels_bytes;
    uint64_t values[COUNTER_VALUES];
    double sum;
    double cpu, memory; /* NaN: never seen */
};

struct counter_snapshot {
    struct counter_row *rows;
    size_t count;
    uint64_t totals[TOTAL_COUNT];
    size_t label_sets, overflow_label_sets;
};

int series_counters_snapshot(struct series_counters *counters, int64_t now_ms,
                             struct counter_snapshot *snapshot);
void series_counters_release(struct series_counters *counters, struct counter_snapshot *snapshot);

#endif
