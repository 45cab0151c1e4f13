#include "detection_worker.h"

#include "partition_clock.h"
#include "processor_metrics.h"

#include "alert/encode.h"
#include "alert/transition.h"
#include "buffer/buffer.h"
#include "clock/clock.h"
#include "dead_letter/dead_letter.h"
#include "event/decode.h"
#include "log/log.h"
#include "metrics/metric_set.h"
#include "program/program.h"
#include "random/random.h"
#include "topics/topics.h"
#include "json/json_write.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BATCH            128
#define HISTORY_MS       300000 /* a first start announces nothing of records older than this */
#define SILENT_MS        5000   /* an exhausted partition without records for so long gets ticks */
#define LOG_EVERY_MS     60000
#define CHECKPOINT_BYTES (8 * 1048576) /* a commit that has more leaves checkpoints to the next one */
#define WAITING_DECISIONS                                                                                    \
    64 /* transitions of one commit whose latency is measured; more are published all the same */

struct partition {
    int32_t number;
    int64_t next_offset;
    struct detector *detector;
    struct partition_clock clock;
    bool clock_changed, at_end, settled;
    int64_t silent_since_ms; /* steady */
    struct processor_counts counts;
    int64_t decided_ms[WAITING_DECISIONS]; /* append times of the records that decided, until the commit */
    size_t decided_count;
    struct partition *next;
};

struct detection_worker {
    struct program *program;
    struct bus *bus;
    struct detection_settings settings;
    struct processor_metrics metrics;
    struct event_decoder *decoder;
    struct buffer text;
    struct event events[BATCH];
    struct detector_input inputs[BATCH];
    struct log_throttle late_throttle, refused_throttle, malformed_throttle;
    pthread_mutex_t lock; /* of partitions and their detectors: the pages read them */
    struct partition *partitions;
};

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
    if (event_decoder_create(&worker->decoder, error) != 0) {
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
    event_decoder_destroy(worker->decoder);
    buffer_free(&worker->text);
    (void)pthread_mutex_destroy(&worker->lock);
    free(worker);
}

static int64_t wall_ms(const struct detection_worker *worker)
{
    return clock_wall_ms(program_clock(worker->program));
}

static int64_t steady_ms(const struct detection_worker *worker)
{
    return clock_steady_ms(program_clock(worker->program));
}

/* --- a partition comes and goes ---- */

