/* What the bridge promises about its totals, under a load that doesn't stop: killed again and again, and with
 * two replicas taking turns while a real Prometheus scrapes both.
 *
 *   test_bridge_kills [KILLS]          50 of them on the embedded bus
 *   test_bridge_kills kafka [KILLS]    6, each after seconds: a broker takes its time with a group */
#include "bridge_world.h"

#include "random/random.h"
#include "support/kafka.h"
#include "support/net.h"
#include "support/outside.h"
#include "support/process.h"
#include "support/prometheus.h"
#include "topics/topics.h"

#include "cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int kills;
static uint64_t longest_ms = 900; /* between start and kill */

/* --- load ---- */

static struct process *start_load(const struct bridge_world *world, const char *rps, const char *seconds)
{
    char log_path[TEST_PATH_BYTES];
    char listen[64];
    path_join(log_path, world->directory, "simulator.log");
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)net_free_port());
    const char *argv[] = {process_program("workload-simulator"),
                          "--bus-url",
                          world->url,
                          "--listen",
                          listen,
                          "--target-rps",
                          rps,
                          "--duration",
                          seconds,
                          NULL};
    const struct process_options options = {.log_path = log_path};
    return process_start(argv, &options);
}

/* How many records the topic has, from the bus's side. */
static uint64_t records_on(struct bridge_world *world, const char *topic)
{
    static const char *const groups[] = {"metrics-bridge"};
    const char *const topics[] = {topic};
    struct bus_lag rows[64];
    size_t count = 0;
    struct error error;
    uint64_t records = 0;
    assert_int_equal(bus_read_lag(world->bus, groups, 1, topics, 1, rows, 64, &count, &error), BUS_OK);
    for (size_t i = 0; i < count; i++) {
        records += (uint64_t)rows[i].end;
    }
    return records;
}

/* Scrapes once; false: down, or not restored yet. */
static bool never_goes_back(struct bridge_world *world, double *seen)
{
    (void)bridge_scrape(world);
    double now = bridge_shown(world, "metrics_bridge_events_total", "");
    if (now > 0) {
        if (now < *seen) {
            fail_msg("the total went back from %.0f to %.0f", *seen, now);
        }
        *seen = now;
    }
    return now > 0;
}

static void after_kills_under_load_the_totals_are_the_records(void **state)
{
    struct bridge_world *world = *state;
    struct random random;
    uint64_t seed = random_seed_from_system();
    print_message("seed %llu, %d kills\n", (unsigned long long)seed, kills);
    random_init(&random, seed);
    struct process *load = start_load(world, "4000", "0");
    double seen = 0;
    int shown = 0;
    for (int kill = 0; kill < kills; kill++) {
        bridge_start(world, NULL);
        int pause_ms = (int)random_below(&random, longest_ms);
        for (int waited = 0; waited < pause_ms; waited += 50) {
            process_sleep_ms(pause_ms - waited < 50 ? pause_ms - waited : 50);
            shown += never_goes_back(world, &seen);
        }
        assert_true(process_is_running(world->bridge));
        process_kill(world->bridge);
    }
    assert_int_equal(process_stop(load), 0);
    process_free(load);
    bridge_start(world, NULL);
    uint64_t events = records_on(world, TOPIC_METRICS_RAW);
    uint64_t logs = records_on(world, TOPIC_LOGS_RAW);
    bridge_wait_for_value(world, "metrics_bridge_events_total", "", (double)events);
    bridge_wait_for_value(world, "metrics_bridge_log_records_total", "", (double)logs);
    assert_true(bridge_shown(world, "metrics_bridge_events_total", "result=\"malformed\"") == 0);
    double requests = bridge_shown(world, "http_server_request_duration_seconds_count", "");
    bridge_wait_for_value(world, "http_server_requests_total", "", requests);
    assert_true(bridge_shown(world, "log_records_total", "") == (double)logs);
    process_sleep_ms(500);
    (void)bridge_scrape(world); /* and it stays so */
    assert_true(bridge_shown(world, "metrics_bridge_events_total", "") == (double)events);
    print_message("%llu events, %llu log records, %d scrapes between kills\n", (unsigned long long)events,
                  (unsigned long long)logs, shown);
    assert_true(shown > 0); /* else nothing was looked at */
    assert_int_equal(process_stop(world->bridge), 0);
}

/* --- two replicas ---- */

struct replica {
    struct process *process;
    uint16_t port;
    const char *name;
};

static void start_replica(struct bridge_world *world, struct replica *replica)
{
    char listen[64];
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)replica->port);
    const char *argv[] = {
        process_program("metrics-bridge"), "--bus-url",       world->url,    "--listen",    listen,
        "--commit-interval=200ms",         "--zero-first=2s", "--member-id", replica->name, NULL};
    const struct process_options options = {.log_path = world->log_path};
    process_free(replica->process);
    replica->process = process_start(argv, &options);
}

