#include "random/random.h"
#include "window/block_pool.h"
#include "window/histogram.h"
#include "window/recent_ids.h"
#include "window/second_values.h"
#include "window/series_time.h"
#include "window/window.h"

#include "cmocka_all.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS 5

/* --- quantiles ---- */

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static double log_normal(struct random *random)
{
    return 0.04 * exp(0.7 * random_normal(random));
}

static double bimodal(struct random *random)
{
    return random_below(random, 10) == 0 ? 2 + 0.1 * random_unit(random)
                                         : 0.003 + 0.001 * random_unit(random);
}

static double heavy_tailed(struct random *random)
{
    return fmin(0.001 * pow(1 - random_unit(random), -1.1), 86399);
}

static void quantiles_are_within_one_percent_of_the_exact_nearest_rank(void **state)
{
    (void)state;
    static double (*const shapes[])(struct random *) = {log_normal, bimodal, heavy_tailed};
    static const double quantiles[] = {0.001, 0.5, 0.95, 0.99, 1.0};
    static const size_t sizes[] = {1, 7, 100, 340, 5000};
    static double values[5000];
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        for (size_t shape = 0; shape < 3; shape++) {
            for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
                struct random random;
                struct histogram histogram;
                random_init(&random, seed * 100 + shape * 10 + s);
                histogram_clear(&histogram);
                for (size_t i = 0; i < sizes[s]; i++) {
                    values[i] = shapes[shape](&random);
                    histogram_add(&histogram, histogram_bucket(values[i]), 1);
                }
                qsort(values, sizes[s], sizeof values[0], by_value);
                for (size_t q = 0; q < sizeof quantiles / sizeof quantiles[0]; q++) {
                    double exact = values[histogram_rank(quantiles[q], sizes[s]) - 1];
                    assert_true(fabs(histogram_quantile(&histogram, quantiles[q]) - exact) <= 0.01 * exact);
                }
            }
        }
    }
}

static void a_bucket_is_within_one_percent_from_a_microsecond_to_a_day(void **state)
{
    (void)state;
    for (double value = 1e-6; value < 86400; value *= 1.0003) {
        assert_true(fabs(histogram_value(histogram_bucket(value)) - value) <= 0.01 * value);
    }
    for (double value = 0; value < 1e-6; value += 1e-9) {
        assert_true(fabs(histogram_value(histogram_bucket(value)) - value) <= 1e-6);
    }
    assert_int_equal(histogram_bucket(0), 0);
    assert_true(histogram_bucket(1e300) < HISTOGRAM_BUCKETS);
}

static void the_rank_is_exact_where_a_product_of_doubles_is_not(void **state)
{
    (void)state;
    static const uint64_t percents[] = {1, 7, 29, 50, 57, 95, 99, 100};
    for (size_t p = 0; p < sizeof percents / sizeof percents[0]; p++) {
        for (uint64_t total = 1; total < 3000; total++) {
            uint64_t exact = (percents[p] * total + 99) / 100;
            assert_int_equal(histogram_rank((double)percents[p] / 100, total), exact < 1 ? 1 : exact);
        }
    }
}

static void an_empty_histogram_has_no_quantile(void **state)
{
    (void)state;
    struct histogram histogram;
    histogram_clear(&histogram);
    assert_true(isnan(histogram_quantile(&histogram, 0.5)));
}

static void weights_count_in_quantiles_and_a_busy_second_stays_small(void **state)
{
    (void)state;
    struct block_pool pool;
    struct second_values values = {0};
    static struct histogram read;
    static struct histogram expected;
    struct random random;
    random_init(&random, 3);
    block_pool_init(&pool);
    histogram_clear(&expected);
    for (int i = 0; i < 100000; i++) {
        uint16_t bucket = histogram_bucket(log_normal(&random));
        uint64_t weight = i % 10 == 0 ? random_below(&random, UINT64_C(1) << 40) + 1 : 1;
        assert_true(second_values_add(&values, &pool, bucket, weight));
        histogram_add(&expected, bucket, weight);
    }
    histogram_clear(&read);
    second_values_read(&values, &pool, &read);
    assert_memory_equal(&read, &expected, sizeof read);
    assert_true(block_pool_memory(&pool) < 300000); /* one by one they would be some 400 KB more */
    second_values_clear(&values, &pool);
    assert_int_equal(values.last, 0);
    block_pool_deinit(&pool);
}

/* --- blocks ---- */

