#include "rule/rule_state.h"

#include "rule/binomial.h"
#include "rule/rule_state_private.h"

#include <math.h>

#define FLAP_SECONDS      120 /* a firing so soon after a resolve is flapping */
#define MAX_CLEAR_SECONDS 300
#define CAP_OVER_ODDS     1.0 /* how far over ln(clear_odds) evidence is kept: what a bad record has to undo */
#define MAX_BAD_SHARE     0.99
#define BLIP_SECONDS      3   /* what lasts no longer must not fire … */
#define BLIP_MARGIN_S     0.5 /* … and is told from what does by this much more, … */
#define BLIP_DEVIATIONS   2.5 /* … or so many deviations of a second's bad records, when they are few */

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

static uint64_t bad_records(const struct rule *rule, const struct window_counts *counts)
{
    return rule->signal == RULE_ERROR_RATE ? counts->errors : counts->slow[rule->slow_index];
}

static uint64_t bad_weight(const struct rule *rule, const struct window_counts *counts)
{
    return rule->signal == RULE_ERROR_RATE ? counts->error_weight : counts->slow_weight[rule->slow_index];
}

/* Seconds up to this one don't count: an earlier incident's. */
static int64_t forgotten_until(const struct rule_state *state)
{
    return state->resolved_s == RULE_NEVER ? WINDOW_BEGINNING : state->resolved_s - 1;
}

void rule_read_counts(const struct rule_state *state, const struct rule_view *view, uint32_t window,
                      struct window_counts *counts)
{
    window_read_counts(view->window, window, forgotten_until(state), counts);
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

/* --- shares ---- */

/* What the requests say, each with its weight: a division, because 0.29 * 100 is less than 29 to a double;
 * and whole numbers for latency: the nearest rank's value is slow when more than 100 - percentile in 100 are.
 */
static bool is_over(const struct rule *rule, const struct window_counts *counts)
{
    if (rule_is_latency(rule)) {
        return bad_weight(rule, counts) * 100 > counts->weight * (100 - rule_percentile(rule));
    }
    return (double)counts->error_weight / (double)counts->weight > rule->threshold;
}

/* What the records witness, each once. */
static bool is_evidence(const struct rule *rule, const struct window_counts *counts)
{
    uint64_t bad = bad_records(rule, counts);
    if (rule->confidence == 0) {
        return counts->records >= rule->min_samples;
    }
    return bad >= rule->min_bad &&
           binomial_tail_is_at_most(counts->records, bad, rule_bad_share(rule), 1.0 - rule->confidence);
}

/* Could all that is over the limit come from a fault of BLIP_SECONDS? Wherever it begins, it fills two whole
 * seconds, so the worst two seconds in a row say how much a second of it weighs: a blip is no more than three
 * of those. Asked only when the rule is about to fire: O(seconds). */
static bool is_blip(const struct rule *rule, const struct rule_state *state, const struct rule_view *view,
                    uint32_t window)
{
    int64_t now_s = window_now(view->window);
    int64_t first_s = now_s - view->layout->lengths_s[window] + 1;
    int64_t forgotten_s = forgotten_until(state);
    double total = 0;
    double before = 0;
    double worst_two = 0;
    for (int64_t second = first_s > forgotten_s ? first_s : forgotten_s + 1; second <= now_s; second++) {
        struct window_counts counts;
        window_read_second(view->window, second, &counts);
        double excess =
            fmax(0, (double)bad_records(rule, &counts) - rule_bad_share(rule) * (double)counts.records);
        total += excess;
        worst_two = fmax(worst_two, before + excess);
        before = excess;
    }
    double a_second = worst_two / 2;
    return total < BLIP_SECONDS * a_second + fmax(BLIP_MARGIN_S * a_second, BLIP_DEVIATIONS * sqrt(a_second));
}

/* Only the evaluation that would fire is held back, and not where plain comparison is wanted. */
static bool is_held_as_blip(const struct rule *rule, const struct rule_state *state,
                            const struct rule_view *view, uint32_t window)
{
    return rule->confidence > 0 && !state->firing && state->violations + 1 >= rule->for_violations &&
           is_blip(rule, state, view, window);
}

static void note_window(const struct rule *rule, uint32_t window, const struct window_counts *counts,
                        struct rule_evidence *evidence)
{
    evidence->window = window;
    evidence->records = counts->records;
    evidence->bad = bad_records(rule, counts);
}

static bool is_over_in_longer(const struct rule *rule, const struct rule_state *state,
                              const struct rule_view *view, uint32_t from)
{
    for (uint32_t i = from; i < rule->window_count; i++) {
        struct window_counts counts;
        rule_read_counts(state, view, rule->windows[i], &counts);
        if (counts.records > 0 && is_over(rule, &counts)) {
            return true;
        }
    }
    return false;
}

static void judge_share(const struct rule *rule, const struct rule_state *state, const struct rule_view *view,
                        struct rule_evidence *evidence)
{
    bool seen_records = false;
    for (uint32_t i = 0; i < rule->window_count; i++) {
        struct window_counts counts;
        rule_read_counts(state, view, rule->windows[i], &counts);
        if (counts.records == 0) {
            continue;
        }
        if (!seen_records) {
            note_window(rule, rule->windows[i], &counts, evidence);
            seen_records = true;
        }
        if (!is_over(rule, &counts)) {
            /* No longer window can be violated now; whether one is over decides between clear and unknown. */
            bool is_over_somewhere =
                evidence->too_few || evidence->is_blip || is_over_in_longer(rule, state, view, i + 1);
            evidence->verdict = is_over_somewhere ? RULE_UNKNOWN : RULE_CLEAR;
            return;
        }
        if (!is_evidence(rule, &counts)) {
            evidence->too_few = true;
        } else if (!is_held_as_blip(rule, state, view, rule->windows[i])) {
            note_window(rule, rule->windows[i], &counts, evidence);
            evidence->verdict = RULE_VIOLATED;
            return;
        } else if (!evidence->is_blip) {
            note_window(rule, rule->windows[i], &counts, evidence);
            evidence->is_blip = true;
        }
    }
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
        judge_share(rule, state, view, evidence);
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
    double bad = (double)bad_records(rule, &step);
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
    return window_quantile(view->window, view->layout->lengths_s[window], forgotten_until(state),
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
        return window_gauge_mean(view->window, WINDOW_CPU, length_s, forgotten_until(state));
    case RULE_MEMORY:
        return window_gauge_mean(view->window, WINDOW_MEMORY, length_s, forgotten_until(state));
    }
    return NAN;
}
