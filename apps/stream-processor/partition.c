#include "partition.h"

#include "metrics/metric_set.h"
#include "program/program.h"
#include "random/random.h"
#include "topics/topics.h"

#include <stdlib.h>
#include <string.h>

#define HISTORY_MS       300000        /* a first start announces nothing of records older than this */
#define CHECKPOINT_BYTES (8 * 1048576) /* a commit that has more leaves checkpoints to the next one */

/* --- coming and going ---- */

struct partition *partition_create(struct detection_worker *worker, const struct bus_partition *assigned,
                                   struct error *error)
{
    struct partition *partition = calloc(1, sizeof *partition);
    if (partition == NULL) {
        (void)error_set(error, -1, "no memory for a partition");
        return NULL;
    }
    struct feed_place *place = &partition->place;
    place->partition = assigned->partition;
    place->owner = partition;
    partition->told_ms = INT64_MIN;
    buffer_init(&partition->decided_text, 0);
    partition->silent_since_ms = worker_steady_ms(worker);
    partition_clock_init(&place->clock);
    place->clock.partition_count = worker->settings.partition_count;
    if (assigned->committed < 0 && !worker->settings.announce_history) {
        place->clock.history_until_ms = worker_wall_ms(worker) - HISTORY_MS;
    }
    if (detector_create(&place->detector, worker->rules.rules, &worker->settings.limits,
                        random_seed_from_system(), error) != 0) {
        free(partition);
        return NULL;
    }
    return partition;
}

void partition_destroy(struct partition *partition)
{
    detector_destroy(partition->place.detector);
    tick_log_free(&partition->place.ticks);
    buffer_free(&partition->decided_text);
    free(partition);
}

/* --- restoring ---- */

static int restore_clock(struct detection_worker *worker, struct partition_clock *clock,
                         struct bus_bytes value, struct error *error)
{
    if (partition_clock_read(clock, value, error) != 0) {
        return -1;
    }
    if (clock->partition_count != worker->settings.partition_count) {
        return error_set(
            error, -1,
            TOPIC_METRICS_RAW
            " has %d partitions, but the saved state was made with %d: keys have moved; give the "
            "topic its partitions back, or start over with new topics",
            worker->settings.partition_count, clock->partition_count);
    }
    return 0;
}

/* Records come in any order of keys: the last one counts. */
static int restore_rules(struct partition *partition, const struct bus_record *record, struct error *error)
{
    struct rules_record rules;
    if (rules_record_read(&rules, record->key, record->value, error) != 0) {
        return -1;
    }
    if (partition->rules_hash == 0 || rules_record_compare(&rules, &partition->last_rules) >= 0) {
        partition->rules_hash = rules_record_hash(&rules);
        partition->last_rules = rules;
        partition->last_rules.text = NULL; /* the record's */
    }
    return 0;
}

static bool is_clock_key(struct bus_bytes key)
{
    return key.size_bytes == strlen(PARTITION_CLOCK_KEY) &&
           memcmp(key.data, PARTITION_CLOCK_KEY, key.size_bytes) == 0;
}

int partition_restore(struct detection_worker *worker, struct partition *partition,
                      const struct bus_record *record, struct error *error)
{
    struct feed_place *place = &partition->place;
    if (is_clock_key(record->key)) {
        return restore_clock(worker, &place->clock, record->value, error);
    }
    if (tick_is_key(record->key)) {
        return tick_log_restore(&place->ticks, record->key, record->value, error);
    }
    if (rules_is_key(record->key)) {
        return restore_rules(partition, record, error);
    }
    const struct detector_state saved = {.key = record->key.data,
                                         .value = record->value.data,
                                         .key_bytes = record->key.size_bytes,
                                         .value_bytes = record->value.size_bytes};
    return detector_load_state(place->detector, &saved, error);
}

/* Windows come out of their checkpoint, and the records since are read again; without one, all records that
 * fill them. What retention has taken of those is past any window. */
