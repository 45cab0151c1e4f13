/* What the feed finds out, onto the bus: transitions, dead letters, counts. */
#include "partition.h"

#include "alert/encode.h"
#include "alert/transition.h"
#include "dead_letter/dead_letter.h"
#include "event/event.h"
#include "metrics/metric_set.h"
#include "program/program.h"
#include "rule/rule.h"
#include "topics/topics.h"

#include <string.h>

#define LOG_EVERY_MS 60000

static int put_transition(struct detection_worker *worker, const struct alert_transition *transition,
                          struct error *error)
{
    char key[ALERT_FINGERPRINT_BYTES];
    alert_fingerprint_format(key, transition->fingerprint);
    buffer_clear(&worker->text);
    alert_encode(&worker->text, transition, worker->settings.runbook_base);
    if (worker->text.failed) {
        return error_set(error, -1, "no memory for an alert");
    }
    struct bus_record record = {.topic = TOPIC_ALERTS_FIRED,
                                .partition = BUS_PARTITION_BY_KEY,
                                .key = {key, strlen(key)},
                                .value = {worker->text.data, worker->text.size}};
    if (group_worker_put(worker->loop, &record, error) != BUS_OK) {
        return -1;
    }
    record.topic = TOPIC_ALERTS_ACTIVE;
    if (transition->state == ALERT_RESOLVED) {
        record.value = (struct bus_bytes){NULL, 0}; /* a tombstone: nothing is active under this key */
    }
    return group_worker_put(worker->loop, &record, error) == BUS_OK ? 0 : -1;
}

static const struct rule *find_rule(const struct detection_worker *worker, const char *name)
{
    const struct rule_set *set = worker->rules.rules;
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->rules[i].name, name) == 0) {
            return &set->rules[i];
        }
    }
    return NULL;
}

static int publish_transition(void *context, struct feed_place *place, struct alert_transition *transition,
                              int64_t appended_ms, struct error *error)
{
    struct detection_worker *worker = context;
    struct partition *partition = place->owner;
    bool firing = transition->state == ALERT_FIRING;
    transition->detected_ms = worker_wall_ms(worker);
    if (put_transition(worker, transition, error) != 0) {
        return -1;
    }
    transition_ring_add(worker->ring, place->partition, transition, find_rule(worker, transition->rule));
    /* The text holds no line break: one line of JSON. */
    buffer_append_text(&partition->decided_text, "event: transition\ndata: ");
    buffer_append(&partition->decided_text, worker->text.data, worker->text.size);
    buffer_append_text(&partition->decided_text, "\n\n");
    partition->counts.fired += firing;
    partition->counts.resolved += !firing;
    if (partition->decided_count < WAITING_DECISIONS) {
        partition->decided_ms[partition->decided_count++] = appended_ms;
    }
    log_info_with(program_log(worker->program), firing ? "alert firing" : "alert resolved",
                  log_text("rule", transition->rule), log_text("service", transition->labels.service),
                  log_text("region", transition->labels.region), log_real("value", transition->value),
                  log_integer("sequence", transition->sequence));
    group_worker_hurry(worker->loop);
    return 0;
}

static int put_dead_letter(void *context, struct feed_place *place, const struct bus_record *record,
                           const struct event_fault *fault, struct error *error)
{
    struct detection_worker *worker = context;
    struct partition *partition = place->owner;
    uint64_t suppressed = 0;
    struct dead_letter letter;
    dead_letter_build(&letter, TOPIC_METRICS_RAW_DLQ, "stream-processor", record, fault,
                      worker_wall_ms(worker));
    if (group_worker_put(worker->loop, &letter.record, error) != BUS_OK) {
        return -1;
    }
    partition->counts.results[RESULT_MALFORMED]++;
    partition->counts.dead_letters[fault->reason]++;
    if (log_throttle_allows(&worker->malformed_throttle, worker_steady_ms(worker), LOG_EVERY_MS,
                            &suppressed)) {
        log_warn_with(program_log(worker->program), "malformed record, put on " TOPIC_METRICS_RAW_DLQ,
                      log_integer("partition", record->partition), log_integer("offset", record->offset),
                      log_text("reason", event_reason_name(fault->reason)), log_text("what", fault->message),
                      log_integer("more_since_last_line", (int64_t)suppressed));
    }
    return 0;
}

static void note_verdict(void *context, struct feed_place *place, const struct detector_input *input)
{
    static const enum processor_result results[] = {[DETECTOR_COUNTED] = RESULT_COUNTED,
                                                    [DETECTOR_DUPLICATE] = RESULT_DUPLICATE,
                                                    [DETECTOR_LATE] = RESULT_LATE,
                                                    [DETECTOR_NO_ROOM] = RESULT_REFUSED};
    struct detection_worker *worker = context;
    struct partition *partition = place->owner;
    uint64_t suppressed = 0;
    partition->counts.results[results[input->verdict]]++;
    if (input->verdict == DETECTOR_LATE) {
        processor_metrics_count_late(&worker->metrics, &input->event->service, input->event->count);
        if (log_throttle_allows(&worker->late_throttle, worker_steady_ms(worker), LOG_EVERY_MS,
                                &suppressed)) {
            log_warn_with(program_log(worker->program), "record too late for its series",
                          log_bytes("service", input->event->service.data, input->event->service.size),
                          log_integer("behind_append_ms", input->appended_ms - input->event->time_unix_ms),
                          log_integer("more_since_last_line", (int64_t)suppressed));
        }
    } else if (input->verdict == DETECTOR_NO_ROOM &&
               log_throttle_allows(&worker->refused_throttle, worker_steady_ms(worker), LOG_EVERY_MS,
                                   &suppressed)) {
        log_warn_with(program_log(worker->program), "too many series: new ones are refused (--max-series)",
                      log_bytes("service", input->event->service.data, input->event->service.size),
                      log_integer("partition", place->partition));
    }
}

void publish_refused_routes(struct detection_worker *worker, struct partition *partition)
{
    struct detector_totals totals;
    uint64_t suppressed = 0;
    detector_read_totals(partition->place.detector, &totals);
    uint64_t refused = totals.routes_refused - partition->routes_refused;
    partition->routes_refused = totals.routes_refused;
    if (refused == 0) {
        return;
    }
    metric_increment(worker->metrics.routes_refused, refused);
    if (log_throttle_allows(&worker->refused_throttle, worker_steady_ms(worker), LOG_EVERY_MS, &suppressed)) {
        log_warn_with(
            program_log(worker->program), "too many series: new routes are not watched (--max-series)",
            log_integer("partition", partition->place.partition), log_integer("records", (int64_t)refused),
            log_integer("series", (int64_t)totals.series));
    }
}

const struct record_feed_calls *publish_calls(void)
{
    static const struct record_feed_calls calls = {
        .decided = publish_transition, .malformed = put_dead_letter, .judged = note_verdict};
    return &calls;
}
