#include "forward_worker.h"

#include "alert_table.h"
#include "forward_metrics.h"

#include "alert/decode.h"
#include "clock/clock.h"
#include "log/log.h"
#include "metrics/metric_set.h"
#include "program/program.h"
#include "topics/topics.h"

#include <stdlib.h>

#define LOOK_BACK_RECORDS 1000  /* of a partition, read again at a start for what was resolved lately */
#define PROBE_MS          5000  /* between two looks whether the bus is there */
#define ABANDONED_MS      15000 /* how long it must be there without giving a lost partition back */
#define SWEEP_MS          1000
#define LOG_EVERY_MS      60000

/* A partition of alerts.fired, whether this member has it or not. */
struct partition {
    int32_t number;
    bool is_open;
    bool is_kept; /* lost, maybe with the bus: its alerts are kept alive until it is known who has it */
};

struct forward_worker {
    struct program *program;
    struct bus *bus;
    struct alert_table *table;
    const struct forward_metrics *metrics;
    struct alert_decoder *decoder;
    struct partition *partitions;
    int32_t partition_count;
    int64_t sweep_ms;     /* steady: the next one */
    int64_t probe_ms;     /* steady: the next one */
    int64_t connected_ms; /* steady: since when the bus answers; 0: it doesn't */
    struct log_throttle unreadable_throttle, no_room_throttle;
};

int forward_worker_create(struct forward_worker **out, struct program *program, struct bus *bus,
                          struct alert_table *table, const struct forward_metrics *metrics,
                          struct error *error)
{
    const int32_t count = topics_find(TOPIC_ALERTS_FIRED)->partitions;
    struct forward_worker *worker = calloc(1, sizeof *worker);
    *out = worker;
    if (worker == NULL || (worker->partitions = calloc((size_t)count, sizeof *worker->partitions)) == NULL) {
        return error_set(error, -1, "no memory for the worker");
    }
    worker->program = program;
    worker->bus = bus;
    worker->table = table;
    worker->metrics = metrics;
    worker->partition_count = count;
    for (int32_t p = 0; p < count; p++) {
        worker->partitions[p].number = p;
    }
    return alert_decoder_create(&worker->decoder, error);
}

void forward_worker_destroy(struct forward_worker *worker)
{
    if (worker != NULL) {
        alert_decoder_destroy(worker->decoder);
        free(worker->partitions);
        free(worker);
    }
}

static int64_t steady_ms(const struct forward_worker *worker)
{
    return clock_steady_ms(program_clock(worker->program));
}

/* --- the life of a partition ---- */

static int open_partition(void *context, const struct bus_partition *assigned, void **state,
                          struct error *error)
{
    struct forward_worker *worker = context;
    if (assigned->partition >= worker->partition_count) {
        return error_set(error, -1, TOPIC_ALERTS_FIRED " has a partition %d, there should be %d",
                         assigned->partition, worker->partition_count);
    }
    struct partition *partition = &worker->partitions[assigned->partition];
    partition->is_open = true;
    partition->is_kept = false;
    alert_table_open(worker->table, partition->number);
    *state = partition;
    return 0;
}

static void close_partition(void *context, void *state)
{
    struct forward_worker *worker = context;
    struct partition *partition = state;
    partition->is_open = false;
    if (!partition->is_kept) {
        alert_table_close(worker->table, partition->number);
    }
}

/* Maybe with the whole bus. While that is away nobody can resolve these alerts or take them over, and
 * Alertmanager would take our silence for their end. */
static void keep_partition(void *context, void *state)
{
    struct forward_worker *worker = context;
    ((struct partition *)state)->is_kept = true;
    worker->connected_ms = 0;
    worker->probe_ms = 0;
}

static size_t count_partitions(const struct forward_worker *worker, bool (*is_so)(const struct partition *))
{
    size_t count = 0;
    for (int32_t p = 0; p < worker->partition_count; p++) {
        count += is_so(&worker->partitions[p]);
    }
    return count;
}

static bool is_open(const struct partition *partition)
{
    return partition->is_open;
}

static bool is_kept(const struct partition *partition)
{
    return partition->is_kept;
}

/* Asks the bus, since a client that waits to join again doesn't know. */
static bool bus_has_been_back(struct forward_worker *worker)
{
    const int64_t now_ms = steady_ms(worker);
    int64_t begin = 0;
    int64_t end = 0;
    if (now_ms >= worker->probe_ms) {
        const bool answers =
            bus_read_offsets(worker->bus, TOPIC_ALERTS_FIRED, 0, &begin, &end, NULL) == BUS_OK;
        worker->connected_ms = !answers ? 0 : worker->connected_ms == 0 ? now_ms : worker->connected_ms;
        worker->probe_ms = steady_ms(worker) + PROBE_MS;
    }
    return worker->connected_ms != 0 && now_ms - worker->connected_ms >= ABANDONED_MS;
}

/* A lost partition that doesn't come back is another member's: once this one has some again, or has waited.
 */
