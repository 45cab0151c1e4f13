#include "metrics/native_histogram.h"

#include "cmocka_all.h"
#include "random/random.h"

#include <math.h>
#include <stdlib.h>

static double upper_bound(int schema, int32_t index)
{
    return exp2(index / exp2(schema));
}

static void observe(struct native_histogram *histogram, double value, uint64_t weight)
{
    assert_true(native_histogram_observe(histogram, value, weight));
}

static void a_value_lies_between_its_buckets_bounds(void **state)
{
    (void)state;
    static const double values[] = {0x1p-127,  1e-9, 0.001, 0.5,   0.500001, 1,
                                    1.0000001, 2,    3.14,  86400, 1e300,    0x1.fffffffffffffp+1023};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct native_histogram histogram;
        native_histogram_init(&histogram);
        observe(&histogram, values[i], 1);
        assert_int_equal(histogram.count, 1);
        for (;;) {
            int32_t index = native_bucket_index(histogram.buckets[0]);
            assert_true(values[i] <= upper_bound(histogram.schema, index) * (1 + 1e-14));
            assert_true(values[i] > upper_bound(histogram.schema, index - 1) * (1 - 1e-14));
            if (histogram.schema == NATIVE_SCHEMA_LEAST) {
                break;
            }
            native_histogram_halve(&histogram);
        }
        native_histogram_deinit(&histogram);
    }
}

/* Powers of two are bounds at every resolution, and a bound belongs to the bucket below it. */
static void a_bound_belongs_to_the_bucket_that_it_ends(void **state)
{
    (void)state;
    for (int power = -30; power <= 30; power++) {
        struct native_histogram histogram;
        native_histogram_init(&histogram);
        observe(&histogram, ldexp(1, power), 1);
        observe(&histogram, nextafter(ldexp(1, power), INFINITY), 1);
        assert_int_equal(histogram.count, 2);
        assert_int_equal(native_bucket_index(histogram.buckets[0]), power * 32);
        assert_int_equal(native_bucket_index(histogram.buckets[1]), power * 32 + 1);
        native_histogram_deinit(&histogram);
    }
}

static void what_is_as_good_as_zero_is_counted_as_zero(void **state)
{
    (void)state;
    struct native_histogram histogram;
    native_histogram_init(&histogram);
    observe(&histogram, 0, 2);
    observe(&histogram, 0x1p-128, 3);
    observe(&histogram, nextafter(0x1p-128, 1), 5);
    assert_int_equal(histogram.zero_count, 5);
    assert_int_equal(histogram.count, 1);
    assert_int_equal(native_histogram_total(&histogram), 10);
    native_histogram_deinit(&histogram);
}

/* However the values come, the histogram is what its final resolution would have given from the start. */
static void merging_pairs_loses_no_count_and_misplaces_none(void **state)
{
    (void)state;
    uint64_t seed = random_seed_from_system();
    struct random random;
    print_message("seed %llu\n", (unsigned long long)seed);
    random_init(&random, seed);
    for (int round = 0; round < 30; round++) {
        enum { VALUES = 3000 };
        static double values[VALUES];
        struct native_histogram histogram;
        uint64_t weights = 0;
        double spread = 0.1 + 4 * random_unit(&random);
        native_histogram_init(&histogram);
        for (int i = 0; i < VALUES; i++) {
            values[i] = exp(spread * random_normal(&random) - 3);
            uint64_t weight = 1 + random_below(&random, 1000);
            observe(&histogram, values[i], weight);
            weights += weight;
            assert_in_range(histogram.count, 1, NATIVE_BUCKETS_MOST);
        }
        assert_int_equal(native_histogram_total(&histogram), weights);
        struct native_histogram again;
        native_histogram_init(&again);
        while (again.schema > histogram.schema) {
            native_histogram_halve(&again);
        }
        for (int i = 0; i < VALUES; i++) {
            observe(&again, values[i], 1);
        }
        assert_int_equal(again.schema, histogram.schema);
        assert_int_equal(again.count, histogram.count);
        for (size_t i = 0; i < again.count; i++) {
            assert_int_equal(native_bucket_index(again.buckets[i]),
                             native_bucket_index(histogram.buckets[i]));
            assert_true(i == 0 || again.buckets[i] > again.buckets[i - 1]);
        }
        native_histogram_deinit(&again);
        native_histogram_deinit(&histogram);
    }
}

static void sums_of_histograms_are_the_histogram_of_all(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, 7);
    struct native_histogram parts[2];
    struct native_histogram all;
    native_histogram_init(&parts[0]);
    native_histogram_init(&parts[1]);
    native_histogram_init(&all);
    for (int i = 0; i < 4000; i++) {
        double value = exp((i % 2 == 0 ? 0.2 : 2.5) * random_normal(&random));
        observe(&parts[i % 2], value, 1);
        observe(&all, value, 1);
    }
    assert_true(parts[0].schema > parts[1].schema);
    assert_true(native_histogram_add(&parts[0], &parts[1]));
    assert_int_equal(parts[0].schema, all.schema);
    assert_int_equal(parts[0].count, all.count);
    assert_memory_equal(parts[0].buckets, all.buckets, all.count * sizeof *all.buckets);
    native_histogram_deinit(&parts[0]);
    native_histogram_deinit(&parts[1]);
    native_histogram_deinit(&all);
}

static void a_full_bucket_stays_full(void **state)
{
    (void)state;
    struct native_histogram histogram;
    native_histogram_init(&histogram);
    observe(&histogram, 1, UINT64_C(0xfffffffffffe));
    observe(&histogram, 1, 1);
    assert_int_equal(native_histogram_total(&histogram), UINT64_C(0xffffffffffff));
    observe(&histogram, 1, 1000000);
    assert_int_equal(histogram.count, 1);
    assert_int_equal(native_bucket_index(histogram.buckets[0]), 0);
    assert_int_equal(native_histogram_total(&histogram), UINT64_C(0xffffffffffff));
    native_histogram_deinit(&histogram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_lies_between_its_buckets_bounds),
        cmocka_unit_test(a_bound_belongs_to_the_bucket_that_it_ends),
        cmocka_unit_test(what_is_as_good_as_zero_is_counted_as_zero),
        cmocka_unit_test(merging_pairs_loses_no_count_and_misplaces_none),
        cmocka_unit_test(sums_of_histograms_are_the_histogram_of_all),
        cmocka_unit_test(a_full_bucket_stays_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
