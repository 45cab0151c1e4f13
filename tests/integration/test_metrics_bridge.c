/* The real bridge on a real embedded bus, looked at from outside: what it shows, what survives its death. */
#include "bridge_world.h"

#include "buffer/buffer.h"
#include "bus/bus.h"
#include "clock/clock.h"
#include "event/encode.h"
#include "event/log_record.h"
#include "random/random.h"
#include "support/exposition.h"
#include "support/files.h"
#include "support/kafka.h"
#include "support/net.h"
#include "support/outside.h"
#include "support/process.h"
#include "support/record_set.h"
#include "topics/topics.h"

#include "cmocka_all.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void counts_equal_what_was_produced(void **state)
{
    struct bridge_world *world = *state;
    enum { EVENTS = 9600 };
    bridge_start(world, NULL);
    bridge_produce_events(world, 0, EVENTS);
    bridge_wait_until_all_is_counted(world);
    assert_true(bridge_shown(world, "metrics_bridge_events_total", "result=\"counted\"") == EVENTS);
    assert_true(bridge_shown(world, "http_server_request_duration_seconds_count", "") == EVENTS);
    assert_true(bridge_shown(world, "http_server_request_duration_seconds_bucket", "le=\"+Inf\"") == EVENTS);
    assert_true(bridge_shown(world, "http_server_request_duration_seconds_count",
                             "http_response_status_code=\"503\"") == EVENTS / 8);
    assert_true(bridge_shown(world, "http_server_request_duration_seconds_count",
                             "service_name=\"auth-service\",cloud_region=\"eu-west-1\"") == EVENTS / 12);
    double seconds = 0;
    uint64_t fast = 0;
    for (uint64_t i = 0; i < EVENTS; i++) {
        seconds += (double)(i % 1000) / 64;
        fast += (double)(i % 1000) / 64 <= 2.5;
    }
    assert_true(bridge_shown(world, "http_server_request_duration_seconds_sum", "") == seconds);
    assert_true(bridge_shown(world, "http_server_request_duration_seconds_bucket", "le=\"2.5\"") ==
                (double)fast);
    bridge_wait_for_value(world, "http_server_requests_total", "status_class=\"5xx\"", EVENTS / 4);
    assert_true(bridge_shown(world, "http_server_requests_total", "status_class=\"2xx\"") == EVENTS / 2);
    assert_true(bridge_shown(world, "http_server_requests_total", "status_class=\"1xx\"") == 0);
    size_t count = 0;
    (void)exposition_sum(buffer_text(&world->page), "http_server_requests_total", "", &count);
    assert_int_equal(count, 12 * 5);
    assert_true(exposition_sum(buffer_text(&world->page), "system_cpu_utilization_ratio", "", &count) ==
                0.25 * (double)count);
    assert_true(count > 0);
    assert_int_equal(process_stop(world->bridge), 0);
}

static void the_five_classes_of_a_newcomer_are_seen_at_zero_before_they_count(void **state)
{
    struct bridge_world *world = *state;
    static const char *const slow[] = {"--zero-first=2s", NULL};
    bridge_start(world, slow);
    bridge_wait_until_ready(world);
    bridge_produce_events(world, 6, 1); /* one event, a 500 */
    bridge_wait_until_all_is_counted(world);
    size_t count = 0;
    assert_true(exposition_sum(buffer_text(&world->page), "http_server_requests_total", "", &count) == 0);
    assert_int_equal(count, 5);
    bridge_wait_for_value(world, "http_server_requests_total", "status_class=\"5xx\"", 1);
    assert_true(bridge_shown(world, "http_server_requests_total", "") == 1);
}

static void malformed_events_are_counted_and_stop_nothing(void **state)
{
    struct bridge_world *world = *state;
    struct record_set set;
    size_t good = 0;
    size_t bad = 0;
    record_set_load(&set, OBS_SOURCE_DIR "/tests/data/records/metrics.raw.jsonl");
    bridge_start(world, NULL);
    bridge_produce_events(world, 0, 100);
    for (size_t i = 0; i < set.count; i++) {
        bool is_bad = strcmp(set.cases[i].reason, "ok") != 0;
        if (is_bad) { /* the good ones would need their keys */
            bridge_produce(world, TOPIC_METRICS_RAW, (struct bus_bytes){0}, set.cases[i].data,
                           set.cases[i].size);
            bad++;
        }
    }
    bridge_produce(world, TOPIC_METRICS_RAW, (struct bus_bytes){"k", 1}, NULL,
                   0); /* a tombstone has no place here */
    bad++;
    bridge_produce_events(world, 100, 100);
    good = 200;
    bridge_wait_until_all_is_counted(world);
    assert_true(bridge_shown(world, "metrics_bridge_events_total", "result=\"counted\"") == (double)good);
    assert_true(bridge_shown(world, "metrics_bridge_events_total", "result=\"malformed\"") == (double)bad);
    assert_true(bridge_shown(world, "http_server_request_duration_seconds_count", "") == (double)good);
    assert_true(process_is_running(world->bridge));
    record_set_free(&set);
}

