#include "clock/clock.h"
#include "progress.h"
#include "run_time.h"

#include "cmocka_all.h"

#define NOW_MS INT64_C(1795561200000)

static void a_paced_run_follows_the_steady_clock(void **state)
{
    (void)state;
    struct clock_manual clock;
    struct run_time time;
    clock_manual_init(&clock, NOW_MS);
    run_time_init(&time, RUN_PACED, &clock.clock, NOW_MS - 1000000);
    assert_int_equal(run_time_target_ms(&time), 0);
    clock_manual_advance_ms(&clock, 1500);
    clock.wall_ms -= 3600000; /* the wall clock jumps, the run doesn't */
    assert_int_equal(run_time_target_ms(&time), 1500);
    assert_int_equal(run_time_now_ms(&time), 1500);
}

static void catching_up_never_goes_ahead_of_the_wall_clock(void **state)
{
    (void)state;
    struct clock_manual clock;
    struct run_time time;
    clock_manual_init(&clock, NOW_MS);
    run_time_init(&time, RUN_CAUGHT, &clock.clock, NOW_MS - 60000);
    assert_int_equal(run_time_target_ms(&time), 60000);
    assert_int_equal(run_time_now_ms(&time), 0); /* what happens now, happens where the traffic is */
    run_time_move(&time, 60000);
    assert_int_equal(run_time_target_ms(&time), 60000);
    clock_manual_advance_ms(&clock, 10);
    assert_int_equal(run_time_target_ms(&time), 60010);
    clock.wall_ms -= 3600000;
    assert_int_equal(run_time_target_ms(&time), 60000); /* never back */
}

static void a_run_that_starts_in_the_future_waits_for_it(void **state)
{
    (void)state;
    struct clock_manual clock;
    struct run_time time;
    clock_manual_init(&clock, NOW_MS);
    run_time_init(&time, RUN_CAUGHT, &clock.clock, NOW_MS + 5000);
    assert_int_equal(run_time_target_ms(&time), 0);
    clock_manual_advance_ms(&clock, 5100);
    assert_int_equal(run_time_target_ms(&time), 100);
}

static void the_progress_line_reads_well(void **state)
{
    (void)state;
    static const struct {
        double rate;
        struct publisher_counts events;
        int64_t elapsed_ms, remaining_ms;
        const char *line;
    } cases[] = {
        {0, {0, 0, 0}, 0, -1, "0/s   0 acknowledged   0 failed   elapsed 0:00   remaining -"},
        {1000.4,
         {42200, 42113, 0},
         42000,
         558000,
         "1 000/s   42 113 acknowledged   0 failed   elapsed 0:42   remaining 9:18"},
        {428000,
         {1234567, 1234567, 12},
         3723000,
         0,
         "428 000/s   1 234 567 acknowledged   12 failed   elapsed 1:02:03   remaining 0:00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[PROGRESS_LINE_BYTES];
        progress_format(line, cases[i].rate, &cases[i].events, cases[i].elapsed_ms, cases[i].remaining_ms);
        assert_string_equal(line, cases[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_paced_run_follows_the_steady_clock),
        cmocka_unit_test(catching_up_never_goes_ahead_of_the_wall_clock),
        cmocka_unit_test(a_run_that_starts_in_the_future_waits_for_it),
        cmocka_unit_test(the_progress_line_reads_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
