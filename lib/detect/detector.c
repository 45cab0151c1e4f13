/* The way of an event: the partition's clock moves on and takes idle series along; its series is found, whose
 * own time moves on, and each step that it passes is judged by every rule; then the event is counted.
 *
 * Order matters and is the record order alone: batches only prefetch. */
#include "detect/detector.h"

#include "detect/detector_private.h"
#include "event/event.h"
#include "window/series_time.h"

#include <math.h>
#include <stdlib.h>
#include <xxhash.h>

#define PREFETCH_BATCH 64

/* --- creation ---- */

static void derive_limits(struct detector *detector)
{
    const struct rule_set *rules = detector->rules;
    int64_t quiet_s = rules->layout.lengths_s[rules->layout.length_count - 1];
    for (size_t i = 0; i < rules->count; i++) {
        int64_t no_data_s = rules->rules[i].on_no_data == RULE_HOLD ? 0 : rules->rules[i].no_data_after_s;
        quiet_s = no_data_s > quiet_s ? no_data_s : quiet_s;
    }
    detector->close_after_s = quiet_s + (detector->limits.lateness_ms + 999) / 1000;
}

int detector_create(struct detector **out, const struct rule_set *rules, const struct detector_limits *limits,
                    uint64_t seed, struct error *error)
{
    *out = NULL;
    struct detector *detector = calloc(1, sizeof *detector);
    if (detector == NULL || series_table_init(&detector->table, limits->series, seed) != 0) {
        free(detector);
        return error_set(error, -1, "no memory for a detector");
    }
    detector->rules = rules;
    detector->limits = *limits;
    detector->clock_ms = INT64_MIN;
    detector->swept_s = INT64_MIN;
    detector->swept_idle_ms = INT64_MIN;
    detector->next_offset = -1;
    detector->id_seed = seed;
    detector->is_numbered = true;
    derive_limits(detector);
    detector->mark_count = (size_t)detector->close_after_s + 2;
    detector->marks = calloc(detector->mark_count, sizeof *detector->marks);
    buffer_init(&detector->state_key, 0);
    buffer_init(&detector->state_value, 0);
    outbox_init(&detector->outbox);
    bool has_checkpoint =
        checkpoint_init(&detector->checkpoint, rules, limits, detector->close_after_s, seed);
    if (detector->marks == NULL || !has_checkpoint) {
        detector_destroy(detector);
        return error_set(error, -1, "no memory for a detector");
    }
    for (size_t i = 0; i < detector->mark_count; i++) {
        detector->marks[i].second = INT64_MIN;
    }
    *out = detector;
    return 0;
}

void detector_destroy(struct detector *detector)
{
    if (detector == NULL) {
        return;
    }
    series_table_deinit(&detector->table);
    resting_table_free(&detector->resting);
    buffer_free(&detector->state_key);
    buffer_free(&detector->state_value);
    outbox_free(&detector->outbox);
    checkpoint_deinit(&detector->checkpoint);
    free(detector->orphans);
    free(detector->marks);
    free(detector->queue);
    free(detector);
}

int64_t detector_clock_ms(const struct detector *detector)
{
    return detector->clock_ms;
}

/* --- replaying ---- */

struct replay_mark *detector_replay_mark(const struct detector *detector, int64_t second)
{
    int64_t slot = second % (int64_t)detector->mark_count;
    return &detector->marks[slot < 0 ? slot + (int64_t)detector->mark_count : slot];
}

static void note_replay_mark(struct detector *detector, int64_t offset)
{
    int64_t second = series_time_second(detector->clock_ms);
    struct replay_mark *mark = detector_replay_mark(detector, second);
    if (mark->second != second) {
        *mark = (struct replay_mark){second, offset};
    }
}

int64_t detector_replay_from(const struct detector *detector)
{
    if (detector->clock_ms == INT64_MIN) {
        return -1;
    }
    int64_t now_s = series_time_second(detector->clock_ms);
    for (int64_t second = now_s - detector->close_after_s; second <= now_s; second++) {
        const struct replay_mark *mark = detector_replay_mark(detector, second);
        if (mark->second == second) {
            return mark->offset;
        }
    }
    return -1;
}

/* --- counting ---- */