static void blocks_of_all_sizes_do_not_overlap_and_come_back(void **state)
{
    (void)state;
    enum { BLOCKS = 600 };
    struct block_pool pool;
    struct random random;
    uint32_t blocks[BLOCKS];
    uint32_t classes[BLOCKS];
    random_init(&random, 11);
    block_pool_init(&pool);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < BLOCKS; i++) {
            classes[i] = i == 0 ? 11 : (uint32_t)random_below(&random, 8);
            blocks[i] = block_pool_take(&pool, classes[i]);
            assert_int_not_equal(blocks[i], 0);
            memset(block_pool_at(&pool, blocks[i]), (int)(i & 0xff), (size_t)BLOCK_BYTES << classes[i]);
        }
        for (uint32_t i = 0; i < BLOCKS; i++) {
            const unsigned char *at = block_pool_at(&pool, blocks[i]);
            assert_int_equal((uintptr_t)at % BLOCK_BYTES, 0);
            for (size_t k = 0; k < (size_t)BLOCK_BYTES << classes[i]; k++) {
                assert_int_equal(at[k], i & 0xff);
            }
            block_pool_give_back(&pool, blocks[i], classes[i]);
        }
    }
    block_pool_deinit(&pool);
}

static void memory_given_back_is_used_again(void **state)
{
    (void)state;
    struct block_pool pool;
    block_pool_init(&pool);
    for (int i = 0; i < 100000; i++) {
        uint32_t block = block_pool_take(&pool, 3);
        assert_int_not_equal(block, 0);
        block_pool_give_back(&pool, block, 3);
    }
    assert_true(block_pool_memory(&pool) < 70000);
    block_pool_deinit(&pool);
}

/* --- duplicates ---- */

static void an_id_counts_once_in_its_second_and_is_forgotten_behind_the_lateness(void **state)
{
    (void)state;
    struct block_pool pool;
    block_pool_init(&pool);
    struct recent_ids *ids = recent_ids_create(&pool, 1000, 15, 61);
    assert_false(recent_ids_check(ids, 1000, 42));
    assert_true(recent_ids_check(ids, 1000, 42));
    assert_false(recent_ids_check(ids, 1001, 42)); /* another time is another event */
    assert_false(recent_ids_check(ids, 1061, 42)); /* a fast clock */
    assert_false(recent_ids_check(ids, 1000, 0));  /* a hash of 0 is one as well */
    assert_true(recent_ids_check(ids, 1000, 0));
    recent_ids_advance(ids, 1015);
    assert_true(recent_ids_check(ids, 1000, 42));
    recent_ids_advance(ids, 1016);
    assert_false(recent_ids_check(ids, 1000, 42)); /* not remembered any more … */
    assert_false(recent_ids_check(ids, 1000, 42)); /* … and never again */
    assert_true(recent_ids_check(ids, 1061, 42));
    recent_ids_advance(ids, 100000);
    assert_false(recent_ids_check(ids, 100000, 42));
    recent_ids_destroy(ids);
    block_pool_deinit(&pool);
}

static void many_ids_of_a_second_are_all_remembered_and_then_cost_nothing(void **state)
{
    (void)state;
    struct block_pool pool;
    struct random random;
    block_pool_init(&pool);
    struct recent_ids *ids = recent_ids_create(&pool, -5, 15, 61);
    for (int round = 0; round < 20; round++) {
        random_init(&random, 5);
        for (int i = 0; i < 20000; i++) {
            assert_false(recent_ids_check(ids, -5 + round, random_next(&random)));
        }
        random_init(&random, 5);
        for (int i = 0; i < 20000; i++) {
            assert_true(recent_ids_check(ids, -5 + round, random_next(&random)));
        }
        recent_ids_advance(ids, -4 + round);
    }
    size_t after = block_pool_memory(&pool);
    recent_ids_advance(ids, 1000);
    for (int i = 0; i < 15 * 20000; i++) {
        assert_false(recent_ids_check(ids, 1000 - i / 20000, random_next(&random)));
    }
    assert_int_equal(block_pool_memory(&pool), after);
    recent_ids_destroy(ids);
    block_pool_deinit(&pool);
}

/* --- windows against a list of all events ---- */

#define MOST_EVENTS 20000

struct listed {
    int64_t second;
    double duration_s;
    bool is_error;
    uint32_t weight;
};

