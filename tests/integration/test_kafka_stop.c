/* SIGTERM ends every program within 10 s, also while Kafka takes connections and answers nothing, and while
 * it isn't there: 0 when all was committed, otherwise 1. Never later, and never by a signal. */
#include "clock/clock.h"
#include "support/files.h"
#include "support/kafka.h"
#include "support/net.h"
#include "support/process.h"

#include "cmocka_all.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define LONGEST_MS 10000
#define START_MS   60000

enum { SIMULATOR, PROCESSOR, BRIDGE, PROGRAMS };

static struct kafka_broker broker;

struct world {
    struct process *programs[PROGRAMS];
    char directory[TEST_PATH_BYTES], logs[PROGRAMS][TEST_PATH_BYTES];
};

static struct world the_world;

static void start_program(struct world *world, int which, const char *name, const char *flag)
{
    char listen[64];
    char log_name[64];
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)net_free_port());
    (void)snprintf(log_name, sizeof log_name, "%s.log", name);
    path_join(world->logs[which], world->directory, log_name);
    const char *const argv[] = {process_program(name), "--bus-url", broker.url, "--listen", listen,
                                "--log-format=text",   flag,        NULL};
    const struct process_options options = {.log_path = world->logs[which]};
    world->programs[which] = process_start(argv, &options);
}

static void start_programs(struct world *world)
{
    start_program(world, SIMULATOR, "workload-simulator", "--target-rps=2000");
    start_program(world, PROCESSOR, "stream-processor",
                  "--rules=" OBS_SOURCE_DIR "/config/anomaly-rules.yaml");
    start_program(world, BRIDGE, "metrics-bridge", "--lag-interval=1s");
}

static bool all_are_at_work(void *context)
{
    struct world *world = context;
    return file_count_lines(world->logs[PROCESSOR], " ready ") > 0 &&
           file_count_lines(world->logs[BRIDGE], " ready ") > 0;
}

static void start_and_work(struct world *world)
{
    start_programs(world);
    if (!process_wait_until(all_are_at_work, world, START_MS)) {
        fail_msg("the programs don't begin to work; see %s (OBS_KEEP_TEMP)", world->directory);
    }
    process_sleep_ms(3000);
}

/* All of them at once, as a machine does that shuts down. had_work: of the processor and the bridge, whose
 * last commit nobody took. */
static void expect_ends_in_time(struct world *world, bool had_work)
{
    int64_t begin_ms = clock_steady_ms(clock_system());
    for (int i = 0; i < PROGRAMS; i++) {
        process_signal(world->programs[i], SIGTERM);
    }
    for (int i = 0; i < PROGRAMS; i++) {
        int code =
            process_wait(world->programs[i], LONGEST_MS - (int)(clock_steady_ms(clock_system()) - begin_ms));
        print_message("%s ended with %d, %" PRId64 " ms after the signal\n", world->logs[i], code,
                      clock_steady_ms(clock_system()) - begin_ms);
        assert_true(code == 1 || (code == 0 && (i == SIMULATOR || !had_work)));
    }
}

static void sigterm_ends_all_while_the_broker_answers_nothing(void **state)
{
    start_and_work(*state);
    kafka_broker_signal(&broker, SIGSTOP);
    process_sleep_ms(1500); /* a commit is under way */
    expect_ends_in_time(*state, true);
    kafka_broker_signal(&broker, SIGCONT);
}

static void sigterm_ends_all_while_the_broker_is_away(void **state)
{
    start_and_work(*state);
    kafka_broker_kill(&broker);
    process_sleep_ms(1500);
    expect_ends_in_time(*state, true);
    assert_int_equal(kafka_broker_start_again(&broker), 0);
}

static void sigterm_ends_all_at_once_with_the_broker(void **state)
{
    start_and_work(*state);
    kafka_broker_signal(&broker, SIGSTOP);
    expect_ends_in_time(*state, true);
    kafka_broker_signal(&broker, SIGCONT);
}

static void sigterm_ends_all_while_they_wait_for_a_broker_that_answers_nothing(void **state)
{
    kafka_broker_signal(&broker, SIGSTOP);
    start_programs(*state);
    process_sleep_ms(3000);
    expect_ends_in_time(*state, false);
    kafka_broker_signal(&broker, SIGCONT);
}

static void sigterm_ends_all_after_the_broker_was_gone_for_long(void **state)
{
    start_and_work(*state);
    kafka_broker_signal(&broker, SIGSTOP);
    process_sleep_ms(15000); /* longer than a session and a transaction */
    expect_ends_in_time(*state, true);
    kafka_broker_signal(&broker, SIGCONT);
}

static int begin(void **state)
{
    the_world = (struct world){0};
    temp_directory_create(the_world.directory, "stop");
    *state = &the_world;
    return 0;
}

static int end(void **state)
{
    struct world *world = *state;
    kafka_broker_signal(&broker, SIGCONT);
    for (int i = 0; i < PROGRAMS; i++) {
        process_free(world->programs[i]);
    }
    temp_directory_remove(world->directory);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1) { /* one case: its name, or with * */
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sigterm_ends_all_while_the_broker_answers_nothing, begin, end),
        cmocka_unit_test_setup_teardown(sigterm_ends_all_at_once_with_the_broker, begin, end),
        cmocka_unit_test_setup_teardown(sigterm_ends_all_after_the_broker_was_gone_for_long, begin, end),
        cmocka_unit_test_setup_teardown(sigterm_ends_all_while_they_wait_for_a_broker_that_answers_nothing,
                                        begin, end),
        cmocka_unit_test_setup_teardown(sigterm_ends_all_while_the_broker_is_away, begin, end),
    };
    int code = kafka_broker_require(&broker);
    if (code != 0) {
        return code;
    }
    int failed = cmocka_run_group_tests_name("a stop without Kafka", tests, NULL, NULL);
    kafka_broker_stop(&broker, false);
    return failed;
}
