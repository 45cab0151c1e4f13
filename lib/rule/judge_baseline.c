/* A baseline rule: the value of its window against what the series' own history expects, and when the history
 * learns.
 *
 * A rate of requests can be judged before its window has emptied: so long a silence, where the history has 20
 * requests or thrice its longest usual gap come meanwhile, is no chance. The window that shows it is then the
 * longest that is silent as a whole. */
#include "rule/binomial.h"
#include "rule/rule_state_private.h"

#include <math.h>

#define CLEAR_WAY        0.25 /* from the limit to what is expected: so far back it is clear */
#define SILENCE_SECONDS  10   /* less is never telling … */
#define SILENCE_EXPECTED 20   /* … nor a silence in which less was expected to come … */
#define SILENCE_GAPS     3    /* … nor so many of the usual gaps */

struct baseline_terms rule_baseline_terms(const struct rule *rule, const struct window_layout *layout,
                                          uint64_t phase)
{
    bool is_rate = rule->signal == RULE_REQUEST_RATE;
    return (struct baseline_terms){.slots = rule->history_slots,
                                   .min_minutes = rule->min_history_minutes,
                                   .count_seconds = is_rate ? layout->lengths_s[rule->windows[0]] : 0,
                                   .below = rule->below,
                                   .least = rule->min_expected,
                                   .phase = (uint32_t)(phase % BASELINE_STEP_S)};
}

/* Nothing comes, and that says something. */
static bool minds_silence(const struct rule *rule)
{
    return rule->signal == RULE_REQUEST_RATE && rule->below;
}

static void note_expected(const struct rule *rule, const struct baseline_forecast *forecast,
                          struct rule_evidence *evidence)
{
    double further = rule->deviations * forecast->deviation;
    evidence->expected = forecast->expected;
    evidence->deviation = forecast->deviation;
    evidence->threshold = fmax(0, rule->threshold * forecast->expected + (rule->below ? -further : further));
    evidence->is_small = forecast->expected < rule->min_expected;
}

static bool is_silent(const struct rule *rule, const struct rule_view *view,
                      const struct rule_evidence *evidence)
{
    int64_t silent_s = rule_silent_seconds(rule, view);
    if (!rule->no_data_learned || silent_s >= rule->no_data_after_s) {
        return silent_s >= rule->no_data_after_s;
    }
    double least = fmax(SILENCE_EXPECTED, SILENCE_GAPS * view->baseline->gap);
    return minds_silence(rule) && silent_s >= SILENCE_SECONDS &&
           (double)silent_s * evidence->expected >= least;
}

/* The longest window of the layout in which there was nothing. */
static void show_silence(const struct rule *rule, const struct rule_view *view,
                         struct rule_evidence *evidence)
{
    int64_t silent_s = rule_silent_seconds(rule, view);
    for (uint32_t i = 0; i <= rule->windows[0]; i++) {
        if (view->layout->lengths_s[i] <= silent_s) {
            evidence->window = i;
            evidence->records = 0;
            evidence->bad = 0;
        }
    }
}

/* So many beyond the quantile that it means something. */
static bool has_quantile(const struct rule *rule, const struct window_counts *counts)
{
    return counts->records * (100 - rule_percentile(rule)) >= rule->min_bad * 100;
}

/* Are the window's records enough to tell its value from chance? */
static bool is_enough(const struct rule *rule, const struct window_counts *counts,
                      const struct rule_evidence *evidence)
{
    if (rule_is_latency(rule)) {
        return has_quantile(rule, counts);
    }
    if (rule->signal != RULE_ERROR_RATE || rule->confidence == 0 || evidence->threshold >= 1) {
        return true;
    }
    return counts->errors >= rule->min_bad &&
           (evidence->threshold <= 0 || binomial_tail_is_at_most(counts->records, counts->errors,
                                                                 evidence->threshold, 1 - rule->confidence));
}

/* Too few to have a value at all, for the learner too. */
static bool has_value(const struct rule *rule, const struct window_counts *counts)
{
    return rule_is_latency(rule) ? has_quantile(rule, counts)
                                 : rule->signal != RULE_ERROR_RATE || counts->records >= rule->min_samples;
}

static enum rule_verdict judge_quiet(const struct rule *rule, const struct window_counts *counts,
                                     double value, struct rule_evidence *evidence)
{
    bool is_beyond = rule->below ? value < evidence->threshold : value > evidence->threshold;
    if (evidence->is_small) {
        return RULE_UNKNOWN;
    }
    evidence->too_few = is_beyond && !is_enough(rule, counts, evidence);
    return evidence->too_few ? RULE_UNKNOWN : is_beyond ? RULE_VIOLATED : RULE_CLEAR;
}

static enum rule_verdict judge_firing(const struct rule *rule, const struct window_counts *counts,
                                      double value, const struct rule_evidence *evidence)
{
    double limit = evidence->threshold;
    double back = limit + CLEAR_WAY * (evidence->expected - limit);
    bool is_back = rule->below ? value >= back && (value > 0 || !minds_silence(rule)) : value <= back;
    if (is_back && has_value(rule, counts)) {
        return RULE_CLEAR;
    }
    bool is_beyond = rule->below ? value < limit : value > limit;
    return is_beyond && !evidence->is_small ? RULE_VIOLATED : RULE_UNKNOWN;
}

