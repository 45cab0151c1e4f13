#include "counting_worker.h"

#include "series_counters.h"

#include "clock/clock.h"
#include "dead_letter/dead_letter.h"
#include "event/decode.h"
#include "event/log_record.h"
#include "intake/intake.h"
#include "log/log.h"
#include "program/program.h"
#include "topics/topics.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LOG_EVERY_MS 60000

struct counting_worker {
    struct program *program;
    struct series_counters *counters;
    int32_t partition_count;
    struct event_decoder *decoder;
    struct log_throttle malformed_throttle, overflow_throttle;
    size_t said_overflow;
    atomic_bool owns_first;
};

/* The state topic's partition p holds what metrics.raw p and logs.raw p have counted; each takes its own
 * kinds of keys. */
struct partition {
    bool is_logs;
    int32_t number;
    struct counter_partition *counters;
};

int counting_worker_create(struct counting_worker **out, struct program *program,
                           struct series_counters *counters, int32_t partition_count, struct error *error)
{
    struct counting_worker *worker = calloc(1, sizeof *worker);
    *out = worker;
    if (worker == NULL) {
        return error_set(error, -1, "no memory for the worker");
    }
    worker->program = program;
    worker->counters = counters;
    worker->partition_count = partition_count;
    return event_decoder_create(&worker->decoder, error);
}

void counting_worker_destroy(struct counting_worker *worker)
{
    if (worker != NULL) {
        event_decoder_destroy(worker->decoder);
        free(worker);
    }
}

bool counting_worker_owns_first(const struct counting_worker *worker)
{
    return atomic_load(&worker->owns_first);
}

static int64_t wall_ms(const struct counting_worker *worker)
{
    return clock_wall_ms(program_clock(worker->program));
}

static int open_partition(void *context, const struct bus_partition *assigned, void **state,
                          struct error *error)
{
    struct counting_worker *worker = context;
    struct partition *partition = calloc(1, sizeof *partition);
    if (partition == NULL) {
        return error_set(error, -1, "no memory for a partition");
    }
    partition->is_logs = strcmp(assigned->topic, TOPIC_LOGS_RAW) == 0;
    partition->number = assigned->partition;
    if (counter_partition_open(worker->counters, partition->is_logs ? "logs|totals" : "totals|",
                               &partition->counters, error) != 0) {
        free(partition);
        return -1;
    }
    if (!partition->is_logs && partition->number == 0) {
        atomic_store(&worker->owns_first, true);
    }
    *state = partition;
    return 0;
}

static void close_partition(void *context, void *state)
{
    struct counting_worker *worker = context;
    struct partition *partition = state;
    if (!partition->is_logs && partition->number == 0) {
        atomic_store(&worker->owns_first, false);
    }
    counter_partition_close(worker->counters, partition->counters);
    free(partition);
}

/* Keys of logs begin with "logs|" in the state of either topic. */
static bool is_logs_key(struct bus_bytes key)
{
    return key.size_bytes >= 5 && memcmp(key.data, "logs|", 5) == 0;
}

static int restore_partition(void *context, void *state, const struct bus_record *records, size_t count,
                             struct error *error)
{
    struct counting_worker *worker = context;
    struct partition *partition = state;
    int64_t now_ms = wall_ms(worker);
    for (size_t i = 0; i < count; i++) {
        if (is_logs_key(records[i].key) == partition->is_logs &&
            counter_partition_restore(partition->counters, records[i].key, records[i].value, now_ms, error) !=
                0) {
            error_add_context(error, TOPIC_METRICS_BRIDGE_STATE " partition %d", partition->number);
            return -1;
        }
    }
    return 0;
}

static int64_t start_offset(void *context, void *state, const struct bus_partition *assigned)
{
    (void)context;
    (void)assigned;
    counter_partition_end_restore(((struct partition *)state)->counters);
    return BUS_FROM_COMMITTED;
}

static int tick(void *context, struct group_worker *loop, void *state, struct error *error)
{
    (void)loop;
    (void)state;
    (void)error;
    series_counters_settle(((struct counting_worker *)context)->counters);
    return 0;
}

/* --- records ---- */

