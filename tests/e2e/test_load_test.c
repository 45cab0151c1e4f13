/* scripts/load_test (make load-test), as a person runs it beside a real local stack: what its verdict says,
 * and what it says where there is nothing to load. Its thresholds on time are not asked for here: the machine
 * that tests may be busy. */
#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "support/files.h"
#include "support/process.h"
#include "support/stack.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { START_TIMEOUT_MS = 30000, RUN_TIMEOUT_MS = 150000 };

static struct stack stack;
static char output[TEST_PATH_BYTES];

static int start(void **state)
{
    (void)state;
    process_require_command("jq");
    process_require_command("curl");
    stack_create(&stack);
    path_join(output, stack.directory, "load_test");
    stack_start(&stack, NULL);
    stack_wait_until_up(&stack, START_TIMEOUT_MS);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    stack_destroy(&stack);
    return 0;
}

/* flags: after the script's name, NULL-ended. */
static struct process *start_load(const char *bus_url, int port_offset, const char *const *flags)
{
    static char bus[TEST_PATH_BYTES + 16], offset[40], bin[TEST_PATH_BYTES];
    const char *argv[16] = {OBS_SOURCE_DIR "/scripts/load_test"};
    const char *const environment[] = {bus, offset, bin, "K8S_CONTEXT=", NULL};
    size_t count = 1;
    for (; *flags != NULL; flags++) {
        assert_true(count < 15);
        argv[count++] = *flags;
    }
    (void)snprintf(bus, sizeof bus, "OBS_BUS_URL=%s", bus_url);
    (void)snprintf(offset, sizeof offset, "OBS_PORT_OFFSET=%d", port_offset);
    (void)snprintf(bin, sizeof bin, "BIN=%.*s", (int)(strlen(process_program("x")) - 2),
                   process_program("x"));
    remove(output);
    const struct process_options options = {.log_path = output, .environment = environment};
    return process_start(argv, &options);
}

static int run_load(const char *bus_url, int port_offset, const char *const *flags)
{
    struct process *load = start_load(bus_url, port_offset, flags);
    const int code = process_wait(load, RUN_TIMEOUT_MS);
    process_free(load);
    return code;
}

static void assert_said(const char *text)
{
    if (file_count_lines(output, text) == 0) {
        struct buffer said;
        buffer_init(&said, 0);
        file_read(output, &said);
        fail_msg("'%s' wasn't said, but:\n%s", text, buffer_text(&said));
    }
}

static void a_load_ends_with_rate_delay_lag_and_the_alert_that_it_must_fire(void **state)
{
    (void)state;
    const int code = run_load(
        stack.bus_url, stack.port_offset,
        (const char *const[]){"--target-rps", "200", "--error-rate", "0.4", "--duration", "20", NULL});
    assert_said("/s of 200/s; ");
    assert_said("ms from a request's end to a reader");
    assert_said("ok      lag drained        all committed");
    assert_said("only on a cluster");
    assert_said("× HighErrorRate");
    assert_int_equal(code, file_count_lines(output, "  FAILED  ") == 0 ? 0 : 1);
}

static void wrong_flags_end_it_with_2_and_the_simulators_own_words(void **state)
{
    (void)state;
    assert_int_equal(
        run_load(stack.bus_url, stack.port_offset, (const char *const[]){"--target-rps", "many", NULL}), 2);
    assert_said("workload-simulator: --target-rps: 'many' is not allowed");
    assert_int_equal(file_count_lines(output, "Verdict"), 0);
}

static void without_a_platform_it_says_how_to_start_one_and_makes_nothing(void **state)
{
    (void)state;
    char nowhere[TEST_PATH_BYTES], url[TEST_PATH_BYTES + 16];
    assert_int_equal(run_load(stack.bus_url, stack.port_offset + 97, (const char *const[]){NULL}), 1);
    assert_said("start the platform first (make local)");
    path_join(nowhere, stack.directory, "nowhere");
    (void)snprintf(url, sizeof url, "embedded:%s", nowhere);
    assert_int_equal(run_load(url, stack.port_offset, (const char *const[]){NULL}), 1);
    assert_said("There is no bus at");
    assert_false(file_exists(nowhere));
}

static bool shows_progress(void *context)
{
    (void)context;
    return file_count_lines(output, " acknowledged ") > 0;
}

static void an_interrupt_ends_the_load_and_tells_what_there_was(void **state)
{
    (void)state;
    struct process *load =
        start_load(stack.bus_url, stack.port_offset, (const char *const[]){"--target-rps", "50", NULL});
    assert_true(process_wait_until(shows_progress, NULL, 60000));
    process_signal(load, SIGINT);
    assert_int_equal(process_wait(load, RUN_TIMEOUT_MS), 130);
    process_free(load);
    assert_said("Verdict (stopped after");
    assert_said("0 failed");
    assert_int_equal(
        process_count_mentioning("--listen 127.0.0.1:0 --log-format json --progress --target-rps 50"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_ends_with_rate_delay_lag_and_the_alert_that_it_must_fire),
        cmocka_unit_test(wrong_flags_end_it_with_2_and_the_simulators_own_words),
        cmocka_unit_test(without_a_platform_it_says_how_to_start_one_and_makes_nothing),
        cmocka_unit_test(an_interrupt_ends_the_load_and_tells_what_there_was),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
