/* The usual values are kept in 16 bits each: 0 is "not seen", otherwise 1 + 1024 ln(1 + value / 1e-6), so a
 * step is 0.1 % of the value from a few millionths up, and ln(1e15) still fits. They are read and written
 * once an hour and once for each minute's forecast; what is smoothed from minute to minute is kept in
 * doubles, because steps of 0.1 % would stop it.
 *
 * An hour becomes usual when three quarters of its minutes were learned. One that was usual before moves half
 * way, and by no more than half of what it was: a bad hour that nothing refused is forgotten in as many
 * weeks. */
#include "rule/baseline.h"

#include <math.h>
#include <string.h>

#define HOUR_S           3600
#define CODE_UNIT        1e-6
#define CODE_STEPS       1024.0
#define CODE_MOST        65535.0
#define CLIP_DEVIATIONS  3.0  /* an observation further off enters as if it were so far */
#define CLIP_CONSISTENCY 1.25 /* of the mean absolute deviation, clipped there, for a normal distribution */
#define LEVEL_MINUTES    15
#define RATIO_MINUTES    120
#define SPREAD_MINUTES   120
#define GAP_MINUTES      1440
#define FIRST_SPREAD     0.3
#define LEAST_SPREAD     0.02
#define MOST_SPREAD      2.0
#define FIRST_CLIP       0.5 /* of the level, while it is being found */
#define LEAST_CLIP                                                                                           \
    0.25 /* of what is expected: a change in the course of a day is followed in an hour or two */
#define SCALE_CLIP      0.1 /* of the most that is usual: what was 0 can become more */
#define HOUR_RATE       0.5
#define HOUR_CLIP       0.5
#define HOUR_MINUTES    60
#define LEARNED_MINUTES 45  /* of an hour, for it to be usual … */
#define SEEN_MINUTES    50  /* … or, learned and refused, for it to be doubted */
#define SHIFT_S         600 /* a pattern may be so early or late */
#define MOST_RATIO      10.0

static uint16_t encode(double value)
{
    double code = 1.0 + CODE_STEPS * log1p(value / CODE_UNIT);
    return (uint16_t)fmin(floor(code + 0.5), CODE_MOST);
}

static double decode(uint16_t code)
{
    return CODE_UNIT * expm1((code - 1) / CODE_STEPS);
}

