#include "rule/rule_state.h"

#include "rule/rule_state_private.h"

#include <math.h>

#define FLAP_SECONDS      120 /* a firing so soon after a resolve is flapping */
#define MAX_CLEAR_SECONDS 300
#define CAP_OVER_ODDS     1.0 /* how far over ln(clear_odds) evidence is kept: what a bad record has to undo */
#define MAX_BAD_SHARE     0.99

const char *rule_verdict_name(enum rule_verdict verdict)
{
    static const char *const names[] = {"unknown", "clear", "violated"};
    return names[verdict];
}

void rule_state_init(struct rule_state *state)
{
    *state = (struct rule_state){
        .violated_s = RULE_NEVER, .clear_s = RULE_NEVER, .fired_s = RULE_NEVER, .resolved_s = RULE_NEVER};
}

uint32_t rule_state_for_clear(const struct rule *rule, const struct rule_state *state)
{
    return state->for_clear > rule->for_clear ? state->for_clear : rule->for_clear;
}

double rule_log_clear_odds(const struct rule *rule)
{
    return log(rule->clear_odds);
}

uint64_t rule_bad_records(const struct rule *rule, const struct window_counts *counts)
{
    return rule->signal == RULE_ERROR_RATE ? counts->errors : counts->slow[rule->slow_index];
}

int64_t rule_forgotten_until(const struct rule_state *state)
{
    return state->resolved_s == RULE_NEVER ? WINDOW_BEGINNING : state->resolved_s - 1;
}

void rule_read_counts(const struct rule_state *state, const struct rule_view *view, uint32_t window,
                      struct window_counts *counts)
{
    window_read_counts(view->window, window, rule_forgotten_until(state), counts);
}

static bool is_gauge(const struct rule *rule)
{
    return rule->signal == RULE_CPU || rule->signal == RULE_MEMORY;
}

int64_t rule_silent_seconds(const struct rule *rule, const struct rule_view *view)
{
    int64_t last_s = is_gauge(rule) ? view->last_gauge_s : view->last_record_s;
    return window_now(view->window) - (last_s == RULE_NEVER ? view->born_s : last_s);
}

static bool has_no_data(const struct rule *rule, const struct rule_view *view)
{
    return rule_silent_seconds(rule, view) >= rule->no_data_after_s;
}

bool rule_is_window_full(const struct rule *rule, const struct rule_state *state,
                         const struct rule_view *view)
{
    int64_t since_s = state->resolved_s > view->born_s ? state->resolved_s : view->born_s;
    return window_now(view->window) - since_s + 1 >= view->layout->lengths_s[rule->windows[0]];
}

/* --- plain comparisons ---- */

static void judge_plain(const struct rule *rule, const struct rule_state *state, const struct rule_view *view,
                        struct rule_evidence *evidence)
{
    struct window_counts counts;
    rule_read_counts(state, view, rule->windows[0], &counts);
    evidence->records = counts.records;
    evidence->is_young = rule->signal == RULE_REQUEST_RATE && !rule_is_window_full(rule, state, view);
    double value = rule_measure(rule, state, view, rule->windows[0]);
    if (!evidence->is_young && !isnan(value)) {
        bool is_violated = rule->below ? value < rule->threshold : value > rule->threshold;
        evidence->verdict = is_violated ? RULE_VIOLATED : RULE_CLEAR;
    }
}

void rule_judge(const struct rule *rule, const struct rule_state *state, const struct rule_view *view,
                struct rule_evidence *evidence)
{
    *evidence = (struct rule_evidence){.window = rule->windows[0],
                                       .value = NAN,
                                       .no_data = has_no_data(rule, view),
                                       .threshold = rule->threshold,
                                       .expected = NAN,
                                       .deviation = NAN};
    if (rule->is_baseline) {
        rule_judge_baseline(rule, state, view, evidence);
        return;
    }
    if (rule_is_share(rule)) {
        rule_judge_share(rule, state, view, evidence);
        if (state->firing) {
            evidence->verdict = state->log_odds >= rule_log_clear_odds(rule) ? RULE_CLEAR : RULE_VIOLATED;
        }
    } else {
        judge_plain(rule, state, view, evidence);
    }
    if (evidence->no_data && rule->on_no_data == RULE_FIRE) {
        evidence->verdict = RULE_VIOLATED;
    }
}

/* --- while firing ---- */

/* Adds the step's records to the evidence that it is over. */
static void add_log_odds(const struct rule *rule, struct rule_state *state, const struct rule_view *view)
{
    struct window_counts step;
    window_read_step(view->window, &step);
    double p = rule_bad_share(rule);
    double bad_share = fmax(2 * p, sqrt(p * state->share));
    bad_share = fmin(bad_share, fmax(MAX_BAD_SHARE, (1 + p) / 2));
    double bad = (double)rule_bad_records(rule, &step);
    double good = (double)step.records - bad;
    double odds = state->log_odds + bad * log(p / bad_share) + good * log((1 - p) / (1 - bad_share));
    state->log_odds = fmin(fmax(odds, 0), rule_log_clear_odds(rule) + CAP_OVER_ODDS);
}

static void damp_flapping(const struct rule *rule, struct rule_state *state, int64_t now_s)
{
    uint32_t for_clear = rule_state_for_clear(rule, state);
    uint32_t most = rule->for_clear > MAX_CLEAR_SECONDS ? rule->for_clear : MAX_CLEAR_SECONDS;
    int64_t quiet_s = state->resolved_s == RULE_NEVER ? INT64_MAX : now_s - state->resolved_s;
    if (quiet_s < FLAP_SECONDS) {
        for_clear = for_clear * 2 > most ? most : for_clear * 2;
    }
    for (int64_t left_s = quiet_s; left_s >= FLAP_SECONDS && for_clear > rule->for_clear;
         left_s -= FLAP_SECONDS) {
        for_clear /= 2;
    }
    state->for_clear = for_clear;
}

