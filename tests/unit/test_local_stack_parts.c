#include "buffer/buffer.h"
#include "child.h"
#include "cmocka_all.h"
#include "pages.h"
#include "support/files.h"
#include "support/process.h"
#include "json/json_read.h"

#include <stdio.h>
#include <string.h>

#define SERIES(service, region, windows)                                                                     \
    "{\"service.name\":\"" service "\",\"cloud.region\":\"" region                                           \
    "\",\"time\":\"2026-11-25T00:37:17.682Z\",\"cpu\":0.37,\"windows\":[" windows                            \
    "],\"rules\":[{\"rule\":\"R\",\"requests\":9999,\"windows\":[{\"seconds\":10,\"requests\":777}]}]}"
#define WINDOW(seconds, requests, errors, p99)                                                               \
    "{\"seconds\":" seconds ",\"records\":1,\"requests\":" requests ",\"errors\":" errors ",\"p99\":" p99 "}"

static struct json_reader *reader;

static int open_reader(void **state)
{
    (void)state;
    return json_reader_create(&reader, 65536, NULL);
}

static int close_reader(void **state)
{
    (void)state;
    json_reader_destroy(reader);
    return 0;
}

static struct series_totals read_series(const char *page)
{
    struct series_totals totals;
    assert_int_equal(pages_read_series(reader, page, strlen(page), 10, &totals), 0);
    return totals;
}

static void series_add_up_over_the_window_asked_for(void **state)
{
    (void)state;
    const struct series_totals totals = read_series("{\"series\":[" SERIES(
        "a", "x",
        WINDOW("10", "100", "3", "0.2") "," WINDOW(
            "60", "500", "9", "0.9")) "," SERIES("b", "y",
                                                 WINDOW("10", "50", "1", "0.3") "," WINDOW("60", "80", "2",
                                                                                           "0.4")) "]}");
    assert_int_equal(totals.series, 2);
    assert_true(totals.requests == 150);
    assert_true(totals.errors == 4);
    assert_true(totals.worst_p99_s == 0.3);
    assert_string_equal(totals.worst_name, "b y");
}

static void a_series_with_few_requests_has_no_worst_p99(void **state)
{
    (void)state;
    const struct series_totals totals =
        read_series("{\"series\":[" SERIES("a", "x", WINDOW("10", "19", "0", "5.5")) "]}");
    assert_true(totals.requests == 19);
    assert_true(totals.worst_p99_s < 0);
}

static void no_series_is_nothing_and_no_page_is_an_error(void **state)
{
    (void)state;
    struct series_totals totals;
    assert_int_equal(read_series("{\"series\":[]}").series, 0);
    assert_int_equal(pages_read_series(reader, "{\"series\":[", 11, 10, &totals), -1);
    assert_int_equal(pages_read_series(reader, "", 0, 10, &totals), -1);
}

static void alerts_are_counted_and_the_first_is_named(void **state)
{
    (void)state;
    static const char page[] =
        "{\"alerts\":[{\"rule\":\"HighErrorRate\",\"severity\":\"critical\",\"labels\":{\"service.name\":"
        "\"api-service\","
        "\"cloud.region\":\"us-east-1\"},\"evidence\":{\"rule\":\"Other\",\"labels\":{\"service.name\":"
        "\"no\"}}},"
        "{\"rule\":\"HighLatencyP99\",\"labels\":{\"service.name\":\"b\",\"cloud.region\":\"y\"}}]}";
    struct firing_alerts alerts;
    assert_int_equal(pages_read_alerts(reader, page, strlen(page), &alerts), 0);
    assert_int_equal(alerts.count, 2);
    assert_string_equal(alerts.first, "HighErrorRate api-service us-east-1");
    assert_int_equal(pages_read_alerts(reader, "{\"alerts\":[]}", 13, &alerts), 0);
    assert_int_equal(alerts.count, 0);
}

/* --- what a child has said last ---- */