static int64_t floor_div(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

static uint32_t slot_of(const struct baseline *baseline, int64_t hour)
{
    int64_t slot = hour % baseline->terms.slots;
    return (uint32_t)(slot < 0 ? slot + baseline->terms.slots : slot);
}

static double clip(double value, double around, double by)
{
    return fmax(around - by, fmin(around + by, value));
}

/* The mean of all so far at first, then smoothing. */
static double rate(const struct baseline *baseline, double minutes)
{
    return fmax(1.0 / (baseline->minutes + 1.0), 1.0 / minutes);
}

/* --- beginning ---- */

static void begin_history(struct baseline *baseline)
{
    baseline->minutes = 0;
    baseline->level = 0;
    baseline->ratio = 1;
    baseline->spread = FIRST_SPREAD;
    baseline->gap = 0;
    baseline->refused_since_s = BASELINE_NEVER;
}

void baseline_init(struct baseline *baseline, const struct baseline_terms *terms, uint8_t signal)
{
    memset(baseline, 0, sizeof *baseline);
    baseline->signal = signal;
    baseline->hour = BASELINE_NEVER;
    begin_history(baseline);
    baseline_set_terms(baseline, terms);
}

void baseline_set_terms(struct baseline *baseline, const struct baseline_terms *terms)
{
    baseline->terms = *terms;
    baseline->terms.phase %= BASELINE_STEP_S;
    baseline->forecast.minute = BASELINE_NEVER;
}

/* --- when ---- */

static int64_t minute_of(const struct baseline *baseline, int64_t second)
{
    return floor_div(second - baseline->terms.phase, BASELINE_STEP_S);
}

bool baseline_is_step(const struct baseline *baseline, int64_t second)
{
    return minute_of(baseline, second) != minute_of(baseline, second - 1);
}

int64_t baseline_next_step(const struct baseline *baseline, int64_t second)
{
    return (minute_of(baseline, second) + 1) * BASELINE_STEP_S + baseline->terms.phase;
}

int64_t baseline_next_hour(const struct baseline *baseline, int64_t second)
{
    int64_t hour = floor_div(second, HOUR_S);
    return baseline_next_step(baseline, baseline->hour == hour ? (hour + 1) * HOUR_S - 1 : second);
}

/* --- expecting ---- */

static double expect_at(const struct baseline *baseline, int64_t second)
{
    int64_t hour = floor_div(second, HOUR_S);
    uint16_t usual = baseline->usual[slot_of(baseline, hour)];
    if (usual != 0) {
        return baseline->ratio * decode(usual);
    }
    uint16_t yesterday = baseline->usual[slot_of(baseline, hour - BASELINE_HOURS_OF_DAY)];
    if (yesterday == 0) {
        return baseline->level;
    }
    double then = baseline->ratio * decode(yesterday);
    return baseline->terms.below ? fmin(baseline->level, then) : fmax(baseline->level, then);
}

static double deviation_of(const struct baseline *baseline, double expected)
{
    uint32_t seconds = baseline->terms.count_seconds;
    return fmax(baseline->spread * expected, seconds == 0 ? 0 : sqrt(expected / seconds));
}

bool baseline_expect(struct baseline *baseline, int64_t second, struct baseline_forecast *forecast)
{
    if (baseline->minutes < baseline->terms.min_minutes || baseline->minutes == 0) {
        return false;
    }
    int64_t minute = minute_of(baseline, second);
    if (baseline->forecast.minute != minute) {
        int64_t begin_s = minute * BASELINE_STEP_S + baseline->terms.phase;
        double early = expect_at(baseline, begin_s + SHIFT_S);
        double late = expect_at(baseline, begin_s - SHIFT_S);
        double expected = baseline->terms.below ? fmin(early, late) : fmax(early, late);
        baseline->forecast.minute = minute;
        baseline->forecast.value.expected = expected;
        baseline->forecast.value.deviation = deviation_of(baseline, expected);
    }
    *forecast = baseline->forecast.value;
    return true;
}

/* The most that can be expected. */
static double scale_of(const struct baseline *baseline)
{
    uint16_t most = 0;
    for (uint32_t slot = 0; slot < baseline->terms.slots; slot++) {
        most = baseline->usual[slot] > most ? baseline->usual[slot] : most;
    }
    return fmax(baseline->level, most == 0 ? 0 : baseline->ratio * decode(most));
}

bool baseline_expects(const struct baseline *baseline, double least)
{
    return baseline->minutes > 0 && baseline->minutes >= baseline->terms.min_minutes &&
           scale_of(baseline) >= least;
}

/* --- an hour is over ---- */

static void settle_hour(struct baseline *baseline, uint32_t slot)
{
    double mean = baseline->hour_sum / baseline->hour_minutes;
    uint16_t *usual = &baseline->usual[slot];
    if (*usual != 0) {
        double before = decode(*usual);
        double by = fmax(HOUR_CLIP * fmax(before, HOUR_CLIP * scale_of(baseline)), baseline->terms.least);
        mean = before + HOUR_RATE * (clip(mean, before, by) - before);
    }
    *usual = encode(mean);
    baseline->doubted[slot] = 0;
    baseline->is_season_changed = true;
}

static bool looks_like(const struct baseline *baseline, uint16_t code, double value)
{
    return code != 0 &&
           fabs(decode(code) - value) <= 0.25 * fmax(decode(code), value) + 0.02 * scale_of(baseline);
}

/* Much of it was refused. The same a day or a week ago: it is usual. */
static void doubt_hour(struct baseline *baseline, uint32_t slot)
{
    double mean = (baseline->hour_sum + baseline->refused_sum) / HOUR_MINUTES;
    uint32_t yesterday = slot_of(baseline, baseline->hour - BASELINE_HOURS_OF_DAY);
    bool is_usual = looks_like(baseline, baseline->doubted[slot], mean) ||
                    looks_like(baseline, baseline->doubted[yesterday], mean) ||
                    (baseline->usual[slot] == 0 && looks_like(baseline, baseline->usual[yesterday], mean));
    if (is_usual) {
        baseline->usual[slot] = encode(mean);
    }
    baseline->doubted[slot] = encode(mean);
    baseline->is_season_changed = true;
}

/* Of the running hour, when it ends. */
static uint32_t refused_minutes(const struct baseline *baseline)
{
    if (baseline->refused_since_s == BASELINE_NEVER) {
        return 0;
    }
    int64_t end_s = (baseline->hour + 1) * HOUR_S;
    int64_t refused_s = end_s - baseline->refused_since_s;
    return (uint32_t)((refused_s < HOUR_S ? refused_s : HOUR_S) / BASELINE_STEP_S);
}

/* True: the hour that ran is over. */
static bool enter_hour(struct baseline *baseline, int64_t second)
{
    int64_t hour = floor_div(second, HOUR_S);
    if (hour == baseline->hour) {
        return false;
    }
    if (baseline->hour != BASELINE_NEVER && baseline->hour_minutes >= LEARNED_MINUTES) {
        settle_hour(baseline, slot_of(baseline, baseline->hour));
    } else if (baseline->hour == hour - 1 &&
               baseline->hour_minutes + refused_minutes(baseline) >= SEEN_MINUTES) {
        doubt_hour(baseline, slot_of(baseline, baseline->hour));
    }
    baseline->hour = hour;
    baseline->hour_sum = 0;
    baseline->hour_minutes = 0;
    baseline->refused_sum = 0;
    return true;
}

static bool note_change(struct baseline *baseline)
{
    baseline->is_changed = true;
    baseline->forecast.minute = BASELINE_NEVER;
    return true;
}

/* --- a minute is over ---- */

static void learn_spread(struct baseline *baseline, double value, double expected)
{
    if (expected <= 0) {
        return;
    }
    double off = fmin(fabs(value - expected) / expected, CLIP_DEVIATIONS * baseline->spread);
    double spread =
        baseline->spread + rate(baseline, SPREAD_MINUTES) * (CLIP_CONSISTENCY * off - baseline->spread);
    baseline->spread = fmax(LEAST_SPREAD, fmin(MOST_SPREAD, spread));
}

static void learn_ratio(struct baseline *baseline, double value, double usual)
{
    if (usual <= SCALE_CLIP * scale_of(baseline)) {
        return; /* next to nothing tells nothing */
    }
    double by = baseline->minutes < LEVEL_MINUTES ? MOST_RATIO : LEAST_CLIP * baseline->ratio;
    double seen =
        clip(value / usual, baseline->ratio, fmax(by, CLIP_DEVIATIONS * baseline->spread * baseline->ratio));
    double ratio = baseline->ratio + rate(baseline, RATIO_MINUTES) * (seen - baseline->ratio);
    baseline->ratio = fmax(1 / MOST_RATIO, fmin(MOST_RATIO, ratio));
}

/* Which of what could be expected the value is nearest to: the season, the level, or yesterday's hour where
 * the season isn't known. What a minute adds to its hour is clipped around that. */
static double nearest_expected(const struct baseline *baseline, double value)
{
    uint16_t code = baseline->usual[slot_of(baseline, baseline->hour)];
    code = code != 0 ? code : baseline->usual[slot_of(baseline, baseline->hour - BASELINE_HOURS_OF_DAY)];
    double season = code == 0 ? baseline->level : baseline->ratio * decode(code);
    return fabs(value - season) <= fabs(value - baseline->level) ? season : baseline->level;
}

static double clean(const struct baseline *baseline, double value, double expected)
{
    double by = CLIP_DEVIATIONS * deviation_of(baseline, expected);
    double part = baseline->minutes < LEVEL_MINUTES ? FIRST_CLIP : LEAST_CLIP;
    double scale = scale_of(baseline);
    by = fmax(fmax(by, part * expected), fmax(SCALE_CLIP * scale, baseline->terms.least));
    bool is_first = baseline->minutes == 0 || (scale == 0 && baseline->terms.least == 0);
    return is_first ? value : fmax(0, clip(value, expected, by));
}

bool baseline_learn(struct baseline *baseline, int64_t second, double value, double silent_s)
{
    (void)enter_hour(baseline, second);
    double expected = nearest_expected(baseline, value);
    uint16_t code = baseline->usual[slot_of(baseline, baseline->hour)];
    double usual = code == 0 ? 0 : decode(code);
    if (baseline->minutes > 0) {
        learn_spread(baseline, value, usual > 0 ? baseline->ratio * usual : baseline->level);
    }
    baseline->hour_sum += clean(baseline, value, expected);
    double level = clean(baseline, value, baseline->level);
    learn_ratio(baseline, value, usual);
    baseline->level += rate(baseline, LEVEL_MINUTES) * (level - baseline->level);
    baseline->gap = fmax(silent_s * expected, baseline->gap * (1 - 1.0 / GAP_MINUTES));
    baseline->hour_minutes++;
    baseline->minutes += baseline->minutes < UINT32_MAX;
    baseline->refused_since_s = BASELINE_NEVER;
    return note_change(baseline);
}

bool baseline_refuse(struct baseline *baseline, int64_t second, double value)
{
    bool is_changed = enter_hour(baseline, second);
    if (is_changed && baseline->refused_since_s != BASELINE_NEVER &&
        second - baseline->refused_since_s >= BASELINE_ACCEPT_S) {
        begin_history(baseline);
        return note_change(baseline);
    }
    if (baseline->refused_since_s == BASELINE_NEVER) {
        baseline->refused_since_s = second;
        is_changed = true;
    }
    if (value > 0) {
        baseline->refused_sum += value;
        is_changed = true;
    }
    return is_changed ? note_change(baseline) : false;
}
