/* The real processor on a real bus, looked at from outside: transitions, dead letters, and what a kill leaves
 * behind. test_stream_processor          on the embedded bus test_stream_processor kafka    on a broker of
 * its own */
#include "buffer/buffer.h"
#include "bus/bus.h"
#include "clock/clock.h"
#include "event/encode.h"
#include "event/reason.h"
#include "random/random.h"
#include "support/exposition.h"
#include "support/files.h"
#include "support/kafka.h"
#include "support/net.h"
#include "support/outside.h"
#include "support/process.h"
#include "support/record_set.h"
#include "support/topic_reader.h"
#include "topics/topics.h"

#include "cmocka_all.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 60000

static const char *kafka_url; /* NULL: each test has an embedded bus of its own */
/* Of the events of all tests before: on one broker they share partitions, whose clocks don't go back. */
static int64_t newest_ms;

struct world {
    char directory[TEST_PATH_BYTES], log_path[TEST_PATH_BYTES], url[TEST_PATH_BYTES + 64];
    struct bus *bus;
    struct bus_producer *producer;
    struct process *processor;
    char rules[TEST_PATH_BYTES]; /* the rule file */
    const char *idle_after;      /* a flag */
    const char
        *ticks; /* off: the events' time passes faster than the wall clock, which must not get into it */
    uint16_t port;
    struct random random;
    int64_t now_ms;    /* event time of the next event */
    uint64_t produced; /* records on metrics.raw, of this test */
    uint64_t produced_before;
    struct buffer page;
};

/* --- the world ---- */

static int begin(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct error error;
    error_clear(&error);
    temp_directory_create(world->directory, "processor");
    path_join(world->log_path, world->directory, "processor.log");
    (void)snprintf(world->rules, sizeof world->rules, "%s", OBS_SOURCE_DIR "/config/anomaly-rules.yaml");
    world->idle_after = "--idle-after=15s";
    world->ticks = "--ticks=off";
    if (kafka_url != NULL) {
        (void)snprintf(world->url, sizeof world->url, "%s", kafka_url);
    } else {
        (void)snprintf(world->url, sizeof world->url, "embedded:%s/bus?durability=process", world->directory);
    }
    outside_open(world->url, &world->bus, &world->producer);
    for (int32_t p = 0; p < topics_find(TOPIC_METRICS_RAW)->partitions; p++) {
        int64_t first = 0;
        int64_t last = 0;
        if (bus_read_offsets(world->bus, TOPIC_METRICS_RAW, p, &first, &last, &error) == BUS_OK) {
            world->produced_before += (uint64_t)last;
        }
    }
    buffer_init(&world->page, 0);
    random_init(&world->random, 42);
    world->now_ms = clock_wall_ms(clock_system()) - 1800 * 1000;
    if (kafka_url != NULL && world->now_ms <= newest_ms) {
        world->now_ms = newest_ms + 1000;
    }
    world->port = net_free_port();
    *state = world;
    return 0;
}

static int end(void **state)
{
    struct world *world = *state;
    newest_ms = world->now_ms > newest_ms ? world->now_ms : newest_ms;
    process_free(world->processor);
    outside_close(world->bus, world->producer);
    buffer_free(&world->page);
    temp_directory_remove(world->directory);
    free(world);
    return 0;
}

static void start_processor(struct world *world)
{
    char listen[64];
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)world->port);
    const char *const argv[] = {process_program("stream-processor"),
                                "--bus-url",
                                world->url,
                                "--listen",
                                listen,
                                "--member-id=test",
                                "--rules",
                                world->rules,
                                world->idle_after,
                                world->ticks,
                                "--commit-interval=100ms",
                                "--log-format=text",
                                NULL};
    const struct process_options options = {.log_path = world->log_path};
    process_free(world->processor);
    world->processor = process_start(argv, &options);
}

static const char *get(struct world *world, const char *path)
{
    char url[128];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", (unsigned)world->port, path);
    buffer_clear(&world->page);
    return net_get(url, &world->page) == 200 ? buffer_text(&world->page) : "";
}

/* --- records ---- */

static void produce(struct world *world, struct bus_bytes key, int32_t partition, const void *data,
                    size_t size)
{
    const struct bus_record record = {
        .topic = TOPIC_METRICS_RAW, .partition = partition, .key = key, .value = {data, size}};
    outside_put(world->producer, &record);
    world->produced++;
}

static struct event_text text(const char *value)
{
    return (struct event_text){value, strlen(value)};
}