/* What is counted from the stream is one series whichever replica shows it (docs/metrics.md). */
static struct process *scrape_replicas(const struct bridge_world *world, const struct replica replicas[2],
                                       char base[PROMETHEUS_BASE_BYTES])
{
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "global: {scrape_interval: 250ms, scrape_timeout: 250ms}\n"
                   "scrape_configs:\n"
                   "  - job_name: metrics-bridge\n"
                   "    params: {histograms: [classic]}\n"
                   "    metric_relabel_configs:\n"
                   "      - {source_labels: [__name__], regex: 'http_server_.*|log_records_total',\n"
                   "         target_label: instance, replacement: ''}\n"
                   "    static_configs: [{targets: ['127.0.0.1:%u', '127.0.0.1:%u']}]\n",
                   (unsigned)replicas[0].port, (unsigned)replicas[1].port);
    return prometheus_start(world->directory, text, NULL, base);
}

static void take_turns(struct bridge_world *world, struct replica replicas[2])
{
    for (int turn = 0; turn < 3; turn++) {
        struct replica *leaves = &replicas[turn % 2];
        struct replica *comes = &replicas[1 - turn % 2];
        process_sleep_ms(1500);
        start_replica(world, comes);
        process_sleep_ms(3000); /* they share the partitions */
        if (turn == 1) {
            process_kill(leaves->process); /* its leases run out first */
            process_sleep_ms(6000);
        } else {
            assert_int_equal(process_stop(leaves->process), 0);
        }
    }
}

static void replicas_that_take_turns_add_up_to_the_truth(void **state)
{
    struct bridge_world *world = *state;
    char base[PROMETHEUS_BASE_BYTES];
    process_require_command("prometheus");
    struct replica replicas[2] = {{NULL, net_free_port(), "replica-a"}, {NULL, net_free_port(), "replica-b"}};
    struct process *prometheus = scrape_replicas(world, replicas, base);
    start_replica(world, &replicas[0]);
    prometheus_wait_for(base, "sum(up)", 1); /* it takes its time; what it didn't see from 0 it can't count */
    struct process *load = start_load(world, "500", "0");
    take_turns(world, replicas);
    process_sleep_ms(1500);
    assert_int_equal(process_stop(load), 0);
    process_free(load);

    /* The last replica has everything and shows what was counted in all; Prometheus has seen it. */
    world->bridge = replicas[1].process;
    world->port = replicas[1].port;
    bridge_wait_for_value(world, "metrics_bridge_events_total", "",
                          (double)records_on(world, TOPIC_METRICS_RAW));
    double truth = bridge_shown(world, "http_server_request_duration_seconds_count", "");
    bridge_wait_for_value(world, "http_server_requests_total", "", truth);
    prometheus_wait_for(base, "sum(http_server_requests_total)", truth);
    double increase = prometheus_value(base, "sum(increase(http_server_requests_total[5m]))");
    print_message("increase %.1f, truth %.0f: %+.2f %%; a counter that fell: %g\n", increase, truth,
                  100 * (increase / truth - 1),
                  prometheus_value(base, "sum(resets(http_server_requests_total[5m]))"));
    assert_true(prometheus_value(base, "sum(resets(http_server_requests_total[5m]))") == 0);
    assert_true(fabs(increase / truth - 1) < 0.01);
    process_free(prometheus);
    process_free(replicas[0].process);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, bridge_world_begin, bridge_world_end)

static int run_on_kafka(void)
{
    const struct CMUnitTest tests[] = {
        CASE(replicas_that_take_turns_add_up_to_the_truth), /* first: it counts from zero */
        CASE(after_kills_under_load_the_totals_are_the_records),
    };
    struct kafka_broker broker;
    int code = kafka_broker_require(&broker);
    if (code == 0) {
        bridge_kafka_url = broker.url;
        code = cmocka_run_group_tests_name("the bridge's kills on Kafka", tests, NULL, NULL);
        kafka_broker_stop(&broker, false);
    }
    return code;
}

int main(int argc, char **argv)
{
    bool on_kafka = argc > 1 && strcmp(argv[1], "kafka") == 0;
    const char *count = argc > 1 + on_kafka ? argv[1 + on_kafka] : on_kafka ? "6" : "50";
    kills = atoi(count);
    if (on_kafka) {
        longest_ms = 8000;
        return run_on_kafka();
    }
    const struct CMUnitTest tests[] = {
        CASE(after_kills_under_load_the_totals_are_the_records),
        CASE(replicas_that_take_turns_add_up_to_the_truth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
