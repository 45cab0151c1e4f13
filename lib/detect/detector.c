/* The way of an event: its series is found; the partition's clock moves on and takes idle series along; the
 * series' own time moves on, and each step that it passes is judged by every rule; then the event is counted.
 *
 * Order matters and is the record order alone: batches only prefetch. */
#include "detect/detector.h"

#include "detect/detector_private.h"
#include "event/event.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define PREFETCH_BATCH 64
#define MAX_DAMPED_S   300 /* the longest for_clear that damping makes (rule_state.h) */

static int64_t second_of(int64_t ms)
{
    return ms >= 0 ? ms / 1000 : (ms - 999) / 1000;
}

/* --- creation ---- */

static void derive_limits(struct detector *detector)
{
    const struct rule_set *rules = detector->rules;
    int64_t longest_s = rules->layout.lengths_s[rules->layout.length_count - 1];
    int64_t no_data_s = 0;
    int64_t in_a_row = MAX_DAMPED_S;
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule *rule = &rules->rules[i];
        no_data_s = rule->no_data_after_s > no_data_s ? rule->no_data_after_s : no_data_s;
        in_a_row = rule->for_violations > in_a_row ? rule->for_violations : in_a_row;
        in_a_row = rule->for_clear > in_a_row ? rule->for_clear : in_a_row;
    }
    int64_t quiet_s = longest_s > no_data_s ? longest_s : no_data_s;
    detector->close_after_s = quiet_s + detector->limits.lateness_ms / 1000;
    detector->settle_steps = quiet_s + in_a_row + 1;
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
    derive_limits(detector);
    detector->mark_count = (size_t)detector->close_after_s + 2;
    detector->marks = calloc(detector->mark_count, sizeof *detector->marks);
    buffer_init(&detector->state_key, 0);
    buffer_init(&detector->state_value, 0);
    if (detector->marks == NULL) {
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
    free(detector->marks);
    free(detector->queue);
    free(detector);
}

int64_t detector_clock_ms(const struct detector *detector)
{
    return detector->clock_ms;
}

/* --- transitions ---- */

struct alert_transition *detector_extend_queue(struct detector *detector)
{
    if (detector->queue_count == detector->queue_capacity) {
        size_t capacity = detector->queue_capacity == 0 ? 16 : detector->queue_capacity * 2;
        struct alert_transition *queue = realloc(detector->queue, capacity * sizeof *queue);
        if (queue == NULL) {
            abort(); /* a decided transition must not be lost: the process begins again from what is committed
                      */
        }
        detector->queue = queue;
        detector->queue_capacity = capacity;
    }
    return &detector->queue[detector->queue_count++];
}

static void queue_transition(struct detector *detector, const struct series *series,
                             struct watched_rule *watched, const struct rule_evidence *evidence,
                             enum rule_change change)
{
    /* Measured with the windows as they were judged: a resolve has begun them anew. */
    struct rule_state judged = watched->state;
    judged.firing = true;
    judged.resolved_s = RULE_NEVER;
    const struct rule *rule = &detector->rules->rules[watched->rule];
    const struct window_layout *layout = &detector->rules->layout;
    const struct rule_view view = {.window = series->window, .layout = layout, .born_s = series->born_s};
    struct alert_transition *t = detector_extend_queue(detector);
    *t = (struct alert_transition){
        .fingerprint = watched->fingerprint,
        .sequence = ++watched->state.sequence,
        .state = change == RULE_FIRED ? ALERT_FIRING : ALERT_RESOLVED,
        .reason = change == RULE_RESOLVED_CLEAR     ? ALERT_REASON_CLEAR
                  : change == RULE_RESOLVED_NO_DATA ? ALERT_REASON_NO_DATA
                                                    : ALERT_REASON_NONE,
        .severity = rule->severity,
        .signal = rule->signal,
        .below = rule->below,
        .threshold = rule->threshold,
        .value = rule_measure(rule, &judged, &view, evidence->window),
        .samples = evidence->records,
        .bad = evidence->bad,
        .window_seconds = layout->lengths_s[evidence->window],
        .evaluations = change == RULE_FIRED ? watched->state.violations : watched->state.clears,
        .starts_ms = watched->state.fired_s * 1000,
        .ends_ms = change == RULE_FIRED ? 0 : watched->state.clear_s * 1000,
    };
    (void)snprintf(t->rule, sizeof t->rule, "%s", rule->name);
    (void)snprintf(t->runbook, sizeof t->runbook, "%s", rule->runbook);
    (void)snprintf(t->labels.service, sizeof t->labels.service, "%s", series->service);
    (void)snprintf(t->labels.region, sizeof t->labels.region, "%s", series->region);
    (void)snprintf(t->labels.route, sizeof t->labels.route, "%s", series->route == NULL ? "" : series->route);
    watched->changed = true;
    detector->any_changed = true;
}