static void produce_event(struct world *world, const char *service, int64_t time_ms, int status,
                          double duration_s, uint32_t count)
{
    char id[48];
    char key[EVENT_KEY_BYTES];
    char storage[1024];
    struct buffer value;
    (void)snprintf(id, sizeof id, "%s-%llu", service,
                   (unsigned long long)(world->produced_before + world->produced));
    const struct event event = {.id = text(id),
                                .time_unix_ms = time_ms,
                                .service = text(service),
                                .region = text("us-east-1"),
                                .route = text("/orders/{id}"),
                                .status_code = status,
                                .duration_s = duration_s,
                                .count = count,
                                .cpu_utilization = NAN,
                                .memory_utilization = NAN};
    buffer_init_fixed(&value, storage, sizeof storage);
    event_encode(&value, &event);
    assert_false(value.failed);
    produce(world, (struct bus_bytes){key, event_key(key, &event)}, BUS_PARTITION_BY_KEY, value.data,
            value.size);
}

/* One second of one service: 100 requests, that share of them failing. Event time, so as fast as it can. */
static void produce_second(struct world *world, const char *service, double error_share)
{
    for (int i = 0; i < 100; i++) {
        int status = random_unit(&world->random) < error_share ? 503 : 200;
        produce_event(world, service, world->now_ms + i * 10, status,
                      0.04 * exp(0.5 * random_normal(&world->random)), 1);
    }
    world->now_ms += 1000;
}

static void produce_seconds(struct world *world, const char *service, double error_share, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        produce_second(world, service, error_share);
    }
    outside_wait_for_acks(world->producer);
}

struct expected_count {
    struct world *world;
    const char *result; /* "": all */
    double count;
};

static bool is_counted(void *context)
{
    struct expected_count *expected = context;
    return exposition_sum(get(expected->world, "/metrics"), "stream_processor_events_total", expected->result,
                          NULL) == expected->count;
}

/* Soon: the processor counts when it is told that its commit holds, which others may see before it. */
static void expect_counted(struct world *world, const char *result, double count)
{
    struct expected_count expected = {world, result, count};
    if (!process_wait_until(is_counted, &expected, PATIENCE_MS)) {
        fail_msg("not %.0f records are counted as '%s':\n%s", count, result, get(world, "/metrics"));
    }
}

static int64_t committed(struct world *world)
{
    static const char *const groups[] = {"stream-processor"};
    static const char *const topics[] = {TOPIC_METRICS_RAW};
    struct bus_lag rows[16];
    size_t count = 0;
    int64_t lag = 0;
    struct error error;
    if (bus_read_lag(world->bus, groups, 1, topics, 1, rows, 16, &count, &error) != BUS_OK) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        lag += rows[i].lag;
    }
    return lag;
}

static bool has_no_lag(void *context)
{
    return committed(context) == 0;
}

static void wait_until_all_is_committed(struct world *world)
{
    if (!process_wait_until(has_no_lag, world, PATIENCE_MS)) {
        fail_msg("the processor is still %lld records behind", (long long)committed(world));
    }
}

/* The transitions of a service, in order: "firing 1", "resolved 2", … */
struct transitions {
    const char *service;
    char list[1024];
};

static void take_transition(void *context, const struct bus_record *record)
{
    struct transitions *transitions = context;
    char value[4096];
    size_t size = record->value.size_bytes < sizeof value - 1 ? record->value.size_bytes : sizeof value - 1;
    memcpy(value, record->value.data, size);
    value[size] = '\0';
    if (strstr(value, transitions->service) == NULL) {
        return;
    }
    const char *sequence = strstr(value, "\"sequence\":");
    assert_non_null(sequence);
    size_t used = strlen(transitions->list);
    (void)snprintf(transitions->list + used, sizeof transitions->list - used, "%s %d;",
                   strstr(value, "\"state\":\"firing\"") != NULL ? "firing" : "resolved",
                   atoi(sequence + 11));
}

static void expect_transitions(struct world *world, const char *service, const char *expected)
{
    struct transitions transitions = {.service = service};
    (void)topic_read(world->url, TOPIC_ALERTS_FIRED, take_transition, &transitions);
    assert_string_equal(transitions.list, expected);
}

/* Published, which is a moment after the pages show it. */
static bool has_fired(void *context)
{
    struct world *world = context;
    struct transitions transitions = {.service = "hushed-service"};
    (void)topic_read(world->url, TOPIC_ALERTS_FIRED, take_transition, &transitions);
    return strcmp(transitions.list, "firing 1;") == 0;
}