static int open_partition(void *context, const struct bus_partition *assigned, void **state,
                          struct error *error)
{
    struct detection_worker *worker = context;
    struct partition *partition = calloc(1, sizeof *partition);
    if (partition == NULL) {
        return error_set(error, -1, "no memory for a partition");
    }
    partition->number = assigned->partition;
    partition->next_offset = assigned->committed < 0 ? 0 : assigned->committed;
    partition->silent_since_ms = steady_ms(worker);
    partition_clock_init(&partition->clock);
    partition->clock.partition_count = worker->settings.partition_count;
    if (assigned->committed < 0 && !worker->settings.announce_history) {
        partition->clock.history_until_ms = wall_ms(worker) - HISTORY_MS;
    }
    if (detector_create(&partition->detector, worker->settings.rules, &worker->settings.limits,
                        random_seed_from_system(), error) != 0) {
        free(partition);
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
    detector_destroy(partition->detector);
    free(partition);
}

static int restore_clock(struct detection_worker *worker, struct partition *partition, struct bus_bytes value,
                         struct error *error)
{
    if (partition_clock_read(&partition->clock, value, error) != 0) {
        return -1;
    }
    if (partition->clock.partition_count != worker->settings.partition_count) {
        return error_set(
            error, -1,
            TOPIC_METRICS_RAW
            " has %d partitions, but the saved state was made with %d: keys have moved; give the "
            "topic its partitions back, or start over with new topics",
            worker->settings.partition_count, partition->clock.partition_count);
    }
    return 0;
}

static int restore_partition(void *context, void *state, const struct bus_record *records, size_t count,
                             struct error *error)
{
    struct detection_worker *worker = context;
    struct partition *partition = state;
    const size_t clock_key_bytes = strlen(PARTITION_CLOCK_KEY);
    for (size_t i = 0; i < count; i++) {
        const struct bus_record *record = &records[i];
        const struct detector_state saved = {.key = record->key.data,
                                             .value = record->value.data,
                                             .key_bytes = record->key.size_bytes,
                                             .value_bytes = record->value.size_bytes};
        bool is_clock = record->key.size_bytes == clock_key_bytes &&
                        memcmp(record->key.data, PARTITION_CLOCK_KEY, clock_key_bytes) == 0;
        (void)pthread_mutex_lock(&worker->lock);
        int result = is_clock ? restore_clock(worker, partition, record->value, error)
                              : detector_load_state(partition->detector, &saved, error);
        (void)pthread_mutex_unlock(&worker->lock);
        if (result != 0) {
            error_add_context(error, TOPIC_STREAM_PROCESSOR_STATE " partition %d", partition->number);
            return -1;
        }
    }
    return 0;
}

/* Windows come out of their checkpoint, and the records since are read again; without one, all records that
 * fill them. What retention has taken of those is past any window. */
static int64_t start_offset(void *context, void *state, const struct bus_partition *assigned)
{
    struct detection_worker *worker = context;
    struct partition *partition = state;
    struct error error;
    int64_t from = partition->clock.replay_from;
    int64_t begin = 0;
    int64_t end = 0;
    error_clear(&error);
    bool is_readable =
        assigned->committed >= 0 &&
        bus_read_offsets(worker->bus, assigned->topic, assigned->partition, &begin, &end, NULL) == BUS_OK &&
        begin <= assigned->committed; /* a lost position is the bus's to refuse */
    (void)pthread_mutex_lock(&worker->lock);
    enum detector_start start = detector_restore_windows(
        partition->detector, begin, is_readable ? assigned->committed : -1, &from, &error);
    (void)pthread_mutex_unlock(&worker->lock);
    if (error.code != 0) {
        log_warn_with(program_log(worker->program), "windows are filled from the log again",
                      log_integer("partition", partition->number), log_text("why", error.message));
    }
    log_debug_with(program_log(worker->program), "partition restored",
                   log_integer("partition", partition->number),
                   log_boolean("checkpoint", start == DETECTOR_START_CHECKPOINT), log_integer("from", from),
                   log_integer("committed", assigned->committed));
    if (!is_readable || from < 0 || from >= assigned->committed) {
        return BUS_FROM_COMMITTED;
    }
    return from > begin ? from : begin;
}

/* --- records ---- */

static int publish_transition(struct detection_worker *worker, struct group_worker *loop,
                              struct partition *partition, struct alert_transition *transition,
                              struct error *error)
{
    char key[ALERT_FINGERPRINT_BYTES];
    transition->detected_ms = wall_ms(worker);
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
    if (group_worker_put(loop, &record, error) != BUS_OK) {
        return -1;
    }
    record.topic = TOPIC_ALERTS_ACTIVE;
    if (transition->state == ALERT_RESOLVED) {
        record.value = (struct bus_bytes){NULL, 0}; /* a tombstone: nothing is active under this key */
    }
    if (group_worker_put(loop, &record, error) != BUS_OK) {
        return -1;
    }
    bool firing = transition->state == ALERT_FIRING;
    partition->counts.fired += firing;
    partition->counts.resolved += !firing;
    log_info_with(program_log(worker->program), firing ? "alert firing" : "alert resolved",
                  log_text("rule", transition->rule), log_text("service", transition->labels.service),
                  log_text("region", transition->labels.region), log_real("value", transition->value),
                  log_integer("sequence", transition->sequence));
    group_worker_hurry(loop);
    return 0;
}

static int publish_transitions(struct detection_worker *worker, struct group_worker *loop,
                               struct partition *partition, int64_t appended_ms, struct error *error)
{
    struct alert_transition transition;
    while (detector_next_transition(partition->detector, &transition)) {
        if (publish_transition(worker, loop, partition, &transition, error) != 0) {
            return -1;
        }
        if (partition->decided_count < WAITING_DECISIONS) {
            partition->decided_ms[partition->decided_count++] = appended_ms;
        }
    }
    return 0;
}

static int put_dead_letter(struct detection_worker *worker, struct group_worker *loop,
                           struct partition *partition, const struct bus_record *record,
                           const struct event_fault *fault, struct error *error)
{
    uint64_t suppressed = 0;
    struct dead_letter letter;
    dead_letter_build(&letter, TOPIC_METRICS_RAW_DLQ, "stream-processor", record, fault, wall_ms(worker));
    if (group_worker_put(loop, &letter.record, error) != BUS_OK) {
        return -1;
    }
    partition->counts.results[RESULT_MALFORMED]++;
    partition->counts.dead_letters[fault->reason]++;
    if (log_throttle_allows(&worker->malformed_throttle, steady_ms(worker), LOG_EVERY_MS, &suppressed)) {
        log_warn_with(program_log(worker->program), "malformed record, put on " TOPIC_METRICS_RAW_DLQ,
                      log_integer("partition", record->partition), log_integer("offset", record->offset),
                      log_text("reason", event_reason_name(fault->reason)), log_text("what", fault->message),
                      log_integer("more_since_last_line", (int64_t)suppressed));
    }
    return 0;
}

static void note_verdict(struct detection_worker *worker, struct partition *partition,
                         const struct detector_input *input)
{
    static const enum processor_result results[] = {[DETECTOR_COUNTED] = RESULT_COUNTED,
                                                    [DETECTOR_DUPLICATE] = RESULT_DUPLICATE,
                                                    [DETECTOR_LATE] = RESULT_LATE,
                                                    [DETECTOR_NO_ROOM] = RESULT_REFUSED};
    uint64_t suppressed = 0;
    partition->counts.results[results[input->verdict]]++;
    if (input->verdict == DETECTOR_LATE) {
        processor_metrics_count_late(&worker->metrics, &input->event->service);
        if (log_throttle_allows(&worker->late_throttle, steady_ms(worker), LOG_EVERY_MS, &suppressed)) {
            log_warn_with(program_log(worker->program), "record too late for its series",
                          log_bytes("service", input->event->service.data, input->event->service.size),
                          log_integer("behind_append_ms", input->appended_ms - input->event->time_unix_ms),
                          log_integer("more_since_last_line", (int64_t)suppressed));
        }
    } else if (input->verdict == DETECTOR_NO_ROOM &&
               log_throttle_allows(&worker->refused_throttle, steady_ms(worker), LOG_EVERY_MS, &suppressed)) {
        log_warn_with(program_log(worker->program), "too many series: new ones are refused (--max-series)",
                      log_bytes("service", input->event->service.data, input->event->service.size),
                      log_integer("partition", partition->number));
    }
}

/* The inputs collected so far, through the detector. */
static int observe_batch(struct detection_worker *worker, struct group_worker *loop,
                         struct partition *partition, enum detector_mode mode, size_t count,
                         struct error *error)
{
    if (count == 0) {
        return 0;
    }
    (void)pthread_mutex_lock(&worker->lock);
    detector_observe(partition->detector, mode, worker->inputs, count);
    (void)pthread_mutex_unlock(&worker->lock);
    if (detector_wants_commit(partition->detector)) {
        group_worker_hurry(loop);
    }
    const struct detector_input *last = &worker->inputs[count - 1];
    partition->clock.last_appended_ms = last->appended_ms;
    partition->clock.last_effective_ms =
        last->event->time_unix_ms < last->appended_ms ? last->event->time_unix_ms : last->appended_ms;
    if (mode == DETECTOR_REBUILD) {
        return 0; /* counted and judged before the restart */
    }
    partition->clock_changed = true;
    for (size_t i = 0; i < count; i++) {
        note_verdict(worker, partition, &worker->inputs[i]);
    }
    return publish_transitions(worker, loop, partition, last->appended_ms, error);
}

static enum event_reason check_record(struct detection_worker *worker, const struct bus_record *record,
                                      struct event *event, struct event_fault *fault)
{
    enum event_reason reason =
        event_decode(worker->decoder, record->value.data, record->value.size_bytes, event, fault);
    if (reason == EVENT_OK) {
        reason = event_check_time(event, record->appended_ms, fault);
    }
    if (reason == EVENT_OK) {
        char key[EVENT_KEY_BYTES];
        size_t key_bytes = event_key(key, event);
        int32_t expected = bus_partition_for_key(key, key_bytes, worker->settings.partition_count);
        reason = event_check_partition(event, record->partition, expected, fault);
    }
    return reason;
}

static bool is_inside(const struct event_text *text, const struct bus_record *record)
{
    const char *begin = record->value.data;
    return text->size == 0 || (text->data >= begin && text->data < begin + record->value.size_bytes);
}

/* Texts with escapes live in the decoder's scratch memory, which the next decoding overwrites. */
static bool outlives_decoder(const struct event *event, const struct bus_record *record)
{
    return is_inside(&event->id, record) && is_inside(&event->service, record) &&
           is_inside(&event->region, record) && is_inside(&event->route, record);
}

static enum detector_mode mode_of(const struct partition *partition, const struct bus_record *record)
{
    return record->replayed                                          ? DETECTOR_REBUILD
           : record->appended_ms < partition->clock.history_until_ms ? DETECTOR_HISTORY
                                                                     : DETECTOR_DECIDE;
}

static int process_records(void *context, struct group_worker *loop, void *state,
                           const struct bus_record *records, size_t count, struct error *error)
{
    struct detection_worker *worker = context;
    struct partition *partition = state;
    enum detector_mode mode = mode_of(partition, &records[0]);
    size_t batch = 0;
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        struct event_fault fault;
        if (mode_of(partition, &records[i]) != mode) {
            result = observe_batch(worker, loop, partition, mode, batch, error);
            batch = 0;
            mode = mode_of(partition, &records[i]);
        }
        struct event *event = &worker->events[batch];
        if (result == 0 && check_record(worker, &records[i], event, &fault) != EVENT_OK) {
            result = records[i].replayed
                         ? 0
                         : put_dead_letter(worker, loop, partition, &records[i], &fault, error);
            continue;
        }
        worker->inputs[batch++] = (struct detector_input){
            .event = event, .offset = records[i].offset, .appended_ms = records[i].appended_ms};
        if (result == 0 && (batch == BATCH || !outlives_decoder(event, &records[i]))) {
            result = observe_batch(worker, loop, partition, mode, batch, error);
            batch = 0;
        }
    }
    partition->at_end = false;
    partition->silent_since_ms = steady_ms(worker);
    partition->next_offset = records[count - 1].offset + 1;
    return result != 0 ? result : observe_batch(worker, loop, partition, mode, batch, error);
}