bool detector_next_transition(struct detector *detector, struct alert_transition *out)
{
    if (detector->queue_next == detector->queue_count) {
        detector->queue_next = 0;
        detector->queue_count = 0;
        return false;
    }
    *out = detector->queue[detector->queue_next++];
    return true;
}

/* --- steps ---- */

static bool state_differs(const struct rule_state *a, const struct rule_state *b)
{
    return a->violations != b->violations || a->clears != b->clears || a->log_odds != b->log_odds ||
           a->firing != b->firing || a->announced != b->announced || a->sequence != b->sequence;
}

static void publish_change(struct detector *detector, const struct series *series,
                           struct watched_rule *watched, const struct rule_evidence *evidence,
                           enum rule_change change, bool announce)
{
    struct rule_state *state = &watched->state;
    if (change == RULE_FIRED) {
        detector->totals.firing++;
    } else if (change != RULE_UNCHANGED) {
        detector->totals.firing--;
    }
    if (!announce) {
        return;
    }
    if (state->firing &&
        !state->announced) { /* just now, or found in history that wasn't announced and still going on */
        state->announced = true;
        queue_transition(detector, series, watched, evidence, RULE_FIRED);
    } else if (change > RULE_FIRED && state->announced) {
        queue_transition(detector, series, watched, evidence, change);
    }
}

/* The series' second is over: every rule judges it. */
static void evaluate_step(struct detector *detector, struct series *series, bool announce)
{
    const struct rule_view view = {.window = series->window,
                                   .layout = &detector->rules->layout,
                                   .born_s = series->born_s,
                                   .last_record_s = series->last_record_s,
                                   .pending = &series->pending};
    for (size_t i = 0; i < series->rule_count; i++) {
        struct watched_rule *watched = &series->rules[i];
        struct rule_state before = watched->state;
        struct rule_evidence evidence;
        enum rule_change change =
            rule_state_step(&detector->rules->rules[watched->rule], &watched->state, &view, &evidence);
        detector->totals.evaluations++;
        publish_change(detector, series, watched, &evidence, change, announce);
        if (change > RULE_FIRED) {
            watched->state.announced = false;
        }
        if (state_differs(&before, &watched->state)) {
            watched->changed = true;
            detector->any_changed = true;
        }
    }
}

/* The series' time moves on to the second; each one that it leaves behind is evaluated. */
static void advance_series(struct detector *detector, struct series *series, int64_t second,
                           enum detector_mode mode)
{
    int64_t now_s = window_now(series->window);
    if (second <= now_s) {
        return;
    }
    if (mode != DETECTOR_REBUILD) {
        /* Past settle_steps an empty series stays as it is, however long it lasts. */
        int64_t last_s = second - now_s > detector->settle_steps ? now_s + detector->settle_steps : second;
        for (; now_s < last_s; now_s++) {
            evaluate_step(detector, series, mode == DETECTOR_DECIDE);
            memset(&series->pending, 0, sizeof series->pending);
            window_advance(series->window, now_s + 1);
        }
    }
    memset(&series->pending, 0, sizeof series->pending);
    window_advance(series->window, second);
}

