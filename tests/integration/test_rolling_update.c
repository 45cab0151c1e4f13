/* What Kubernetes does to a Deployment with maxUnavailable 0 and maxSurge 1, replayed with the real programs
 * on a real broker while events flow: start a new pod, wait for its /readyz, SIGTERM an old one, and begin
 * with the next pod without waiting for the end of the old one. Every pod has a name of its own, as there.
 *
 * Nothing may be dropped or repeated: the bridges' totals are what the simulator was acknowledged, and
 * alerts.fired is what a detector decides that reads the log undisturbed (support/oracle). Each new pod meets
 * a fault that begins with it, so incidents are under way whenever partitions move.
 *
 *   test_rolling_update              the next pod begins as soon as one is ready
 *   test_rolling_update SECONDS      … and has been for so long (minReadySeconds) */
#include "buffer/buffer.h"
#include "bus/bus.h"
#include "clock/clock.h"
#include "support/exposition.h"
#include "support/files.h"
#include "support/http_sink.h"
#include "support/kafka.h"
#include "support/net.h"
#include "support/oracle.h"
#include "support/outside.h"
#include "support/process.h"
#include "topics/topics.h"

#include "cmocka_all.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS  60000
#define GRACE_MS     10000 /* from SIGTERM to the end, at most */
#define SETTLED_MS   4000  /* no record waits longer: the group is at work again */
#define MOST_PODS    2
#define SAMPLE_MS    100
#define RULES        OBS_SOURCE_DIR "/config/anomaly-rules.yaml"
#define RUNBOOK_BASE "http://127.0.0.1:3000/"

struct pod {
    struct process *process; /* NULL: none */
    uint16_t port;
    int64_t term_ms; /* when it was told to end */
};

struct deployment {
    const char *program, *topic; /* its group has the program's name and reads the topic */
    const char *arguments[6];    /* NULL-ended */
    unsigned replicas, starts;
    struct pod pods[MOST_PODS], surge, leaving;
    int64_t longest_wait_ms, slowest_end_ms; /* of a record until its commit; of a pod that was told to end */
};

enum { PROCESSORS, BRIDGES, FORWARDERS, DEPLOYMENTS };

struct world {
    char directory[TEST_PATH_BYTES], simulator_log[TEST_PATH_BYTES], sink_url[64];
    struct bus *bus;
    struct bus_producer *producer;
    struct http_sink *sink; /* stands in for Alertmanager */
    struct process *simulator;
    uint16_t simulator_port;
    unsigned faults;
    struct deployment deployments[DEPLOYMENTS];
};

static struct kafka_broker broker;
static int min_ready_ms;

static int64_t now_ms(void)
{
    return clock_steady_ms(clock_system());
}

/* --- how far a group is ---- */

/* The records that it hasn't committed; *wait_ms: how long the oldest of them has waited. -1: can't be told.
 */
static int64_t read_lag(struct world *world, const char *group, const char *topic, int64_t *wait_ms)
{
    struct bus_lag rows[32];
    size_t count = 0;
    struct error error;
    int64_t lag = 0;
    *wait_ms = 0;
    if (bus_read_lag(world->bus, &group, 1, &topic, 1, rows, 32, &count, &error) != BUS_OK || count == 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        lag += rows[i].lag;
        *wait_ms = rows[i].lag_ms > *wait_ms ? rows[i].lag_ms : *wait_ms;
    }
    return lag;
}

struct lag_question {
    struct world *world;
    struct deployment *deployment;
    const char *topic;
};

static bool is_settled(void *context)
{
    struct lag_question *question = context;
    struct deployment *deployment = question->deployment;
    int64_t wait_ms = 0;
    process_sleep_ms(SAMPLE_MS);
    int64_t lag = read_lag(question->world, deployment->program, question->topic, &wait_ms);
    if (lag >= 0 && wait_ms > deployment->longest_wait_ms) {
        deployment->longest_wait_ms = wait_ms;
    }
    return lag >= 0 && wait_ms < SETTLED_MS;
}

static bool has_no_lag(void *context)
{
    struct lag_question *question = context;
    int64_t wait_ms = 0;
    process_sleep_ms(SAMPLE_MS);
    return read_lag(question->world, question->deployment->program, question->topic, &wait_ms) == 0;
}

