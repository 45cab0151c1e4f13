/* lib/rule/baseline: what a series' own history expects now.
 *
 * One learner for each series and rule of type baseline. Once a minute of event time it is given the value of
 * the rule's window, or told that the minute is refused because the rule is violated. It keeps
 *
 *   level    the recent level: exponential smoothing over a quarter of an hour
 *   season   the usual value of each hour of the week (168 slots) or of the day (24), once that hour has been
 * seen ratio    how now compares with the season: smoothing over two hours spread   the usual deviation,
 * relative to what is expected gap      the longest usual silence, in values expected meanwhile
 *
 * and expects ratio x season; in an hour that it hasn't seen yet, the level. It is exponential smoothing with
 * a multiplicative season (P. R. Winters, Forecasting Sales by Exponentially Weighted Moving Averages,
 * Management Science 6, 1960) made robust: an observation enters no further than 3 deviations from what was
 * expected, and the deviation itself is learned from clipped ones, so that one minute or one incident moves
 * little (S. Gelper, R. Fried, C. Croux, Robust Forecasting with Exponential and Holt-Winters Smoothing,
 * Journal of Forecasting 29, 2010, with P. J. Huber's psi of Robust Estimation of a Location Parameter,
 * Annals of Mathematical Statistics 35, 1964).
 *
 * Refused minutes teach nothing. But an hour refused as a whole is remembered as doubted, and when the same
 * hour a day or a week later looks the same, it is usual after all: a service that stops each night. A day of
 * refusal without a break is a lasting change: the history begins anew, the season kept as a shape.
 *
 * A plain function of its inputs: no clock. O(1) a step, O(slots) a forecast of the most. About 0.8 KiB each.
 * Plain data; all but `terms` and `forecast` is to be saved. */
#ifndef OBS_RULE_BASELINE_H
#define OBS_RULE_BASELINE_H

#include <stdbool.h>
#include <stdint.h>

#define BASELINE_HOURS_OF_WEEK 168
#define BASELINE_HOURS_OF_DAY  24
#define BASELINE_STEP_S        60
#define BASELINE_ACCEPT_S      86400 /* a refusal of so long is a lasting change */
#define BASELINE_NEVER         INT64_MIN

/* What the rule says; the same for all learners of one rule, but for the phase. */
struct baseline_terms {
    uint32_t slots;       /* BASELINE_HOURS_OF_WEEK or BASELINE_HOURS_OF_DAY */
    uint32_t min_minutes; /* learned before it expects anything */
    uint32_t
        count_seconds; /* the value is a rate counted over so long, so chance alone spreads it; 0: it isn't */
    bool below;     /* which way is bad: where two values can be expected, the one further from an alarm is */
    double least;   /* less than this is all the same to the rule; 0: nothing is */
    uint32_t phase; /* the second of the minute at which it learns: spreads the work and the saving */
};

struct baseline_forecast {
    double expected, deviation;
};

struct baseline {
    struct baseline_terms terms;
    uint8_t signal;   /* enum rule_signal: a rule that was given another one learns anew */
    uint32_t minutes; /* learned since the history began */
    double level, ratio, spread, gap;
    int64_t hour; /* the running one, since 1970; BASELINE_NEVER before the first */
    double hour_sum;
    uint32_t hour_minutes;   /* learned in the running hour */
    double refused_sum;      /* of the running hour's refused values */
    int64_t refused_since_s; /* BASELINE_NEVER: the last minute wasn't refused */
    uint16_t usual[BASELINE_HOURS_OF_WEEK], doubted[BASELINE_HOURS_OF_WEEK]; /* 0: not seen; see baseline.c */
    bool is_changed, is_season_changed;                                      /* since it was last saved */
    struct {
        int64_t minute;
        struct baseline_forecast value;
    } forecast; /* the last one, kept until the minute or the state changes */
};

void baseline_init(struct baseline *baseline, const struct baseline_terms *terms, uint8_t signal);
/* For one that was loaded: what isn't saved. */
void baseline_set_terms(struct baseline *baseline, const struct baseline_terms *terms);

/* Is this second one at which the learner is to be told a value? */
bool baseline_is_step(const struct baseline *baseline, int64_t second);
/* The first such second after this one, and the first in an hour that it knows nothing of yet. */
int64_t baseline_next_step(const struct baseline *baseline, int64_t second);
int64_t baseline_next_hour(const struct baseline *baseline, int64_t second);

/* What is expected from this second to the end of its minute. False: still learning. */
bool baseline_expect(struct baseline *baseline, int64_t second, struct baseline_forecast *forecast);
/* Will so much be expected at any hour? */
bool baseline_expects(const struct baseline *baseline, double least);

/* A step: the value of the minute, >= 0, and the longest silence in it (seconds). True: something changed. */
bool baseline_learn(struct baseline *baseline, int64_t second, double value, double silent_s);
/* A step whose value isn't to be learned; NaN: there is none. One of 0 in an hour that is known changes
 * nothing. */
bool baseline_refuse(struct baseline *baseline, int64_t second, double value);

#endif
