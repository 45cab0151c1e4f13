#include "publisher.h"

#include "buffer/buffer.h"
#include "bus/bus.h"
#include "clock/clock.h"
#include "event/encode.h"
#include "log/log.h"
#include "metrics/metric_set.h"
#include "program/program.h"
#include "topics/topics.h"

#include <stdlib.h>

#define ACKS_AT_ONCE     512
#define POLL_EVERY       128 /* records sent between two looks at the acknowledgements */
#define WAIT_MS          50
#define SAY_AFTER_MS     2000
#define SAY_EVERY_MS     60000
#define READY_EVERY_MS   500
#define LAST_PATIENCE_MS 5000

enum { PRODUCED, ACKNOWLEDGED, FAILED, RESULTS };

struct publisher {
    struct program *program;
    struct bus *bus;
    struct bus_producer *producer;
    struct buffer record; /* EVENT_RECORD_BYTES at most */
    struct publisher_counts counts[PUBLISHER_KINDS];
    struct metric *metrics[PUBLISHER_KINDS][RESULTS];
    unsigned sent_since_poll;
    int64_t ready_checked_ms;
    bool is_draining; /* no longer ready, whatever the bus says */
    struct log_throttle wait_throttle, failure_throttle;
};

static const char *const topics[PUBLISHER_KINDS] = {TOPIC_METRICS_RAW, TOPIC_LOGS_RAW};

/* --- life ---- */

static void add_metrics(struct publisher *publisher)
{
    static const char *const labels[] = {"result", NULL};
    static const char *const results[RESULTS] = {"produced", "acknowledged", "failed"};
    static const char *const names[PUBLISHER_KINDS] = {"workload_simulator_events_total",
                                                       "workload_simulator_logs_total"};
    static const char *const helps[PUBLISHER_KINDS] = {
        "Events given to the bus, acknowledged by it and refused by it.",
        "Log records given to the bus, acknowledged by it and refused by it."};
    struct metric_set *set = program_metrics(publisher->program);
    for (int kind = 0; kind < PUBLISHER_KINDS; kind++) {
        struct metric_family *family =
            metric_family_add(set, METRIC_COUNTER, names[kind], helps[kind], labels);
        for (int result = 0; result < RESULTS; result++) {
            publisher->metrics[kind][result] = metric_series(family, &results[result]);
        }
    }
}

struct publisher *publisher_create(struct program *program)
{
    struct publisher *publisher = calloc(1, sizeof *publisher);
    if (publisher != NULL) {
        publisher->program = program;
        buffer_init(&publisher->record, EVENT_RECORD_BYTES);
        add_metrics(publisher);
    }
    return publisher;
}

int publisher_open(struct publisher *publisher, struct bus *bus, struct error *error)
{
    publisher->bus = bus;
    return bus_producer_create(bus, &publisher->producer, error) == BUS_OK ? 0 : -1;
}

void publisher_destroy(struct publisher *publisher)
{
    if (publisher != NULL) {
        if (publisher->producer != NULL) {
            bus_producer_destroy(publisher->producer);
        }
        buffer_free(&publisher->record);
        free(publisher);
    }
}

/* --- acknowledgements ---- */

static int64_t now_ms(const struct publisher *publisher)
{
    return clock_steady_ms(program_clock(publisher->program));
}

static void note_failure(struct publisher *publisher, enum publisher_kind kind, const char *why)
{
    uint64_t suppressed = 0;
    publisher->counts[kind].failed++;
    metric_increment(publisher->metrics[kind][FAILED], 1);
    if (log_throttle_allows(&publisher->failure_throttle, now_ms(publisher), SAY_EVERY_MS, &suppressed)) {
        log_error_with(program_log(publisher->program), "the bus refused a record",
                       log_text("topic", topics[kind]), log_text("why", why),
                       log_integer("more", (int64_t)suppressed));
    }
}

static void check_ready(struct publisher *publisher)
{
    int64_t now = now_ms(publisher);
    if (!publisher->is_draining && now - publisher->ready_checked_ms >= READY_EVERY_MS) {
        bool connected = bus_is_connected(publisher->bus);
        publisher->ready_checked_ms = now;
        program_set_ready(publisher->program, connected, connected ? "" : "waiting for the bus");
    }
}

void publisher_poll(struct publisher *publisher, int timeout_ms)
{
    struct bus_ack acks[ACKS_AT_ONCE];
    size_t count = 0;
    publisher->sent_since_poll = 0;
    do {
        count = bus_producer_poll(publisher->producer, timeout_ms, acks, ACKS_AT_ONCE);
        timeout_ms = 0;
        uint64_t good[PUBLISHER_KINDS] = {0};
        for (size_t i = 0; i < count; i++) {
            enum publisher_kind kind = (enum publisher_kind)acks[i].tag;
            if (acks[i].status == BUS_OK) {
                good[kind]++;
            } else {
                note_failure(publisher, kind, "it wasn't acknowledged");
            }
        }
        for (int kind = 0; kind < PUBLISHER_KINDS; kind++) {
            publisher->counts[kind].acknowledged += good[kind];
            metric_increment(publisher->metrics[kind][ACKNOWLEDGED], good[kind]);
        }
    } while (count == ACKS_AT_ONCE);
    check_ready(publisher);
}

