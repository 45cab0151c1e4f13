/* A series' second is over: every rule judges it, and what changes becomes a transition. */
#include "detect/detector_private.h"
#include "detect/history.h"

#include "window/series_time.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- transitions ---- */

/* Room for one more transition at the end of the queue. */
static struct alert_transition *extend_queue(struct detector *detector)
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

static enum alert_reason reason_of(enum rule_change change)
{
    return change == RULE_RESOLVED_CLEAR     ? ALERT_REASON_CLEAR
           : change == RULE_RESOLVED_NO_DATA ? ALERT_REASON_NO_DATA
                                             : ALERT_REASON_NONE;
}

static void queue_transition(struct detector *detector, const struct series *series,
                             struct watched_rule *watched, const struct rule_view *view,
                             const struct rule_evidence *evidence, enum rule_change change)
{
    const struct rule *rule = &detector->rules->rules[watched->rule];
    const struct rule_state *state = &watched->state;
    bool is_firing = change == RULE_FIRED || change == RULE_UNCHANGED;
    struct alert_transition *t = extend_queue(detector);
    *t = (struct alert_transition){
        .fingerprint = watched->fingerprint,
        .sequence = ++watched->state.sequence,
        .state = is_firing ? ALERT_FIRING : ALERT_RESOLVED,
        .reason = reason_of(change),
        .severity = rule->severity,
        .signal = rule->signal,
        .below = rule->below,
        .threshold = evidence->threshold,
        .value =
            change == RULE_UNCHANGED ? rule_measure(rule, state, view, evidence->window) : evidence->value,
        .samples = evidence->records,
        .bad = evidence->bad,
        .window_seconds = view->layout->lengths_s[evidence->window],
        .evaluations = is_firing ? state->violations : state->clears,
        .starts_ms = state->fired_s * 1000,
        .ends_ms = is_firing ? 0 : state->clear_s * 1000,
    };
    (void)snprintf(t->rule, sizeof t->rule, "%s", rule->name);
    (void)snprintf(t->runbook, sizeof t->runbook, "%s", rule->runbook);
    (void)snprintf(t->labels.service, sizeof t->labels.service, "%s", series->service);
    (void)snprintf(t->labels.region, sizeof t->labels.region, "%s", series->region);
    (void)snprintf(t->labels.route, sizeof t->labels.route, "%s", series->route == NULL ? "" : series->route);
}

