#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "metrics/decode_text.h"
#include "metrics/encode_text.h"
#include "metrics/metric_set.h"

#include <math.h>
#include <string.h>

static const char page_text[] = "# HELP a_total Some help {with} braces 1\n"
                                "# TYPE a_total counter\n"
                                "a_total{result=\"counted\"} 3\n"
                                "a_total{result=\"late\",service_name=\"x\"} 4 1700000000000\n"
                                "\n"
                                "a_totally 100\n"
                                "a{le=\"+Inf\",q=\"a \\\"b\\\\c\\nd} e\"} +Inf\n"
                                "nothing\n"
                                "b NaN\r\n"
                                "c 1e3";

static void samples_come_one_by_one_whatever_stands_between_them(void **state)
{
    (void)state;
    struct metric_page page = {page_text, strlen(page_text)};
    struct metric_sample sample;
    char label[32];
    assert_true(metric_page_next(&page, &sample));
    assert_true(metric_sample_is(&sample, "a_total"));
    assert_true(metric_sample_label(&sample, "result", label, sizeof label));
    assert_string_equal(label, "counted");
    assert_false(metric_sample_label(&sample, "resul", label, sizeof label));
    assert_string_equal(label, "");
    assert_true(metric_page_next(&page, &sample));
    assert_true(sample.value == 4);
    assert_true(metric_page_next(&page, &sample));
    assert_true(metric_sample_is(&sample, "a_totally"));
    assert_true(metric_page_next(&page, &sample));
    assert_true(isinf(sample.value));
    assert_true(metric_sample_label(&sample, "q", label, sizeof label));
    assert_string_equal(label, "a \"b\\c\nd} e");
    assert_true(metric_page_next(&page, &sample));
    assert_true(isnan(sample.value));
    assert_true(metric_page_next(&page, &sample));
    assert_true(sample.value == 1000);
    assert_false(metric_page_next(&page, &sample));
}

static void a_sum_takes_the_name_exactly_and_the_label_if_asked(void **state)
{
    (void)state;
    size_t count = 0;
    const size_t size = strlen(page_text);
    assert_true(metric_page_sum(page_text, size, "a_total", NULL, NULL, &count) == 7);
    assert_int_equal(count, 2);
    assert_true(metric_page_sum(page_text, size, "a_total", "result", "late", &count) == 4);
    assert_int_equal(count, 1);
    assert_true(metric_page_sum(page_text, size, "absent", NULL, NULL, &count) == 0);
    assert_int_equal(count, 0);
}

static void a_label_longer_than_the_room_is_cut(void **state)
{
    (void)state;
    struct metric_page page = {"a{x=\"abcdef\",y=\"2\"} 1\n", 23};
    struct metric_sample sample;
    char label[4];
    assert_true(metric_page_next(&page, &sample));
    assert_true(metric_sample_label(&sample, "x", label, sizeof label));
    assert_string_equal(label, "abc");
    assert_true(metric_sample_label(&sample, "y", label, sizeof label));
    assert_string_equal(label, "2");
}

static void every_cut_of_a_page_is_read_without_looking_past_it(void **state)
{
    (void)state;
    for (size_t size = 0; size <= strlen(page_text); size++) {
        char *copy =
            test_malloc(size > 0 ? size : 1); /* its own block, so that a sanitizer sees any look past it */
        memcpy(copy, page_text, size);
        struct metric_page page = {copy, size};
        struct metric_sample sample;
        char label[32];
        while (metric_page_next(&page, &sample)) {
            metric_sample_label(&sample, "q", label, sizeof label);
        }
        test_free(copy);
    }
}

static void what_the_encoder_writes_is_read_back(void **state)
{
    (void)state;
    static const char *const names[] = {"route", NULL};
    const char *const values[] = {"/a\"b\\c\nd", NULL};
    struct metric_set *set = metric_set_create();
    struct metric_family *family = metric_family_add(set, METRIC_COUNTER, "requests_total", "Some.", names);
    metric_increment(metric_series(family, values), 42);
    struct buffer text;
    buffer_init(&text, 0);
    metric_set_encode_text(set, &text);
    assert_true(metric_page_sum(text.data, text.size, "requests_total", "route", "/a\"b\\c\nd", NULL) == 42);
    buffer_free(&text);
    metric_set_destroy(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_come_one_by_one_whatever_stands_between_them),
        cmocka_unit_test(a_sum_takes_the_name_exactly_and_the_label_if_asked),
        cmocka_unit_test(a_label_longer_than_the_room_is_cut),
        cmocka_unit_test(every_cut_of_a_page_is_read_without_looking_past_it),
        cmocka_unit_test(what_the_encoder_writes_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
