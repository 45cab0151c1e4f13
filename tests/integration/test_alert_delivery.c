/* From a transition on the bus to what Slack and PagerDuty get: the real forwarder, Debian's Alertmanager
 * with config/alertmanager.production.yml itself, and a sink that stands in for both. test_alert_delivery
 * what arrives: grouped, inhibited, resolved, each once test_alert_delivery measure    how long after a real
 * fault in simulated traffic, with simulator and processor */
#include "alert/transition.h"
#include "buffer/buffer.h"
#include "bus/bus.h"
#include "clock/clock.h"
#include "clock/rfc3339.h"
#include "support/alertmanager.h"
#include "support/files.h"
#include "support/http_sink.h"
#include "support/net.h"
#include "support/outside.h"
#include "support/process.h"
#include "support/production_alertmanager.h"
#include "support/topic_reader.h"
#include "support/transition_writer.h"
#include "topics/topics.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 45000
#define PAGE_MS     3000 /* --page-after here */

struct world {
    char directory[TEST_PATH_BYTES], log[TEST_PATH_BYTES], url[TEST_PATH_BYTES + 64];
    struct bus *bus;
    struct bus_producer *producer;
    struct transition_writer *writer;
    struct alertmanager_server am;
    struct http_sink *sink;
    struct process *forwarder, *simulator, *processor;
    uint16_t simulator_port;
};

static struct process *start_program(struct world *world, const char *name, uint16_t port,
                                     const char *const *arguments)
{
    char listen[64];
    char ready[96];
    const char *argv[24] = {process_program(name), "--bus-url", world->url, "--listen", listen,
                            "--log-format=text"};
    size_t count = 6;
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)port);
    (void)snprintf(ready, sizeof ready, "http://%s/readyz", listen);
    for (; *arguments != NULL; arguments++) {
        argv[count++] = *arguments;
    }
    const struct process_options options = {.log_path = world->log};
    struct process *process = process_start(argv, &options);
    net_wait_for(ready, 200, PATIENCE_MS);
    return process;
}

static struct world *open_world(const char *page_after)
{
    struct world *world = calloc(1, sizeof *world);
    const uint16_t sink_port = net_free_port();
    assert_non_null(world);
    temp_directory_create(world->directory, "delivery");
    path_join(world->log, world->directory, "log");
    (void)snprintf(world->url, sizeof world->url, "embedded:%s/bus?durability=process", world->directory);
    outside_open(world->url, &world->bus, &world->producer);
    world->sink = http_sink_start(sink_port);
    production_alertmanager_create(&world->am, world->directory, sink_port);
    alertmanager_server_start(&world->am);
    const char *const arguments[] = {"--alertmanager-url", world->am.url,      "--page-after",
                                     page_after,           "--member-id=test", NULL};
    world->forwarder = start_program(world, "alert-forwarder", net_free_port(), arguments);
    return world;
}

static void close_world(struct world *world)
{
    process_free(world->simulator);
    process_free(world->processor);
    process_free(world->forwarder);
    alertmanager_server_kill(&world->am);
    http_sink_stop(world->sink);
    transition_writer_close(world->writer);
    outside_close(world->bus, world->producer);
    temp_directory_remove(world->directory);
    free(world);
}

static int begin(void **state)
{
    struct world *world = open_world("3s");
    world->writer = transition_writer_open(world->bus);
    *state = world;
    return 0;
}

static int end(void **state)
{
    close_world(*state);
    return 0;
}

/* --- what goes in ---- */

static void put(struct world *world, const char *rule, const char *service, const char *region,
                uint32_t sequence, enum rule_severity severity)
{
    const enum alert_state state = sequence % 2 == 1 ? ALERT_FIRING : ALERT_RESOLVED;
    struct alert_transition t = transition_of_errors(rule, service, region, state, severity);
    t.sequence = sequence;
    transition_writer_put(world->writer, &t);
}

