#include "processor_metrics.h"

#include "metrics/metric_set.h"

#include <stdio.h>

#define MAX_LATE_SERVICES 200

void processor_metrics_add(struct processor_metrics *metrics, struct metric_set *set)
{
    static const char *const results[RESULT_COUNT] = {"counted", "duplicate", "late", "refused", "malformed"};
    static const char *const result_names[] = {"result", NULL};
    static const char *const reason_names[] = {"reason", NULL};
    static const char *const state_names[] = {"state", NULL};
    static const char *const service_names[] = {"service_name", NULL};
    static const double seconds[] = {0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2,
                                     0.25,  0.35, 0.5,  0.75, 1,    2.5,   5,   10};
    struct metric_family *events =
        metric_family_add(set, METRIC_COUNTER, "stream_processor_events_total",
                          "Records of metrics.raw by what became of them.", result_names);
    for (int i = 0; i < RESULT_COUNT; i++) {
        const char *const values[] = {results[i], NULL};
        metrics->results[i] = metric_series(events, values);
    }
    struct metric_family *letters =
        metric_family_add(set, METRIC_COUNTER, "stream_processor_dead_letters_total",
                          "Malformed records put on metrics.raw.dlq, by reason.", reason_names);
    for (int i = EVENT_OK + 1; i < EVENT_REASON_COUNT; i++) {
        const char *const values[] = {event_reason_name((enum event_reason)i), NULL};
        metrics->dead_letters[i] = metric_series(letters, values);
    }
    struct metric_family *alerts =
        metric_family_add(set, METRIC_COUNTER, "stream_processor_transitions_total",
                          "Alert transitions published on alerts.fired.", state_names);
    const char *const firing[] = {"firing", NULL};
    const char *const resolved[] = {"resolved", NULL};
    metrics->fired = metric_series(alerts, firing);
    metrics->resolved = metric_series(alerts, resolved);
    struct metric_family *reloads =
        metric_family_add(set, METRIC_COUNTER, "stream_processor_rule_reloads_total",
                          "Rule files read again (SIGHUP), by result.", result_names);
    const char *const taken[] = {"taken", NULL};
    const char *const refused[] = {"refused", NULL};
    metrics->reloads = metric_series(reloads, taken);
    metrics->reloads_refused = metric_series(reloads, refused);
    metrics->late = metric_family_add(
        set, METRIC_COUNTER, "stream_processor_late_events_total",
        "Events that came too late for their series, by service; a record counts for as many as it says.",
        service_names);
    metrics->routes_refused = metric_series(
        metric_family_add(set, METRIC_COUNTER, "stream_processor_routes_refused_total",
                          "Records whose route has no series of its own, because there are too many.", NULL),
        NULL);
    static const char *const from_names[] = {"from", NULL};
    struct metric_family *restored =
        metric_family_add(set, METRIC_COUNTER, "stream_processor_windows_restored_total",
                          "Partitions opened whose windows were not empty, by what filled them.", from_names);
    const char *const checkpoint[] = {"checkpoint", NULL};
    const char *const log[] = {"log", NULL};
    metrics->from_checkpoint = metric_series(restored, checkpoint);
    metrics->from_log = metric_series(restored, log);
    metrics->series = metric_add_gauge(set, "stream_processor_series", "Series that are watched now.");
    metrics->firing = metric_add_gauge(set, "stream_processor_alerts_firing", "Alerts that are firing now.");
    metrics->memory = metric_add_gauge(set, "stream_processor_detector_bytes", "Memory of all detectors.");
    struct metric_family *latency = metric_family_add(
        set, METRIC_HISTOGRAM, "stream_processor_detection_seconds",
        "From the append of the records that decided to the commit that published the transition.", NULL);
    metric_family_set_buckets(latency, seconds, sizeof seconds / sizeof seconds[0]);
    metrics->detection_seconds = metric_series(latency, NULL);
}

void processor_metrics_count(struct processor_metrics *metrics, const struct processor_counts *counts)
{
    for (int i = 0; i < RESULT_COUNT; i++) {
        metric_increment(metrics->results[i], counts->results[i]);
    }
    for (int i = EVENT_OK + 1; i < EVENT_REASON_COUNT; i++) {
        metric_increment(metrics->dead_letters[i], counts->dead_letters[i]);
    }
    metric_increment(metrics->fired, counts->fired);
    metric_increment(metrics->resolved, counts->resolved);
}

void processor_metrics_count_late(struct processor_metrics *metrics, const struct event_text *service,
                                  uint32_t count)
{
    char name[EVENT_NAME_BYTES + 1];
    (void)snprintf(name, sizeof name, "%.*s", (int)service->size, service->data);
    const char *const values[] = {name, NULL};
    const char *const overflow[] = {"_overflow", NULL};
    struct metric *metric =
        metric_series(metrics->late, metrics->late_services < MAX_LATE_SERVICES ? values : overflow);
    metrics->late_services += metric_value(metric) == 0;
    metric_increment(metric, count);
}