/* --- idle series ---- */

static bool is_firing(const struct series *series)
{
    for (size_t i = 0; i < series->rule_count; i++) {
        if (series->rules[i].state.firing) {
            return true;
        }
    }
    return false;
}

/* What must outlive the series: sequences, and the damping of flapping alerts. */
static void rest_alerts(struct detector *detector, const struct series *series)
{
    for (size_t i = 0; i < series->rule_count; i++) {
        const struct watched_rule *watched = &series->rules[i];
        if (watched->state.sequence > 0) {
            struct resting_alert alert = {.fingerprint = watched->fingerprint, .state = watched->state};
            (void)snprintf(alert.rule, sizeof alert.rule, "%s", detector->rules->rules[watched->rule].name);
            (void)resting_table_put(&detector->resting, &alert);
        }
    }
}

static bool has_changes(const struct series *series)
{
    for (size_t i = 0; i < series->rule_count; i++) {
        if (series->rules[i].changed) {
            return true;
        }
    }
    return false;
}

static bool may_close(const struct detector *detector, const struct series *series, int64_t clock_s)
{
    int64_t since_s = series->last_record_s == RULE_NEVER ? series->born_s : series->last_record_s;
    return clock_s - since_s > detector->close_after_s && !is_firing(series) && !has_changes(series);
}

/* Once for each second of the partition's clock: series that are idle_after behind it follow; long silent
 * ones are closed. */
static void sweep_idle_series(struct detector *detector, enum detector_mode mode)
{
    int64_t clock_s = second_of(detector->clock_ms);
    if (clock_s <= detector->swept_s) {
        return;
    }
    detector->swept_s = clock_s;
    int64_t follow_ms = detector->clock_ms - detector->limits.idle_after_ms;
    size_t i = 0;
    while (i < detector->table.count) {
        struct series *series = detector->table.all[i];
        if (series->newest_ms < follow_ms) {
            advance_series(detector, series, second_of(follow_ms), mode);
            series->newest_ms = follow_ms;
        }
        if (may_close(detector, series, clock_s)) {
            rest_alerts(detector, series);
            series_table_remove(&detector->table, series);
        } else {
            i++;
        }
    }
    detector->totals.series = (uint32_t)detector->table.count;
}

/* --- series come ---- */

struct series *detector_add_series(struct detector *detector, uint64_t hash, const struct event_text *service,
                                   const struct event_text *region, const struct event_text *route,
                                   int64_t start_ms)
{
    /* Ids up to EVENT_FUTURE_MS ahead of the series' time come from fast clocks. */
    uint32_t id_seconds = route != NULL ? 0
                          : detector->limits.id_window_s > 0
                              ? detector->limits.id_window_s
                              : (uint32_t)((detector->limits.lateness_ms + EVENT_FUTURE_MS) / 1000 + 2);
    struct series *series = series_table_add(&detector->table, hash, service, region, route, detector->rules,
                                             start_ms, id_seconds);
    if (series == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < series->rule_count; i++) {
        if (resting_table_take(&detector->resting, series->rules[i].fingerprint, &series->rules[i].state)) {
            detector->totals.firing += series->rules[i].state.firing;
        }
    }
    detector->totals.series = (uint32_t)detector->table.count;
    return series;
}

/* Where a series that is new now begins: not behind what the partition's clock lets an idle one be. */
static int64_t start_of_new_series(const struct detector *detector, int64_t effective_ms)
{
    int64_t follow_ms = detector->clock_ms - detector->limits.idle_after_ms;
    return effective_ms > follow_ms ? effective_ms : follow_ms;
}

/* Alerts that were firing when the state was saved get their series back even if no event comes: somebody has
 * to resolve them. */