/* --- silence ---- */

/* The first time, alerts that fired before a restart get their series back, also where no record has come
 * since. */
static int reached_end(void *context, struct group_worker *loop, void *state, struct error *error)
{
    struct detection_worker *worker = context;
    struct partition *partition = state;
    partition->at_end = true;
    if (partition->settled) {
        return 0;
    }
    partition->settled = true;
    int64_t clock_ms = partition->clock.tick_clock_ms > partition->clock.last_effective_ms
                           ? partition->clock.tick_clock_ms
                           : partition->clock.last_effective_ms;
    (void)pthread_mutex_lock(&worker->lock);
    detector_pass_time(partition->detector, DETECTOR_DECIDE, clock_ms);
    (void)pthread_mutex_unlock(&worker->lock);
    return publish_transitions(worker, loop, partition, wall_ms(worker), error);
}

/* Event time goes on while nothing comes: the only way that wall time enters, and it is saved with the
 * commit. */
static int pass_time(struct detection_worker *worker, struct group_worker *loop, struct partition *partition,
                     struct error *error)
{
    int64_t now_ms = wall_ms(worker);
    int64_t waited_ms = now_ms - partition->clock.last_appended_ms;
    int64_t clock_ms = partition->clock.last_effective_ms + (waited_ms > 0 ? waited_ms : 0);
    if (clock_ms <= partition->clock.tick_clock_ms) {
        return 0;
    }
    partition->clock.tick_offset = partition->next_offset;
    partition->clock.tick_clock_ms = clock_ms;
    partition->clock_changed = true;
    (void)pthread_mutex_lock(&worker->lock);
    detector_pass_time(partition->detector, DETECTOR_DECIDE, clock_ms);
    (void)pthread_mutex_unlock(&worker->lock);
    return publish_transitions(worker, loop, partition, now_ms, error);
}

