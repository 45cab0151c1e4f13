#include "support/transition_writer.h"

#include "alert/encode.h"
#include "buffer/buffer.h"
#include "bus/bus.h"
#include "clock/clock.h"
#include "cmocka_all.h"
#include "topics/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 30000

struct transition_writer {
    struct bus_member *member;
    int32_t started;
};

static void check(int result, const struct error *error)
{
    if (result != BUS_OK) {
        fail_msg("%s", error->message);
    }
}

static void take_turn(struct transition_writer *writer, int timeout_ms)
{
    struct error error;
    struct bus_turn turn;
    check(bus_poll(writer->member, timeout_ms, &turn, &error), &error);
    if (turn.kind == BUS_RESTORED) {
        const struct bus_partition *p = &turn.partitions[0];
        check(bus_start(writer->member, p->topic, p->partition, BUS_FROM_END, &error), &error);
        writer->started++;
    } else if (turn.kind == BUS_LOST) {
        writer->started -= (int32_t)turn.partition_count;
    }
}

/* A member of a group of its own: a commit of outputs needs one. What it would read is of no interest. */
struct transition_writer *transition_writer_open(struct bus *bus)
{
    static const char *const topics[] = {TOPIC_METRICS_RAW_DLQ, NULL};
    const struct bus_member_settings settings = {
        .group = "test-writer", .member_id = "writer", .topics = topics};
    struct transition_writer *writer = calloc(1, sizeof *writer);
    struct error error;
    assert_non_null(writer);
    check(bus_join(bus, &settings, &writer->member, &error), &error);
    const int64_t deadline_ms = clock_steady_ms(clock_system()) + PATIENCE_MS;
    while (writer->started < topics_find(TOPIC_METRICS_RAW_DLQ)->partitions) {
        take_turn(writer, 100);
        assert_true(clock_steady_ms(clock_system()) < deadline_ms);
    }
    return writer;
}

void transition_writer_close(struct transition_writer *writer)
{
    if (writer != NULL) {
        (void)bus_leave(writer->member, NULL);
        free(writer);
    }
}

static int commit_once(struct transition_writer *writer, struct bus_record *record, bool is_firing)
{
    struct error error;
    const struct bus_bytes value = record->value;
    record->topic = TOPIC_ALERTS_FIRED;
    check(bus_put(writer->member, record, &error), &error);
    record->topic = TOPIC_ALERTS_ACTIVE;
    record->value = is_firing ? value : (struct bus_bytes){NULL, 0};
    check(bus_put(writer->member, record, &error), &error);
    record->value = value;
    return bus_commit(writer->member, &error);
}

void transition_writer_put(struct transition_writer *writer, struct alert_transition *t)
{
    char key[ALERT_FINGERPRINT_BYTES];
    char storage[4096];
    struct buffer text;
    const int64_t now_ms = clock_wall_ms(clock_system());
    t->fingerprint = alert_fingerprint(t->rule, t->labels.service, t->labels.region, t->labels.route);
    t->detected_ms = now_ms;
    t->starts_ms = t->starts_ms == 0 ? now_ms : t->starts_ms;
    t->ends_ms = t->state == ALERT_RESOLVED && t->ends_ms == 0 ? now_ms : t->ends_ms;
    buffer_init_fixed(&text, storage, sizeof storage);
    alert_encode(&text, t, "");
    assert_false(text.failed);
    alert_fingerprint_format(key, t->fingerprint);
    struct bus_record record = {
        .partition = BUS_PARTITION_BY_KEY, .key = {key, strlen(key)}, .value = {text.data, text.size}};
    take_turn(writer, 0); /* it stays a member */
    while (commit_once(writer, &record, t->state == ALERT_FIRING) == BUS_RESET) {
        do {
            take_turn(writer, 100);
        } while (writer->started < topics_find(TOPIC_METRICS_RAW_DLQ)->partitions);
    }
}

struct alert_transition transition_of_errors(const char *rule, const char *service, const char *region,
                                             enum alert_state state, enum rule_severity severity)
{
    const bool is_firing = state == ALERT_FIRING;
    struct alert_transition t = {.state = state,
                                 .reason = is_firing ? ALERT_REASON_NONE : ALERT_REASON_CLEAR,
                                 .severity = severity,
                                 .signal = RULE_ERROR_RATE,
                                 .value = is_firing ? 0.31 : 0.01,
                                 .threshold = 0.05,
                                 .samples = 200,
                                 .bad = 62,
                                 .window_seconds = 10,
                                 .evaluations = 2,
                                 .runbook = "runbooks/high-error-rate.md"};
    (void)snprintf(t.rule, sizeof t.rule, "%s", rule);
    (void)snprintf(t.labels.service, sizeof t.labels.service, "%s", service);
    (void)snprintf(t.labels.region, sizeof t.labels.region, "%s", region);
    return t;
}
