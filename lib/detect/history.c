#include "detect/history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CODE_BITS    12
#define RATIO_STEPS  4094.0
#define VERDICT_BITS 2
#define PERIODS      (HISTORY_SECONDS / HISTORY_LONG_STEP_S + 1) /* the oldest isn't over yet */
#define SLACK_BYTES  4 /* bits are read and written four bytes at a time */
#define NEVER        INT64_MIN

_Static_assert(HISTOGRAM_BUCKETS < 1 << CODE_BITS, "a bucket, and 0 for none, fit a code");

struct history {
    const struct window_layout *layout;
    int64_t newest_s;      /* NEVER: none yet */
    int64_t newest_period; /* of the long windows */
    uint32_t row_bits, period_bits;
    uint16_t rule_count;
    uint8_t phase;
    unsigned char bits[]; /* rows, then periods */
};

/* --- layout ---- */

enum kept { KEPT_EACH_SECOND, KEPT_EACH_PERIOD, KEPT_NOT };

static enum kept p99_is_kept(uint32_t length_s)
{
    return length_s <= HISTORY_SHORT_S        ? KEPT_EACH_SECOND
           : length_s <= WINDOW_VALUE_SECONDS ? KEPT_EACH_PERIOD
                                              : KEPT_NOT;
}

/* Otherwise it is summed up again from the seconds of the longest window. */
static bool ratio_is_kept(const struct window_layout *layout, uint32_t length_s)
{
    return length_s + HISTORY_SECONDS > layout->lengths_s[layout->length_count - 1];
}

static size_t row_bytes_of_all(uint32_t row_bits)
{
    return ((size_t)row_bits * HISTORY_SECONDS + 7) / 8;
}

static size_t bits_bytes(uint32_t row_bits, uint32_t period_bits)
{
    return row_bytes_of_all(row_bits) + ((size_t)period_bits * PERIODS + 7) / 8 + SLACK_BYTES;
}

struct history *history_create(const struct window_layout *layout, uint16_t rule_count, uint64_t phase)
{
    uint32_t row_bits = 1 + (VERDICT_BITS + 1) * (uint32_t)rule_count;
    uint32_t period_bits = 0;
    for (uint32_t i = 0; i < layout->length_count; i++) {
        enum kept kept = p99_is_kept(layout->lengths_s[i]);
        row_bits += kept == KEPT_EACH_SECOND ? CODE_BITS : 0;
        period_bits += kept == KEPT_EACH_PERIOD ? CODE_BITS : 0;
        period_bits += ratio_is_kept(layout, layout->lengths_s[i]) ? CODE_BITS : 0;
    }
    struct history *history = calloc(1, sizeof *history + bits_bytes(row_bits, period_bits));
    if (history != NULL) {
        history->layout = layout;
        history->newest_s = NEVER;
        history->newest_period = NEVER;
        history->row_bits = row_bits;
        history->period_bits = period_bits;
        history->rule_count = rule_count;
        history->phase = (uint8_t)(phase % HISTORY_LONG_STEP_S);
    }
    return history;
}

void history_destroy(struct history *history)
{
    free(history);
}

size_t history_memory(const struct history *history)
{
    return sizeof *history + bits_bytes(history->row_bits, history->period_bits);
}

/* --- bits ---- */

struct place {
    unsigned char *bytes;
    size_t bit;
};

static void put(struct place *place, uint32_t bits, uint32_t value)
{
    uint32_t word = 0;
    uint32_t mask = ((1u << bits) - 1) << place->bit % 8;
    unsigned char *at = place->bytes + place->bit / 8;
    memcpy(&word, at, sizeof word);
    word = (word & ~mask) | value << place->bit % 8;
    memcpy(at, &word, sizeof word);
    place->bit += bits;
}

static uint32_t take(struct place *place, uint32_t bits)
{
    uint32_t word = 0;
    memcpy(&word, place->bytes + place->bit / 8, sizeof word);
    word = word >> place->bit % 8 & ((1u << bits) - 1);
    place->bit += bits;
    return word;
}

static int64_t floor_mod(int64_t value, int64_t divisor)
{
    int64_t rest = value % divisor;
    return rest < 0 ? rest + divisor : rest;
}

static int64_t period_of(const struct history *history, int64_t second)
{
    int64_t shifted = second - history->phase;
    return (shifted - floor_mod(shifted, HISTORY_LONG_STEP_S)) / HISTORY_LONG_STEP_S;
}

static struct place row_of(struct history *history, int64_t second)
{
    return (struct place){history->bits, (size_t)floor_mod(second, HISTORY_SECONDS) * history->row_bits};
}

static struct place period_place(struct history *history, int64_t period)
{
    return (struct place){history->bits + row_bytes_of_all(history->row_bits),
                          (size_t)floor_mod(period, PERIODS) * history->period_bits};
}

/* --- codes; 0: none ---- */

static uint32_t ratio_code(const struct window *window, uint32_t index)
{
    struct window_counts counts;
    window_read_counts(window, index, WINDOW_BEGINNING, &counts);
    if (counts.weight == 0) {
        return 0;
    }
    return 1 + (uint32_t)(sqrt((double)counts.error_weight / (double)counts.weight) * RATIO_STEPS + 0.5);
}

static double ratio_of(uint32_t code)
{
    double root = (code - 1) / RATIO_STEPS;
    return code == 0 ? NAN : root * root;
}

