/* Rules on a share of bad records, errors or slow ones, while they don't fire: is it over the limit, is there
 * evidence for it, and may it have been no more than a blip? ADR-007 and ADR-010 have the figures. */
#include "rule/binomial.h"
#include "rule/rule_state_private.h"

#include <math.h>

#define BLIP_SECONDS    3    /* what lasts no longer must not fire … */
#define BLIP_MARGIN_S   0.5  /* … and is told from what does by this much more weight, … */
#define BLIP_DEVIATIONS 2.5  /* … or so many deviations of a second's bad records, when they are few; … */
#define BLIP_CHANCE     1e-5 /* … or by bad records outside of it, for which chance is so unlikely */
#define PRIOR_BAD       0.5  /* where little is known of what is usual, it is near the limit */
#define BLIP_BINS       (BLIP_SECONDS * WINDOW_BINS + 1) /* it touches no more of them */

static uint64_t bad_weight(const struct rule *rule, const struct window_counts *counts)
{
    return rule->signal == RULE_ERROR_RATE ? counts->error_weight : counts->slow_weight[rule->slow_index];
}

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
    uint64_t bad = rule_bad_records(rule, counts);
    if (rule->confidence == 0) {
        return counts->records >= rule->min_samples;
    }
    return bad >= rule->min_bad &&
           binomial_tail_is_at_most(counts->records, bad, rule_bad_share(rule), 1.0 - rule->confidence);
}

/* --- may it have been a blip? ---- */

/* The seconds of a window that count. */
struct seconds {
    int64_t first, last;
};

static struct seconds seconds_of(const struct rule_state *state, const struct rule_view *view,
                                 uint32_t window)
{
    int64_t last_s = window_now(view->window);
    int64_t first_s = last_s - view->layout->lengths_s[window] + 1;
    int64_t forgotten_s = rule_forgotten_until(state);
    return (struct seconds){first_s > forgotten_s ? first_s : forgotten_s + 1, last_s};
}

/* By the weight of seconds: wherever a fault of BLIP_SECONDS begins, it fills two whole seconds, so the worst
 * two in a row say how much a second of it weighs: a blip is no more than three of those. */
static bool is_light(const struct rule *rule, const struct rule_view *view, struct seconds seconds)
{
    double total = 0;
    double before = 0;
    double worst_two = 0;
    for (int64_t second = seconds.first; second <= seconds.last; second++) {
        struct window_counts counts;
        window_read_second(view->window, second, &counts);
        double excess =
            fmax(0, (double)rule_bad_records(rule, &counts) - rule_bad_share(rule) * (double)counts.records);
        total += excess;
        worst_two = fmax(worst_two, before + excess);
        before = excess;
    }
    double a_second = worst_two / 2;
    return total < BLIP_SECONDS * a_second + fmax(BLIP_MARGIN_S * a_second, BLIP_DEVIATIONS * sqrt(a_second));
}

/* The newest eighths of seconds, from the last one back, and of them the run of BLIP_BINS with the most bad
 * records: all that a blip can have touched. */
struct scan {
    uint32_t count;
    uint8_t bad[WINDOW_BIN_SECONDS * WINDOW_BINS];
    double records[WINDOW_BIN_SECONDS * WINDOW_BINS]; /* known by seconds, and taken as even in each */
    double all_records, run_records, worst_records;
    uint32_t all_bad, run_bad, worst_bad;
};

static void scan_bin(struct scan *scan, double records, uint8_t bad)
{
    uint32_t at = scan->count++;
    scan->records[at] = records;
    scan->bad[at] = bad;
    scan->all_records += records;
    scan->all_bad += bad;
    scan->run_records += records - (at < BLIP_BINS ? 0 : scan->records[at - BLIP_BINS]);
    scan->run_bad += bad - (at < BLIP_BINS ? 0u : scan->bad[at - BLIP_BINS]);
    if (scan->run_bad > scan->worst_bad) {
        scan->worst_bad = scan->run_bad;
        scan->worst_records = scan->run_records;
    }
}