/* Malformed events are counted here and dead-lettered by the stream-processor. */
static int process_event(struct counting_worker *worker, struct partition *partition,
                         const struct bus_record *record, int64_t now_ms)
{
    struct event event;
    struct event_fault fault;
    if (intake_check(worker->decoder, record, worker->partition_count, &event, &fault) != EVENT_OK) {
        counter_partition_count_total(partition->counters, TOTAL_EVENTS_MALFORMED);
        return 0;
    }
    return counter_partition_count_event(partition->counters, &event, now_ms);
}

static int put_dead_letter(struct counting_worker *worker, struct group_worker *loop,
                           const struct bus_record *record, const struct event_fault *fault,
                           struct error *error)
{
    uint64_t suppressed = 0;
    struct dead_letter letter;
    dead_letter_build(&letter, TOPIC_LOGS_RAW_DLQ, "metrics-bridge", record, fault, wall_ms(worker));
    int64_t steady_ms = clock_steady_ms(program_clock(worker->program));
    if (log_throttle_allows(&worker->malformed_throttle, steady_ms, LOG_EVERY_MS, &suppressed)) {
        log_warn_with(program_log(worker->program), "malformed log record, put on " TOPIC_LOGS_RAW_DLQ,
                      log_integer("partition", record->partition), log_integer("offset", record->offset),
                      log_text("reason", event_reason_name(fault->reason)), log_text("what", fault->message),
                      log_integer("more_since_last_line", (int64_t)suppressed));
    }
    return group_worker_put(loop, &letter.record, error);
}

static int process_log(struct counting_worker *worker, struct group_worker *loop, struct partition *partition,
                       const struct bus_record *record, int64_t now_ms, struct error *error)
{
    struct log_record line;
    struct event_fault fault;
    if (log_record_decode(worker->decoder, record->value.data, record->value.size_bytes, &line, &fault) !=
        EVENT_OK) {
        counter_partition_count_total(partition->counters, TOTAL_LOGS_MALFORMED);
        return put_dead_letter(worker, loop, record, &fault, error);
    }
    if (counter_partition_count_log(partition->counters, &line, now_ms) != 0) {
        return error_set(error, -1, "no memory for counters");
    }
    return 0;
}

static void say_overflow(struct counting_worker *worker)
{
    size_t overflow = series_counters_overflow(worker->counters);
    uint64_t suppressed = 0;
    if (overflow > worker->said_overflow &&
        log_throttle_allows(&worker->overflow_throttle, clock_steady_ms(program_clock(worker->program)),
                            LOG_EVERY_MS, &suppressed)) {
        worker->said_overflow = overflow;
        log_warn_with(program_log(worker->program),
                      "more label sets than --max-series, new ones are counted as _overflow",
                      log_integer("overflow_label_sets", (int64_t)overflow));
    }
}

static int process_records(void *context, struct group_worker *loop, void *state,
                           const struct bus_record *records, size_t count, struct error *error)
{
    struct counting_worker *worker = context;
    struct partition *partition = state;
    int64_t now_ms = wall_ms(worker);
    for (size_t i = 0; i < count; i++) {
        if (partition->is_logs) {
            if (process_log(worker, loop, partition, &records[i], now_ms, error) != 0) {
                return -1;
            }
        } else if (process_event(worker, partition, &records[i], now_ms) != 0) {
            return error_set(error, -1, "no memory for counters");
        }
    }
    say_overflow(worker);
    return 0;
}

/* --- the commit ---- */

static int save_partition(void *context, struct group_worker *loop, void *state, struct error *error)
{
    struct partition *partition = state;
    int64_t now_ms = wall_ms(context);
    struct bus_bytes key;
    struct bus_bytes value;
    while (counter_partition_next_saved(partition->counters, now_ms, &key, &value)) {
        if (value.data == NULL) {
            return error_set(error, -1, "no memory to save counters");
        }
        if (group_worker_put_state(loop, partition->number, key, value, error) != BUS_OK) {
            return -1;
        }
    }
    return 0;
}

static void note_commit(void *context, void *state)
{
    counter_partition_commit(((struct partition *)state)->counters, wall_ms(context));
}

const struct group_worker_calls *counting_worker_calls(void)
{
    static const struct group_worker_calls calls = {
        .open = open_partition,
        .restore = restore_partition,
        .start_offset = start_offset,
        .process = process_records,
        .tick = tick,
        .save = save_partition,
        .committed = note_commit,
        .close = close_partition,
    };
    return &calls;
}