static void count_gauge(struct series *series, int64_t second, enum window_gauge gauge, double value,
                        double *last)
{
    if (isnan(value)) {
        return;
    }
    *last = value;
    window_add_gauge(series->window, second, gauge, value);
    if (second > series->last_gauge_s) {
        series->last_gauge_s = second;
    }
}

/* What is news is judged at once, not only when its second is over. */
static void count_event(struct detector *detector, struct series *series, const struct event *event,
                        int64_t effective_ms, enum detector_mode mode)
{
    bool is_news = false;
    int64_t second = series_time_second(effective_ms);
    if (event->kind == EVENT_REQUEST) {
        is_news = window_add(series->window, effective_ms, event->duration_s, event->status_code >= 500,
                             event->count);
        if (second > series->last_record_s) {
            series->last_record_s = second;
        }
    }
    count_gauge(series, second, WINDOW_CPU, event->cpu_utilization, &series->last_cpu);
    count_gauge(series, second, WINDOW_MEMORY, event->memory_utilization, &series->last_memory);
    if (is_news && mode != DETECTOR_REBUILD) {
        detector_judge_early(detector, series, mode);
    }
}

static void move_time(struct detector *detector, struct series *series, int64_t effective_ms,
                      enum detector_mode mode)
{
    if (effective_ms > series->newest_ms) {
        detector_advance_series(detector, series, series_time_second(effective_ms), mode);
        series->newest_ms = effective_ms;
    }
}

/* --- observing ---- */

/* The event was found new and in time by its service's series. */
static void observe_route(struct detector *detector, const struct event *event, int64_t effective_ms,
                          enum detector_mode mode)
{
    const struct event_text *route = &event->route;
    uint64_t hash = series_table_hash(&detector->table, &event->service, &event->region, route);
    struct series *series = series_table_find(&detector->table, hash, &event->service, &event->region, route);
    if (series == NULL) {
        if (series_count_rules(detector->rules, &event->service, &event->region, route) == 0) {
            return;
        }
        if (detector->table.count < detector->table.limit) {
            series = detector_add_series(detector, hash, &event->service, &event->region, route,
                                         detector_start_of_new_series(detector, effective_ms));
        }
        if (series == NULL) {
            detector->totals.routes_refused++;
            return;
        }
    }
    if (!series_time_is_late(effective_ms, series->newest_ms, detector->limits.lateness_ms)) {
        series->is_touched = true;
        move_time(detector, series, effective_ms, mode);
        count_event(detector, series, event, effective_ms, mode);
    }
}

/* Id and time make the identity. The time must not be the seed: XXH3 combines short texts and the seed by
 * exclusive or, so two ids of two times could cancel each other out and a new event pass for a copy. */
static uint64_t identity(const struct detector *detector, const struct event *event)
{
    const uint64_t both[2] = {XXH3_64bits_withSeed(event->id.data, event->id.size, detector->id_seed),
                              (uint64_t)event->time_unix_ms};
    return XXH3_64bits_withSeed(both, sizeof both, detector->id_seed);
}

static enum detector_verdict observe_one(struct detector *detector, enum detector_mode mode,
                                         const struct detector_input *input, uint64_t hash)
{
    const struct event *event = input->event;
    int64_t effective_ms = series_time_effective(event->time_unix_ms, input->appended_ms);
    if (effective_ms > detector->clock_ms) {
        detector->clock_ms = effective_ms;
        detector_follow_clock(detector, mode);
        note_replay_mark(detector, input->offset);
    }
    struct series *series = series_table_find(&detector->table, hash, &event->service, &event->region, NULL);
    int64_t newest_ms =
        series == NULL ? detector_start_of_new_series(detector, effective_ms) : series->newest_ms;
    if (series_time_is_late(effective_ms, newest_ms, detector->limits.lateness_ms)) {
        return DETECTOR_LATE;
    }
    if (series == NULL) {
        series = detector->table.count >= detector->table.limit
                     ? NULL
                     : detector_add_series(detector, hash, &event->service, &event->region, NULL, newest_ms);
        if (series == NULL) {
            return DETECTOR_NO_ROOM;
        }
    }
    series->is_touched = true;
    move_time(detector, series, effective_ms, mode);
    if (recent_ids_check(series->ids, series_time_second(event->time_unix_ms), identity(detector, event))) {
        return DETECTOR_DUPLICATE;
    }
    count_event(detector, series, event, effective_ms, mode);
    if (detector->rules->any_by_route && event->kind == EVENT_REQUEST) {
        observe_route(detector, event, effective_ms, mode);
    }
    return DETECTOR_COUNTED;
}

