/* Fault tests with real processes: make chaos.
 *
 *   test_chaos embedded|kafka [short|long [STORY*]]     SEED=n replays the choices of a run
 *
 * Traffic flows all the time, processors are killed, stopped and lied to by their bus, and at the end of each
 * story what a committed reader sees is compared with what the log gives (support/oracle.h). */
#include "chaos/chaos_world.h"
#include "chaos/failpoint_list.h"
#include "chaos/stories.h"

#include "buffer/buffer.h"
#include "bus/bus.h"
#include "clock/clock.h"
#include "support/kafka.h"
#include "support/oracle.h"
#include "support/process.h"
#include "support/tcp_proxy.h"
#include "support/topic_reader.h"
#include "topics/topics.h"

#include "cmocka_all.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#define SHORT_KAFKA_CASES 4 /* on average */

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
    assert_true(report.different > 0); /* of those whose rule names a runbook */
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
                  names(item, "kafka.restore") || names(item, "abort_");
    return seldom ? 1 : 1 + (unsigned)random_below(&world->random, names(item, "put") ? 40 : 6);
}

/* Traffic alone meets most; giving back partitions needs another member, and leaving a SIGTERM. The other
 * member is another one each time: on Kafka a member that has left keeps its share until its session ends,
 * and one that comes back before changes nothing. */
static bool provoke(const struct failpoint_case *item, unsigned other)
{
    int patience_ms = world->kafka ? 20000 : 8000;
    if (names(item, "leave")) {
        chaos_wait_for_progress(world, chaos_progress(world), "a start");
        process_signal(world->members[0].process, SIGTERM);
        world->members[0].wanted = false;
    } else if (names(item, "release")) {
        chaos_wait_for_progress(world, chaos_progress(world), "a start");
        chaos_member_start(world, other, NULL);
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
    static unsigned next_other;
    unsigned other = 1 + next_other++ % (CHAOS_MEMBERS - 1);
    char setting[256];
    (void)snprintf(setting, sizeof setting, "%s%s%s=%s@%u", item->needs, item->needs[0] == '\0' ? "" : ",",
                   item->name, item->action, choose_time(item));
    chaos_member_start(world, 0, setting);
    if (!provoke(item, other)) {
        fail_msg("%s was never reached", setting);
    }
    follow_up(item);
    if (names(item, "leave")) {
        (void)process_wait(world->members[0].process, 20000);
        chaos_member_start(world, 0, NULL);
    }
    chaos_wait_for_progress(world, chaos_progress(world), setting);
    chaos_member_leave(world, other);
}

/* A short run of Kafka takes a few of them, by the seed: each start of a member takes seconds there. */
static bool is_chosen(size_t count)
{
    return world->is_long || !world->kafka || random_below(&world->random, count) < SHORT_KAFKA_CASES;
}

static void every_failpoint_loses_and_repeats_nothing(void **state)
{
    (void)state;
    size_t count = 0;
    size_t tried = 0;
    const struct failpoint_case *cases = failpoint_list_cases(world->kafka ? "kafka" : "embedded", &count);
    chaos_traffic_start(world);
    for (size_t i = 0; i < count; i++) {
        if (is_chosen(count)) {
            try_failpoint(&cases[i]);
            tried++;
        }
    }
    print_message("%zu of %zu failpoint cases\n", tried, count);
    chaos_check(world, "every failpoint");
}

/* --- stories ---- */

static void kills_at_random_moments_lose_and_repeat_nothing(void **state)
{
    (void)state;
    story_random_kills(world);
}

static void members_may_join_and_leave_at_any_time(void **state)
{
    (void)state;
    story_members_join_and_leave(world);
}

static void a_stop_longer_than_the_lease_loses_and_repeats_nothing(void **state)
{
    (void)state;
    story_stops_longer_than_the_lease(world);
}

static void a_producer_may_stop_or_die_in_mid_append(void **state)
{
    (void)state;
    story_producer_stopped_and_killed(world);
}

static void two_processes_of_one_name_do_not_fight(void **state)
{
    (void)state;
    story_two_of_one_name(world);
}

static void what_time_alone_decides_is_told_once(void **state)
{
    (void)state;
    if (world->kafka && !world->is_long) {
        skip(); /* the same detector on the same ticks as on the embedded bus; half a minute more */
    }
    story_silences(world);
}

static void a_broker_may_restart(void **state)
{
    (void)state;
    story_broker_restarts(world);
}

static void a_network_may_cut_delay_and_swallow(void **state)
{
    (void)state;
    story_bad_network(world);
}

/* A small disk of its own, and a world on it. */
struct disk_world {
    struct chaos_world world;
    char url[TEST_PATH_BYTES + 64], disk[TEST_PATH_BYTES];
    bool mounted;
};

static int begin_disk(void **state)
{
    static struct disk_world own;
    own.world = (struct chaos_world){
        .records_per_second = 6000, .speed = 60, .lease_ms = world->lease_ms, .is_long = world->is_long};
    temp_directory_create(own.disk, "chaos-disk");
    own.mounted = mount("tmpfs", own.disk, "tmpfs", 0, "size=24m") == 0;
    (void)snprintf(own.url, sizeof own.url, "embedded:%s/bus?durability=process", own.disk);
    *state = &own;
    return 0;
}

static int end_disk(void **state)
{
    struct disk_world *own = *state;
    if (own->mounted) {
        chaos_world_end(&own->world);
        (void)umount2(own->disk, MNT_DETACH);
    }
    temp_directory_remove(own->disk);
    return 0;
}

static void a_full_disk_loses_and_repeats_nothing(void **state)
{
    struct disk_world *own = *state;
    if (!own->mounted) {
        print_message("no tmpfs can be mounted here: run as root to test a full disk\n");
        skip();
    }
    chaos_world_begin(&own->world, own->url, world->seed);
    story_full_disk(&own->world, own->disk);
}

static void the_kill_of_a_leader_loses_and_repeats_nothing(void **state)
{
    (void)state;
    static struct kafka_cluster cluster;
    struct chaos_world own = {.kafka = true,
                              .is_long = world->is_long,
                              .records_per_second = world->records_per_second,
                              .speed = world->speed};
    if (kafka_cluster_start(&cluster) != 0) {
        kafka_cluster_stop(&cluster);
        fail_msg("three brokers don't start");
    }
    chaos_world_begin(&own, cluster.url, world->seed);
    story_leader_is_killed(&own, &cluster);
    chaos_world_end(&own);
    kafka_cluster_stop(&cluster);
}

/* --- the program ---- */

static uint64_t choose_seed(void)
{
    const char *given = getenv("SEED");
    return given != NULL && given[0] != '\0' ? strtoull(given, NULL, 10)
                                             : random_seed_from_system() % 1000000;
}

static char bus_directory[TEST_PATH_BYTES]; /* of the embedded one */

static int begin_world(void **state)
{
    (void)state;
    static char url[TEST_PATH_BYTES + 64];
    if (!world->kafka) {
        temp_directory_create(bus_directory, "chaos-bus");
        (void)snprintf(url, sizeof url, "embedded:%s/bus?durability=process", bus_directory);
        world->url = url;
    }
    chaos_world_begin(world, world->url, world->seed);
    return 0;
}

static int end_world(void **state)
{
    (void)state;
    chaos_world_end(world);
    if (!world->kafka) {
        temp_directory_remove(bus_directory);
    }
    return 0;
}

static int run_embedded(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_program_that_ships_has_no_failpoints),
        cmocka_unit_test(the_oracle_sees_what_is_wrong),
        cmocka_unit_test(every_failpoint_loses_and_repeats_nothing),
        cmocka_unit_test(kills_at_random_moments_lose_and_repeat_nothing),
        cmocka_unit_test(members_may_join_and_leave_at_any_time),
        cmocka_unit_test(a_stop_longer_than_the_lease_loses_and_repeats_nothing),
        cmocka_unit_test(a_producer_may_stop_or_die_in_mid_append),
        cmocka_unit_test(two_processes_of_one_name_do_not_fight),
        cmocka_unit_test(what_time_alone_decides_is_told_once),
        cmocka_unit_test_setup_teardown(a_full_disk_loses_and_repeats_nothing, begin_disk, end_disk),
    };
    return cmocka_run_group_tests_name("chaos, embedded", tests, begin_world, end_world);
}