/* Reads the topic from its beginning; returns how many records, the last one's reason in out. */
static size_t read_dead_letters(struct bridge_world *world, char reason[64])
{
    static const char *const topics[] = {TOPIC_LOGS_RAW_DLQ, NULL};
    const struct bus_member_settings settings = {.topics = topics};
    struct bus_member *member = NULL;
    struct error error;
    size_t count = 0;
    int32_t ended = 0;
    assert_int_equal(bus_join(world->bus, &settings, &member, &error), BUS_OK);
    for (int i = 0; i < 1000 && ended < 3; i++) {
        struct bus_turn turn;
        assert_int_equal(bus_poll(member, 1000, &turn, &error), BUS_OK);
        for (size_t p = 0; turn.kind == BUS_RESTORED && p < turn.partition_count; p++) {
            assert_int_equal(bus_start(member, turn.partitions[p].topic, turn.partitions[p].partition,
                                       BUS_FROM_BEGINNING, &error),
                             BUS_OK);
        }
        for (size_t r = 0; turn.kind == BUS_RECORDS && r < turn.record_count; r++) {
            for (size_t h = 0; h < turn.records[r].header_count; h++) {
                const struct bus_header *header = &turn.records[r].headers[h];
                if (strcmp(header->name, "__connect.errors.exception.class.name") == 0) {
                    (void)snprintf(reason, 64, "%.*s", (int)header->value.size_bytes,
                                   (const char *)header->value.data);
                }
            }
            count++;
        }
        ended += turn.kind == BUS_END ? (int32_t)turn.partition_count : 0;
    }
    assert_int_equal(bus_leave(member, &error), BUS_OK);
    return count;
}

static void logs_are_counted_by_severity_and_malformed_ones_are_dead_letters(void **state)
{
    struct bridge_world *world = *state;
    bridge_start(world, NULL);
    for (int i = 0; i < 30; i++) {
        bridge_produce_log(world, (enum log_severity)(i % LOG_SEVERITY_COUNT));
    }
    static const char bad[] = "{\"time_unix_ms\":1}";
    bridge_produce(world, TOPIC_LOGS_RAW, (struct bus_bytes){"k", 1}, bad, sizeof bad - 1);
    outside_wait_for_acks(world->producer);
    bridge_wait_for_value(world, "metrics_bridge_log_records_total", "", 31);
    assert_true(bridge_shown(world, "log_records_total", "") == 30);
    assert_true(bridge_shown(world, "log_records_total", "severity_text=\"ERROR\"") == 5);
    assert_true(bridge_shown(world, "metrics_bridge_log_records_total", "result=\"malformed\"") == 1);
    char reason[64] = "";
    assert_int_equal(read_dead_letters(world, reason), 1);
    assert_string_equal(reason, "missing_field");
}

/* Scrapes once; false: down, or not restored yet. */
static bool never_goes_back(struct bridge_world *world, double *seen)
{
    size_t series = 0;
    double now = exposition_sum(bridge_scrape(world), "metrics_bridge_events_total", "", &series);
    if (series > 0) {
        assert_true(now >= *seen);
        *seen = now;
    }
    return series > 0;
}