/* Everything that was ever published is what the log gives, decided again by the rules of then. */
static void expect_verified(struct world *world)
{
    struct buffer output;
    buffer_init(&output, 0);
    const char *const argv[] = {
        process_program("stream-processor"), "--verify", "--bus-url", world->url, world->idle_after, NULL};
    int code = process_run(argv, PATIENCE_MS, &output);
    if (code != 0) {
        fail_msg("--verify says %d:\n%s", code, buffer_text(&output));
    }
    assert_non_null(strstr(buffer_text(&output), "alerts.fired is what the log gives"));
    assert_null(strstr(buffer_text(&output), "       0 equal"));
    buffer_free(&output);
}

/* --- tests ---- */

static void a_burst_of_errors_fires_once_and_resolves_once(void **state)
{
    struct world *world = *state;
    start_processor(world);
    produce_seconds(world, "burst-service", 0.005, 60);
    produce_seconds(world, "burst-service", 0.3, 60);
    wait_until_all_is_committed(world);
    expect_transitions(world, "burst-service", "firing 1;");
    assert_non_null(strstr(get(world, "/alerts"), "burst-service"));
    assert_non_null(strstr(get(world, "/series"), "\"p99\":0."));
    produce_seconds(world, "burst-service", 0.005, 120);
    wait_until_all_is_committed(world);
    expect_transitions(world, "burst-service", "firing 1;resolved 2;");
    expect_verified(world);
    assert_null(strstr(get(world, "/alerts"), "burst-service"));
    expect_counted(world, "", (double)world->produced);
    assert_int_equal(process_stop(world->processor), 0);
}

static void a_kill_in_the_middle_of_an_incident_loses_and_repeats_nothing(void **state)
{
    struct world *world = *state;
    start_processor(world);
    produce_seconds(world, "killed-service", 0.005, 60);
    wait_until_all_is_committed(world);
    for (int i = 0; i < 5; i++) { /* into the burst, killed at a random moment, again and again */
        produce_seconds(world, "killed-service", 0.3, 10);
        process_sleep_ms((int)random_below(&world->random, 300));
        process_kill(world->processor);
        start_processor(world);
    }
    wait_until_all_is_committed(world);
    expect_transitions(world, "killed-service", "firing 1;");
    process_kill(world->processor);
    start_processor(world);
    produce_seconds(world, "killed-service", 0.005, 120);
    wait_until_all_is_committed(world);
    expect_transitions(world, "killed-service", "firing 1;resolved 2;");
    const char *page = get(world, "/metrics");
    assert_true(
        exposition_sum(page, "stream_processor_windows_restored_total", "from=\"checkpoint\"", NULL) >= 1);
    assert_true(exposition_sum(page, "stream_processor_windows_restored_total", "from=\"log\"", NULL) == 0);
    expect_verified(world);
}

/* A service whose records go to the same partition: it moves that partition's clock on. */
static void name_neighbour(const char *service, char *name, size_t room)
{
    char key[64];
    int size = snprintf(key, sizeof key, "%s|us-east-1", service);
    int32_t partition = bus_partition_for_key(key, (size_t)size, 12);
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(name, room, "neighbour-%d", i);
        size = snprintf(key, sizeof key, "%s|us-east-1", name);
        if (bus_partition_for_key(key, (size_t)size, 12) == partition) {
            return;
        }
    }
    fail_msg("no neighbour found");
}

/* So many seconds of both, or of the neighbour alone; one sampled record a second stands for many. */
static void produce_pair(struct world *world, const char *service, const char *neighbour, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        if (service != NULL) {
            produce_event(world, service, world->now_ms, 200, 0.04, 20);
        }
        produce_event(world, neighbour, world->now_ms + 500, 200, 0.04, 5);
        world->now_ms += 1000;
    }
    outside_wait_for_acks(world->producer);
}

static void a_service_that_falls_silent_is_lost_traffic_once_until_it_goes_on(void **state)
{
    struct world *world = *state;
    char neighbour[64];
    name_neighbour("silent-service", neighbour, sizeof neighbour);
    world->now_ms = clock_wall_ms(clock_system()) - 3 * 3600 * INT64_C(1000);
    start_processor(world);
    produce_pair(world, "silent-service", neighbour, 3700); /* an hour is the least history */
    produce_pair(world, NULL, neighbour, 20);
    wait_until_all_is_committed(world);
    expect_transitions(world, "silent-service", "");
    process_kill(world->processor);
    start_processor(world);
    produce_pair(world, NULL, neighbour, 20); /* 10 s of silence and 3 steps, seen 15 s later */
    wait_until_all_is_committed(world);
    expect_transitions(world, "silent-service", "firing 1;");
    assert_non_null(strstr(get(world, "/alerts"), "TrafficLost"));
    produce_pair(world, NULL, neighbour, 1200); /* and no more, however long it lasts */
    process_kill(world->processor);
    start_processor(world);
    wait_until_all_is_committed(world);
    expect_transitions(world, "silent-service", "firing 1;");
    produce_pair(world, "silent-service", neighbour, 180);
    wait_until_all_is_committed(world);
    expect_transitions(world, "silent-service", "firing 1;resolved 2;");
    expect_transitions(world, neighbour, "");
    expect_verified(world);
    assert_int_equal(process_stop(world->processor), 0);
}