static void count_listed(const struct window_layout *layout, const struct listed *events, size_t count,
                         int64_t first, int64_t last, struct window_counts *counts)
{
    memset(counts, 0, sizeof *counts);
    for (size_t i = 0; i < count; i++) {
        if (events[i].second < first || events[i].second > last) {
            continue;
        }
        counts->records++;
        counts->weight += events[i].weight;
        counts->errors += events[i].is_error;
        counts->error_weight += events[i].is_error ? events[i].weight : 0;
        for (uint32_t k = 0; k < layout->threshold_count; k++) {
            bool is_slow = events[i].duration_s > layout->thresholds_s[k];
            counts->slow[k] += is_slow;
            counts->slow_weight[k] += is_slow ? events[i].weight : 0;
        }
    }
}

static void compare_with_list(const struct window_layout *layout, const struct window *window,
                              const struct listed *events, size_t count)
{
    int64_t now = window_now(window);
    struct window_counts found;
    struct window_counts expected;
    for (uint32_t i = 0; i < layout->length_count; i++) {
        int64_t first = now - layout->lengths_s[i] + 1;
        window_read_counts(window, i, WINDOW_BEGINNING, &found);
        count_listed(layout, events, count, first, now, &expected);
        assert_memory_equal(&found, &expected, sizeof found);
        window_read_counts(window, i, now - 7, &found);
        count_listed(layout, events, count, first > now - 6 ? first : now - 6, now, &expected);
        assert_memory_equal(&found, &expected, sizeof found);
    }
    window_read_second(window, now - 3, &found);
    count_listed(layout, events, count, now - 3, now - 3, &expected);
    assert_memory_equal(&found, &expected, sizeof found);
    static struct histogram values;
    static struct histogram listed;
    histogram_clear(&values);
    histogram_clear(&listed);
    window_read_values(window, 60, WINDOW_BEGINNING, &values);
    for (size_t i = 0; i < count; i++) {
        if (events[i].second > now - 60 && events[i].second <= now) {
            histogram_add(&listed, histogram_bucket(events[i].duration_s), events[i].weight);
        }
    }
    assert_memory_equal(&values, &listed, sizeof values);
}

static int64_t random_step(struct random *random)
{
    static const int64_t steps[] = {0, 0, 1, 1, 1, 2, 9, 60, 599, 600, 601, 86400};
    return steps[random_below(random, random_below(random, 20) == 0 ? 12 : 6)];
}

static void a_window_counts_what_a_list_of_all_events_counts(void **state)
{
    (void)state;
    const struct window_layout layout = {
        .lengths_s = {1, 10, 60, 600}, .length_count = 4, .thresholds_s = {0.05, 0.5}, .threshold_count = 2};
    static struct listed events[MOST_EVENTS];
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct random random;
        struct block_pool pool;
        print_message("seed %llu\n", (unsigned long long)seed);
        random_init(&random, seed);
        block_pool_init(&pool);
        struct window *window = window_create(&layout, &pool, 100);
        size_t count = 0;
        while (count < 2000) {
            window_advance(window, window_now(window) + random_step(&random));
            for (uint64_t n = random_below(&random, 8); n > 0; n--) {
                int64_t age = random_below(&random, 4) == 0 ? (int64_t)random_below(&random, 20) : 0;
                uint32_t weight =
                    seed % 2 == 0 && count > 700 ? (uint32_t)random_below(&random, 1000000) + 1 : 1;
                struct listed *event = &events[count++];
                *event = (struct listed){window_now(window) - age, log_normal(&random),
                                         random_below(&random, 10) == 0, weight};
                window_add(window, event->second * 1000, event->duration_s, event->is_error, event->weight);
            }
            compare_with_list(&layout, window, events, count);
        }
        window_destroy(window);
        block_pool_deinit(&pool);
    }
}