static void count_verdict(struct detector_totals *totals, enum detector_verdict verdict)
{
    totals->counted += verdict == DETECTOR_COUNTED;
    totals->duplicate += verdict == DETECTOR_DUPLICATE;
    totals->late += verdict == DETECTOR_LATE;
    totals->refused += verdict == DETECTOR_NO_ROOM;
}

/* Memory that the batch will touch, fetched stage by stage: each stage needs the one before. What is found
 * here is only a guess: an event of the batch may add or close series. */
static void prefetch(const struct detector *detector, const struct detector_input *inputs, size_t count,
                     uint64_t *hashes)
{
    const struct series *guesses[PREFETCH_BATCH];
    for (size_t i = 0; i < count; i++) {
        const struct event *event = inputs[i].event;
        hashes[i] = series_table_hash(&detector->table, &event->service, &event->region, NULL);
        series_table_prefetch_slot(&detector->table, hashes[i]);
    }
    for (size_t i = 0; i < count; i++) {
        guesses[i] = series_table_prefetch(&detector->table, hashes[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (guesses[i] != NULL && guesses[i]->ids != NULL) {
            window_prefetch(guesses[i]->window, series_time_second(inputs[i].event->time_unix_ms));
            recent_ids_prefetch(guesses[i]->ids, series_time_second(inputs[i].event->time_unix_ms));
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (guesses[i] != NULL && guesses[i]->ids != NULL) {
            int64_t second = series_time_second(inputs[i].event->time_unix_ms);
            window_prefetch_values(guesses[i]->window, second);
            recent_ids_prefetch_slot(guesses[i]->ids, second, identity(detector, inputs[i].event));
        }
    }
}

void detector_observe(struct detector *detector, enum detector_mode mode, struct detector_input *inputs,
                      size_t count)
{
    uint64_t hashes[PREFETCH_BATCH];
    detector->drain_series = 0;
    detector->drain_rule = 0;
    detector->checkpoint.records += count;
    detector->next_offset = count > 0 ? inputs[count - 1].offset + 1 : detector->next_offset;
    for (size_t first = 0; first < count; first += PREFETCH_BATCH) {
        size_t batch = count - first < PREFETCH_BATCH ? count - first : PREFETCH_BATCH;
        prefetch(detector, &inputs[first], batch, hashes);
        for (size_t i = 0; i < batch; i++) {
            struct detector_input *input = &inputs[first + i];
            input->verdict = observe_one(detector, mode, input, hashes[i]);
            count_verdict(&detector->totals, input->verdict);
        }
    }
}

/* Second by second, because a series that is closed in one of them judges no later ones: so many short ticks
 * and a long one are the same. What is still there after twice the time in which silent series are closed
 * stays. */
static void pass_seconds(struct detector *detector, enum detector_mode mode, int64_t clock_ms)
{
    if (detector->clock_ms == INT64_MIN) {
        return;
    }
    int64_t second = series_time_second(detector->clock_ms) + 1;
    int64_t end = series_time_second(clock_ms);
    int64_t settled = second + 2 * detector->close_after_s + detector->limits.idle_after_ms / 1000;
    for (end = end < settled ? end : settled; second < end && detector->table.count > 0; second++) {
        detector->clock_ms = second * 1000;
        detector_follow_clock(detector, mode);
    }
}

void detector_pass_time(struct detector *detector, enum detector_mode mode, int64_t clock_ms)
{
    detector->drain_series = 0;
    detector->drain_rule = 0;
    if (clock_ms > detector->clock_ms) {
        pass_seconds(detector, mode, clock_ms);
        detector->clock_ms = clock_ms;
    }
    detector_follow_clock(detector, mode);
}

void detector_read_totals(const struct detector *detector, struct detector_totals *out)
{
    *out = detector->totals;
    out->series = (uint32_t)detector->table.count;
    out->memory_bytes = sizeof *detector + detector->mark_count * sizeof detector->marks[0] +
                        resting_table_memory(&detector->resting) +
                        detector->queue_capacity * sizeof detector->queue[0] +
                        outbox_memory(&detector->outbox) + checkpoint_memory(&detector->checkpoint) +
                        series_table_memory(&detector->table);
}