static void after_random_kills_the_counts_equal_the_records_and_never_went_back(void **state)
{
    struct bridge_world *world = *state;
    uint64_t seed = random_seed_from_system();
    struct random random;
    print_message("seed %llu\n", (unsigned long long)seed);
    random_init(&random, seed);
    uint64_t events = 0;
    double seen = 0;
    for (int round = 0; round < 8; round++) {
        bridge_start(world, NULL);
        while (round % 2 == 1 && !never_goes_back(world, &seen)) {
            /* the moments of the restore, as closely as can be */
        }
        uint64_t chunks = 1 + random_below(&random, 12);
        for (uint64_t chunk = 0; chunk < chunks; chunk++) {
            uint64_t count = 1 + random_below(&random, 2000);
            bridge_produce_events(world, events, count);
            events += count;
            process_sleep_ms((int)random_below(&random, 60));
            (void)never_goes_back(world, &seen);
        }
        process_kill(world->bridge);
    }
    bridge_produce_log(world, LOG_SEVERITY_INFO);
    outside_wait_for_acks(world->producer);
    bridge_start(world, NULL);
    bridge_wait_until_all_is_counted(world);
    assert_true(seen > 0);
    assert_true(bridge_shown(world, "metrics_bridge_events_total", "result=\"malformed\"") == 0);
    assert_true(bridge_shown(world, "http_server_request_duration_seconds_count", "") == (double)events);
    bridge_wait_for_value(world, "http_server_requests_total", "", (double)events);
    process_sleep_ms(500);
    (void)bridge_scrape(world); /* and it stays so: nothing is counted twice later */
    assert_true(bridge_shown(world, "metrics_bridge_events_total", "") == (double)events);
    assert_int_equal(process_stop(world->bridge), 0);
}

static void sigterm_commits_and_a_restart_shows_the_same(void **state)
{
    struct bridge_world *world = *state;
    static const char *const lazy[] = {"--commit-interval=10s", NULL};
    bridge_start(world, lazy);
    bridge_wait_until_ready(world);
    bridge_produce_events(world, 0, 1000);
    process_sleep_ms(500);
    int64_t begun = clock_steady_ms(clock_system());
    assert_int_equal(process_stop(world->bridge), 0);
    assert_in_range(clock_steady_ms(clock_system()) - begun, 0, 10000);
    struct bus_lag rows[64];
    size_t count = 0;
    struct error error;
    static const char *const groups[] = {"metrics-bridge"};
    static const char *const topics[] = {TOPIC_METRICS_RAW};
    assert_int_equal(bus_read_lag(world->bus, groups, 1, topics, 1, rows, 64, &count, &error), BUS_OK);
    assert_int_equal(count, 12);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rows[i].lag, 0);
    }
    bridge_start(world, NULL);
    bridge_wait_until_all_is_counted(world);
    assert_true(bridge_shown(world, "http_server_request_duration_seconds_count", "") == 1000);
}

/* Commits what the topic has as that group would, and is never seen again. */
static void consume_a_little(struct bridge_world *world, const char *group, const char *topic,
                             int32_t partitions)
{
    const char *const topics[] = {topic, NULL};
    const struct bus_member_settings settings = {.group = group, .topics = topics};
    struct bus_member *member = NULL;
    struct error error;
    assert_int_equal(bus_join(world->bus, &settings, &member, &error), BUS_OK);
    int32_t ended = 0;
    for (int i = 0; i < 1000 && ended < partitions; i++) {
        struct bus_turn turn;
        assert_int_equal(bus_poll(member, 1000, &turn, &error), BUS_OK);
        for (size_t p = 0; p < turn.partition_count; p++) {
            const struct bus_partition *partition = &turn.partitions[p];
            if (turn.kind == BUS_RESTORED) {
                assert_int_equal(
                    bus_start(member, partition->topic, partition->partition, BUS_FROM_COMMITTED, &error),
                    BUS_OK);
            } else if (turn.kind == BUS_END) {
                assert_int_equal(bus_advance(member, partition->topic, partition->partition,
                                             partition->position, NULL, &error),
                                 BUS_OK);
                ended++;
            }
        }
    }
    assert_int_equal(bus_commit(member, &error), BUS_OK);
    assert_int_equal(bus_leave(member, &error), BUS_OK);
}