/* Is chance no explanation for the bad records outside the worst run? They come at the share that was usual
 * before: of the rest of the longest window, with one bad record at the limit added, and never over the
 * limit. */
static bool has_bad_outside(const struct rule *rule, const struct scan *scan,
                            const struct window_counts *longest)
{
    double p = rule_bad_share(rule);
    uint64_t bad = scan->all_bad - scan->worst_bad;
    double records = fmax((double)bad, ceil(scan->all_records - scan->worst_records));
    double usual = ((double)rule_bad_records(rule, longest) - scan->all_bad + PRIOR_BAD) /
                   ((double)longest->records - scan->all_records + PRIOR_BAD / p);
    return bad > 0 && binomial_tail_is_at_most((uint64_t)records, bad, fmin(p, usual), BLIP_CHANCE);
}

/* By the moments of the bad records: however far back one looks, are they all within BLIP_SECONDS but for
 * what chance puts there? */
static bool is_short(const struct rule *rule, const struct rule_state *state, const struct rule_view *view,
                     struct seconds seconds)
{
    struct scan scan = {0};
    struct window_counts longest;
    uint32_t kind = rule->signal == RULE_ERROR_RATE ? 0 : 1 + rule->slow_index;
    rule_read_counts(state, view, rule->windows[rule->window_count - 1], &longest);
    for (int64_t second = seconds.last; second >= seconds.first && second > seconds.last - WINDOW_BIN_SECONDS;
         second--) {
        struct window_counts counts;
        uint8_t bins[WINDOW_BINS];
        window_read_second(view->window, second, &counts);
        window_read_bins(view->window, second, kind, bins);
        for (uint32_t bin = WINDOW_BINS; bin-- > 0;) {
            scan_bin(&scan, (double)counts.records / WINDOW_BINS, bins[bin]);
            if (bins[bin] > 0 && has_bad_outside(rule, &scan, &longest)) {
                return false;
            }
        }
    }
    return true;
}

/* Only the evaluation that would fire is held back, and not where plain comparison is wanted. Either way to
 * tell is enough: seconds are heavy where records are few and far between, moments are quick. */
static bool is_held_as_blip(const struct rule *rule, const struct rule_state *state,
                            const struct rule_view *view, uint32_t window)
{
    if (rule->confidence == 0 || state->firing || state->violations + 1 < rule->for_violations) {
        return false;
    }
    struct seconds seconds = seconds_of(state, view, window);
    return is_light(rule, view, seconds) && is_short(rule, state, view, seconds);
}

/* The same of the last seconds of the shortest window, however many: what was good before a fault began says
 * nothing against it. */
static bool is_evidence_lately(const struct rule *rule, const struct rule_state *state,
                               const struct rule_view *view)
{
    struct seconds seconds = seconds_of(state, view, rule->windows[0]);
    struct window_counts lately = {0};
    for (int64_t second = seconds.last; rule->confidence > 0 && second >= seconds.first; second--) {
        struct window_counts counts;
        window_read_second(view->window, second, &counts);
        lately.records += counts.records;
        lately.errors += counts.errors;
        for (uint32_t k = 0; k < WINDOW_THRESHOLDS; k++) {
            lately.slow[k] += counts.slow[k];
        }
        if (rule_bad_records(rule, &counts) > 0 && is_evidence(rule, &lately)) {
            return true;
        }
    }
    return false;
}

static void note_window(const struct rule *rule, uint32_t window, const struct window_counts *counts,
                        struct rule_evidence *evidence)
{
    evidence->window = window;
    evidence->records = counts->records;
    evidence->bad = rule_bad_records(rule, counts);
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

void rule_judge_share(const struct rule *rule, const struct rule_state *state, const struct rule_view *view,
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
        if (!is_evidence(rule, &counts) && (i > 0 || !is_evidence_lately(rule, state, view))) {
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
