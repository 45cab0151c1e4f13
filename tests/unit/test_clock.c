#include "clock/clock.h"
#include "clock/rfc3339.h"

#include "cmocka_all.h"

#include <string.h>

static void times_are_written_as_rfc3339_with_milliseconds(void **state)
{
    (void)state;
    const struct {
        int64_t unix_ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {1795561592125, "2026-11-24T23:06:32.125Z"},
        {951782399999, "2000-02-28T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {INT64_MIN, "0000-01-01T00:00:00.000Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[RFC3339_BYTES];
        rfc3339_format(text, cases[i].unix_ms);
        assert_string_equal(text, cases[i].text);
    }
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    for (int64_t ms = -62167219200000; ms < 253402300799999; ms += 7777777777777 / 13) {
        char text[RFC3339_BYTES];
        rfc3339_format(text, ms);
        int64_t back = 0;
        assert_true(rfc3339_parse(text, strlen(text), &back));
        assert_true(back == ms);
    }
}

static void offsets_fractions_and_nonsense_are_told_apart(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int64_t unix_ms; /* -1: refused */
    } cases[] = {
        {"1970-01-01T01:00:00+01:00", 0},
        {"1969-12-31t23:30:00.5-00:30", 500},
        {"1970-01-01T00:00:00.123456789Z", 123},
        {"1970-01-01T00:00:60Z", 59999},
        {"2023-02-29T00:00:00Z", -1},
        {"1970-01-01T24:00:00Z", -1},
        {"1970-01-01T00:00:00", -1},
        {"1970-01-01T00:00:00.Z", -1},
        {"1970-13-01T00:00:00Z", -1},
        {"1970-01-01T00:00:00Zx", -1},
        {"", -1},
        {"1970-01-01T00:00:00+24:00", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t unix_ms = -1;
        bool accepted = rfc3339_parse(cases[i].text, strlen(cases[i].text), &unix_ms);
        assert_int_equal(accepted, cases[i].unix_ms != -1);
        assert_true(unix_ms == cases[i].unix_ms);
    }
}

static void a_manual_clock_moves_only_when_moved(void **state)
{
    (void)state;
    struct clock_manual manual;
    clock_manual_init(&manual, 1000);
    assert_int_equal(clock_wall_ms(&manual.clock), 1000);
    clock_manual_advance_ms(&manual, 250);
    assert_int_equal(clock_wall_ms(&manual.clock), 1250);
    assert_int_equal(clock_steady_ms(&manual.clock), 250);
    assert_true(clock_steady_ns(clock_system()) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_as_rfc3339_with_milliseconds),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(offsets_fractions_and_nonsense_are_told_apart),
        cmocka_unit_test(a_manual_clock_moves_only_when_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