/* --- sending ---- */

static void say_waiting(struct publisher *publisher, int64_t since_ms, const char *why)
{
    uint64_t suppressed = 0;
    int64_t now = now_ms(publisher);
    if (now - since_ms >= SAY_AFTER_MS &&
        log_throttle_allows(&publisher->wait_throttle, now, SAY_EVERY_MS, &suppressed)) {
        log_warn_with(program_log(publisher->program), "the bus takes nothing, waiting",
                      log_text("bus_url", program_bus_url(publisher->program)), log_text("why", why));
    }
}

static int produce_patiently(struct publisher *publisher, const struct bus_record *record,
                             enum publisher_kind kind, struct error *error)
{
    int result = bus_produce(publisher->producer, record, kind, error);
    if (result != BUS_FULL && result != BUS_AWAY) {
        return result;
    }
    int64_t since_ms = now_ms(publisher);
    while ((result == BUS_FULL || result == BUS_AWAY) && !program_is_stopping(publisher->program)) {
        publisher_poll(publisher, WAIT_MS);
        result = bus_produce(publisher->producer, record, kind, error);
        if (result == BUS_AWAY || result == BUS_FULL) {
            say_waiting(publisher, since_ms, error->message);
        }
        if (result == BUS_AWAY) {
            (void)program_sleep(publisher->program, WAIT_MS);
        }
    }
    return result;
}

static enum publisher_result send_record(struct publisher *publisher, enum publisher_kind kind,
                                         struct event_text key, struct error *error)
{
    if (publisher->record.failed) {
        note_failure(publisher, kind, "it is over 64 KiB");
        return PUBLISHER_OK;
    }
    const struct bus_record record = {
        .topic = topics[kind],
        .partition = BUS_PARTITION_BY_KEY,
        .key = {key.data, key.size},
        .value = {publisher->record.data, publisher->record.size},
    };
    int result = produce_patiently(publisher, &record, kind, error);
    if (result == BUS_FULL || result == BUS_AWAY) {
        return PUBLISHER_STOPPED;
    }
    if (result == BUS_REFUSED) {
        note_failure(publisher, kind, error->message);
        return PUBLISHER_OK;
    }
    if (result != BUS_OK) {
        return PUBLISHER_FAILED;
    }
    publisher->counts[kind].produced++;
    metric_increment(publisher->metrics[kind][PRODUCED], 1);
    if (++publisher->sent_since_poll >= POLL_EVERY) {
        publisher_poll(publisher, 0);
    }
    return PUBLISHER_OK;
}

enum publisher_result publisher_send_event(struct publisher *publisher, const struct event *event,
                                           struct event_text key, struct error *error)
{
    buffer_clear(&publisher->record);
    event_encode(&publisher->record, event);
    return send_record(publisher, PUBLISHER_EVENTS, key, error);
}

enum publisher_result publisher_send_log(struct publisher *publisher, const struct log_record *record,
                                         struct event_text key, struct error *error)
{
    buffer_clear(&publisher->record);
    log_record_encode(&publisher->record, record);
    return send_record(publisher, PUBLISHER_LOGS, key, error);
}

/* --- the end ---- */

bool publisher_is_waiting(const struct publisher *publisher)
{
    return bus_producer_pending(publisher->producer) > 0;
}

void publisher_drain(struct publisher *publisher)
{
    int64_t since_ms = now_ms(publisher), deadline_ms = INT64_MAX;
    publisher->is_draining = true;
    program_set_ready(publisher->program, false, "stopping");
    while (bus_producer_pending(publisher->producer) > 0 && now_ms(publisher) < deadline_ms) {
        publisher_poll(publisher, WAIT_MS);
        say_waiting(publisher, since_ms, "records aren't acknowledged yet");
        if (deadline_ms == INT64_MAX && program_is_stopping(publisher->program)) {
            deadline_ms = now_ms(publisher) + LAST_PATIENCE_MS;
        }
    }
}

void publisher_read_counts(const struct publisher *publisher, enum publisher_kind kind,
                           struct publisher_counts *counts)
{
    *counts = publisher->counts[kind];
}

bool publisher_is_complete(const struct publisher *publisher)
{
    for (int kind = 0; kind < PUBLISHER_KINDS; kind++) {
        const struct publisher_counts *counts = &publisher->counts[kind];
        if (counts->failed > 0 || counts->acknowledged != counts->produced) {
            return false;
        }
    }
    return true;
}