static bool has_an_alert(void *context)
{
    return strstr(get(context, "/alerts"), "TrafficLost") != NULL;
}

/* Nothing comes on the partition any more: only ticks pass its time. */
static void a_platform_that_falls_silent_as_a_whole_is_noticed_by_ticks(void **state)
{
    struct world *world = *state;
    if (kafka_url != NULL) {
        skip(); /* the other tests' events are newer than this one's history */
    }
    world->now_ms = clock_wall_ms(clock_system()) - 3700 * INT64_C(1000);
    world->ticks = "--ticks=on";
    start_processor(world);
    produce_pair(world, NULL, "hushed-service", 3700);
    int64_t since_ms = clock_steady_ms(clock_system());
    wait_until_all_is_committed(world);
    expect_transitions(world, "hushed-service", "");
    assert_true(process_wait_until(has_fired, world, PATIENCE_MS));
    print_message("an alert %.1f s after the last event\n",
                  (double)(clock_steady_ms(clock_system()) - since_ms) / 1000);
    expect_transitions(world, "hushed-service", "firing 1;");
    process_kill(world->processor);
    start_processor(world);
    assert_true(process_wait_until(has_an_alert, world, PATIENCE_MS));
    expect_transitions(world, "hushed-service", "firing 1;");
    assert_int_equal(process_stop(world->processor), 0);
    expect_verified(world);
}

/* What lies on the dead-letter topic, by reason. */
struct letters {
    size_t count, by_reason[EVENT_REASON_COUNT];
    bool whole; /* the original bytes are there */
};

static void take_letter(void *context, const struct bus_record *record)
{
    struct letters *letters = context;
    letters->count++;
    for (size_t h = 0; h < record->header_count; h++) {
        const struct bus_header *header = &record->headers[h];
        for (int r = EVENT_OK + 1;
             strcmp(header->name, "__connect.errors.exception.class.name") == 0 && r < EVENT_REASON_COUNT;
             r++) {
            const char *name = event_reason_name((enum event_reason)r);
            letters->by_reason[r] += header->value.size_bytes == strlen(name) &&
                                     memcmp(header->value.data, name, strlen(name)) == 0;
        }
    }
}

static void garbage_becomes_dead_letters_and_stops_nothing(void **state)
{
    struct world *world = *state;
    struct record_set set;
    struct letters before = {0};
    struct letters after = {0};
    size_t expected[EVENT_REASON_COUNT] = {0};
    size_t bad = 0;
    (void)topic_read(world->url, TOPIC_METRICS_RAW_DLQ, take_letter, &before);
    record_set_load(&set, OBS_SOURCE_DIR "/tests/data/records/metrics.raw.jsonl");
    start_processor(world);
    produce_seconds(world, "garbage-service", 0.005, 5);
    uint64_t good = world->produced;
    for (size_t i = 0; i < set.count; i++) {
        for (int r = EVENT_OK + 1; r < EVENT_REASON_COUNT; r++) {
            if (strcmp(set.cases[i].reason, event_reason_name((enum event_reason)r)) == 0) {
                produce(world, (struct bus_bytes){"k", 1}, BUS_PARTITION_BY_KEY, set.cases[i].data,
                        set.cases[i].size);
                expected[r]++;
                bad++;
            }
        }
    }
    static char huge[1000000];
    memset(huge, 'x', sizeof huge);
    produce(world, (struct bus_bytes){"huge", 4}, BUS_PARTITION_BY_KEY, huge, sizeof huge);
    expected[EVENT_TOO_LARGE]++;
    for (int i = 0; i < 200; i++) { /* random bytes: never JSON that starts with a letter */
        char noise[300];
        for (size_t b = 0; b < sizeof noise; b++) {
            noise[b] = (char)random_next(&world->random);
        }
        noise[0] = 'x';
        produce(world, (struct bus_bytes){NULL, 0}, BUS_PARTITION_BY_KEY, noise,
                1 + random_below(&world->random, 299));
        expected[EVENT_INVALID_JSON]++;
    }
    bad += 201;
    produce_seconds(world, "garbage-service", 0.005, 5);
    good += 500;
    wait_until_all_is_committed(world);
    (void)topic_read(world->url, TOPIC_METRICS_RAW_DLQ, take_letter, &after);
    assert_int_equal(after.count - before.count, bad);
    for (int r = EVENT_OK + 1; r < EVENT_REASON_COUNT; r++) {
        print_message("%s: %zu\n", event_reason_name((enum event_reason)r),
                      after.by_reason[r] - before.by_reason[r]);
        assert_int_equal(after.by_reason[r] - before.by_reason[r], expected[r]);
    }
    expect_counted(world, "counted", (double)good);
    expect_counted(world, "malformed", (double)bad);
    record_set_free(&set);
}

