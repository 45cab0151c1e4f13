#include "detection_worker.h"

#include "partition.h"

#include "clock/clock.h"
#include "metrics/metric_set.h"
#include "program/program.h"
#include "rule/rule.h"
#include "topics/topics.h"

#include <stdlib.h>
#include <string.h>

int detection_worker_create(struct detection_worker **out, struct program *program, struct bus *bus,
                            const struct detection_settings *settings, struct error *error)
{
    *out = NULL;
    struct detection_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        return error_set(error, -1, "no memory for the worker");
    }
    worker->program = program;
    worker->bus = bus;
    worker->settings = *settings;
    (void)pthread_mutex_init(&worker->lock, NULL);
    buffer_init(&worker->text, 0);
    processor_metrics_add(&worker->metrics, program_metrics(program));
    if (rules_file_load(&worker->rules, settings->rules_path, error) != 0 ||
        stream_feed_create(&worker->stream, error) != 0 ||
        transition_ring_create(&worker->ring, error) != 0 ||
        record_feed_create(&worker->feed, publish_calls(), worker, settings->partition_count, &worker->lock,
                           error) != 0) {
        detection_worker_destroy(worker);
        return -1;
    }
    *out = worker;
    return 0;
}

void detection_worker_destroy(struct detection_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    record_feed_destroy(worker->feed);
    stream_feed_destroy(worker->stream);
    transition_ring_destroy(worker->ring);
    rules_file_free(&worker->rules);
    rules_file_free(&worker->next_rules);
    buffer_free(&worker->text);
    (void)pthread_mutex_destroy(&worker->lock);
    free(worker);
}

int64_t worker_wall_ms(const struct detection_worker *worker)
{
    return clock_wall_ms(program_clock(worker->program));
}

int64_t worker_steady_ms(const struct detection_worker *worker)
{
    return clock_steady_ms(program_clock(worker->program));
}

/* --- a partition comes and goes ---- */

static int open_partition(void *context, const struct bus_partition *assigned, void **state,
                          struct error *error)
{
    struct detection_worker *worker = context;
    struct partition *partition = partition_create(worker, assigned, error);
    if (partition == NULL) {
        return -1;
    }
    (void)pthread_mutex_lock(&worker->lock);
    partition->next = worker->partitions;
    worker->partitions = partition;
    (void)pthread_mutex_unlock(&worker->lock);
    *state = partition;
    return 0;
}

static void close_partition(void *context, void *state)
{
    struct detection_worker *worker = context;
    struct partition *partition = state;
    (void)pthread_mutex_lock(&worker->lock);
    struct partition **link = &worker->partitions;
    while (*link != partition) {
        link = &(*link)->next;
    }
    *link = partition->next;
    (void)pthread_mutex_unlock(&worker->lock);
    transition_ring_forget(worker->ring, partition->place.partition);
    partition_destroy(partition);
}

static int restore_partition(void *context, void *state, const struct bus_record *records, size_t count,
                             struct error *error)
{
    struct detection_worker *worker = context;
    struct partition *partition = state;
    for (size_t i = 0; i < count; i++) {
        (void)pthread_mutex_lock(&worker->lock);
        int result = partition_restore(worker, partition, &records[i], error);
        (void)pthread_mutex_unlock(&worker->lock);
        if (result != 0) {
            error_add_context(error, TOPIC_STREAM_PROCESSOR_STATE " partition %d",
                              partition->place.partition);
            return -1;
        }
    }
    return 0;
}

static int64_t start_partition(void *context, void *state, const struct bus_partition *assigned)
{
    return partition_start(context, state, assigned);
}

/* --- records and silence ---- */

static int process_records(void *context, struct group_worker *loop, void *state,
                           const struct bus_record *records, size_t count, struct error *error)
{
    struct detection_worker *worker = context;
    struct partition *partition = state;
    struct feed_place *place = &partition->place;
    int64_t last_ms = place->clock.last_appended_ms;
    worker->loop = loop;
    partition->at_end = false;
    partition->next_offset = records[count - 1].offset + 1;
    partition->clock_changed |= records[count - 1].offset >= place->decide_from;
    int result = record_feed_records(worker->feed, place, records, count, error);
    if (detector_wants_commit(place->detector)) {
        group_worker_hurry(loop);
    }
    if (place->clock.last_appended_ms != last_ms) { /* garbage doesn't hold time up */
        partition->silent_since_ms = worker_steady_ms(worker);
    }
    return result;
}

/* The first time, alerts that fired before a restart get their series back, also where no record has come
 * since. */