static enum rule_change fire(const struct rule *rule, struct rule_state *state, const struct rule_view *view,
                             struct rule_evidence *evidence)
{
    evidence->value = rule_measure(rule, state, view, evidence->window);
    state->firing = true;
    state->announced = false;
    state->clears = 0;
    state->log_odds = 0;
    state->share = rule->is_baseline        ? evidence->threshold
                   : evidence->records == 0 ? 1.0
                                            : (double)evidence->bad / (double)evidence->records;
    state->fired_s = state->violated_s;
    damp_flapping(rule, state, window_now(view->window) + 1);
    return RULE_FIRED;
}

/* The value is what led to the resolve: measured before the windows begin anew. */
static enum rule_change resolve(const struct rule *rule, struct rule_state *state,
                                const struct rule_view *view, struct rule_evidence *evidence,
                                enum rule_change change)
{
    evidence->value = rule_measure(rule, state, view, evidence->window);
    state->firing = false;
    state->violations = 0;
    state->resolved_s = window_now(view->window) + 1;
    return change;
}

static enum rule_change count_violation(const struct rule *rule, struct rule_state *state,
                                        const struct rule_view *view, struct rule_evidence *evidence)
{
    if (state->violations++ == 0) {
        state->violated_s = window_now(view->window) + 1;
    }
    return state->violations >= rule->for_violations ? fire(rule, state, view, evidence) : RULE_UNCHANGED;
}

static enum rule_change step_quiet(const struct rule *rule, struct rule_state *state,
                                   const struct rule_view *view, struct rule_evidence *evidence)
{
    rule_judge(rule, state, view, evidence);
    if (evidence->verdict == RULE_CLEAR) {
        state->violations = 0;
    } else if (evidence->verdict == RULE_VIOLATED) {
        return count_violation(rule, state, view, evidence);
    }
    return RULE_UNCHANGED;
}

/* Only where evidence is asked for: a plain comparison in the middle of a second would be another one. */
enum rule_change rule_state_fire_early(const struct rule *rule, struct rule_state *state,
                                       const struct rule_view *view, struct rule_evidence *evidence)
{
    if (state->firing || rule->confidence == 0 || !rule_is_share(rule) ||
        state->violations + 1 < rule->for_violations) {
        return RULE_UNCHANGED;
    }
    rule_judge(rule, state, view, evidence);
    return evidence->verdict == RULE_VIOLATED ? count_violation(rule, state, view, evidence) : RULE_UNCHANGED;
}

static enum rule_change step_firing(const struct rule *rule, struct rule_state *state,
                                    const struct rule_view *view, struct rule_evidence *evidence)
{
    if (rule_is_share(rule)) {
        add_log_odds(rule, state, view);
    }
    rule_judge(rule, state, view, evidence);
    if (evidence->no_data && rule->on_no_data == RULE_RESOLVE) {
        state->clear_s = window_now(view->window) + 1;
        return resolve(rule, state, view, evidence, RULE_RESOLVED_NO_DATA);
    }
    if (evidence->verdict == RULE_VIOLATED) {
        state->clears = 0;
    } else if (evidence->verdict == RULE_CLEAR) {
        if (state->clears++ == 0) {
            state->clear_s = window_now(view->window) + 1;
        }
        if (state->clears >= rule_state_for_clear(rule, state)) {
            return resolve(rule, state, view, evidence, RULE_RESOLVED_CLEAR);
        }
    }
    return RULE_UNCHANGED;
}

enum rule_change rule_state_step(const struct rule *rule, struct rule_state *state,
                                 const struct rule_view *view, struct rule_evidence *evidence)
{
    enum rule_change change =
        state->firing ? step_firing(rule, state, view, evidence) : step_quiet(rule, state, view, evidence);
    if (rule->is_baseline) {
        evidence->has_learned = rule_learn_baseline(rule, state, view, evidence);
        if (isnan(evidence->threshold)) {
            evidence->threshold = state->share; /* it expects nothing any more: what it was when it fired */
        }
    }
    return change;
}

/* --- measuring ---- */

static double measure_latency(const struct rule *rule, const struct rule_state *state,
                              const struct rule_view *view, uint32_t window)
{
    return window_quantile(view->window, view->layout->lengths_s[window], rule_forgotten_until(state),
                           rule_percentile(rule) / 100.0);
}

double rule_measure(const struct rule *rule, const struct rule_state *state, const struct rule_view *view,
                    uint32_t window)
{
    uint32_t length_s = view->layout->lengths_s[window];
    struct window_counts counts;
    rule_read_counts(state, view, window, &counts);
    switch (rule->signal) {
    case RULE_LATENCY_P50:
    case RULE_LATENCY_P95:
    case RULE_LATENCY_P99:
        return measure_latency(rule, state, view, window);
    case RULE_ERROR_RATE:
        return counts.weight == 0 ? NAN : (double)counts.error_weight / (double)counts.weight;
    case RULE_REQUEST_RATE:
        return (double)counts.weight / length_s;
    case RULE_CPU:
        return window_gauge_mean(view->window, WINDOW_CPU, length_s, rule_forgotten_until(state));
    case RULE_MEMORY:
        return window_gauge_mean(view->window, WINDOW_MEMORY, length_s, rule_forgotten_until(state));
    }
    return NAN;
}
