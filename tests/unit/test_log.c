#include "clock/clock.h"
#include "log/log.h"

#include "cmocka_all.h"

#include <string.h>
#include <unistd.h>

struct capture {
    struct log *log;
    struct clock_manual clock;
    int ends[2];
    char line[2 * LOG_LINE_BYTES];
};

static void capture_open(struct capture *c, enum log_format format)
{
    assert_int_equal(pipe(c->ends), 0);
    clock_manual_init(&c->clock, 1795561592125);
    const struct log_settings settings = {
        .app = "test", .fd = c->ends[1], .level = LOG_INFO, .format = format, .clock = &c->clock.clock};
    assert_int_equal(log_open(&c->log, &settings, NULL), 0);
}

static const char *capture_read(struct capture *c)
{
    ssize_t size = read(c->ends[0], c->line, sizeof c->line - 1);
    c->line[size > 0 ? size : 0] = '\0';
    return c->line;
}

static void capture_close(struct capture *c)
{
    log_close(c->log);
    close(c->ends[0]);
    close(c->ends[1]);
}

static void a_json_line_has_its_fields_and_cannot_be_forged(void **state)
{
    (void)state;
    struct capture c;
    capture_open(&c, LOG_FORMAT_JSON);
    log_info_with(c.log, "ready", log_text("topic", "a\"\n{"), log_integer("partition", -3),
                  log_real("rate", 0.5), log_boolean("ok", true));
    assert_string_equal(
        capture_read(&c),
        "{\"time\":\"2026-11-24T23:06:32.125Z\",\"level\":\"info\",\"app\":\"test\",\"msg\":\"ready\","
        "\"topic\":\"a\\\"\\n{\",\"partition\":-3,\"rate\":0.5,\"ok\":true}\n");
    capture_close(&c);
}

static void a_text_line_is_short_and_one_line(void **state)
{
    (void)state;
    struct capture c;
    capture_open(&c, LOG_FORMAT_TEXT);
    log_debug(c.log, "not shown");
    log_warn_with(c.log, "broker\naway", log_text("url", "kafka://a:1"), log_text("why", "two words"));
    assert_string_equal(capture_read(&c),
                        "23:06:32.125 WARN  broker\\naway url=kafka://a:1 why=\"two words\"\n");
    capture_close(&c);
}

static void a_line_too_long_is_cut_and_stays_whole(void **state)
{
    (void)state;
    char text[3 * LOG_LINE_BYTES];
    memset(text, 'x', sizeof text);
    struct capture c;
    capture_open(&c, LOG_FORMAT_JSON);
    log_info_with(c.log, "big", log_integer("a", 1), log_bytes("b", text, sizeof text), log_integer("c", 2));
    assert_non_null(strstr(capture_read(&c), "\"msg\":\"big\",\"a\":1,\"cut\":true}\n"));
    capture_close(&c);
    capture_open(&c, LOG_FORMAT_TEXT);
    log_info_with(c.log, "big", log_bytes("b", text, sizeof text));
    size_t length = strlen(capture_read(&c));
    assert_true(length <= LOG_LINE_BYTES);
    assert_string_equal(c.line + length - 4, "\xe2\x80\xa6\n");
    capture_close(&c);
}

static void a_throttle_lets_one_through_and_counts_the_rest(void **state)
{
    (void)state;
    struct log_throttle throttle = {0};
    uint64_t suppressed = 9;
    assert_true(log_throttle_allows(&throttle, 0, 1000, &suppressed));
    assert_int_equal(suppressed, 0);
    assert_false(log_throttle_allows(&throttle, 1, 1000, &suppressed));
    assert_false(log_throttle_allows(&throttle, 999, 1000, &suppressed));
    assert_true(log_throttle_allows(&throttle, 1000, 1000, &suppressed));
    assert_int_equal(suppressed, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_json_line_has_its_fields_and_cannot_be_forged),
        cmocka_unit_test(a_text_line_is_short_and_one_line),
        cmocka_unit_test(a_line_too_long_is_cut_and_stays_whole),
        cmocka_unit_test(a_throttle_lets_one_through_and_counts_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