static void a_record_on_a_wrong_partition_or_from_the_future_is_a_dead_letter(void **state)
{
    struct world *world = *state;
    struct letters before = {0};
    struct letters after = {0};
    char value[512];
    (void)topic_read(world->url, TOPIC_METRICS_RAW_DLQ, take_letter, &before);
    start_processor(world);
    static const char form[] = "{\"id\":\"w%d\",\"time_unix_ms\":%lld,\"service.name\":\"a\",\"cloud."
                               "region\":\"b\",\"http.request.method\":"
                               "\"GET\",\"http.route\":\"/"
                               "\",\"http.response.status_code\":200,\"http.server.request.duration\":0.1}";
    long long now_ms = clock_wall_ms(clock_system());
    int32_t right = bus_partition_for_key("a|b", 3, 12);
    int size = snprintf(value, sizeof value, form, 1, now_ms);
    produce(world, (struct bus_bytes){"a|b", 3}, (right + 1) % 12, value, (size_t)size);
    size = snprintf(value, sizeof value, form, 2, now_ms + 120000);
    produce(world, (struct bus_bytes){"a|b", 3}, right, value, (size_t)size);
    size = snprintf(value, sizeof value, form, 3, now_ms);
    produce(world, (struct bus_bytes){"a|b", 3}, right, value, (size_t)size);
    outside_wait_for_acks(world->producer);
    wait_until_all_is_committed(world);
    (void)topic_read(world->url, TOPIC_METRICS_RAW_DLQ, take_letter, &after);
    assert_int_equal(after.by_reason[EVENT_WRONG_PARTITION] - before.by_reason[EVENT_WRONG_PARTITION], 1);
    assert_int_equal(after.by_reason[EVENT_FUTURE_TIME] - before.by_reason[EVENT_FUTURE_TIME], 1);
    assert_int_equal(after.count - before.count, 2);
}

static const char strict_rules[] = "rules:\n"
                                   "  - name: ManyErrors\n"
                                   "    type: static\n"
                                   "    signal: error_rate\n"
                                   "    above: 0.05\n"
                                   "    window: [10s, 60s]\n"
                                   "    severity: critical\n"
                                   "    group_by: [service.name, cloud.region]\n";
static const char loose_rules[] = "rules:\n"
                                  "  - name: Failing\n"
                                  "    type: static\n"
                                  "    signal: error_rate\n"
                                  "    above: 0.6\n"
                                  "    window: [10s, 60s]\n"
                                  "    severity: warning\n"
                                  "    group_by: [service.name, cloud.region]\n";

struct reload {
    struct world *world;
    const char *result;
    double count;
};

static bool has_reloaded(void *context)
{
    struct reload *reload = context;
    return exposition_sum(get(reload->world, "/metrics"), "stream_processor_rule_reloads_total",
                          reload->result, NULL) >= reload->count;
}

static void reload_rules(struct world *world, const char *text_of_rules, const char *result, double count)
{
    struct reload reload = {world, result, count};
    file_write_text(world->rules, text_of_rules);
    process_signal(world->processor, SIGHUP);
    if (!process_wait_until(has_reloaded, &reload, PATIENCE_MS)) {
        fail_msg("no reload was counted as %s", result);
    }
}