/* Nobody will judge it again: it ends at the partition's clock, and readers are told why. */
void detector_resolve_orphan(struct detector *detector, struct saved_alert *alert)
{
    alert->state.firing = false;
    alert->state.violations = 0;
    alert->state.resolved_s = series_time_second(detector->clock_ms);
    if (!alert->state.announced) {
        return;
    }
    alert->state.announced = false;
    struct alert_transition *t = extend_queue(detector);
    *t = (struct alert_transition){
        .fingerprint = alert->fingerprint,
        .sequence = ++alert->state.sequence,
        .state = ALERT_RESOLVED,
        .reason = ALERT_REASON_RULE_REMOVED,
        .severity = alert->severity,
        .signal = alert->signal,
        .below = alert->below,
        .value = NAN,
        .threshold = alert->threshold,
        .labels = alert->labels,
        .starts_ms = alert->state.fired_s * 1000,
        .ends_ms = alert->state.resolved_s * 1000,
    };
    memcpy(t->rule, alert->rule, sizeof t->rule);
    memcpy(t->runbook, alert->runbook, sizeof t->runbook);
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

static bool is_same_state(const struct rule_state *a, const struct rule_state *b)
{
    return a->violations == b->violations && a->clears == b->clears && a->log_odds == b->log_odds &&
           a->firing == b->firing && a->announced == b->announced && a->sequence == b->sequence;
}

/* A change in unannounced history is not published; what still fires when history ends is, then. */
static void publish_change(struct detector *detector, const struct series *series,
                           struct watched_rule *watched, const struct rule_view *view,
                           const struct rule_evidence *evidence, enum rule_change change, bool announce)
{
    struct rule_state *state = &watched->state;
    detector->totals.firing += change == RULE_FIRED;
    detector->totals.firing -= change > RULE_FIRED;
    if (announce && state->firing && !state->announced) {
        queue_transition(detector, series, watched, view, evidence, change);
        state->announced = true;
    } else if (change > RULE_FIRED) {
        if (announce && state->announced) {
            queue_transition(detector, series, watched, view, evidence, change);
        }
        state->announced = false;
    }
}

/* False: no rule changed its mind in any way. */
static bool evaluate_step(struct detector *detector, struct series *series, struct rule_view *view,
                          bool announce)
{
    struct history_evaluation evaluations[RULE_MAX];
    bool any_changed = false;
    for (size_t i = 0; i < series->rule_count; i++) {
        struct watched_rule *watched = &series->rules[i];
        struct rule_state before = watched->state;
        struct rule_evidence evidence;
        view->baseline = watched->baseline;
        enum rule_change change =
            rule_state_step(&detector->rules->rules[watched->rule], &watched->state, view, &evidence);
        publish_change(detector, series, watched, view, &evidence, change, announce);
        if (!is_same_state(&before, &watched->state)) {
            watched->changed = true;
            any_changed = true;
        }
        any_changed |= evidence.has_learned;
        evaluations[i] = (struct history_evaluation){evidence.verdict, watched->state.firing};
    }
    history_add(series->history, series->window, evaluations);
    detector->totals.evaluations += series->rule_count;
    detector->any_changed |= any_changed;
    return any_changed;
}

static struct rule_view view_of(const struct detector *detector, const struct series *series)
{
    return (struct rule_view){.window = series->window,
                              .layout = &detector->rules->layout,
                              .born_s = series->born_s,
                              .last_record_s = series->last_record_s,
                              .last_gauge_s = series->last_gauge_s};
}

void detector_judge_early(struct detector *detector, struct series *series, enum detector_mode mode)
{
    const struct rule_view view = view_of(detector, series);
    for (size_t i = 0; i < series->rule_count; i++) {
        struct watched_rule *watched = &series->rules[i];
        const struct rule *rule = &detector->rules->rules[watched->rule];
        struct rule_evidence evidence;
        if (rule_state_fire_early(rule, &watched->state, &view, &evidence) == RULE_FIRED) {
            publish_change(detector, series, watched, &view, &evidence, RULE_FIRED, mode == DETECTOR_DECIDE);
            watched->changed = true;
            detector->any_changed = true;
        }
    }
}

/* The first second after this one whose step could change something though nothing comes. */
static int64_t next_change(const struct detector *detector, const struct series *series,
                           struct rule_view *view)
{
    int64_t next_s = INT64_MAX;
    for (size_t i = 0; i < series->rule_count; i++) {
        const struct watched_rule *watched = &series->rules[i];
        view->baseline = watched->baseline;
        int64_t change_s = rule_next_change(&detector->rules->rules[watched->rule], &watched->state, view);
        next_s = change_s < next_s ? change_s : next_s;
    }
    return next_s;
}

void detector_advance_series(struct detector *detector, struct series *series, int64_t second,
                             enum detector_mode mode)
{
    struct rule_view view = view_of(detector, series);
    int64_t now_s = window_now(series->window);
    if (second <= now_s) {
        return;
    }
    while (mode != DETECTOR_REBUILD && now_s < second) {
        bool is_empty = window_is_empty(series->window);
        bool changed = evaluate_step(detector, series, &view, mode == DETECTOR_DECIDE);
        /* An empty step that changed nothing: so are all that follow, until a rule has waited long enough. */
        int64_t next_s = is_empty && !changed ? next_change(detector, series, &view) : now_s + 1;
        now_s = next_s < second ? next_s : second;
        history_repeat(series->history, now_s - 1);
        window_advance(series->window, now_s);
    }
    window_advance(series->window, second);
    if (series->ids != NULL) {
        recent_ids_advance(series->ids, second);
    }
}