static int run_kafka(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failpoint_loses_and_repeats_nothing),
        cmocka_unit_test(kills_at_random_moments_lose_and_repeat_nothing),
        cmocka_unit_test(members_may_join_and_leave_at_any_time),
        cmocka_unit_test(a_stop_longer_than_the_lease_loses_and_repeats_nothing),
        cmocka_unit_test(a_producer_may_stop_or_die_in_mid_append),
        cmocka_unit_test(two_processes_of_one_name_do_not_fight),
        cmocka_unit_test(what_time_alone_decides_is_told_once),
        cmocka_unit_test(a_network_may_cut_delay_and_swallow),
        cmocka_unit_test(a_broker_may_restart),
    };
    const struct CMUnitTest more[] = {
        cmocka_unit_test(the_kill_of_a_leader_loses_and_repeats_nothing),
    };
    struct kafka_broker broker = {0};
    kafka_broker_plan_proxy(&broker);
    int code = kafka_broker_require(&broker);
    if (code != 0) {
        return code;
    }
    world->broker = &broker;
    world->url = broker.url;
    world->proxy = tcp_proxy_start(broker.proxy_port, broker.behind_port);
    (void)snprintf(world->member_url, sizeof world->member_url, "kafka://127.0.0.1:%u",
                   (unsigned)broker.proxy_port);
    int failed = cmocka_run_group_tests_name("chaos, Kafka", tests, begin_world, end_world);
    tcp_proxy_stop(world->proxy);
    kafka_broker_stop(&broker, false);
    if (world->is_long) {
        failed += cmocka_run_group_tests_name("chaos, three brokers", more, NULL, NULL);
    }
    return failed;
}

int main(int argc, char **argv)
{
    static struct chaos_world the_world;
    world = &the_world;
    world->kafka = argc > 1 && strcmp(argv[1], "kafka") == 0;
    world->is_long = argc > 2 && strcmp(argv[2], "long") == 0;
    cmocka_set_test_filter(argc > 3 ? argv[3] : NULL);
    world->seed = choose_seed();
    world->speed = 20;
    world->records_per_second = !world->is_long ? 2000 : world->kafka ? 5000 : 12000;
    (void)printf("chaos %s, %s: SEED=%" PRIu64 "\n", world->kafka ? "kafka" : "embedded",
                 world->is_long ? "long" : "short", world->seed);
    (void)fflush(stdout);
    return world->kafka ? run_kafka() : run_embedded();
}