/* As Prometheus would send it. labels: the inside of a JSON object. */
static void put_prometheus(struct world *world, const char *labels, const char *summary)
{
    char url[128];
    char ends[RFC3339_BYTES];
    struct buffer body;
    rfc3339_format(ends, clock_wall_ms(clock_system()) + 600000);
    (void)snprintf(url, sizeof url, "%s/api/v2/alerts", world->am.url);
    buffer_init(&body, 0);
    buffer_append_format(&body,
                         "[{\"labels\":{%s,\"detector\":\"prometheus\"},\"annotations\":{\"summary\":\"%s\","
                         "\"runbook_url\":\"http://127.0.0.1:3000/runbooks/x.md\"},\"endsAt\":\"%s\","
                         "\"generatorURL\":\"http://127.0.0.1:9090/graph?g0.expr=x\"}]",
                         labels, summary, ends);
    assert_int_equal(net_send("POST", url, "application/json", buffer_text(&body), NULL), 200);
    buffer_free(&body);
}

static size_t count(struct world *world, const char *path, const char *text)
{
    return http_sink_count(world->sink, path, text);
}

static void expect(struct world *world, const char *path, const char *text)
{
    http_sink_wait(world->sink, path, text, 1, PATIENCE_MS);
}

/* The value of the first "key":"…" in the body. */
static void read_text(const char *body, const char *key, char *out, size_t room)
{
    char pattern[64];
    (void)snprintf(pattern, sizeof pattern, "\"%s\":\"", key);
    const char *at = strstr(body, pattern);
    assert_non_null(at);
    at += strlen(pattern);
    (void)snprintf(out, room, "%.*s", (int)strcspn(at, "\""), at);
}

/* --- what arrives ---- */

static void a_critical_goes_to_slack_at_once_pages_when_it_lasts_and_is_resolved_in_both(void **state)
{
    struct world *world = *state;
    struct sink_request request;
    char begun[128];
    char ended[128];
    put(world, "HighErrorRate", "api-service", "us-east-1", 1, RULE_CRITICAL);
    expect(world, "/slack", "[FIRING] HighErrorRate api-service us-east-1 (critical)");
    assert_int_equal(count(world, "/pagerduty", NULL), 0);
    assert_true(http_sink_get(world->sink, "/slack", NULL, 0, &request));
    assert_non_null(strstr(request.body, "Error rate of api-service in us-east-1 is 31.0 %, over 5.0 %"));
    assert_non_null(strstr(request.body, "http://127.0.0.1:3000/runbooks/high-error-rate.md|Runbook"));
    assert_non_null(strstr(request.body, "|Dashboard"));
    assert_non_null(strstr(request.body, "|Console"));
    assert_non_null(strstr(request.body, "\"color\":\"danger\""));
    expect(world, "/pagerduty", "\"event_action\":\"trigger\"");
    assert_true(http_sink_get(world->sink, "/pagerduty", NULL, 0, &request));
    assert_non_null(strstr(request.body, "0123456789abcdef0123456789abcdef"));
    assert_non_null(strstr(request.body, "\"text\":\"Runbook\""));
    assert_non_null(strstr(request.body, "http://127.0.0.1:3000/runbooks/high-error-rate.md"));
    assert_non_null(strstr(request.body, "\"severity\":\"critical\""));
    read_text(request.body, "dedup_key", begun, sizeof begun);
    put(world, "HighErrorRate", "api-service", "us-east-1", 2, RULE_CRITICAL);
    expect(world, "/slack", "[RESOLVED] HighErrorRate api-service us-east-1");
    expect(world, "/pagerduty", "\"event_action\":\"resolve\"");
    assert_true(http_sink_get(world->sink, "/pagerduty", "\"event_action\":\"resolve\"", 0, &request));
    read_text(request.body, "dedup_key", ended, sizeof ended);
    assert_string_equal(begun, ended);
    assert_int_equal(count(world, "/slack", NULL), 2);
    assert_int_equal(count(world, "/pagerduty", NULL), 2);
    assert_int_equal(count(world, "/platform", NULL), 0);
}

static void a_blip_is_told_to_slack_and_pages_nobody(void **state)
{
    struct world *world = *state;
    put(world, "HighErrorRate", "api-service", "us-east-1", 1, RULE_CRITICAL);
    expect(world, "/slack", "[FIRING]");
    put(world, "HighErrorRate", "api-service", "us-east-1", 2, RULE_CRITICAL);
    expect(world, "/slack", "[RESOLVED]");
    process_sleep_ms(PAGE_MS + 6000); /* and the group_wait of a page */
    assert_int_equal(count(world, "/pagerduty", NULL), 0);
}

