/* make smoke-test: is the platform that runs here whole? Looks at it from outside, as its users do: pages,
 * topics, Prometheus, and a fault that must be told once when it begins and once when it is over. Takes about
 * a minute and a half; changes nothing but that one simulated service fails for 20 s. Environment:
 * OBS_BUS_URL (embedded:var/bus), OBS_PORT_OFFSET (0), BUSCAT (this build's): what asks a bus that can't be
 * reached from here (scripts/k8s/smoke-test.sh). */
#include "buffer/buffer.h"
#include "clock/clock.h"
#include "cmocka_all.h"
#include "metrics/decode_text.h"
#include "support/files.h"
#include "support/net.h"
#include "support/process.h"
#include "support/prometheus.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVICE "inventory-service"
#define REGION  "eu-west-1"

enum {
    BRIDGE = 8080,
    SIMULATOR = 8081,
    PROCESSOR = 8082,
    FORWARDER = 8084,
    PROMETHEUS = 9090,
    ALERTMANAGER = 9093
};

static const char *url(int port, const char *path)
{
    static char urls[4][256];
    static unsigned next;
    const char *offset = getenv("OBS_PORT_OFFSET");
    char *text = urls[next++ % 4];
    snprintf(text, sizeof urls[0], "http://127.0.0.1:%d%s", port + (offset != NULL ? atoi(offset) : 0), path);
    return text;
}

static const char *bus_url(void)
{
    const char *text = getenv("OBS_BUS_URL");
    return text != NULL && *text != '\0' ? text : "embedded:var/bus";
}

/* It takes OBS_BUS_URL from the environment, with the same default. */
static const char *buscat(void)
{
    const char *text = getenv("BUSCAT");
    return text != NULL && *text != '\0' ? text : process_program("buscat");
}

static void check_answer(int port, const char *path, const char *who)
{
    const int status = net_get(url(port, path), NULL);
    if (status != 200) {
        fail_msg("%s: %s answers %d (%s)", who, url(port, path), status,
                 status < 0 ? "does it run? make local" : "its log says more");
    }
}

static void every_program_is_alive_and_ready(void **state)
{
    (void)state;
    static const struct {
        int port;
        const char *who;
    } own[] = {{SIMULATOR, "workload-simulator"},
               {PROCESSOR, "stream-processor"},
               {BRIDGE, "metrics-bridge"},
               {FORWARDER, "alert-forwarder"}};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        check_answer(own[i].port, "/healthz", own[i].who);
        check_answer(own[i].port, "/readyz", own[i].who);
    }
    check_answer(PROMETHEUS, "/-/ready", "Prometheus");
    check_answer(ALERTMANAGER, "/-/ready", "Alertmanager");
}

static void all_topics_are_there(void **state)
{
    (void)state;
    static const char *const topics[] = {
        "metrics.raw",     "logs.raw",     "alerts.fired",           "alerts.active",
        "metrics.raw.dlq", "logs.raw.dlq", "stream-processor.state", "metrics-bridge.state"};
    struct buffer lines;
    buffer_init(&lines, 0);
    assert_int_equal(process_run((const char *const[]){buscat(), "topics", NULL}, 20000, &lines), 0);
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        if (strstr(buffer_text(&lines), topics[i]) == NULL) {
            fail_msg("the topic %s is missing on %s", topics[i], bus_url());
        }
    }
    buffer_free(&lines);
}

static double read_counter(int port, const char *name, const char *result)
{
    struct buffer page;
    size_t count = 0;
    buffer_init(&page, 0);
    assert_int_equal(net_get(url(port, "/metrics"), &page), 200);
    const double sum = metric_page_sum(page.data, page.size, name, "result", result, &count);
    buffer_free(&page);
    if (count == 0) {
        fail_msg("%s has no %s", url(port, "/metrics"), name);
    }
    return sum;
}

static void events_flow_through_every_program(void **state)
{
    (void)state;
    static const struct {
        int port;
        const char *counter, *result;
    } flows[] = {{SIMULATOR, "workload_simulator_events_total", "acknowledged"},
                 {PROCESSOR, "stream_processor_events_total", "counted"},
                 {BRIDGE, "metrics_bridge_events_total", "counted"}};
    double before[3];
    for (size_t i = 0; i < 3; i++) {
        before[i] = read_counter(flows[i].port, flows[i].counter, flows[i].result);
    }
    process_sleep_ms(4000);
    for (size_t i = 0; i < 3; i++) {
        const double moved = read_counter(flows[i].port, flows[i].counter, flows[i].result) - before[i];
        if (!(moved > 0)) {
            fail_msg("%s stands still", flows[i].counter);
        }
        print_message("  %-34s +%.0f in 4 s\n", flows[i].counter, moved);
    }
}

