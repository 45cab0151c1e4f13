/* The last five minutes of a series as its rules saw them. */
#include "detect/history.h"
#include "random/random.h"

#include "cmocka_all.h"

#include <math.h>

#define START_S   1795561200
#define SECONDS   700
#define RULES     3
#define TOLERANCE 0.011 /* a bucket's width, and a ratio's step */

static const struct window_layout layout = {
    .lengths_s = {10, 60, 600}, .length_count = 3, .thresholds_s = {0.5}, .threshold_count = 1};

struct seen {
    double p99_s[3], error_ratio[3];
    struct history_evaluation evaluations[RULES];
};

static double p99_of(const struct window *window, uint32_t seconds)
{
    static struct histogram histogram;
    histogram_clear(&histogram);
    window_read_values(window, seconds, WINDOW_BEGINNING, &histogram);
    return histogram_quantile(&histogram, 0.99);
}

static double ratio_of(const struct window *window, uint32_t index)
{
    struct window_counts counts;
    window_read_counts(window, index, WINDOW_BEGINNING, &counts);
    return counts.weight == 0 ? NAN : (double)counts.error_weight / (double)counts.weight;
}

static void assert_near(double value, double wanted, double tolerance)
{
    if (isnan(wanted)) {
        assert_true(isnan(value));
    } else if (!(fabs(value - wanted) <= tolerance * fmax(wanted, 0.05))) {
        fail_msg("%g isn't %g", value, wanted);
    }
}

static void each_of_the_last_seconds_reads_as_it_was(void **state)
{
    (void)state;
    static struct seen seen[SECONDS];
    struct random random;
    struct block_pool pool;
    random_init(&random, 5);
    block_pool_init(&pool);
    struct window *window = window_create(&layout, &pool, START_S);
    struct history *history = history_create(&layout, RULES, 3);
    for (int i = 0; i < SECONDS; i++) {
        window_advance(window, START_S + i);
        for (uint64_t r = random_below(&random, 30); r > 0; r--) {
            window_add(window, (START_S + i) * INT64_C(1000), 0.04 * exp(random_normal(&random)),
                       random_below(&random, 20) == 0, 1);
        }
        for (int rule = 0; rule < RULES; rule++) {
            seen[i].evaluations[rule] = (struct history_evaluation){
                (enum rule_verdict)random_below(&random, 3), random_below(&random, 2) == 0};
        }
        for (uint32_t w = 0; w < 3; w++) {
            seen[i].p99_s[w] = w < 2 ? p99_of(window, layout.lengths_s[w]) : NAN;
            seen[i].error_ratio[w] = ratio_of(window, w);
        }
        history_add(history, window, seen[i].evaluations);
    }
    int known = 0;
    for (int i = 0; i < SECONDS; i++) {
        struct history_row row;
        if (!history_read(history, window, START_S + i, &row)) {
            assert_true(SECONDS - i > HISTORY_SECONDS);
            continue;
        }
        known++;
        for (int rule = 0; rule < RULES; rule++) {
            assert_int_equal(row.evaluations[rule].verdict, seen[i].evaluations[rule].verdict);
            assert_int_equal(row.evaluations[rule].is_firing, seen[i].evaluations[rule].is_firing);
        }
        assert_near(row.p99_s[0], seen[i].p99_s[0], TOLERANCE);
        assert_near(row.error_ratio[0], seen[i].error_ratio[0], TOLERANCE);
        assert_near(row.error_ratio[1], seen[i].error_ratio[1], TOLERANCE);
        assert_true(isnan(row.p99_s[2])); /* values aren't kept for so long */
    }
    assert_int_equal(known, HISTORY_SECONDS);
    history_destroy(history);
    window_destroy(window);
    block_pool_deinit(&pool);
}

static void seconds_that_were_skipped_are_like_the_last_or_not_known(void **state)
{
    (void)state;
    struct block_pool pool;
    struct history_row row;
    block_pool_init(&pool);
    struct window *window = window_create(&layout, &pool, START_S);
    struct history *history = history_create(&layout, RULES, 0);
    const struct history_evaluation evaluations[RULES] = {
        {RULE_CLEAR, false}, {RULE_VIOLATED, true}, {RULE_UNKNOWN, false}};
    window_add(window, START_S * INT64_C(1000), 0.1, false, 1);
    history_add(history, window, evaluations);
    history_repeat(history, START_S + 5);
    assert_true(history_read(history, window, START_S + 5, &row));
    assert_int_equal(row.evaluations[1].verdict, RULE_VIOLATED);
    assert_true(row.evaluations[1].is_firing);
    window_advance(window, START_S + 20);
    history_add(history, window, evaluations);
    assert_false(history_read(history, window, START_S + 10, &row)); /* nobody judged it */
    assert_false(history_read(history, window, START_S + 21, &row));
    window_advance(window, START_S + 100000);
    history_add(history, window, evaluations);
    assert_false(history_read(history, window, START_S + 20, &row));
    assert_false(history_read(history, window, START_S + 99999, &row));
    assert_true(history_read(history, window, START_S + 100000, &row));
    history_destroy(history);
    window_destroy(window);
    block_pool_deinit(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_the_last_seconds_reads_as_it_was),
        cmocka_unit_test(seconds_that_were_skipped_are_like_the_last_or_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