static void wait_for_lag(struct world *world, struct deployment *deployment, const char *topic,
                         bool (*holds)(void *context))
{
    struct lag_question question = {world, deployment, topic};
    if (!process_wait_until(holds, &question, PATIENCE_MS)) {
        int64_t wait_ms = 0;
        int64_t lag = read_lag(world, deployment->program, topic, &wait_ms);
        fail_msg("%s is %" PRId64 " records, %" PRId64 " ms behind on %s", deployment->program, lag, wait_ms,
                 topic);
    }
}

/* --- pods ---- */

static const char *pod_url(const struct pod *pod, const char *path)
{
    static char url[96];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", (unsigned)pod->port, path);
    return url;
}

static struct pod start_pod(struct world *world, struct deployment *deployment)
{
    struct pod pod = {.port = net_free_port()};
    char listen[64];
    char name[64];
    char log_name[80];
    char log_path[TEST_PATH_BYTES];
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)pod.port);
    (void)snprintf(name, sizeof name, "%s-%u", deployment->program, deployment->starts++);
    (void)snprintf(log_name, sizeof log_name, "%s.log", name);
    path_join(log_path, world->directory, log_name);
    const char *argv[16] = {process_program(deployment->program),
                            "--bus-url",
                            broker.url,
                            "--listen",
                            listen,
                            "--member-id",
                            name,
                            "--log-format=text"};
    size_t count = 8;
    for (size_t i = 0; deployment->arguments[i] != NULL; i++) {
        argv[count++] = deployment->arguments[i];
    }
    const struct process_options options = {.log_path = log_path};
    pod.process = process_start(argv, &options);
    return pod;
}

/* The kubelet's answer to what it asks every second is what the Deployment goes by. */
struct readiness {
    struct lag_question question;
    struct pod *pod;
};

static bool is_ready(void *context)
{
    struct readiness *readiness = context;
    (void)is_settled(&readiness->question); /* keeps the longest wait */
    return net_get(pod_url(readiness->pod, "/readyz"), NULL) == 200;
}

static void wait_until_ready(struct world *world, struct deployment *deployment, struct pod *pod)
{
    struct readiness readiness = {{world, deployment, deployment->topic}, pod};
    if (!process_wait_until(is_ready, &readiness, PATIENCE_MS)) {
        fail_msg("a new %s isn't ready; see %s (OBS_KEEP_TEMP)", deployment->program, world->directory);
    }
}

static void begin_to_end(struct pod *pod)
{
    pod->term_ms = now_ms();
    process_signal(pod->process, SIGTERM);
}

static void expect_end(struct deployment *deployment, struct pod *pod)
{
    if (pod->process == NULL) {
        return;
    }
    int64_t left_ms = pod->term_ms + GRACE_MS - now_ms();
    assert_int_equal(process_wait(pod->process, left_ms > 0 ? (int)left_ms : 0), 0);
    int64_t took_ms = now_ms() - pod->term_ms;
    deployment->slowest_end_ms = took_ms > deployment->slowest_end_ms ? took_ms : deployment->slowest_end_ms;
    process_free(pod->process);
    *pod = (struct pod){0};
}

static void deploy(struct world *world, struct deployment *deployment)
{
    for (unsigned i = 0; i < deployment->replicas; i++) {
        deployment->pods[i] = start_pod(world, deployment);
    }
    for (unsigned i = 0; i < deployment->replicas; i++) {
        wait_until_ready(world, deployment, &deployment->pods[i]);
    }
}

static void stop(struct deployment *deployment)
{
    for (unsigned i = 0; i < deployment->replicas; i++) {
        begin_to_end(&deployment->pods[i]);
    }
    for (unsigned i = 0; i < deployment->replicas; i++) {
        expect_end(deployment, &deployment->pods[i]);
    }
}

static void free_pods(struct deployment *deployment)
{
    for (unsigned i = 0; i < deployment->replicas; i++) {
        process_free(deployment->pods[i].process);
    }
    process_free(deployment->surge.process);
    process_free(deployment->leaving.process);
}

/* --- traffic ---- */

static void start_traffic(struct world *world)
{
    char listen[64];
    char ready[96];
    world->simulator_port = net_free_port();
    path_join(world->simulator_log, world->directory, "simulator.log");
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)world->simulator_port);
    (void)snprintf(ready, sizeof ready, "http://%s/readyz", listen);
    const char *const argv[] = {process_program("workload-simulator"),
                                "--bus-url",
                                broker.url,
                                "--listen",
                                listen,
                                "--target-rps=400",
                                "--log-format=json",
                                NULL};
    const struct process_options options = {.log_path = world->simulator_log};
    world->simulator = process_start(argv, &options);
    net_wait_for(ready, 200, PATIENCE_MS);
}

