/* Fault tests with real processes: make chaos.
 *
 *   test_chaos embedded|kafka [long]     SEED=n replays the choices of a run
 *
 * Traffic flows all the time, processors are killed, stopped and lied to by their bus, and at the end of each
 * story what a committed reader sees is compared with what the log gives (support/oracle.h). */
#include "chaos/chaos_world.h"
#include "chaos/failpoint_list.h"

#include "buffer/buffer.h"
#include "bus/bus.h"
#include "clock/clock.h"
#include "support/kafka.h"
#include "support/oracle.h"
#include "support/process.h"
#include "support/topic_reader.h"
#include "topics/topics.h"

#include "cmocka_all.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct chaos_world *world;

/* --- the tools themselves ---- */

static bool mentions_failpoints(const char *path)
{
    static const char text[] = "OBS_FAILPOINTS";
    struct buffer program;
    buffer_init(&program, 0);
    file_read(path, &program);
    bool found = memmem(program.data, program.size, text, sizeof text - 1) != NULL;
    buffer_free(&program);
    return found;
}

static void the_program_that_ships_has_no_failpoints(void **state)
{
    (void)state;
    assert_true(mentions_failpoints(OBS_TEST_DIR "/stream-processor-chaos"));
    assert_false(mentions_failpoints(process_program("stream-processor")));
}

struct forgery {
    struct bus_producer *producer;
    bool done;
};

static void publish(struct bus_producer *producer, const char *topic, struct bus_bytes key, const char *value,
                    size_t size)
{
    struct error error;
    const struct bus_record record = {
        .topic = topic, .partition = BUS_PARTITION_BY_KEY, .key = key, .value = {value, size}};
    assert_int_equal(bus_produce(producer, &record, 0, &error), BUS_OK);
}

/* The first transition once more, then with a number that it never had, and under a name that nobody has. */
static void forge(void *context, const struct bus_record *record)
{
    struct forgery *forgery = context;
    char value[4096];
    if (forgery->done) {
        return;
    }
    forgery->done = true;
    (void)snprintf(value, sizeof value, "%.*s", (int)record->value.size_bytes,
                   (const char *)record->value.data);
    char *sequence = strstr(value, "\"sequence\":");
    assert_non_null(sequence);
    publish(forgery->producer, TOPIC_ALERTS_FIRED, record->key, value, strlen(value));
    publish(forgery->producer, TOPIC_ALERTS_FIRED, (struct bus_bytes){"ffffffffffffffff", 16}, value,
            strlen(value));
    memcpy(sequence, "\"sequence\":9999", strlen("\"sequence\":9999"));
    publish(forgery->producer, TOPIC_ALERTS_FIRED, record->key, value, strlen(value));
}

static void falsify(struct chaos_world *own)
{
    struct forgery forgery = {0};
    struct bus_ack acks[8];
    assert_int_equal(bus_producer_create(own->bus, &forgery.producer, NULL), BUS_OK);
    (void)topic_read(own->url, TOPIC_ALERTS_FIRED, forge, &forgery);
    assert_true(forgery.done);
    publish(forgery.producer, TOPIC_METRICS_RAW_DLQ, (struct bus_bytes){"k", 1}, "{}", 2);
    while (bus_producer_pending(forgery.producer) > 0) {
        (void)bus_producer_poll(forgery.producer, 100, acks, 8);
    }
    bus_producer_destroy(forgery.producer);
}

/* An oracle that can't say no proves nothing. */
static void the_oracle_sees_what_is_wrong(void **state)
{
    (void)state;
    struct oracle_report report;
    struct buffer text;
    struct chaos_world own = {.records_per_second = 2000, .speed = 20};
    char url[TEST_PATH_BYTES + 64];
    char directory[TEST_PATH_BYTES];
    temp_directory_create(directory, "chaos-oracle");
    (void)snprintf(url, sizeof url, "embedded:%s/bus?durability=process", directory);
    chaos_world_begin(&own, url, world->seed);
    chaos_traffic_start(&own);
    chaos_member_start(&own, 0, NULL);
    process_sleep_ms(3000);
    chaos_check(&own, "an undisturbed run");
    falsify(&own);
    buffer_init(&text, 0);
    struct oracle_settings settings = chaos_oracle_settings(&own);
    assert_int_equal(oracle_check(&settings, &report, &text, NULL), 4);
    assert_int_equal(report.twice, 1);
    assert_int_equal(report.extra, 2);
    assert_int_equal(report.letters_extra, 1);
    settings.runbook_base = "http://elsewhere/";
    (void)oracle_check(&settings, &report, &text, NULL);
    assert_int_equal(report.different, report.expected);
    buffer_free(&text);
    chaos_world_end(&own);
    temp_directory_remove(directory);
}

/* --- failpoints ---- */

static bool was_reached(const struct failpoint_case *item)
{
    char line[128];
    (void)snprintf(line, sizeof line, "failpoint %s=%s reached", item->name, item->action);
    return file_count_lines(world->members[0].log_path, line) > 0;
}

static bool wait_until_reached(const struct failpoint_case *item, int timeout_ms)
{
    int64_t deadline_ms = clock_steady_ms(clock_system()) + timeout_ms;
    while (!was_reached(item) && clock_steady_ms(clock_system()) < deadline_ms) {
        process_sleep_ms(10);
    }
    return was_reached(item);
}

static bool names(const struct failpoint_case *item, const char *call)
{
    return strstr(item->name, call) != NULL;
}

