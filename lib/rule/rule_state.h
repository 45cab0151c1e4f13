/* lib/rule/rule_state: what one rule thinks of one series: counts in a row, firing or not, and when it
 * changes its mind.
 *
 * Not firing, a share rule (errors, or latency as the share of slow requests) asks each window, shortest
 * first: is the share over the limit, by enough records, more than chance explains, and is no shorter window
 * that has records at or under the limit (an old burst is no news)? The evaluation that would fire is unknown
 * as long as what is over the limit may be a blip of three seconds. Firing, it adds up evidence for "over"
 * with Page's CUSUM (E. S. Page, Continuous Inspection Schemes, Biometrika 41, 1954): the log likelihood
 * ratio of the limit against a clearly bad share, never below 0, capped a little over ln(clear_odds). Rates
 * and utilisation are compared plainly. After a resolve the rule's windows begin anew. Flapping: a firing
 * within 2 minutes of a resolve doubles for_clear, up to 5 minutes; each 2 quiet minutes halve it again.
 *
 * A baseline rule compares the value of its window with what the series' history expects (baseline.h): the
 * limit is `threshold` times that, and `deviations` further. It is unknown while the history is learned,
 * where less than `min_expected` is expected, and by too few records. Firing, it is clear once the value is
 * back past a quarter of the way from the limit to what is expected: a history that has accepted a lasting
 * change is clear too. Nothing is learned while it is violated or fires.
 *
 * A plain function of its inputs. Plain data, saved as it is by lib/detect. A healthy step costs a few
 * comparisons: chance is worked out only over the limit. */
#ifndef OBS_RULE_RULE_STATE_H
#define OBS_RULE_RULE_STATE_H

#include "rule/baseline.h"
#include "rule/rule.h"

#define RULE_NEVER INT64_MIN

enum rule_verdict { RULE_UNKNOWN, RULE_CLEAR, RULE_VIOLATED };
const char *rule_verdict_name(enum rule_verdict verdict); /* "unknown" … */
enum rule_change { RULE_UNCHANGED, RULE_FIRED, RULE_RESOLVED_CLEAR, RULE_RESOLVED_NO_DATA };

struct rule_state {
    bool firing;
    bool announced;              /* the firing was published; false for one found in unannounced history */
    uint32_t sequence;           /* transitions published so far */
    uint32_t violations, clears; /* evaluations in a row; violations stand still while firing */
    uint32_t for_clear;          /* with damping; 0: the rule's own */
    double log_odds;             /* of "over" against "still going on", while firing */
    double share; /* when it fired: of bad records; of a baseline rule the threshold in effect */
    int64_t violated_s, clear_s; /* end of the first violated, first clear step of the present run */
    int64_t fired_s;             /* when the present or last firing began to be violated */
    int64_t resolved_s;          /* the last resolve; RULE_NEVER */
};

/* What a series looks like at the end of a step. */
struct rule_view {
    const struct window *window;
    const struct window_layout *layout;
    int64_t born_s;                      /* the series' first second */
    int64_t last_record_s, last_gauge_s; /* RULE_NEVER: none yet */
    struct baseline *baseline;           /* of a baseline rule: its learner; NULL: it knows nothing */
};

/* What was found, for the transition and for people. */
struct rule_evidence {
    enum rule_verdict verdict;
    uint32_t window; /* index into the layout: which one decided, or the shortest that has records */
    uint64_t records, bad;
    double value;     /* measured there, when the step fired or resolved; otherwise NaN */
    bool no_data;     /* nothing for no_data_after_s */
    bool too_few;     /* over the limit, but too few bad records or too likely chance */
    bool is_blip;     /* violated, and about to fire, but it may have lasted no more than three seconds */
    bool is_young;    /* the window isn't full yet */
    double threshold; /* in effect; NaN: a baseline rule that expects nothing yet */
    double expected, deviation; /* of a baseline rule; NaN */
    bool is_learning, is_small; /* of a baseline rule: too short a history; less expected than min_expected */
    bool has_learned;           /* the step changed the learner */
};

void rule_state_init(struct rule_state *state);
/* What the rule makes of the series now. Changes nothing. */
void rule_judge(const struct rule *rule, const struct rule_state *state, const struct rule_view *view,
                struct rule_evidence *evidence);
/* One step: once for each second of the series' time, in order. */
enum rule_change rule_state_step(const struct rule *rule, struct rule_state *state,
                                 const struct rule_view *view, struct rule_evidence *evidence);
/* Within a second, when a bad record has come: fires if this second's evaluation would, and changes nothing
 * otherwise. */
enum rule_change rule_state_fire_early(const struct rule *rule, struct rule_state *state,
                                       const struct rule_view *view, struct rule_evidence *evidence);
/* The measured value of the signal in that window, weighted; NaN: nothing to measure. Latency beyond 60 s is
 * that of the last 60 s. */
double rule_measure(const struct rule *rule, const struct rule_state *state, const struct rule_view *view,
                    uint32_t window);
/* An empty series of which nothing more comes, whose step changed nothing: the next second whose step could,
 * by time alone, because the rule waits for so many silent seconds, for its window to fill, or for an hour in
 * which its history expects something. INT64_MAX: none. */
int64_t rule_next_change(const struct rule *rule, const struct rule_state *state,
                         const struct rule_view *view);
/* Must the series stay, however long nothing comes: because the rule fires, is about to, or its history
 * expects something at some hour? */
bool rule_needs_series(const struct rule *rule, const struct rule_state *state,
                       const struct baseline *baseline);
/* How a learner for the rule is to be set up; phase spreads the learners of many series over the minute. */
struct baseline_terms rule_baseline_terms(const struct rule *rule, const struct window_layout *layout,
                                          uint64_t phase);
uint32_t rule_state_for_clear(const struct rule *rule, const struct rule_state *state);
double rule_log_clear_odds(const struct rule *rule);

#endif