static void bad_records_are_known_to_an_eighth_of_a_second_for_sixteen_seconds(void **state)
{
    (void)state;
    const struct window_layout layout = {
        .lengths_s = {60}, .length_count = 1, .thresholds_s = {0.5}, .threshold_count = 1};
    struct block_pool pool;
    uint8_t bins[WINDOW_BINS];
    block_pool_init(&pool);
    struct window *window = window_create(&layout, &pool, 100);
    assert_false(window_add(window, 100100, 0.1, false, 1));
    assert_true(window_add(window, 100249, 0.1, true, 1));  /* the first error in its eighth */
    assert_false(window_add(window, 100125, 0.1, true, 1)); /* the second one */
    assert_true(window_add(window, 100125, 0.6, true, 1));  /* the first slow one */
    assert_true(window_add(window, 100999, 0.1, true, 50)); /* one witness, whatever it weighs */
    static const uint8_t errors[WINDOW_BINS] = {0, 3, 0, 0, 0, 0, 0, 1};
    static const uint8_t slow[WINDOW_BINS] = {0, 1};
    static const uint8_t none[WINDOW_BINS];
    window_advance(window, 115);
    window_read_bins(window, 100, 0, bins);
    assert_memory_equal(bins, errors, WINDOW_BINS);
    window_read_bins(window, 100, 1, bins);
    assert_memory_equal(bins, slow, WINDOW_BINS);
    window_advance(window, 116); /* has the slot of 100 now */
    window_read_bins(window, 100, 0, bins);
    assert_memory_equal(bins, none, WINDOW_BINS);
    window_read_bins(window, 116, 0, bins);
    assert_memory_equal(bins, none, WINDOW_BINS);
    for (int i = 0; i < 300; i++) {
        (void)window_add(window, 116000, 0.1, true, 1);
    }
    window_read_bins(window, 116, 0, bins);
    assert_int_equal(bins[0], UINT8_MAX);
    window_advance(window, 1000);
    window_read_bins(window, 996, 0, bins); /* 116 mod 16 */
    assert_memory_equal(bins, none, WINDOW_BINS);
    window_destroy(window);
    block_pool_deinit(&pool);
}

static void a_second_of_a_hundred_thousand_records_is_counted_exactly(void **state)
{
    (void)state;
    const struct window_layout layout = {
        .lengths_s = {10, 60}, .length_count = 2, .thresholds_s = {0.5}, .threshold_count = 1};
    struct block_pool pool;
    struct window_counts counts;
    block_pool_init(&pool);
    struct window *window = window_create(&layout, &pool, 0);
    for (int i = 0; i < 100000; i++) {
        window_add(window, 0, 0.6, true, 1);
    }
    window_advance(window, 1);
    window_add(window, 0, 0.6, true, 1); /* late */
    window_read_counts(window, 0, WINDOW_BEGINNING, &counts);
    assert_int_equal(counts.records, 100001);
    assert_int_equal(counts.slow[0], 100001);
    window_advance(window, 10);
    window_read_counts(window, 0, WINDOW_BEGINNING, &counts);
    assert_int_equal(counts.records, 0);
    window_read_counts(window, 1, WINDOW_BEGINNING, &counts);
    assert_int_equal(counts.errors, 100001);
    window_advance(window, 60);
    assert_true(window_is_empty(window));
    window_destroy(window);
    block_pool_deinit(&pool);
}

static void utilisation_is_the_mean_of_its_samples(void **state)
{
    (void)state;
    const struct window_layout layout = {.lengths_s = {60}, .length_count = 1, .gauges = true};
    struct block_pool pool;
    block_pool_init(&pool);
    struct window *window = window_create(&layout, &pool, 0);
    assert_true(isnan(window_gauge_mean(window, WINDOW_CPU, 60, WINDOW_BEGINNING)));
    window_add_gauge(window, 0, WINDOW_CPU, 0.5);
    window_add_gauge(window, 0, WINDOW_CPU, NAN);
    window_advance(window, 5);
    window_add_gauge(window, 5, WINDOW_CPU, 1.0);
    assert_true(window_gauge_mean(window, WINDOW_CPU, 60, WINDOW_BEGINNING) == 0.75);
    assert_true(window_gauge_mean(window, WINDOW_CPU, 60, 0) == 1.0);
    assert_true(window_gauge_mean(window, WINDOW_CPU, 5, WINDOW_BEGINNING) == 1.0);
    assert_true(isnan(window_gauge_mean(window, WINDOW_MEMORY, 60, WINDOW_BEGINNING)));
    window_advance(window, 65);
    assert_true(isnan(window_gauge_mean(window, WINDOW_CPU, 60, WINDOW_BEGINNING)));
    window_destroy(window);
    block_pool_deinit(&pool);
}

#define QUANTILE_EVENTS 30000

/* So as rules and pages see them: through the window's codes, over seconds that come and go, with records
 * that are late. */