static void regions_of_a_service_are_one_page_and_two_messages(void **state)
{
    struct world *world = *state;
    struct sink_request request;
    put(world, "HighErrorRate", "api-service", "us-east-1", 1, RULE_CRITICAL);
    put(world, "HighErrorRate", "api-service", "eu-west-1", 1, RULE_CRITICAL);
    put(world, "HighErrorRate", "auth-service", "eu-west-1", 1, RULE_CRITICAL);
    expect(world, "/pagerduty", "auth-service");
    expect(world, "/pagerduty", "api-service");
    process_sleep_ms(2000);
    assert_int_equal(count(world, "/pagerduty", NULL), 2); /* one for each service */
    assert_true(http_sink_get(world->sink, "/pagerduty", "api-service", 0, &request));
    assert_non_null(strstr(request.body, "[FIRING 2] HighErrorRate api-service (critical)"));
    assert_non_null(strstr(request.body, "us-east-1"));
    assert_non_null(strstr(request.body, "eu-west-1"));
    assert_int_equal(count(world, "/slack", "[FIRING] HighErrorRate api-service"), 2);
}

static void prometheus_twin_of_a_stream_alert_is_told_to_nobody(void **state)
{
    struct world *world = *state;
    put(world, "HighErrorRate", "api-service", "us-east-1", 1, RULE_CRITICAL);
    expect(world, "/slack", "[FIRING]");
    put_prometheus(world,
                   "\"alertname\":\"HighErrorRate\",\"service_name\":\"api-service\","
                   "\"cloud_region\":\"us-east-1\",\"severity\":\"critical\"",
                   "the twin");
    put_prometheus(world,
                   "\"alertname\":\"HighErrorRate\",\"service_name\":\"auth-service\","
                   "\"cloud_region\":\"us-east-1\",\"severity\":\"critical\"",
                   "nobodys twin");
    expect(world, "/pagerduty", "nobodys twin"); /* by then the twin would have been, too */
    expect(world, "/pagerduty", "api-service");
    process_sleep_ms(1000);
    assert_int_equal(count(world, "", "the twin"), 0);
    assert_int_equal(count(world, "/pagerduty", "api-service"), 1);
    alertmanager_server_wait(&world->am, "\"service_name\":\"api-service\"", 3,
                             PATIENCE_MS); /* it is there */
}

static void a_critical_silences_the_warning_of_the_same_service_and_region_only(void **state)
{
    struct world *world = *state;
    put(world, "HighErrorRate", "api-service", "us-east-1", 1, RULE_CRITICAL);
    expect(world, "/slack", "HighErrorRate api-service us-east-1");
    put(world, "HighLatencyP99", "api-service", "us-east-1", 1, RULE_WARNING);
    put(world, "HighLatencyP99", "api-service", "eu-west-1", 1, RULE_WARNING);
    expect(world, "/slack", "[FIRING] HighLatencyP99 api-service eu-west-1 (warning)");
    /* Alerts of the platform have no service, on neither side: they don't silence each other. */
    put_prometheus(world, "\"alertname\":\"PlatformTargetDown\",\"severity\":\"critical\"",
                   "a target is down");
    put_prometheus(world, "\"alertname\":\"KafkaConsumerLagHigh\",\"severity\":\"warning\"", "far behind");
    expect(world, "/pagerduty", "a target is down");
    expect(world, "/slack", "far behind");
    assert_int_equal(count(world, "/slack", "HighLatencyP99 api-service us-east-1"), 0);
}

static void the_platforms_own_alerts_take_their_own_ways(void **state)
{
    struct world *world = *state;
    put_prometheus(world, "\"alertname\":\"Watchdog\",\"severity\":\"none\"", "always");
    put_prometheus(world, "\"alertname\":\"AlertDeliveryFailing\",\"severity\":\"critical\"",
                   "cannot deliver");
    expect(world, "/watchdog", NULL);
    expect(world, "/second-way", "cannot deliver");
    expect(world, "/pagerduty", "cannot deliver");
    assert_int_equal(count(world, "/slack", NULL), 0);
    assert_int_equal(count(world, "/platform", NULL), 0);
}