static int reached_end(void *context, struct group_worker *loop, void *state, struct error *error)
{
    struct detection_worker *worker = context;
    struct partition *partition = state;
    worker->loop = loop;
    partition->at_end = true;
    return record_feed_settle(worker->feed, &partition->place, error);
}

static void show_totals(struct detection_worker *worker)
{
    struct detector_totals sum = {0};
    for (const struct partition *partition = worker->partitions; partition != NULL;
         partition = partition->next) {
        struct detector_totals totals;
        detector_read_totals(partition->place.detector, &totals);
        sum.series += totals.series;
        sum.firing += totals.firing;
        sum.memory_bytes += totals.memory_bytes;
    }
    metric_set_value(worker->metrics.series, sum.series);
    metric_set_value(worker->metrics.firing, sum.firing);
    metric_set_value(worker->metrics.memory, (double)sum.memory_bytes);
}

static int tick(void *context, struct group_worker *loop, void *state, struct error *error)
{
    struct detection_worker *worker = context;
    struct partition *partition = state;
    worker->loop = loop;
    if (partition == worker->partitions) { /* once a second, not once a partition */
        show_totals(worker);
    }
    publish_refused_routes(worker, partition);
    return silence_tick(worker, partition, error);
}

/* --- the rules change ---- */

/* A reload is a restart without an end: all is committed under the old rules, then every partition is opened
 * anew under the new ones, which are in the next commit (rules_record.h). */
static int reload_when_asked(struct detection_worker *worker, struct group_worker *loop, struct error *error)
{
    struct log *log = program_log(worker->program);
    if (!program_take_reload(worker->program)) {
        return 0;
    }
    rules_file_free(&worker->next_rules);
    if (rules_file_load(&worker->next_rules, worker->settings.rules_path, error) != 0) {
        metric_increment(worker->metrics.reloads_refused, 1);
        log_error_with(log, "the new rules are refused, the old ones stay", log_text("why", error->message));
        error_clear(error);
        return 0;
    }
    metric_increment(worker->metrics.reloads, 1);
    log_info_with(log, "rules read again", log_text("file", worker->settings.rules_path),
                  log_integer("rules", (int64_t)worker->next_rules.rules->count));
    group_worker_leave(loop);
    return 0;
}

static int between_turns(void *context, struct group_worker *loop, struct error *error)
{
    struct detection_worker *worker = context;
    stream_feed_tick(worker->stream, worker);
    return reload_when_asked(worker, loop, error);
}

void detection_worker_take_rules(struct detection_worker *worker)
{
    if (worker->next_rules.rules != NULL) {
        rules_file_free(&worker->rules);
        worker->rules = worker->next_rules;
        worker->next_rules = (struct rules_file){0};
    }
}

/* --- the commit ---- */

static int save_partition(void *context, struct group_worker *loop, void *state, struct error *error)
{
    struct detection_worker *worker = context;
    worker->loop = loop;
    return partition_save(worker, state, error);
}

static void note_commit(void *context, void *state)
{
    struct detection_worker *worker = context;
    struct partition *partition = state;
    processor_metrics_count(&worker->metrics, &partition->counts);
    memset(&partition->counts, 0, sizeof partition->counts);
    stream_feed_tell_transitions(worker->stream, partition);
    transition_ring_commit(worker->ring, partition->place.partition);
    int64_t now_ms = worker_wall_ms(worker);
    for (size_t i = 0; i < partition->decided_count; i++) {
        metric_observe(worker->metrics.detection_seconds, (double)(now_ms - partition->decided_ms[i]) / 1000);
    }
    partition->decided_count = 0;
}

const struct group_worker_calls *detection_worker_calls(void)
{
    static const struct group_worker_calls calls = {
        .open = open_partition,
        .restore = restore_partition,
        .start_offset = start_partition,
        .process = process_records,
        .reached_end = reached_end,
        .tick = tick,
        .between_turns = between_turns,
        .save = save_partition,
        .committed = note_commit,
        .close = close_partition,
    };
    return &calls;
}

void detection_worker_write(struct detection_worker *worker, struct json_writer *writer,
                            void (*write)(const struct detector *detector, struct json_writer *writer))
{
    (void)pthread_mutex_lock(&worker->lock);
    for (const struct partition *partition = worker->partitions; partition != NULL;
         partition = partition->next) {
        write(partition->place.detector, writer);
    }
    (void)pthread_mutex_unlock(&worker->lock);
}

void detection_worker_end_streams(struct detection_worker *worker)
{
    stream_feed_close(worker->stream);
}