static void a_windows_quantiles_are_within_one_percent_of_the_exact_nearest_rank(void **state)
{
    (void)state;
    static double (*const shapes[])(struct random *) = {log_normal, bimodal, heavy_tailed};
    static const struct window_layout layout = {.lengths_s = {10, 60}, .length_count = 2};
    static const double quantiles[] = {0.5, 0.95, 0.99};
    static double values[QUANTILE_EVENTS], sorted[QUANTILE_EVENTS];
    static int64_t seconds[QUANTILE_EVENTS];
    static struct histogram histogram;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        for (size_t shape = 0; shape < 3; shape++) {
            struct block_pool pool;
            struct random random;
            random_init(&random, seed * 1000 + shape);
            block_pool_init(&pool);
            struct window *window = window_create(&layout, &pool, 1000);
            for (size_t i = 0; i < QUANTILE_EVENTS; i++) {
                int64_t now_s = 1000 + (int64_t)(i * 200 / QUANTILE_EVENTS);
                window_advance(window, now_s);
                values[i] = shapes[shape](&random);
                seconds[i] =
                    now_s - (random_below(&random, 20) == 0 ? (int64_t)random_below(&random, 15) : 0);
                window_add(window, seconds[i] * 1000, values[i], false, 1);
            }
            for (size_t w = 0; w < 2; w++) {
                size_t count = 0;
                for (size_t i = 0; i < QUANTILE_EVENTS; i++) {
                    if (seconds[i] > window_now(window) - layout.lengths_s[w]) {
                        sorted[count++] = values[i];
                    }
                }
                qsort(sorted, count, sizeof sorted[0], by_value);
                histogram_clear(&histogram);
                window_read_values(window, layout.lengths_s[w], WINDOW_BEGINNING, &histogram);
                assert_int_equal(histogram.total, count);
                for (size_t q = 0; q < 3; q++) {
                    double exact = sorted[histogram_rank(quantiles[q], count) - 1];
                    double found = histogram_quantile(&histogram, quantiles[q]);
                    if (fabs(found - exact) > 0.01 * exact) {
                        fail_msg("seed %llu, shape %zu, %u s: P%g is %g, should be %g",
                                 (unsigned long long)seed, shape, layout.lengths_s[w], 100 * quantiles[q],
                                 found, exact);
                    }
                }
            }
            window_destroy(window);
            block_pool_deinit(&pool);
        }
    }
}

/* --- time ---- */

static void time_is_rounded_down_and_never_ahead_of_the_bus(void **state)
{
    (void)state;
    assert_int_equal(series_time_second(1999), 1);
    assert_int_equal(series_time_second(0), 0);
    assert_int_equal(series_time_second(-1), -1);
    assert_int_equal(series_time_second(-1000), -1);
    assert_int_equal(series_time_second(-1001), -2);
    assert_int_equal(series_time_effective(5, 3), 3);
    assert_int_equal(series_time_effective(2, 3), 2);
    assert_false(series_time_is_late(5000, 20000, 15000));
    assert_true(series_time_is_late(4999, 20000, 15000));
    assert_false(series_time_is_late(30000, 20000, 15000));
    assert_true(series_time_idle(INT64_MIN, 15000) == INT64_MIN);
    assert_int_equal(series_time_idle(20000, 15000), 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_within_one_percent_of_the_exact_nearest_rank),
        cmocka_unit_test(a_bucket_is_within_one_percent_from_a_microsecond_to_a_day),
        cmocka_unit_test(the_rank_is_exact_where_a_product_of_doubles_is_not),
        cmocka_unit_test(an_empty_histogram_has_no_quantile),
        cmocka_unit_test(weights_count_in_quantiles_and_a_busy_second_stays_small),
        cmocka_unit_test(blocks_of_all_sizes_do_not_overlap_and_come_back),
        cmocka_unit_test(memory_given_back_is_used_again),
        cmocka_unit_test(an_id_counts_once_in_its_second_and_is_forgotten_behind_the_lateness),
        cmocka_unit_test(many_ids_of_a_second_are_all_remembered_and_then_cost_nothing),
        cmocka_unit_test(a_window_counts_what_a_list_of_all_events_counts),
        cmocka_unit_test(bad_records_are_known_to_an_eighth_of_a_second_for_sixteen_seconds),
        cmocka_unit_test(a_second_of_a_hundred_thousand_records_is_counted_exactly),
        cmocka_unit_test(utilisation_is_the_mean_of_its_samples),
        cmocka_unit_test(a_windows_quantiles_are_within_one_percent_of_the_exact_nearest_rank),
        cmocka_unit_test(time_is_rounded_down_and_never_ahead_of_the_bus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