/* Each on another series, so that none of them covers another one's transitions. */
static const char *const services[] = {"api-service", "auth-service", "payment-service", "inventory-service"};
static const char *const regions[] = {"us-east-1", "eu-west-1"};

static void begin_fault(struct world *world)
{
    char url[64];
    char body[256];
    unsigned n = world->faults++;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/faults", (unsigned)world->simulator_port);
    (void)snprintf(body, sizeof body,
                   "{\"type\":\"error_burst\",\"service\":\"%s\",\"region\":\"%s\",\"duration\":\"12s\","
                   "\"magnitude\":0.5}",
                   services[n % 4], regions[n / 4 % 2]);
    assert_int_equal(net_send("POST", url, "application/json", body, NULL), 201);
}

/* So that the test never ends before what it looks at has happened. */
static void wait_until_all_faults_are_told(struct world *world)
{
    for (unsigned n = 0; n < world->faults; n++) {
        char text[128];
        (void)snprintf(text, sizeof text, "\"service_name\":\"%s\",\"cloud_region\":\"%s\"", services[n % 4],
                       regions[n / 4 % 2]);
        http_sink_wait(world->sink, "/api/v2/alerts", text, 1, PATIENCE_MS);
    }
}

/* The number that the simulator's last words have under a name. */
static int64_t said_at_the_end(const struct world *world, const char *name)
{
    struct buffer log;
    char wanted[64];
    buffer_init(&log, 0);
    file_read(world->simulator_log, &log);
    (void)snprintf(wanted, sizeof wanted, "\"%s\":", name);
    const char *at = strstr(buffer_text(&log), wanted);
    int64_t value = at == NULL ? -1 : strtoll(at + strlen(wanted), NULL, 10);
    buffer_free(&log);
    return value;
}

/* --- a rolling update ---- */

static void roll(struct world *world, struct deployment *deployment)
{
    int64_t begin_ms = now_ms();
    for (unsigned i = 0; i < deployment->replicas; i++) {
        deployment->surge = start_pod(world, deployment); /* while the last one still ends */
        begin_fault(world);
        expect_end(deployment, &deployment->leaving);
        wait_until_ready(world, deployment, &deployment->surge);
        process_sleep_ms(min_ready_ms);
        deployment->leaving = deployment->pods[i];
        deployment->pods[i] = deployment->surge;
        deployment->surge = (struct pod){0};
        begin_to_end(&deployment->leaving);
    }
    expect_end(deployment, &deployment->leaving);
    wait_for_lag(world, deployment, deployment->topic, is_settled);
    print_message("%s: %u pods replaced in %.1f s; they ended within %.1f s; a record waited %.1f s at most "
                  "for its commit\n",
                  deployment->program, deployment->replicas, (double)(now_ms() - begin_ms) / 1000,
                  (double)deployment->slowest_end_ms / 1000, (double)deployment->longest_wait_ms / 1000);
}

/* --- what must hold ---- */

struct total {
    const struct deployment *bridges;
    const char *name, *text;
    double value, seen;
};

static bool is_total(void *context)
{
    struct total *total = context;
    struct buffer page;
    buffer_init(&page, 0);
    total->seen = 0;
    for (unsigned i = 0; i < total->bridges->replicas; i++) {
        buffer_clear(&page);
        assert_int_equal(net_get(pod_url(&total->bridges->pods[i], "/metrics"), &page), 200);
        total->seen += exposition_sum(buffer_text(&page), total->name, total->text, NULL);
    }
    buffer_free(&page);
    return total->seen == total->value;
}

/* Of all replicas together. */
static void expect_total(const struct world *world, const char *name, const char *text, int64_t value)
{
    struct total total = {&world->deployments[BRIDGES], name, text, (double)value, 0};
    if (!process_wait_until(is_total, &total, PATIENCE_MS)) {
        fail_msg("the bridges' %s{%s} are %.0f, not %" PRId64, name, text, total.seen, value);
    }
}

static void expect_exact_totals(const struct world *world)
{
    int64_t events = said_at_the_end(world, "events_acknowledged");
    int64_t logs = said_at_the_end(world, "logs_acknowledged");
    assert_true(events > 0 && logs > 0);
    expect_total(world, "metrics_bridge_events_total", "result=\"counted\"", events);
    expect_total(world, "metrics_bridge_events_total", "result=\"malformed\"", 0);
    expect_total(world, "metrics_bridge_log_records_total", "result=\"counted\"", logs);
    expect_total(world, "http_server_request_duration_seconds_count", "", events);
    expect_total(world, "http_server_requests_total", "", events);
    expect_total(world, "log_records_total", "", logs);
    print_message("totals: %" PRId64 " events and %" PRId64 " log records acknowledged and counted\n", events,
                  logs);
}