int64_t partition_start(struct detection_worker *worker, struct partition *partition,
                        const struct bus_partition *assigned)
{
    struct feed_place *place = &partition->place;
    struct error error;
    int64_t from = place->clock.replay_from;
    int64_t begin = 0;
    int64_t end = 0;
    error_clear(&error);
    bool knows_begin =
        bus_read_offsets(worker->bus, assigned->topic, assigned->partition, &begin, &end, NULL) == BUS_OK;
    bool is_first = assigned->committed < 0;
    bool can_replay =
        !is_first && knows_begin && begin <= assigned->committed; /* a lost position is the bus's to refuse */
    (void)pthread_mutex_lock(&worker->lock);
    enum detector_start start = detector_restore_windows(
        place->detector, begin, can_replay ? assigned->committed : -1, &from, &error);
    (void)pthread_mutex_unlock(&worker->lock);
    if (error.code != 0) {
        log_warn_with(program_log(worker->program), "windows are filled from the log again",
                      log_integer("partition", place->partition), log_text("why", error.message));
    }
    log_debug_with(program_log(worker->program), "partition restored",
                   log_integer("partition", place->partition),
                   log_boolean("checkpoint", start == DETECTOR_START_CHECKPOINT), log_integer("from", from),
                   log_integer("committed", assigned->committed));
    if (start == DETECTOR_START_CHECKPOINT) {
        metric_increment(worker->metrics.from_checkpoint, 1);
    } else if (can_replay && from >= 0 && from < assigned->committed) {
        metric_increment(worker->metrics.from_log, 1);
    }
    partition->is_started = true;
    place->decide_from = is_first ? begin : assigned->committed;
    partition->next_offset = place->decide_from;
    partition->tick_clock_before_ms = place->clock.tick_clock_ms;
    if (!can_replay || from < 0 || from >= assigned->committed) {
        feed_place_skip_ticks(place, place->decide_from);
        return BUS_FROM_COMMITTED;
    }
    from = from > begin ? from : begin;
    feed_place_skip_ticks(place, from);
    return from;
}

/* --- saving ---- */

/* What was written to the worker's text, as the partition's state. */
static int put_written(struct detection_worker *worker, const struct partition *partition, const char *key,
                       struct error *error)
{
    if (worker->text.failed) {
        return error_set(error, -1, "no memory for the state '%s'", key);
    }
    return group_worker_put_state(worker->loop, partition->place.partition,
                                  (struct bus_bytes){key, strlen(key)},
                                  (struct bus_bytes){worker->text.data, worker->text.size}, error);
}

static int save_detector(struct detection_worker *worker, struct partition *partition, struct error *error)
{
    struct detector_state saved;
    struct detector *detector = partition->place.detector;
    bool can_wait = group_worker_is_early(worker->loop) && !detector_wants_commit(detector);
    (void)pthread_mutex_lock(&worker->lock);
    detector_take_checkpoint(detector,
                             can_wait || group_worker_output_bytes(worker->loop) > CHECKPOINT_BYTES);
    (void)pthread_mutex_unlock(&worker->lock);
    while (detector_next_state(detector, &saved)) {
        if (group_worker_put_state(worker->loop, partition->place.partition,
                                   (struct bus_bytes){saved.key, saved.key_bytes},
                                   (struct bus_bytes){saved.value, saved.value_bytes}, error) != BUS_OK) {
            return -1;
        }
    }
    return 0;
}

static int save_clock(struct detection_worker *worker, struct partition *partition, struct error *error)
{
    partition->place.clock.replay_from = detector_replay_from(partition->place.detector);
    partition_clock_write(&worker->text, &partition->place.clock);
    return put_written(worker, partition, PARTITION_CLOCK_KEY, error);
}

static int save_tick(struct detection_worker *worker, struct partition *partition, struct error *error)
{
    const struct tick_log *ticks = &partition->place.ticks;
    const struct tick *tick = &ticks->ticks[ticks->count - 1];
    char key[TICK_KEY_BYTES + 1];
    tick_key_write(key, tick->offset);
    tick_value_write(&worker->text, tick->clock_ms);
    return put_written(worker, partition, key, error);
}

/* The first commit since the rules are others: from decide_from on, they decide. */
static int save_rules(struct detection_worker *worker, struct partition *partition, struct error *error)
{
    const struct rules_record rules = {.offset = partition->place.decide_from,
                                       .tick_clock_ms = partition->tick_clock_before_ms,
                                       .limits = worker->settings.limits,
                                       .text = worker->rules.text.data,
                                       .text_bytes = worker->rules.text.size};
    uint64_t hash = rules_record_hash(&rules);
    char key[RULES_KEY_BYTES + 1];
    if (hash == partition->rules_hash) {
        return 0;
    }
    partition->rules_hash = hash;
    rules_key_write(key, &rules);
    rules_record_write(&worker->text, &rules);
    return put_written(worker, partition, key, error);
}

int partition_save(struct detection_worker *worker, struct partition *partition, struct error *error)
{
    if (!partition->is_started) {
        return 0; /* it has not decided anything yet */
    }
    if (save_detector(worker, partition, error) != 0 || save_rules(worker, partition, error) != 0) {
        return -1;
    }
    bool tick_changed = partition->tick_changed;
    bool clock_changed = partition->clock_changed;
    partition->tick_changed = false;
    partition->clock_changed = false;
    if (tick_changed && save_tick(worker, partition, error) != 0) {
        return -1;
    }
    return clock_changed ? save_clock(worker, partition, error) : 0;
}
