#include "rule/rule_state.h"

#include "rule/binomial.h"

#include <math.h>

#define FLAP_SECONDS      120 /* a firing so soon after a resolve is flapping */
#define MAX_CLEAR_SECONDS 300
#define CAP_OVER_ODDS     1.0 /* how far over ln(clear_odds) evidence is kept: what a bad record has to undo */
#define MAX_BAD_SHARE     0.99

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

static uint64_t bad_records(const struct rule *rule, const struct window_counts *counts)
{
    return rule->signal == RULE_ERROR_RATE ? counts->errors : counts->slow[rule->slow_index];
}

/* The window's counts, without what an earlier incident left in it. */
static void read_counts(const struct rule_state *state, const struct rule_view *view, uint32_t window,
                        struct window_counts *counts)
{
    int64_t first_s = window_now(view->window) - view->layout->lengths_s[window] + 1;
    if (state->resolved_s != RULE_NEVER && state->resolved_s > first_s) {
        window_counts_after(view->window, window, state->resolved_s - 1, counts);
    } else {
        *counts = *window_counts(view->window, window);
    }
}

static bool has_no_data(const struct rule *rule, const struct rule_view *view)
{
    int64_t since_s = view->last_record_s == RULE_NEVER ? view->born_s : view->last_record_s;
    return window_now(view->window) - since_s >= rule->no_data_after_s;
}

/* --- shares ---- */

static bool is_over(const struct rule *rule, const struct window_counts *counts)
{
    if (rule_is_latency(rule)) { /* the nearest rank's value is slow: fewer than ceil(q n) records aren't */
        double rank = ceil(rule_quantile(rule) * (double)counts->records);
        return (double)(counts->records - bad_records(rule, counts)) < rank;
    }
    return (double)counts->errors > rule->threshold * (double)counts->records;
}

static bool is_evidence(const struct rule *rule, const struct window_counts *counts)
{
    uint64_t bad = bad_records(rule, counts);
    if (rule->confidence == 0) {
        return counts->records >= rule->min_samples;
    }
    return bad >= rule->min_bad &&
           binomial_tail_is_at_most(counts->records, bad, rule_bad_share(rule), 1.0 - rule->confidence);
}

static void judge_share(const struct rule *rule, const struct rule_state *state, const struct rule_view *view,
                        struct rule_evidence *evidence)
{
    bool over_somewhere = false;
    bool seen_records = false;
    for (uint32_t i = 0; i < rule->window_count; i++) {
        struct window_counts counts;
        read_counts(state, view, rule->windows[i], &counts);
        if (counts.records == 0) {
            continue;
        }
        if (!seen_records) {
            evidence->window = rule->windows[i];
            evidence->records = counts.records;
            evidence->bad = bad_records(rule, &counts);
            seen_records = true;
        }
        if (!is_over(rule, &counts)) {
            /* No longer window can be violated now; whether one is over decides between clear and unknown. */
            for (uint32_t k = i + 1; k < rule->window_count && !over_somewhere; k++) {
                read_counts(state, view, rule->windows[k], &counts);
                over_somewhere = counts.records > 0 && is_over(rule, &counts);
            }
            break;
        }
        over_somewhere = true;
        if (is_evidence(rule, &counts)) {
            *evidence = (struct rule_evidence){.verdict = RULE_VIOLATED,
                                               .window = rule->windows[i],
                                               .records = counts.records,
                                               .bad = bad_records(rule, &counts)};
            return;
        }
        evidence->too_few = true;
    }
    evidence->verdict = seen_records && !over_somewhere ? RULE_CLEAR : RULE_UNKNOWN;
}

/* --- plain comparisons ---- */

static void judge_plain(const struct rule *rule, const struct rule_state *state, const struct rule_view *view,
                        struct rule_evidence *evidence)
{
    uint32_t window = rule->windows[0];
    int64_t age_s = window_now(view->window) - view->born_s + 1;
    struct window_counts counts;
    read_counts(state, view, window, &counts);
    evidence->window = window;
    evidence->records = counts.records;
    double value = rule_measure(rule, state, view, window);
    bool is_full = rule->signal != RULE_REQUEST_RATE || age_s >= view->layout->lengths_s[window];
    if (!is_full || isnan(value)) {
        evidence->verdict = RULE_UNKNOWN;
        return;
    }
    bool violated = rule->below ? value < rule->threshold : value > rule->threshold;
    evidence->verdict = violated ? RULE_VIOLATED : RULE_CLEAR;
}

void rule_judge(const struct rule *rule, const struct rule_state *state, const struct rule_view *view,
                struct rule_evidence *evidence)
{
    *evidence = (struct rule_evidence){.window = rule->windows[0], .no_data = has_no_data(rule, view)};
    if (evidence->no_data && rule->on_no_data == RULE_FIRE) {
        evidence->verdict = RULE_VIOLATED;
    } else if (rule_is_share(rule)) {
        bool no_data = evidence->no_data;
        judge_share(rule, state, view, evidence);
        evidence->no_data = no_data;
    } else {
        judge_plain(rule, state, view, evidence);
    }
}