static void expect_exact_transitions(const struct world *world)
{
    const struct oracle_settings settings = {.bus_url = broker.url,
                                             .rules_path = RULES,
                                             .runbook_base = RUNBOOK_BASE,
                                             .max_series = 1000,
                                             .lateness_ms = 15000,
                                             .idle_after_ms = 15000};
    struct oracle_report report;
    struct buffer text;
    buffer_init(&text, 0);
    size_t differences = oracle_check(&settings, &report, &text, NULL);
    print_message(
        "transitions: %zu expected, %zu seen: %zu lost, %zu extra, %zu twice, %zu different; active: "
        "%zu, %zu wrong\n",
        report.expected, report.seen, report.lost, report.extra, report.twice, report.different,
        report.firing, report.active_wrong);
    if (differences > 0) {
        print_message("%s", buffer_text(&text));
    }
    buffer_free(&text);
    assert_int_equal(differences, 0);
    assert_int_equal(report.records, said_at_the_end(world, "events_acknowledged"));
    assert_true(report.expected >= world->faults); /* else nothing happened while partitions moved */
}

/* --- the test ---- */

static int begin(void **state)
{
    static struct world world;
    uint16_t sink_port = net_free_port();
    temp_directory_create(world.directory, "rolling");
    (void)snprintf(world.sink_url, sizeof world.sink_url, "http://127.0.0.1:%u", (unsigned)sink_port);
    world.sink = http_sink_start(sink_port);
    outside_open(broker.url, &world.bus, &world.producer);
    world.deployments[PROCESSORS] = (struct deployment){.program = "stream-processor",
                                                        .topic = TOPIC_METRICS_RAW,
                                                        .arguments = {"--rules=" RULES},
                                                        .replicas = 2};
    world.deployments[BRIDGES] =
        (struct deployment){.program = "metrics-bridge", .topic = TOPIC_METRICS_RAW, .replicas = 2};
    world.deployments[FORWARDERS] = (struct deployment){.program = "alert-forwarder",
                                                        .topic = TOPIC_ALERTS_FIRED,
                                                        .arguments = {"--alertmanager-url", world.sink_url},
                                                        .replicas = 1};
    *state = &world;
    return 0;
}

static int end(void **state)
{
    struct world *world = *state;
    process_free(world->simulator);
    for (int i = 0; i < DEPLOYMENTS; i++) {
        free_pods(&world->deployments[i]);
    }
    http_sink_stop(world->sink);
    outside_close(world->bus, world->producer);
    temp_directory_remove(world->directory);
    return 0;
}

static void a_rolling_update_under_load_drops_and_repeats_nothing(void **state)
{
    struct world *world = *state;
    struct deployment *deployments = world->deployments;
    start_traffic(world);
    for (int i = 0; i < DEPLOYMENTS; i++) {
        deploy(world, &deployments[i]);
    }
    for (int i = 0; i < DEPLOYMENTS; i++) {
        deployments[i].longest_wait_ms = 0; /* of the first start */
        roll(world, &deployments[i]);
    }
    wait_until_all_faults_are_told(world);
    assert_int_equal(process_stop(world->simulator), 0);
    wait_for_lag(world, &deployments[PROCESSORS], TOPIC_METRICS_RAW, has_no_lag);
    wait_for_lag(world, &deployments[BRIDGES], TOPIC_METRICS_RAW, has_no_lag);
    wait_for_lag(world, &deployments[BRIDGES], TOPIC_LOGS_RAW, has_no_lag);
    expect_exact_totals(world);
    stop(&deployments[PROCESSORS]); /* time goes on for who lives, and may decide */
    wait_for_lag(world, &deployments[FORWARDERS], TOPIC_ALERTS_FIRED, has_no_lag);
    stop(&deployments[BRIDGES]);
    stop(&deployments[FORWARDERS]);
    expect_exact_transitions(world);
}

int main(int argc, char **argv)
{
    min_ready_ms = argc > 1 ? 1000 * (int)strtol(argv[1], NULL, 10) : 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_rolling_update_under_load_drops_and_repeats_nothing, begin, end),
    };
    int code = kafka_broker_require(&broker);
    if (code == 0) {
        code = cmocka_run_group_tests_name("a rolling update on Kafka", tests, NULL, NULL);
        kafka_broker_stop(&broker, false);
    }
    return code;
}