static void last_lines(const char *before, const char *text, size_t count, struct buffer *out)
{
    char directory[TEST_PATH_BYTES];
    struct child child = {.log_start = (off_t)strlen(before)};
    struct buffer all;
    temp_directory_create(directory, "child");
    snprintf(child.log_path, sizeof child.log_path, "%.400s/log", directory);
    buffer_init(&all, 0);
    buffer_append_text(&all, before);
    buffer_append_text(&all, text);
    file_write(child.log_path, all.data, all.size);
    buffer_clear(out);
    child_read_last_lines(&child, count, "> ", out);
    buffer_free(&all);
    temp_directory_remove(directory);
}

static void the_last_lines_are_this_runs_own(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 0);
    last_lines("old 1\nold 2\n", "a\nb\nc\n", 2, &out);
    assert_string_equal(buffer_text(&out), "> b\n> c\n");
    last_lines("old 1\nold 2\n", "a\nb\nc\n", 5, &out);
    assert_string_equal(buffer_text(&out), "> a\n> b\n> c\n");
    last_lines("old\n", "no newline", 5, &out);
    assert_string_equal(buffer_text(&out), "> no newline\n");
    last_lines("old\n", "", 5, &out);
    assert_string_equal(buffer_text(&out), "");
    buffer_free(&out);
}

static void a_line_that_is_cut_at_the_front_is_left_out(void **state)
{
    (void)state;
    struct buffer out, text;
    buffer_init(&out, 0);
    buffer_init(&text, 0);
    for (int i = 0; i < 5000; i++) {
        buffer_append_char(&text, 'x');
    }
    buffer_append_text(&text, "\nlast\n");
    last_lines("", buffer_text(&text), 5, &out);
    assert_string_equal(buffer_text(&out), "> last\n");
    buffer_free(&text);
    buffer_free(&out);
}

static void a_child_that_cannot_be_run_is_an_error_of_the_start(void **state)
{
    (void)state;
    char directory[TEST_PATH_BYTES], log[TEST_PATH_BYTES];
    struct child child;
    struct error error;
    char *const arguments[] = {(char[]){"no-such-program-anywhere"}, NULL};
    temp_directory_create(directory, "child");
    path_join(log, directory, "log");
    assert_int_equal(child_start(&child, arguments, log, &error), -1);
    assert_non_null(strstr(error.message, "cannot start no-such-program-anywhere: No such file"));
    assert_int_equal(child_start(&child, arguments, "/nonexistent/log", &error), -1);
    assert_non_null(strstr(error.message, "cannot write the log"));
    temp_directory_remove(directory);
}

static void how_a_child_ended_is_told_in_words(void **state)
{
    (void)state;
    char directory[TEST_PATH_BYTES], log[TEST_PATH_BYTES], text[CHILD_END_BYTES];
    struct child child;
    char *const failing[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"exit 3"}, NULL};
    temp_directory_create(directory, "child");
    path_join(log, directory, "log");
    assert_int_equal(child_start(&child, failing, log, NULL), 0);
    while (!child_has_ended(&child)) {
        process_sleep_ms(5);
    }
    child_describe_end(&child, text);
    assert_string_equal(text, "exit code 3");
    assert_false(child_has_ended(&child)); /* told once */
    temp_directory_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_add_up_over_the_window_asked_for),
        cmocka_unit_test(a_series_with_few_requests_has_no_worst_p99),
        cmocka_unit_test(no_series_is_nothing_and_no_page_is_an_error),
        cmocka_unit_test(alerts_are_counted_and_the_first_is_named),
        cmocka_unit_test(the_last_lines_are_this_runs_own),
        cmocka_unit_test(a_line_that_is_cut_at_the_front_is_left_out),
        cmocka_unit_test(a_child_that_cannot_be_run_is_an_error_of_the_start),
        cmocka_unit_test(how_a_child_ended_is_told_in_words),
    };
    return cmocka_run_group_tests(tests, open_reader, close_reader);
}