/* --- while firing ---- */

/* Adds the step's records to the evidence that it is over. */
static void add_log_odds(const struct rule *rule, struct rule_state *state,
                         const struct window_counts *pending)
{
    double p = rule_bad_share(rule);
    double bad_share = fmax(2 * p, sqrt(p * state->share));
    bad_share = fmin(bad_share, fmax(MAX_BAD_SHARE, (1 + p) / 2));
    double bad = (double)bad_records(rule, pending);
    double good = (double)pending->records - bad;
    double odds = state->log_odds + bad * log(p / bad_share) + good * log((1 - p) / (1 - bad_share));
    state->log_odds = fmin(fmax(odds, 0), rule_log_clear_odds(rule) + CAP_OVER_ODDS);
}

static enum rule_verdict judge_firing(const struct rule *rule, struct rule_state *state,
                                      const struct rule_view *view, struct rule_evidence *evidence)
{
    rule_judge(rule, state, view, evidence);
    if (evidence->no_data && rule->on_no_data == RULE_FIRE) {
        return RULE_VIOLATED;
    }
    if (!rule_is_share(rule)) {
        return evidence->verdict;
    }
    add_log_odds(rule, state, view->pending);
    return state->log_odds >= rule_log_clear_odds(rule) ? RULE_CLEAR : RULE_VIOLATED;
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
                             const struct rule_evidence *evidence)
{
    state->firing = true;
    state->announced = false;
    state->clears = 0;
    state->log_odds = 0;
    state->share = evidence->records == 0 ? 1.0 : (double)evidence->bad / (double)evidence->records;
    state->fired_s = state->violated_s;
    damp_flapping(rule, state, window_now(view->window) + 1);
    return RULE_FIRED;
}

static enum rule_change resolve(struct rule_state *state, const struct rule_view *view,
                                enum rule_change change)
{
    state->firing = false;
    state->violations = 0;
    state->resolved_s = window_now(view->window) + 1;
    return change;
}

static enum rule_change step_quiet(const struct rule *rule, struct rule_state *state,
                                   const struct rule_view *view, struct rule_evidence *evidence)
{
    rule_judge(rule, state, view, evidence);
    if (evidence->verdict == RULE_CLEAR) {
        state->violations = 0;
    } else if (evidence->verdict == RULE_VIOLATED) {
        if (state->violations++ == 0) {
            state->violated_s = window_now(view->window) + 1;
        }
        if (state->violations >= rule->for_violations) {
            return fire(rule, state, view, evidence);
        }
    }
    return RULE_UNCHANGED;
}

static enum rule_change step_firing(const struct rule *rule, struct rule_state *state,
                                    const struct rule_view *view, struct rule_evidence *evidence)
{
    enum rule_verdict verdict = judge_firing(rule, state, view, evidence);
    if (evidence->no_data && rule->on_no_data == RULE_RESOLVE) {
        state->clear_s = window_now(view->window) + 1;
        return resolve(state, view, RULE_RESOLVED_NO_DATA);
    }
    if (verdict == RULE_VIOLATED) {
        state->clears = 0;
        state->violations++;
    } else if (verdict == RULE_CLEAR) {
        if (state->clears++ == 0) {
            state->clear_s = window_now(view->window) + 1;
        }
        if (state->clears >= rule_state_for_clear(rule, state)) {
            return resolve(state, view, RULE_RESOLVED_CLEAR);
        }
    }
    return RULE_UNCHANGED;
}

enum rule_change rule_state_step(const struct rule *rule, struct rule_state *state,
                                 const struct rule_view *view, struct rule_evidence *evidence)
{
    return state->firing ? step_firing(rule, state, view, evidence) : step_quiet(rule, state, view, evidence);
}

/* --- measuring ---- */

static double measure_latency(const struct rule *rule, const struct rule_state *state,
                              const struct rule_view *view, uint32_t window)
{
    struct histogram values;
    histogram_clear(&values);
    int64_t after_s = state->resolved_s == RULE_NEVER || state->firing ? RULE_NEVER : state->resolved_s - 1;
    window_read_values(view->window, view->layout->lengths_s[window], after_s, &values);
    return histogram_quantile(&values, rule_quantile(rule));
}

double rule_measure(const struct rule *rule, const struct rule_state *state, const struct rule_view *view,
                    uint32_t window)
{
    struct window_counts counts;
    read_counts(state, view, window, &counts);
    switch (rule->signal) {
    case RULE_LATENCY_P50:
    case RULE_LATENCY_P95:
    case RULE_LATENCY_P99:
        return measure_latency(rule, state, view, window);
    case RULE_ERROR_RATE:
        return counts.weight == 0 ? NAN : (double)counts.error_weight / (double)counts.weight;
    case RULE_REQUEST_RATE:
        return (double)counts.weight / view->layout->lengths_s[window];
    case RULE_CPU:
        return window_gauge_mean(view->window, WINDOW_CPU, view->layout->lengths_s[window]);
    case RULE_MEMORY:
        return window_gauge_mean(view->window, WINDOW_MEMORY, view->layout->lengths_s[window]);
    }
    return NAN;
}
