/* The bridge's counters: for each label set what has been counted (live) and what a commit holds (shown).
 * Only the shown is exposed: an uncommitted count that a kill takes back would look like a reset to
 * Prometheus.
 *
 * A label set holds service and region, so it lives in one input partition; its totals are the partition's
 * state and move with it. Past max_series new label sets are counted under "_overflow" in every label but the
 * service; past 1 000 services there too. A label set that was idle for an hour is not exposed, but kept, and
 * goes on at its old total.
 *
 * Zero first: Prometheus' increase() never sees a series' first value, so it has to be a 0. The five classes
 * of a new service and region are exposed as 0 for zero_first_ms; that they may show their counts is itself
 * committed before it happens, so after a kill they neither skip their time at 0 nor fall back to it.
 *
 * Sums over partitions (the totals, label sets of overflow) are shown only while every partition that was
 * assigned is there and restored; else a restart would show them rising from 0, a reset to Prometheus.
 *
 * Threads: one counts, saves and commits; any may take a snapshot (counter_snapshot.h). Counting takes no
 * lock; a commit, a new label set and the making of a snapshot take a short one. Memory: 1.7 KB a
 * label set of the histogram that has 80 native buckets, names included (2.5 KB at the most that was seen),
 * and some 100 KiB beside; label sets of overflow come on top of max_series (at most 3 for each of 1 000
 * services in each partition). */
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
    COUNTER_LOGS,     /* log records by service, region, severity: values[0] */
    COUNTER_KINDS
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
    int64_t zero_first_ms; /* how long a new service and region stands at 0, from when it is first shown */
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
/* All of it is restored. */
void counter_partition_end_restore(struct counter_partition *partition);
/* Sums over partitions may be shown again after one was closed, if all that are left are restored. Not in the
 * middle of closing several. */
void series_counters_settle(struct series_counters *counters);
/* What was touched since the last commit, one a call; false: no more (and the next call begins anew).
 * Borrowed until the next call. A value without data: no memory, the commit must not be. */
bool counter_partition_next_saved(struct counter_partition *partition, int64_t now_ms, struct bus_bytes *key,
                                  struct bus_bytes *value);
/* The commit of all that was saved holds: from now on it is shown. */
void counter_partition_commit(struct counter_partition *partition, int64_t now_ms);

/* How many label sets there are of overflow; the counting thread's. More than before: say so. */
size_t series_counters_overflow(const struct series_counters *counters);

#endif