/* --- how long it takes ---- */

static int64_t when(struct world *world, const char *path, const char *text)
{
    struct sink_request request;
    http_sink_wait(world->sink, path, text, 1, 120000);
    assert_true(http_sink_get(world->sink, path, text, 0, &request));
    return request.wall_ms;
}

static void note_detected(void *context, const struct bus_record *record)
{
    int64_t *detected_ms = context;
    const char *at = memmem(record->value.data, record->value.size_bytes, "\"detected_at\":\"", 15);
    if (*detected_ms == 0 && at != NULL &&
        memmem(record->value.data, record->value.size_bytes, "api-service", 11) != NULL) {
        assert_true(rfc3339_parse(at + 15, strcspn(at + 15, "\""), detected_ms));
    }
}

/* One fault: from its first moment to the alert on the bus, to Slack, to PagerDuty. */
static void measure_one(int run, double magnitude)
{
    struct world *world = open_world("40s"); /* the default */
    char url[128];
    char fault[256];
    int64_t detected_ms = 0;
    world->simulator_port = net_free_port();
    world->processor =
        start_program(world, "stream-processor", net_free_port(),
                      (const char *const[]){"--member-id=test", "--rules",
                                            OBS_SOURCE_DIR "/config/anomaly-rules.yaml", NULL});
    world->simulator = start_program(world, "workload-simulator", world->simulator_port,
                                     (const char *const[]){"--target-rps=200", NULL});
    process_sleep_ms(12000); /* healthy traffic first */
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/faults", (unsigned)world->simulator_port);
    (void)snprintf(fault, sizeof fault,
                   "{\"type\":\"error_burst\",\"service\":\"api-service\",\"region\":\"us-east-1\","
                   "\"duration\":\"120s\",\"magnitude\":%g}",
                   magnitude);
    const int64_t begin_ms = clock_wall_ms(clock_system());
    assert_int_equal(net_send("POST", url, "application/json", fault, NULL), 201);
    const int64_t slack_ms = when(world, "/slack", "HighErrorRate api-service us-east-1");
    const int64_t page_ms = when(world, "/pagerduty", "HighErrorRate api-service us-east-1");
    (void)topic_read(world->url, TOPIC_ALERTS_FIRED, note_detected, &detected_ms);
    print_message("| %d | %.0f %% | %.1f | %.1f | %.1f |\n", run, magnitude * 100,
                  (double)(detected_ms - begin_ms) / 1000, (double)(slack_ms - begin_ms) / 1000,
                  (double)(page_ms - begin_ms) / 1000);
    assert_true(slack_ms - begin_ms <= 10000);
    assert_true(page_ms - begin_ms <= 60000);
    close_world(world);
}

static void slack_hears_within_10_s_and_pagerduty_within_60_s_of_a_fault(void **state)
{
    static const double magnitudes[] = {0.3, 0.3, 0.5, 1};
    (void)state;
    print_message("| run | errors | fault to alert on the bus, s | to Slack, s | to PagerDuty, s |\n");
    print_message("|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof magnitudes / sizeof magnitudes[0]; i++) {
        measure_one((int)i + 1, magnitudes[i]);
    }
}

#define DELIVERY_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        DELIVERY_TEST(a_critical_goes_to_slack_at_once_pages_when_it_lasts_and_is_resolved_in_both),
        DELIVERY_TEST(a_blip_is_told_to_slack_and_pages_nobody),
        DELIVERY_TEST(regions_of_a_service_are_one_page_and_two_messages),
        DELIVERY_TEST(prometheus_twin_of_a_stream_alert_is_told_to_nobody),
        DELIVERY_TEST(a_critical_silences_the_warning_of_the_same_service_and_region_only),
        DELIVERY_TEST(the_platforms_own_alerts_take_their_own_ways),
    };
    const struct CMUnitTest measures[] = {
        cmocka_unit_test(slack_hears_within_10_s_and_pagerduty_within_60_s_of_a_fault)};
    return argc > 1 && strcmp(argv[1], "measure") == 0 ? cmocka_run_group_tests(measures, NULL, NULL)
                                                       : cmocka_run_group_tests(tests, NULL, NULL);
}