static void show_totals(struct detection_worker *worker)
{
    struct detector_totals sum = {0};
    for (const struct partition *partition = worker->partitions; partition != NULL;
         partition = partition->next) {
        struct detector_totals totals;
        detector_read_totals(partition->detector, &totals);
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
    struct detector_totals totals;
    if (partition == worker->partitions) { /* once a second, not once a partition */
        show_totals(worker);
    }
    detector_read_totals(partition->detector, &totals);
    bool silent = partition->at_end && steady_ms(worker) - partition->silent_since_ms >= SILENT_MS;
    /* Without series there is nothing that time could change, and an idle platform commits nothing. */
    if (!worker->settings.ticks || !silent || totals.series == 0 ||
        partition->clock.last_effective_ms == INT64_MIN) {
        return 0;
    }
    return pass_time(worker, loop, partition, error);
}

/* --- the commit ---- */

static int save_partition(void *context, struct group_worker *loop, void *state, struct error *error)
{
    struct detection_worker *worker = context;
    struct partition *partition = state;
    struct detector_state saved;
    (void)pthread_mutex_lock(&worker->lock);
    detector_take_checkpoint(partition->detector, group_worker_output_bytes(loop) > CHECKPOINT_BYTES);
    (void)pthread_mutex_unlock(&worker->lock);
    while (detector_next_state(partition->detector, &saved)) {
        if (group_worker_put_state(loop, partition->number, (struct bus_bytes){saved.key, saved.key_bytes},
                                   (struct bus_bytes){saved.value, saved.value_bytes}, error) != BUS_OK) {
            return -1;
        }
    }
    if (!partition->clock_changed) {
        return 0;
    }
    partition->clock_changed = false;
    partition->clock.replay_from = detector_replay_from(partition->detector);
    unsigned char value[PARTITION_CLOCK_BYTES];
    partition_clock_write(value, &partition->clock);
    return group_worker_put_state(loop, partition->number,
                                  (struct bus_bytes){PARTITION_CLOCK_KEY, strlen(PARTITION_CLOCK_KEY)},
                                  (struct bus_bytes){value, sizeof value}, error);
}

static void note_commit(void *context, void *state)
{
    struct detection_worker *worker = context;
    struct partition *partition = state;
    processor_metrics_count(&worker->metrics, &partition->counts);
    memset(&partition->counts, 0, sizeof partition->counts);
    int64_t now_ms = wall_ms(worker);
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
        .start_offset = start_offset,
        .process = process_records,
        .reached_end = reached_end,
        .tick = tick,
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
        write(partition->detector, writer);
    }
    (void)pthread_mutex_unlock(&worker->lock);
}