static void new_rules_end_what_they_no_longer_watch_and_a_bad_file_changes_nothing(void **state)
{
    struct world *world = *state;
    path_join(world->rules, world->directory, "rules.yaml");
    file_write_text(world->rules, strict_rules);
    start_processor(world);
    produce_seconds(world, "reloaded-service", 0.005, 60);
    produce_seconds(world, "reloaded-service", 0.3, 30);
    wait_until_all_is_committed(world);
    expect_transitions(world, "reloaded-service", "firing 1;");
    reload_rules(world, "rules:\n  - name: Broken\n    signal: error_rat\n", "refused", 1);
    struct buffer log;
    buffer_init(&log, 0);
    file_read(world->log_path, &log);
    assert_non_null(strstr(buffer_text(&log), "rules.yaml:3"));
    buffer_free(&log);
    produce_seconds(world, "reloaded-service", 0.3, 30);
    wait_until_all_is_committed(world);
    expect_transitions(world, "reloaded-service", "firing 1;");
    reload_rules(world, loose_rules, "taken", 1);
    produce_seconds(world, "reloaded-service", 0.3, 30);
    wait_until_all_is_committed(world);
    expect_transitions(world, "reloaded-service", "firing 1;resolved 2;"); /* nobody watches it any more */
    process_kill(world->processor);
    start_processor(world);
    produce_seconds(world, "reloaded-service", 0.9, 30);
    wait_until_all_is_committed(world);
    reload_rules(world, strict_rules, "taken", 1);
    produce_seconds(world, "reloaded-service", 0.9, 30);
    wait_until_all_is_committed(world);
    expect_transitions(world, "\"Failing\"", "firing 1;resolved 2;");
    expect_transitions(world, "\"ManyErrors\"", "firing 1;resolved 2;firing 3;"); /* its numbers go on */
    expect_verified(world);
}

static void a_backtest_says_what_other_rules_would_have_fired(void **state)
{
    struct world *world = *state;
    char other[TEST_PATH_BYTES];
    path_join(other, world->directory, "other.yaml");
    file_write_text(other, loose_rules);
    start_processor(world);
    produce_seconds(world, "tested-service", 0.005, 60);
    produce_seconds(world, "tested-service", 0.3, 60);
    produce_seconds(world, "tested-service", 0.005, 120);
    wait_until_all_is_committed(world);
    struct buffer output;
    buffer_init(&output, 0);
    const char *const same[] = {process_program("stream-processor"),
                                "--backtest",
                                world->rules,
                                "--bus-url",
                                world->url,
                                "--json",
                                NULL};
    assert_int_equal(process_run(same, PATIENCE_MS, &output), 0);
    const char *incident = strstr(buffer_text(&output), "tested-service");
    assert_non_null(incident);
    for (; incident != NULL; incident = strstr(incident + 1, "tested-service")) {
        const char *in_both = strstr(incident, "\"in_both\":");
        assert_memory_equal(in_both, "\"in_both\":true", 14);
    }
    buffer_clear(&output);
    const char *const loose[] = {
        process_program("stream-processor"), "--backtest", other, "--bus-url", world->url, "--json", NULL};
    assert_int_equal(process_run(loose, PATIENCE_MS, &output), 0);
    const char *fired = strstr(buffer_text(&output), "\"fired\":[");
    assert_non_null(fired);
    assert_true(strstr(buffer_text(&output), "tested-service") > fired); /* not among what would fire */
    const char *const table[] = {
        process_program("stream-processor"), "--backtest", other, "--bus-url", world->url, NULL};
    buffer_clear(&output);
    assert_int_equal(process_run(table, PATIENCE_MS, &output), 0);
    assert_non_null(strstr(buffer_text(&output), "incidents would fire"));
    buffer_free(&output);
}

/* Nothing comes on any partition: only ticks let the two seconds of silence pass. */
static void a_silent_bus_gets_ticks_and_the_silence_is_told_once(void **state)
{
    struct world *world = *state;
    world->idle_after = "--idle-after=1s";
    world->ticks = "--ticks=on";
    path_join(world->rules, world->directory, "silence.yaml");
    file_write_text(world->rules,
                    "rules: [{name: Hushed, signal: error_rate, above: 0.5, severity: info, match: "
                    "{service.name: hushed-service}, on_no_data: {fire: 2s}}]\n");
    start_processor(world);
    produce_seconds(world, "hushed-service", 0, 5);
    if (!process_wait_until(has_fired, world, PATIENCE_MS)) {
        fail_msg("no tick has come");
    }
    process_kill(world->processor);
    start_processor(world);
    produce_seconds(world, "other-service", 0, 1);
    wait_until_all_is_committed(world);
    expect_transitions(world, "hushed-service", "firing 1;");
    assert_int_equal(process_stop(world->processor), 0);
    if (kafka_url == NULL) { /* there, other tests' records were decided with another idle-after */
        expect_verified(world);
    }
}