static uint32_t p99_code(const struct window *window, uint32_t index, uint32_t length_s)
{
    struct window_counts counts;
    window_read_counts(window, index, WINDOW_BEGINNING, &counts);
    if (counts.records == 0) {
        return 0;
    }
    double value = window_quantile(window, length_s, WINDOW_BEGINNING, 0.99);
    return isnan(value) ? 0 : 1u + histogram_bucket(value);
}

static double p99_of(uint32_t code)
{
    return code == 0 ? NAN : histogram_value((uint16_t)(code - 1));
}

/* --- adding ---- */

static void blank_rows(struct history *history, int64_t from_s, int64_t before_s)
{
    from_s = before_s - from_s > HISTORY_SECONDS ? before_s - HISTORY_SECONDS : from_s;
    for (int64_t second = from_s; second < before_s; second++) {
        struct place row = row_of(history, second);
        put(&row, 1, 0);
    }
}

static void put_period(struct history *history, const struct window *window, int64_t period)
{
    struct place place = period_place(history, period);
    for (uint32_t i = 0; i < history->layout->length_count; i++) {
        uint32_t length_s = history->layout->lengths_s[i];
        if (p99_is_kept(length_s) == KEPT_EACH_PERIOD) {
            put(&place, CODE_BITS, window == NULL ? 0 : p99_code(window, i, length_s));
        }
        if (ratio_is_kept(history->layout, length_s)) {
            put(&place, CODE_BITS, window == NULL ? 0 : ratio_code(window, i));
        }
    }
}

static void put_row(struct history *history, int64_t second, const struct window *window,
                    const struct history_evaluation *evaluations)
{
    struct place row = row_of(history, second);
    put(&row, 1, 1);
    for (uint32_t i = 0; i < history->rule_count; i++) {
        put(&row, VERDICT_BITS, (uint32_t)evaluations[i].verdict);
        put(&row, 1, evaluations[i].is_firing);
    }
    for (uint32_t i = 0; i < history->layout->length_count; i++) {
        uint32_t length_s = history->layout->lengths_s[i];
        if (p99_is_kept(length_s) == KEPT_EACH_SECOND) {
            put(&row, CODE_BITS, window == NULL ? 0 : p99_code(window, i, length_s));
        }
    }
}

void history_add(struct history *history, const struct window *window,
                 const struct history_evaluation *evaluations)
{
    int64_t second = window_now(window);
    int64_t period = period_of(history, second);
    if (history->newest_s == NEVER || second <= history->newest_s) {
        blank_rows(history, second - HISTORY_SECONDS, second);
    } else {
        blank_rows(history, history->newest_s + 1, second);
    }
    put_row(history, second, window, evaluations);
    if (period != history->newest_period) {
        put_period(history, window, period);
        history->newest_period = period;
    }
    history->newest_s = second;
}

static void take_evaluations(const struct history *history, struct place *row,
                             struct history_evaluation *evaluations)
{
    for (uint32_t i = 0; i < history->rule_count; i++) {
        evaluations[i].verdict = (enum rule_verdict)take(row, VERDICT_BITS);
        evaluations[i].is_firing = take(row, 1) != 0;
    }
}

void history_repeat(struct history *history, int64_t second)
{
    struct history_evaluation evaluations[RULE_MAX];
    if (history->newest_s == NEVER || second <= history->newest_s) {
        return;
    }
    struct place last = row_of(history, history->newest_s);
    last.bit++;
    take_evaluations(history, &last, evaluations);
    int64_t from_s =
        second - history->newest_s > HISTORY_SECONDS ? second - HISTORY_SECONDS + 1 : history->newest_s + 1;
    for (int64_t at_s = from_s; at_s <= second; at_s++) {
        put_row(history, at_s, NULL, evaluations);
        if (period_of(history, at_s) != history->newest_period) {
            history->newest_period = period_of(history, at_s);
            put_period(history, NULL, history->newest_period);
        }
    }
    history->newest_s = second;
}

/* --- reading ---- */

static double sum_ratio(const struct window *window, int64_t second, uint32_t length_s)
{
    uint64_t requests = 0;
    uint64_t errors = 0;
    for (int64_t at_s = second - length_s + 1; at_s <= second; at_s++) {
        struct window_counts counts;
        window_read_second(window, at_s, &counts);
        requests += counts.weight;
        errors += counts.error_weight;
    }
    return requests == 0 ? NAN : (double)errors / (double)requests;
}

bool history_read(struct history *history, const struct window *window, int64_t second,
                  struct history_row *out)
{
    struct place row = row_of(history, second);
    struct place period = period_place(history, period_of(history, second));
    if (history->newest_s == NEVER || second > history->newest_s ||
        history->newest_s - second >= HISTORY_SECONDS || take(&row, 1) == 0) {
        return false;
    }
    take_evaluations(history, &row, out->evaluations);
    for (uint32_t i = 0; i < history->layout->length_count; i++) {
        uint32_t length_s = history->layout->lengths_s[i];
        enum kept kept = p99_is_kept(length_s);
        out->p99_s[i] =
            kept == KEPT_NOT ? NAN : p99_of(take(kept == KEPT_EACH_SECOND ? &row : &period, CODE_BITS));
        out->error_ratio[i] = ratio_is_kept(history->layout, length_s) ? ratio_of(take(&period, CODE_BITS))
                                                                       : sum_ratio(window, second, length_s);
    }
    return true;
}