void rule_judge_baseline(const struct rule *rule, const struct rule_state *state,
                         const struct rule_view *view, struct rule_evidence *evidence)
{
    struct baseline_forecast forecast;
    struct window_counts counts;
    rule_read_counts(state, view, rule->windows[0], &counts);
    evidence->records = counts.records;
    evidence->bad = rule->signal == RULE_ERROR_RATE ? counts.errors : 0;
    evidence->threshold = NAN;
    if (view->baseline == NULL || !baseline_expect(view->baseline, window_now(view->window), &forecast)) {
        evidence->is_learning = true;
        evidence->verdict = state->firing ? RULE_CLEAR : RULE_UNKNOWN;
        return;
    }
    note_expected(rule, &forecast, evidence);
    evidence->no_data = is_silent(rule, view, evidence);
    if (evidence->no_data && rule->on_no_data == RULE_FIRE && !evidence->is_small) {
        show_silence(rule, view, evidence);
        evidence->verdict = RULE_VIOLATED;
        return;
    }
    evidence->is_young = rule->signal == RULE_REQUEST_RATE && !rule_is_window_full(rule, state, view);
    if (evidence->is_young || (rule_is_latency(rule) && !has_value(rule, &counts))) {
        return;
    }
    double value = rule_measure(rule, state, view, rule->windows[0]);
    if (!isnan(value)) {
        evidence->verdict = state->firing ? judge_firing(rule, &counts, value, evidence)
                                          : judge_quiet(rule, &counts, value, evidence);
    }
}

/* --- learning ---- */

/* The longest run of seconds without a record in the last minute. One that goes on isn't usual yet: it may be
 * the beginning of an outage. */
static double longest_gap(const struct rule_view *view)
{
    int64_t now_s = window_now(view->window);
    int run = 0;
    int longest = 0;
    for (int64_t second = now_s - BASELINE_STEP_S + 1; second <= now_s; second++) {
        struct window_counts counts;
        window_read_second(view->window, second, &counts);
        longest = counts.records > 0 && run > longest ? run : longest;
        run = counts.records == 0 ? run + 1 : 0;
    }
    return run == BASELINE_STEP_S ? run : longest;
}

/* Steps of an empty series that this leaves out must change nothing: they are skipped (rule_next_change). */
static bool learns_silence(const struct rule *rule, const struct baseline *baseline)
{
    return minds_silence(rule) && baseline_expects(baseline, rule->min_expected);
}

bool rule_learn_baseline(const struct rule *rule, const struct rule_state *state,
                         const struct rule_view *view, const struct rule_evidence *evidence)
{
    struct baseline *baseline = view->baseline;
    int64_t now_s = window_now(view->window);
    struct window_counts counts;
    if (baseline == NULL || !baseline_is_step(baseline, now_s)) {
        return false;
    }
    if (state->firing || evidence->verdict == RULE_VIOLATED) {
        return baseline_refuse(baseline, now_s, rule_measure(rule, state, view, rule->windows[0]));
    }
    rule_read_counts(state, view, rule->windows[0], &counts);
    bool is_young = rule->signal == RULE_REQUEST_RATE && !rule_is_window_full(rule, state, view);
    if (is_young || !has_value(rule, &counts) ||
        (window_is_empty(view->window) && !learns_silence(rule, baseline))) {
        return false;
    }
    double value = rule_measure(rule, state, view, rule->windows[0]);
    return !isnan(value) &&
           baseline_learn(baseline, now_s, value, minds_silence(rule) ? longest_gap(view) : 0);
}

/* --- time alone ---- */

bool rule_needs_series(const struct rule *rule, const struct rule_state *state,
                       const struct baseline *baseline)
{
    bool waits_to_fire = state->violations > 0 && rule->on_no_data == RULE_FIRE;
    return state->firing || waits_to_fire || (baseline != NULL && learns_silence(rule, baseline));
}

static int64_t next_of_baseline(const struct rule *rule, const struct rule_state *state,
                                const struct rule_view *view)
{
    int64_t now_s = window_now(view->window);
    if (state->firing && state->clears == 0) {
        return baseline_next_hour(view->baseline, now_s);
    }
    return state->firing || learns_silence(rule, view->baseline) ? baseline_next_step(view->baseline, now_s)
                                                                 : INT64_MAX;
}

int64_t rule_next_change(const struct rule *rule, const struct rule_state *state,
                         const struct rule_view *view)
{
    bool waits_for_silence =
        rule->on_no_data != RULE_HOLD && rule_silent_seconds(rule, view) < rule->no_data_after_s;
    bool waits_for_window = rule->signal == RULE_REQUEST_RATE && !rule_is_window_full(rule, state, view);
    if (waits_for_silence || waits_for_window) {
        return window_now(view->window) + 1;
    }
    return rule->is_baseline && view->baseline != NULL ? next_of_baseline(rule, state, view) : INT64_MAX;
}