/* One service's clock is behind by a minute, while another producer of the same series has the right time. */
static void late_records_are_counted_by_service_and_logged_once_a_minute(void **state)
{
    struct world *world = *state;
    struct buffer log;
    start_processor(world);
    produce_seconds(world, "tardy-service", 0, 20);
    for (int i = 0; i < 50; i++) {
        produce_event(world, "tardy-service", world->now_ms - 60000 - i, 200, 0.02, 1);
    }
    produce_seconds(world, "tardy-service", 0, 1);
    wait_until_all_is_committed(world);
    const char *page = get(world, "/metrics");
    assert_true(exposition_sum(page, "stream_processor_late_events_total", "tardy-service", NULL) == 50);
    assert_true(exposition_sum(page, "stream_processor_events_total", "late", NULL) == 50);
    buffer_init(&log, 0);
    file_read(world->log_path, &log);
    const char *line = strstr(buffer_text(&log), "record too late for its series");
    assert_non_null(line);
    assert_null(strstr(line + 1, "record too late for its series"));
    buffer_free(&log);
}

struct followed {
    char path[TEST_PATH_BYTES];
    const char *text;
};

static bool has_been_streamed(void *context)
{
    struct followed *followed = context;
    struct buffer seen;
    buffer_init(&seen, 0);
    file_read(followed->path, &seen);
    bool found = strstr(buffer_text(&seen), followed->text) != NULL;
    buffer_free(&seen);
    return found;
}

static void wait_until_streamed(struct followed *followed, const char *text)
{
    followed->text = text;
    if (!process_wait_until(has_been_streamed, followed, PATIENCE_MS)) {
        fail_msg("'%s' did not come on the stream", text);
    }
}

static void a_stream_tells_series_each_second_and_transitions_once_they_are_committed(void **state)
{
    struct world *world = *state;
    struct followed followed;
    char url[128];
    process_require_command("curl");
    path_join(followed.path, world->directory, "stream.txt");
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/stream", (unsigned)world->port);
    const char *const argv[] = {"curl", "-sN", url, NULL};
    const struct process_options options = {.stdout_path = followed.path};
    start_processor(world);
    produce_seconds(world, "streamed-service", 0.005, 30);
    wait_until_all_is_committed(world);
    struct process *follower = process_start(argv, &options);
    wait_until_streamed(&followed, "retry: 3000");
    wait_until_streamed(&followed, "\"service.name\":\"streamed-service\"");
    produce_seconds(world, "streamed-service", 0.3, 30);
    wait_until_streamed(&followed, "event: transition");
    wait_until_streamed(&followed, "\"state\":\"firing\"");
    wait_until_streamed(&followed, "\"firing\":[\"HighErrorRate\"]");
    expect_transitions(world, "streamed-service", "firing 1;"); /* never earlier than on the topic */
    assert_int_equal(process_stop(world->processor), 0);        /* though somebody follows */
    assert_int_equal(process_wait(follower, PATIENCE_MS), 0);
    process_free(follower);
}

static int status_of(struct world *world, const char *path)
{
    char url[256];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", (unsigned)world->port, path);
    buffer_clear(&world->page);
    return net_get(url, &world->page);
}