static void drop_abandoned(struct forward_worker *worker)
{
    if (count_partitions(worker, is_kept) == 0 ||
        (count_partitions(worker, is_open) == 0 && !bus_has_been_back(worker))) {
        return;
    }
    for (int32_t p = 0; p < worker->partition_count; p++) {
        if (worker->partitions[p].is_kept) {
            worker->partitions[p].is_kept = false;
            alert_table_close(worker->table, p);
        }
    }
}

/* A little before what is committed: a resolution is repeated for minutes, after a restart too. */
static int64_t start_offset(void *context, void *state, const struct bus_partition *restored)
{
    const struct forward_worker *worker = context;
    int64_t begin = 0;
    int64_t end = 0;
    (void)state;
    if (restored->committed < 0 ||
        bus_read_offsets(worker->bus, TOPIC_ALERTS_FIRED, restored->partition, &begin, &end, NULL) !=
            BUS_OK ||
        begin >= restored->committed) {
        return BUS_FROM_COMMITTED;
    }
    const int64_t from = restored->committed - LOOK_BACK_RECORDS;
    return from > begin ? from : begin;
}

static int reached_end(void *context, struct group_worker *loop, void *state, struct error *error)
{
    struct forward_worker *worker = context;
    (void)loop;
    (void)error;
    alert_table_caught_up(worker->table, ((struct partition *)state)->number);
    return 0;
}

static int64_t find_position(void *context, void *state, int64_t next)
{
    struct forward_worker *worker = context;
    return alert_table_position(worker->table, ((struct partition *)state)->number, next);
}

/* --- records ---- */

static void say(struct forward_worker *worker, struct log_throttle *throttle, const char *what,
                const struct bus_record *record, const char *why)
{
    uint64_t suppressed = 0;
    if (log_throttle_allows(throttle, steady_ms(worker), LOG_EVERY_MS, &suppressed)) {
        log_error_with(program_log(worker->program), what, log_text("topic", record->topic),
                       log_integer("partition", record->partition), log_integer("offset", record->offset),
                       log_text("why", why), log_integer("more_since_last_line", (int64_t)suppressed));
    }
}

static bool decode(struct forward_worker *worker, const struct bus_record *record,
                   struct alert_transition *transition)
{
    struct error error;
    error_clear(&error);
    if (alert_decode(worker->decoder, record->value.data, record->value.size_bytes, transition, &error) ==
        0) {
        return true;
    }
    metric_increment(worker->metrics->unreadable, 1);
    say(worker, &worker->unreadable_throttle, "a record is no transition, skipped", record, error.message);
    return false;
}

static void note_no_room(struct forward_worker *worker, const struct bus_record *record)
{
    metric_increment(worker->metrics->no_room, 1);
    say(worker, &worker->no_room_throttle, "too many alerts, a new one isn't taken", record, "--max-alerts");
}

static int restore_partition(void *context, void *state, const struct bus_record *records, size_t count,
                             struct error *error)
{
    struct forward_worker *worker = context;
    (void)error;
    for (size_t i = 0; i < count; i++) {
        struct alert_transition transition;
        if (records[i].value.data != NULL && decode(worker, &records[i], &transition) &&
            !alert_table_restore(worker->table, ((struct partition *)state)->number, &transition)) {
            note_no_room(worker, &records[i]);
        }
    }
    return 0;
}

static int process_records(void *context, struct group_worker *loop, void *state,
                           const struct bus_record *records, size_t count, struct error *error)
{
    struct forward_worker *worker = context;
    (void)loop;
    (void)error;
    for (size_t i = 0; i < count; i++) {
        struct alert_transition transition;
        if (!decode(worker, &records[i], &transition)) {
            continue;
        }
        if (!records[i].replayed) {
            metric_increment(
                transition.state == ALERT_FIRING ? worker->metrics->fired : worker->metrics->resolved, 1);
        }
        if (!alert_table_take(worker->table, ((struct partition *)state)->number, records[i].offset,
                              &transition)) {
            note_no_room(worker, &records[i]);
        }
    }
    return 0;
}

static int between_turns(void *context, struct group_worker *loop, struct error *error)
{
    struct forward_worker *worker = context;
    struct alert_table_counts counts;
    (void)loop;
    (void)error;
    if (steady_ms(worker) < worker->sweep_ms) {
        return 0;
    }
    worker->sweep_ms = steady_ms(worker) + SWEEP_MS;
    drop_abandoned(worker);
    alert_table_forget(worker->table);
    alert_table_count(worker->table, &counts);
    metric_set_value(worker->metrics->active, (double)counts.firing);
    metric_set_value(worker->metrics->untold, (double)counts.untold);
    return 0;
}

const struct group_worker_calls *forward_worker_calls(void)
{
    static const struct group_worker_calls calls = {
        .open = open_partition,
        .restore = restore_partition,
        .start_offset = start_offset,
        .process = process_records,
        .reached_end = reached_end,
        .between_turns = between_turns,
        .position = find_position,
        .lost = keep_partition,
        .close = close_partition,
    };
    return &calls;
}