static bool prometheus_has_all(void *context)
{
    (void)context;
    const char *base = url(PROMETHEUS, "");
    return prometheus_value(base, "count(up == 1)") >= 6 &&
           prometheus_value(base, "sum(rate(http_server_requests_total[1m]))") > 0 &&
           prometheus_value(base, "count(kafka_consumergroup_lag)") > 0;
}

static void prometheus_has_the_targets_the_traffic_and_the_rules(void **state)
{
    (void)state;
    static const char *const alerts[] = {"HighLatencyP99", "HighErrorRate", "KafkaConsumerLagHigh"};
    struct buffer page;
    buffer_init(&page, 0);
    if (!process_wait_until(prometheus_has_all, NULL, 75000)) { /* a rate needs two scrapes, 15 s apart */
        fail_msg("Prometheus: %g targets are up, %g requests/s",
                 prometheus_value(url(PROMETHEUS, ""), "count(up == 1)"),
                 prometheus_value(url(PROMETHEUS, ""), "sum(rate(http_server_requests_total[1m]))"));
    }
    assert_int_equal(net_get(url(PROMETHEUS, "/api/v1/rules"), &page), 200);
    for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++) {
        if (strstr(buffer_text(&page), alerts[i]) == NULL) {
            fail_msg("Prometheus hasn't loaded the rule %s", alerts[i]);
        }
    }
    buffer_free(&page);
}

/* --- a fault, from its beginning to the end of the alert ---- */

struct told {
    const char *path, *state;
};

static size_t count_told(const struct told *told)
{
    size_t count = 0;
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen(told->path, "re");
    if (file == NULL) {
        return 0;
    }
    while (getline(&line, &room, file) >= 0) {
        count += strstr(line, "\"HighErrorRate\"") != NULL && strstr(line, SERVICE) != NULL &&
                 strstr(line, REGION) != NULL && strstr(line, told->state) != NULL;
    }
    free(line);
    fclose(file);
    return count;
}

static bool is_told(void *context)
{
    return count_told(context) > 0;
}

/* Alertmanager's labels, as it writes them. */
static bool alertmanager_has_it(void *context)
{
    const bool *expected = context;
    struct buffer page;
    buffer_init(&page, 0);
    const bool is_there =
        net_get(url(ALERTMANAGER, "/api/v2/alerts"), &page) == 200 &&
        strstr(buffer_text(&page), "{\"alertname\":\"HighErrorRate\",\"cloud_region\":\"" REGION
                                   "\",\"detector\":\"stream\",\"service_name\":\"" SERVICE "\"") != NULL;
    buffer_free(&page);
    return is_there == *expected;
}

static void a_fault_is_told_once_when_it_begins_and_once_when_it_is_over(void **state)
{
    (void)state;
    char directory[TEST_PATH_BYTES], path[TEST_PATH_BYTES];
    temp_directory_create(directory, "smoke");
    path_join(path, directory, "alerts");
    struct told firing = {path, "\"firing\""};
    struct told resolved = {path, "\"resolved\""};
    const struct process_options options = {.stdout_path = path};
    struct process *reader =
        process_start((const char *const[]){buscat(), "consume", "alerts.fired", "--follow", NULL}, &options);
    process_sleep_ms(3000); /* it reads from the end on */
    const int status = net_send("POST", url(SIMULATOR, "/faults"), "application/json",
                                "{\"type\":\"error_burst\",\"service\":\"" SERVICE "\",\"region\":\"" REGION
                                "\",\"duration\":\"20s\",\"magnitude\":0.5}",
                                NULL);
    if (status != 201) {
        fail_msg("the simulator refuses the fault: %d (it breaks simulated traffic only)", status);
    }
    const int64_t begin_ms = clock_steady_ms(clock_system());
    assert_true(process_wait_until(is_told, &firing, 30000));
    print_message("  firing   after %4.1f s\n", (double)(clock_steady_ms(clock_system()) - begin_ms) / 1000);
    if (!process_wait_until(alertmanager_has_it, &(bool){true}, 10000)) {
        fail_msg("Alertmanager hasn't heard of it: the alert-forwarder's log says more");
    }
    assert_true(process_wait_until(is_told, &resolved, 180000));
    print_message("  resolved after %4.1f s (the fault lasted 20 s)\n",
                  (double)(clock_steady_ms(clock_system()) - begin_ms) / 1000);
    assert_true(process_wait_until(alertmanager_has_it, &(bool){false}, 10000));
    process_sleep_ms(3000);
    assert_int_equal(count_told(&firing), 1);
    assert_int_equal(count_told(&resolved), 1);
    process_free(reader);
    temp_directory_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_program_is_alive_and_ready),
        cmocka_unit_test(all_topics_are_there),
        cmocka_unit_test(events_flow_through_every_program),
        cmocka_unit_test(a_fault_is_told_once_when_it_begins_and_once_when_it_is_over),
        cmocka_unit_test(prometheus_has_the_targets_the_traffic_and_the_rules),
    };
    return cmocka_run_group_tests_name("smoke test", tests, NULL, NULL);
}
