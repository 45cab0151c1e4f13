#include "buffer/buffer.h"
#include "metrics/encode_text.h"
#include "metrics/metric_set.h"

#include "cmocka_all.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

static void assert_text(struct metric_set *set, const char *expected)
{
    struct buffer out;
    buffer_init(&out, 0);
    metric_set_encode_text(set, &out);
    assert_string_equal(buffer_text(&out), expected);
    buffer_free(&out);
}

static void counters_are_there_at_zero_from_the_start(void **state)
{
    (void)state;
    struct metric_set *set = metric_set_create();
    struct metric *records = metric_add_counter(set, "obs_records_total", "Records read.");
    assert_text(set, "# HELP obs_records_total Records read.\n"
                     "# TYPE obs_records_total counter\n"
                     "obs_records_total 0\n");
    metric_increment(records, 3);
    metric_increment(records, UINT64_C(1) << 60);
    assert_text(set, "# HELP obs_records_total Records read.\n"
                     "# TYPE obs_records_total counter\n"
                     "obs_records_total 1152921504606846979\n");
    metric_set_destroy(set);
}

static void labels_and_help_are_escaped_as_the_format_wants(void **state)
{
    (void)state;
    struct metric_set *set = metric_set_create();
    static const char *const names[] = {"topic", "why", NULL};
    struct metric_family *family = metric_family_add(set, METRIC_GAUGE, "obs_x", "a\\b\n\"c\"", names);
    const char *const values[] = {"a\\b", "say \"hi\"\nthere é"};
    metric_set_value(metric_series(family, values), 0.5);
    assert_text(set, "# HELP obs_x a\\\\b\\n\"c\"\n"
                     "# TYPE obs_x gauge\n"
                     "obs_x{topic=\"a\\\\b\",why=\"say \\\"hi\\\"\\nthere é\"} 0.5\n");
    metric_set_destroy(set);
}

/* A NUL would end the whole page for Prometheus' parser. */
static void a_nul_in_a_label_value_is_replaced(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 0);
    metrics_text_label_value(&out, "a\0b", 3);
    assert_string_equal(buffer_text(&out), "a\xEF\xBF\xBD"
                                           "b");
    buffer_free(&out);
}

static void the_same_label_values_are_the_same_series(void **state)
{
    (void)state;
    struct metric_set *set = metric_set_create();
    static const char *const names[] = {"result", NULL};
    struct metric_family *family = metric_family_add(set, METRIC_COUNTER, "obs_y_total", "Y.", names);
    const char *const good[] = {"good"};
    const char *const bad[] = {"bad"};
    struct metric *metric = metric_series(family, good);
    assert_ptr_equal(metric, metric_series(family, good));
    assert_ptr_not_equal(metric, metric_series(family, bad));
    metric_increment(metric, 2);
    assert_true(metric_value(metric) == 2);
    assert_text(set, "# HELP obs_y_total Y.\n"
                     "# TYPE obs_y_total counter\n"
                     "obs_y_total{result=\"good\"} 2\n"
                     "obs_y_total{result=\"bad\"} 0\n");
    metric_set_destroy(set);
}

static void histogram_buckets_are_cumulated_and_end_with_infinity(void **state)
{
    (void)state;
    struct metric_set *set = metric_set_create();
    static const char *const names[] = {"op", NULL};
    static const double bounds[] = {0.25, 0.5, 1};
    struct metric_family *family = metric_family_add(set, METRIC_HISTOGRAM, "obs_seconds", "Time.", names);
    metric_family_set_buckets(family, bounds, 3);
    const char *const values[] = {"read"};
    struct metric *metric = metric_series(family, values);
    static const double observed[] = {0.125, 0.25 /* a bound belongs to its bucket */, 0.375, 1.25};
    for (size_t i = 0; i < 4; i++) {
        metric_observe(metric, observed[i]);
    }
    assert_text(set, "# HELP obs_seconds Time.\n"
                     "# TYPE obs_seconds histogram\n"
                     "obs_seconds_bucket{op=\"read\",le=\"0.25\"} 2\n"
                     "obs_seconds_bucket{op=\"read\",le=\"0.5\"} 3\n"
                     "obs_seconds_bucket{op=\"read\",le=\"1.0\"} 3\n"
                     "obs_seconds_bucket{op=\"read\",le=\"+Inf\"} 4\n"
                     "obs_seconds_sum{op=\"read\"} 2\n"
                     "obs_seconds_count{op=\"read\"} 4\n");
    metric_set_destroy(set);
}

static void numbers_are_written_as_the_format_reads_them(void **state)
{
    (void)state;
    const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-1, "-1"},
        {1e14, "100000000000000"},
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
        {NAN, "NaN"},
        {INFINITY, "+Inf"},
        {-INFINITY, "-Inf"},
        {1e300, "1e+300"},
        {1764028800.25, "1764028800.25"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer out;
        buffer_init(&out, 0);
        metrics_text_number(&out, cases[i].value);
        assert_string_equal(buffer_text(&out), cases[i].text);
        buffer_free(&out);
    }
}

struct adder {
    struct metric *counter, *histogram;
    struct metric_family *family;
};

static void *add_many(void *argument)
{
    struct adder *adder = argument;
    static const char *const values[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 20000; i++) {
        metric_increment(adder->counter, 1);
        metric_observe(adder->histogram, 1);
        metric_increment(metric_series(adder->family, &values[i % 4]), 1);
    }
    return NULL;
}

static void additions_of_many_threads_are_all_there(void **state)
{
    (void)state;
    struct metric_set *set = metric_set_create();
    static const char *const names[] = {"x", NULL};
    static const double bounds[] = {2};
    struct metric_family *histogram = metric_family_add(set, METRIC_HISTOGRAM, "obs_h", "H.", NULL);
    metric_family_set_buckets(histogram, bounds, 1);
    struct adder adder = {.counter = metric_add_counter(set, "obs_n_total", "N."),
                          .histogram = metric_series(histogram, NULL),
                          .family = metric_family_add(set, METRIC_COUNTER, "obs_x_total", "X.", names)};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, &adder), 0);
    }
    struct buffer out;
    buffer_init(&out, 0);
    for (int i = 0; i < 100; i++) { /* scrapes meanwhile */
        buffer_clear(&out);
        metric_set_encode_text(set, &out);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    buffer_clear(&out);
    metric_set_encode_text(set, &out);
    const char *text = buffer_text(&out);
    assert_non_null(strstr(text, "obs_n_total 80000\n"));
    assert_non_null(
        strstr(text, "obs_h_bucket{le=\"2.0\"} 80000\nobs_h_bucket{le=\"+Inf\"} 80000\nobs_h_sum 80000\n"));
    assert_non_null(strstr(text, "obs_x_total{x=\"d\"} 20000\n"));
    buffer_free(&out);
    metric_set_destroy(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_are_there_at_zero_from_the_start),
        cmocka_unit_test(labels_and_help_are_escaped_as_the_format_wants),
        cmocka_unit_test(a_nul_in_a_label_value_is_replaced),
        cmocka_unit_test(the_same_label_values_are_the_same_series),
        cmocka_unit_test(histogram_buckets_are_cumulated_and_end_with_infinity),
        cmocka_unit_test(numbers_are_written_as_the_format_reads_them),
        cmocka_unit_test(additions_of_many_threads_are_all_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