static void settle_loaded_alerts(struct detector *detector)
{
    detector->settled = true;
    for (size_t i = 0; i < detector->resting.slot_count; i++) {
        const struct resting_alert *alert = &detector->resting.slots[i];
        if (alert->fingerprint == 0 || alert->labels == NULL || !alert->state.firing) {
            continue;
        }
        const struct alert_labels labels = *alert->labels;
        const struct event_text service = {labels.service, strlen(labels.service)};
        const struct event_text region = {labels.region, strlen(labels.region)};
        const struct event_text route = {labels.route, strlen(labels.route)};
        const struct event_text *route_or_none = route.size == 0 ? NULL : &route;
        uint64_t hash = series_table_hash(&detector->table, &service, &region, route_or_none);
        if (series_table_find(&detector->table, hash, &service, &region, route_or_none) == NULL &&
            detector_add_series(detector, hash, &service, &region, route_or_none,
                                start_of_new_series(detector, INT64_MIN)) != NULL) {
            i = SIZE_MAX; /* taking an alert out of rest moves others: look from the beginning */
        }
    }
}

/* --- observing ---- */

static void note_replay_mark(struct detector *detector, int64_t offset)
{
    int64_t second = second_of(detector->clock_ms);
    int64_t slot = second % (int64_t)detector->mark_count;
    struct replay_mark *mark = &detector->marks[slot < 0 ? slot + (int64_t)detector->mark_count : slot];
    if (mark->second != second) {
        *mark = (struct replay_mark){second, offset};
    }
}

int64_t detector_replay_from(const struct detector *detector)
{
    if (detector->clock_ms == INT64_MIN) {
        return -1;
    }
    int64_t oldest_s = second_of(detector->clock_ms) - detector->close_after_s;
    int64_t smallest = INT64_MAX;
    for (size_t i = 0; i < detector->mark_count; i++) {
        if (detector->marks[i].second >= oldest_s && detector->marks[i].offset < smallest) {
            smallest = detector->marks[i].offset;
        }
    }
    return smallest == INT64_MAX ? -1 : smallest;
}

static void count_request(struct detector *detector, struct series *series, const struct event *event,
                          int64_t second)
{
    const struct window_layout *layout = &detector->rules->layout;
    bool is_error = event->status_code >= 500;
    window_add(series->window, second, event->duration_s, is_error, event->count);
    series->pending.records++;
    series->pending.errors += is_error;
    for (uint32_t k = 0; k < layout->threshold_count; k++) {
        series->pending.slow[k] += event->duration_s > layout->thresholds_s[k];
    }
    if (second > series->last_record_s) {
        series->last_record_s = second;
    }
}

static void apply_event(struct detector *detector, struct series *series, const struct event *event,
                        int64_t effective_ms, enum detector_mode mode)
{
    int64_t second = second_of(effective_ms);
    if (effective_ms > series->newest_ms) {
        advance_series(detector, series, second, mode);
        series->newest_ms = effective_ms;
    }
    if (event->kind == EVENT_REQUEST) {
        count_request(detector, series, event, second);
    }
    if (!isnan(event->cpu_utilization)) {
        series->last_cpu = event->cpu_utilization;
        window_add_gauge(series->window, second, WINDOW_CPU, event->cpu_utilization);
    }
    if (!isnan(event->memory_utilization)) {
        series->last_memory = event->memory_utilization;
        window_add_gauge(series->window, second, WINDOW_MEMORY, event->memory_utilization);
    }
}

static void apply_to_route(struct detector *detector, const struct event *event, int64_t effective_ms,
                           enum detector_mode mode)
{
    uint64_t hash = series_table_hash(&detector->table, &event->service, &event->region, &event->route);
    struct series *series =
        series_table_find(&detector->table, hash, &event->service, &event->region, &event->route);
    if (series == NULL) {
        if (series_count_rules(detector->rules, &event->service, &event->region, &event->route) == 0) {
            return;
        }
        series = detector_add_series(detector, hash, &event->service, &event->region, &event->route,
                                     start_of_new_series(detector, effective_ms));
    }
    if (series == NULL) {
        detector->totals.refused++;
    } else if (effective_ms >= series->newest_ms - detector->limits.lateness_ms) {
        apply_event(detector, series, event, effective_ms, mode);
    }
}