static void a_transition_is_shown_with_what_it_needed_and_a_series_explained(void **state)
{
    struct world *world = *state;
    char path[128];
    char address[64];
    struct buffer output;
    start_processor(world);
    produce_seconds(world, "shown-service", 0.005, 60);
    produce_seconds(world, "shown-service", 0.3, 30);
    wait_until_all_is_committed(world);
    expect_transitions(world, "shown-service", "firing 1;");
    const char *alerts = get(world, "/alerts");
    const char *ours = strstr(alerts, "shown-service"); /* on Kafka others fire too */
    const char *fingerprint = NULL;
    for (const char *next = alerts; (next = strstr(next, "\"fingerprint\":\"")) != NULL && next < ours;
         next++) {
        fingerprint = next;
    }
    assert_non_null(fingerprint);
    (void)snprintf(path, sizeof path, "/alerts/%.16s/1", fingerprint + 15);
    assert_int_equal(status_of(world, path), 200);
    assert_non_null(strstr(buffer_text(&world->page), "\"needed\":{\"min_samples\":0,\"min_bad\":4"));
    assert_non_null(strstr(buffer_text(&world->page), "\"state\":\"firing\""));
    path[strlen(path) - 1] = '7';
    assert_int_equal(status_of(world, path), 404);
    assert_int_equal(status_of(world, "/alerts/nonsense/1"), 400);
    assert_int_equal(status_of(world, "/series/history?service.name=shown-service&cloud.region=us-east-1"),
                     200);
    assert_non_null(strstr(buffer_text(&world->page), "\"windows\":[10,60,600]"));
    assert_non_null(strstr(buffer_text(&world->page), "\"evaluations\":[\"clear\",\"clear\","));
    assert_non_null(strstr(buffer_text(&world->page), "\"evaluations\":[\"clear\",\"firing\","));
    assert_int_equal(status_of(world, "/series/history?service.name=nobody&cloud.region=us-east-1"), 404);
    assert_int_equal(status_of(world, "/series/history?service.name=shown-service"), 400);
    assert_int_equal(
        status_of(world, "/series/history?service.name=shown-service&cloud.region=us-east-1&seconds=301"),
        400);
    buffer_init(&output, 0);
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)world->port);
    const char *const explain[] = {process_program("stream-processor"),
                                   "--explain",
                                   "shown-service/us-east-1",
                                   "--address",
                                   address,
                                   NULL};
    assert_int_equal(process_run(explain, PATIENCE_MS, &output), 0);
    assert_non_null(strstr(buffer_text(&output), "HighErrorRate    FIRING"));
    const char *const unknown[] = {
        process_program("stream-processor"), "--explain", "no-service", "--address", address, NULL};
    assert_int_equal(process_run(unknown, PATIENCE_MS, &output), 1);
    buffer_free(&output);
}

static void wrong_settings_are_refused_by_name(void **state)
{
    struct world *world = *state;
    char rules[TEST_PATH_BYTES];
    path_join(rules, world->directory, "bad.yaml");
    file_write_text(rules, "rules:\n  - name: X\n    signal: error_rate\n    above: 2\n    severity: info\n");
    struct buffer output;
    buffer_init(&output, 0);
    const char *const check[] = {process_program("stream-processor"), "--check-rules", rules, NULL};
    assert_int_equal(process_run(check, PATIENCE_MS, &output), 2);
    const char *const flag[] = {process_program("stream-processor"), "--max-series=0", NULL};
    assert_int_equal(process_run(flag, PATIENCE_MS, &output), 2);
    const char *const fine[] = {process_program("stream-processor"), "--check-rules",
                                OBS_SOURCE_DIR "/config/anomaly-rules.yaml", NULL};
    assert_int_equal(process_run(fine, PATIENCE_MS, &output), 0);
    assert_non_null(strstr(buffer_text(&output), "3 rules are fine"));
    buffer_free(&output);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        /* First, because its events are older than those of the others. */
        cmocka_unit_test_setup_teardown(a_service_that_falls_silent_is_lost_traffic_once_until_it_goes_on,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_burst_of_errors_fires_once_and_resolves_once, begin, end),
        cmocka_unit_test_setup_teardown(a_kill_in_the_middle_of_an_incident_loses_and_repeats_nothing, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            new_rules_end_what_they_no_longer_watch_and_a_bad_file_changes_nothing, begin, end),
        cmocka_unit_test_setup_teardown(a_backtest_says_what_other_rules_would_have_fired, begin, end),
        cmocka_unit_test_setup_teardown(
            a_stream_tells_series_each_second_and_transitions_once_they_are_committed, begin, end),
        cmocka_unit_test_setup_teardown(a_transition_is_shown_with_what_it_needed_and_a_series_explained,
                                        begin, end),
        cmocka_unit_test_setup_teardown(garbage_becomes_dead_letters_and_stops_nothing, begin, end),
        cmocka_unit_test_setup_teardown(a_record_on_a_wrong_partition_or_from_the_future_is_a_dead_letter,
                                        begin, end),
        cmocka_unit_test_setup_teardown(late_records_are_counted_by_service_and_logged_once_a_minute, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_platform_that_falls_silent_as_a_whole_is_noticed_by_ticks, begin,
                                        end),
        cmocka_unit_test_setup_teardown(wrong_settings_are_refused_by_name, begin, end),
        cmocka_unit_test_setup_teardown(a_silent_bus_gets_ticks_and_the_silence_is_told_once, begin, end),
    };
    struct kafka_broker broker;
    if (argc > 1 && strcmp(argv[1], "kafka") == 0) {
        int code = kafka_broker_require(&broker);
        if (code != 0) {
            return code;
        }
        kafka_url = broker.url;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (kafka_url != NULL) {
        kafka_broker_stop(&broker, false);
    }
    return failed;
}