/* What happens once in a while must be met the first time; what happens all the time, at any time. */
static unsigned choose_time(const struct failpoint_case *item)
{
    bool seldom = names(item, "join") || names(item, "release") || names(item, "leave") ||
                  names(item, "init_") || names(item, "enter") || names(item, "committed") ||
                  names(item, "abort_");
    return seldom ? 1 : 1 + (unsigned)random_below(&world->random, names(item, "put") ? 40 : 6);
}

/* Traffic alone meets most; giving back partitions needs another member, and leaving a SIGTERM. */
static bool provoke(const struct failpoint_case *item)
{
    int patience_ms = world->kafka ? 20000 : 8000;
    if (names(item, "leave")) {
        chaos_wait_for_progress(world, chaos_committed(world), "a start");
        process_signal(world->members[0].process, SIGTERM);
        world->members[0].wanted = false;
    } else if (names(item, "release")) {
        chaos_wait_for_progress(world, chaos_committed(world), "a start");
        chaos_member_start(world, 1, NULL);
    }
    return wait_until_reached(item, patience_ms);
}

static void follow_up(const struct failpoint_case *item)
{
    if (strcmp(item->action, "kill") == 0) {
        world->kills++;
    } else if (strcmp(item->action, "stop") == 0) {
        (void)chaos_pause(world, 500);
        process_signal(world->members[0].process, SIGCONT);
        world->freezes++;
    } else {
        world->errors++;
    }
}

static void try_failpoint(const struct failpoint_case *item)
{
    char setting[256];
    (void)snprintf(setting, sizeof setting, "%s%s%s=%s@%u", item->needs, item->needs[0] == '\0' ? "" : ",",
                   item->name, item->action, choose_time(item));
    chaos_member_start(world, 0, setting);
    if (!provoke(item)) {
        fail_msg("%s was never reached", setting);
    }
    follow_up(item);
    if (names(item, "leave")) {
        (void)process_wait(world->members[0].process, 20000);
        chaos_member_start(world, 0, NULL);
    }
    chaos_wait_for_progress(world, chaos_committed(world), setting);
    if (world->members[1].wanted) {
        chaos_member_leave(world, 1);
    }
}

/* A short run of Kafka takes a share of them, by the seed: each start of a member takes seconds there. */
static void every_failpoint_loses_and_repeats_nothing(void **state)
{
    (void)state;
    size_t count = 0;
    size_t tried = 0;
    const struct failpoint_case *cases = failpoint_list_cases(world->kafka ? "kafka" : "embedded", &count);
    chaos_traffic_start(world);
    for (size_t i = 0; i < count; i++) {
        if (world->is_long || !world->kafka || random_below(&world->random, 12) == 0) {
            try_failpoint(&cases[i]);
            tried++;
        }
    }
    print_message("%zu of %zu failpoint cases\n", tried, count);
    chaos_check(world, "every failpoint");
}

/* --- random moments ---- */

static void kills_at_random_moments_lose_and_repeat_nothing(void **state)
{
    (void)state;
    unsigned rounds = world->is_long ? 100 : world->kafka ? 8 : 25;
    chaos_traffic_start(world);
    chaos_member_start(world, 0, NULL);
    chaos_member_start(world, 1, NULL);
    for (unsigned i = 0; i < rounds; i++) {
        int64_t before = chaos_committed(world);
        (void)chaos_pause(world, world->kafka ? 3000 : 500);
        unsigned index = (unsigned)random_below(&world->random, 2);
        chaos_member_start(world, index, NULL); /* kills it first */
        if (i % 10 == 9) {
            chaos_wait_for_progress(world, before, "a kill");
        }
    }
    chaos_check(world, "kills at random moments");
}

/* --- the program ---- */

static uint64_t choose_seed(void)
{
    const char *given = getenv("SEED");
    return given != NULL && given[0] != '\0' ? strtoull(given, NULL, 10)
                                             : random_seed_from_system() % 1000000;
}

static int begin_world(void **state)
{
    (void)state;
    static char url[TEST_PATH_BYTES + 64];
    static char directory[TEST_PATH_BYTES];
    if (!world->kafka) {
        temp_directory_create(directory, "chaos-bus");
        (void)snprintf(url, sizeof url, "embedded:%s/bus?durability=process", directory);
        world->url = url;
    }
    chaos_world_begin(world, world->url, world->seed);
    return 0;
}

static int end_world(void **state)
{
    (void)state;
    chaos_world_end(world);
    return 0;
}

int main(int argc, char **argv)
{
    static struct chaos_world the_world;
    struct kafka_broker broker;
    world = &the_world;
    world->kafka = argc > 1 && strcmp(argv[1], "kafka") == 0;
    world->is_long = argc > 2 && strcmp(argv[2], "long") == 0;
    world->seed = choose_seed();
    world->speed = 20;
    world->records_per_second = world->is_long ? 5000 : 2000;
    (void)printf("chaos %s, %s: SEED=%" PRIu64 "\n", world->kafka ? "kafka" : "embedded",
                 world->is_long ? "long" : "short", world->seed);
    (void)fflush(stdout);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_program_that_ships_has_no_failpoints),
        cmocka_unit_test(the_oracle_sees_what_is_wrong),
        cmocka_unit_test(every_failpoint_loses_and_repeats_nothing),
        cmocka_unit_test(kills_at_random_moments_lose_and_repeat_nothing),
    };
    if (world->kafka) {
        int code = kafka_broker_require(&broker);
        if (code != 0) {
            return code;
        }
        world->url = broker.url;
    }
    int failed = cmocka_run_group_tests(tests, begin_world, end_world);
    if (world->kafka) {
        kafka_broker_stop(&broker, false);
    }
    return failed;
}