static bool is_duplicate(const struct detector *detector, struct series *series, const struct event *event)
{
    /* Id and time make the identity; the time is also the seed, so equal ids of other seconds don't meet. */
    uint64_t hash = XXH3_64bits_withSeed(event->id.data, event->id.size,
                                         detector->table.seed ^ (uint64_t)event->time_unix_ms);
    return recent_ids_check(series->ids, second_of(event->time_unix_ms), hash);
}

static enum detector_verdict observe_one(struct detector *detector, enum detector_mode mode,
                                         const struct detector_input *input, uint64_t hash)
{
    const struct event *event = input->event;
    int64_t effective_ms =
        event->time_unix_ms < input->appended_ms ? event->time_unix_ms : input->appended_ms;
    if (effective_ms > detector->clock_ms) {
        detector->clock_ms = effective_ms;
        sweep_idle_series(detector, mode);
        note_replay_mark(detector, input->offset);
    }
    struct series *series = series_table_find(&detector->table, hash, &event->service, &event->region, NULL);
    int64_t time_ms = series == NULL ? start_of_new_series(detector, effective_ms) : series->newest_ms;
    if (effective_ms < time_ms - detector->limits.lateness_ms) {
        return DETECTOR_LATE;
    }
    if (series == NULL) {
        series = detector_add_series(detector, hash, &event->service, &event->region, NULL, time_ms);
        if (series == NULL) {
            return DETECTOR_NO_ROOM;
        }
    }
    if (is_duplicate(detector, series, event)) {
        return DETECTOR_DUPLICATE;
    }
    apply_event(detector, series, event, effective_ms, mode);
    if (detector->rules->any_by_route && event->kind == EVENT_REQUEST) {
        apply_to_route(detector, event, effective_ms, mode);
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

void detector_observe(struct detector *detector, enum detector_mode mode, struct detector_input *inputs,
                      size_t count)
{
    if (mode != DETECTOR_REBUILD && !detector->settled && detector->clock_ms != INT64_MIN) {
        settle_loaded_alerts(detector);
    }
    uint64_t hashes[PREFETCH_BATCH];
    for (size_t first = 0; first < count; first += PREFETCH_BATCH) {
        size_t batch = count - first < PREFETCH_BATCH ? count - first : PREFETCH_BATCH;
        for (size_t i = 0; i < batch; i++) {
            const struct event *event = inputs[first + i].event;
            hashes[i] = series_table_hash(&detector->table, &event->service, &event->region, NULL);
            series_table_prefetch(&detector->table, hashes[i]);
        }
        for (size_t i = 0; i < batch; i++) {
            struct detector_input *input = &inputs[first + i];
            input->verdict = observe_one(detector, mode, input, hashes[i]);
            count_verdict(&detector->totals, input->verdict);
        }
    }
}

void detector_pass_time(struct detector *detector, enum detector_mode mode, int64_t clock_ms)
{
    if (clock_ms > detector->clock_ms) {
        detector->clock_ms = clock_ms;
    }
    if (mode != DETECTOR_REBUILD && !detector->settled && detector->clock_ms != INT64_MIN) {
        settle_loaded_alerts(detector);
    }
    if (detector->clock_ms != INT64_MIN) {
        sweep_idle_series(detector, mode);
    }
}

void detector_read_totals(const struct detector *detector, struct detector_totals *out)
{
    *out = detector->totals;
    out->series = (uint32_t)detector->table.count;
    out->memory_bytes = sizeof *detector + detector->mark_count * sizeof detector->marks[0] +
                        detector->table.slot_count * sizeof(struct series *);
    for (size_t i = 0; i < detector->table.count; i++) {
        out->memory_bytes += series_memory(detector->table.all[i]);
    }
}