static void the_lag_of_a_dead_consumer_is_there(void **state)
{
    struct bridge_world *world = *state;
    bridge_produce_events(world, 0, 240);
    consume_a_little(world, "stream-processor", TOPIC_METRICS_RAW, 12);
    bridge_start(world, NULL);
    bridge_wait_until_all_is_counted(world);
    bridge_wait_for_value(world, "kafka_consumergroup_lag", "consumergroup=\"metrics-bridge\"", 0);
    assert_true(bridge_shown(world, "kafka_consumergroup_lag", "consumergroup=\"stream-processor\"") == 0);
    bridge_produce_events(world, 240, 1200);
    bridge_wait_for_value(world, "kafka_consumergroup_lag", "consumergroup=\"stream-processor\"", 1200);
    size_t count = 0;
    (void)exposition_sum(buffer_text(&world->page), "kafka_consumergroup_lag",
                         "consumergroup=\"stream-processor\",topic=\"metrics.raw\"", &count);
    assert_int_equal(count, 12);
    process_sleep_ms(300);
    (void)bridge_scrape(world);
    assert_true(bridge_shown(world, "kafka_consumergroup_lag_seconds", "consumergroup=\"stream-processor\"") >
                0.2);
    assert_true(bridge_shown(world, "kafka_consumergroup_last_commit_timestamp_seconds",
                             "consumergroup=\"stream-processor\"") > 1.7e9 * 12);
    (void)exposition_sum(buffer_text(&world->page), "kafka_consumergroup_lag", "alert-forwarder", &count);
    assert_int_equal(count, 0); /* it never was here */
    consume_a_little(world, "alert-forwarder", TOPIC_ALERTS_FIRED, 3);
    for (int i = 0; i < 5; i++) {
        char key[2] = {(char)('a' + i), '\0'};
        bridge_produce(world, TOPIC_ALERTS_FIRED, (struct bus_bytes){key, 1}, "{}", 2);
    }
    outside_wait_for_acks(world->producer);
    bridge_wait_for_value(world, "kafka_consumergroup_lag",
                          "consumergroup=\"alert-forwarder\",topic=\"alerts.fired\"", 5);
}

static void label_sets_past_the_limit_are_overflow(void **state)
{
    struct bridge_world *world = *state;
    static const char *const few[] = {"--max-series=20", NULL};
    bridge_start(world, few);
    bridge_produce_events(world, 0, 2400);
    bridge_wait_until_all_is_counted(world);
    assert_true(bridge_shown(world, "http_server_request_duration_seconds_count", "") == 2400);
    assert_true(
        bridge_shown(world, "http_server_request_duration_seconds_count", "http_route=\"_overflow\"") > 0);
    assert_true(bridge_shown(world, "metrics_bridge_overflow_label_sets", "") > 0);
    assert_true(file_count_lines(world->log_path, "more label sets than --max-series") >= 1);
}

static void wrong_starts_are_refused_with_the_right_code(void **state)
{
    struct bridge_world *world = *state;
    bridge_start(world, NULL);
    bridge_wait_until_ready(world);
    struct process *first = world->bridge;
    world->bridge = NULL;
    bridge_start(world, NULL);
    assert_int_equal(process_wait(world->bridge, PATIENCE_MS), 1);
    char part[64];
    (void)snprintf(part, sizeof part, "port %u on 127.0.0.1 is taken", (unsigned)world->port);
    assert_int_equal(file_count_lines(world->log_path, part), 1);
    const struct {
        const char *argument, *part;
    } cases[] = {{"--max-series=0", "--max-series: '0' is not allowed"},
                 {"--bus-url=http://x", "http://x"},
                 {"--zero-first=-1s", "--zero-first: '-1s' is not allowed"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const extra[] = {cases[i].argument, NULL};
        bridge_start(world, extra);
        assert_int_equal(process_wait(world->bridge, PATIENCE_MS), 2);
        assert_true(file_count_lines(world->log_path, cases[i].part) >= 1);
    }
    assert_int_equal(process_stop(first), 0);
    process_free(first);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, bridge_world_begin, bridge_world_end)

/* test_metrics_bridge: on an embedded bus of each test's own; test_metrics_bridge kafka: on a broker. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(counts_equal_what_was_produced),
        CASE(the_five_classes_of_a_newcomer_are_seen_at_zero_before_they_count),
        CASE(malformed_events_are_counted_and_stop_nothing),
        CASE(logs_are_counted_by_severity_and_malformed_ones_are_dead_letters),
        CASE(after_random_kills_the_counts_equal_the_records_and_never_went_back),
        CASE(sigterm_commits_and_a_restart_shows_the_same),
        CASE(the_lag_of_a_dead_consumer_is_there),
        CASE(label_sets_past_the_limit_are_overflow),
        CASE(wrong_starts_are_refused_with_the_right_code),
    };
    const struct CMUnitTest on_kafka[] = {
        CASE(the_lag_of_a_dead_consumer_is_there),
    };
    if (argc < 2 || strcmp(argv[1], "kafka") != 0) {
        return cmocka_run_group_tests(tests, NULL, NULL);
    }
    struct kafka_broker broker;
    int code = kafka_broker_require(&broker);
    if (code == 0) {
        bridge_kafka_url = broker.url;
        code = cmocka_run_group_tests_name("metrics-bridge on Kafka", on_kafka, NULL, NULL);
        kafka_broker_stop(&broker, false);
    }
    return code;
}
