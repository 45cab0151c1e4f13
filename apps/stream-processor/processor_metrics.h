/* The processor's own metrics. What a record became is counted when its commit holds, so a redone commit
 * counts nothing twice. */
#ifndef STREAM_PROCESSOR_PROCESSOR_METRICS_H
#define STREAM_PROCESSOR_PROCESSOR_METRICS_H

#include "event/event.h"
#include "event/reason.h"

#include <stdint.h>

struct metric;
struct metric_family;
struct metric_set;

enum processor_result {
    RESULT_COUNTED,
    RESULT_DUPLICATE,
    RESULT_LATE,
    RESULT_REFUSED,
    RESULT_MALFORMED,
    RESULT_COUNT
};

struct processor_metrics {
    struct metric *results[RESULT_COUNT];
    struct metric *dead_letters[EVENT_REASON_COUNT];
    struct metric *fired, *resolved;
    struct metric *reloads, *reloads_refused;
    struct metric *series, *firing, *memory;
    struct metric *routes_refused;
    struct metric *from_checkpoint, *from_log; /* how windows were restored */
    struct metric *detection_seconds;
    struct metric_family *late;
    unsigned late_services;
};

/* Counts of one partition since its last commit. */
struct processor_counts {
    uint64_t results[RESULT_COUNT], dead_letters[EVENT_REASON_COUNT], fired, resolved;
};

void processor_metrics_add(struct processor_metrics *metrics, struct metric_set *set);
void processor_metrics_count(struct processor_metrics *metrics, const struct processor_counts *counts);
/* Late events by service, at most 200 names, the rest as _overflow. count: how many the record stands for, so
 * that the figure compares with http_server_requests_total. */
void processor_metrics_count_late(struct processor_metrics *metrics, const struct event_text *service,
                                  uint32_t count);

#endif
