/* Parts of the platform stop, one after the other, and the platform's own alerts say which, and only that
 * one. The real local stack, Prometheus and its rules with every duration divided by FACTOR
 * (support/accelerated).
 *
 *   test_parts_down           the processor, the bridge, and whoever holds up the embedded bus
 *   test_parts_down kafka     the broker of a stack on Kafka */
#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "e2e/alert_watch.h"
#include "support/accelerated.h"
#include "support/files.h"
#include "support/kafka.h"
#include "support/process.h"
#include "support/prometheus.h"
#include "support/stack.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { FACTOR = 20, START_TIMEOUT_MS = 40000, WARM_UP_TIMEOUT_MS = 90000, ALERT_TIMEOUT_MS = 120000 };

#define OWN_ALERTS "alertname=~\"PlatformTargetDown|EventsNotConsumed|TelemetryAbsent|KafkaConsumerLagHigh\""

static struct stack stack;
static struct kafka_broker broker;
static bool on_kafka;

static int start(void **state)
{
    (void)state;
    stack_create(&stack);
    stack_start(&stack, (const char *const[]){"--source", accelerated_source(&stack, FACTOR),
                                              accelerated_scrape_interval(FACTOR),
                                              on_kafka ? "--bus-url" : NULL, broker.url, NULL});
    stack_wait_until_up(&stack, START_TIMEOUT_MS);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    stack_destroy(&stack);
    return 0;
}

/* All services seen, the lag read, and no alert of the platform's own left from the start. */
static bool is_well(void *context)
{
    (void)context;
    const char *prometheus = stack_url(&stack, STACK_PROMETHEUS, "");
    return prometheus_value(prometheus, "count(service:http_server_requests:rate2m > 0)") >= 12 &&
           prometheus_value(prometheus, "platform:bus_answers:count1m") > 0 &&
           prometheus_value(prometheus, "min(up)") == 1 && alerts_firing(&stack, OWN_ALERTS) == 0;
}

static void wait_until_well(void)
{
    if (!process_wait_until(is_well, NULL, WARM_UP_TIMEOUT_MS)) {
        (void)alerts_wait_quiet(&stack, OWN_ALERTS, 1); /* says which fire, if that is it */
        fail_msg("the platform isn't well after %d ms", WARM_UP_TIMEOUT_MS);
    }
}

static void expect(const char *matchers)
{
    print_message("  {%s} fires after %.1f s\n", matchers,
                  alerts_wait_firing(&stack, matchers, ALERT_TIMEOUT_MS));
}

static void expect_none(const char *matchers)
{
    if (alerts_firing(&stack, matchers) > 0) {
        (void)alerts_wait_quiet(&stack, matchers, 1);
    }
}

static pid_t program_of(enum stack_port port)
{
    char pattern[64];
    snprintf(pattern, sizeof pattern, "--listen=127.0.0.1:%d", (int)port + stack.port_offset);
    const pid_t id = process_find(pattern);
    assert_true(id > 0);
    return id;
}

static bool bus_takes_records(void)
{
    char command[2 * TEST_PATH_BYTES];
    snprintf(command, sizeof command, "echo '{}' | timeout 3 %s produce logs.raw --bus-url '%s'",
             process_program("buscat"), stack.bus_url);
    return process_run((const char *const[]){"sh", "-c", command, NULL}, 10000, NULL) == 0;
}

/* Stopped, as by a debugger; not within a write to the embedded bus, which would stop that for all. */
static void freeze(pid_t id)
{
    for (int i = 0; i < 5; i++) {
        assert_return_code(kill(id, SIGSTOP), errno);
        if (bus_takes_records()) {
            return;
        }
        assert_return_code(kill(id, SIGCONT), errno);
        process_sleep_ms(300);
    }
    fail_msg("process %d is always stopped within a write", (int)id);
}

static void a_stopped_processor_is_named_and_its_unread_events(void **state)
{
    (void)state;
    wait_until_well();
    const pid_t processor = program_of(STACK_PROCESSOR);
    freeze(processor);
    expect("alertname=\"PlatformTargetDown\",job=\"stream-processor\"");
    expect("alertname=\"EventsNotConsumed\",consumergroup=\"stream-processor\",topic=\"metrics.raw\"");
    expect_none("alertname=\"PlatformTargetDown\",job!=\"stream-processor\"");
    expect_none("alertname=\"EventsNotConsumed\",consumergroup!=\"stream-processor\"");
    expect_none("alertname=\"TelemetryAbsent\"");
    assert_return_code(kill(processor, SIGCONT), errno);
}

static void a_stopped_bridge_is_named_and_no_service_is_blamed(void **state)
{
    (void)state;
    wait_until_well();
    const pid_t bridge = program_of(STACK_BRIDGE);
    freeze(bridge);
    expect("alertname=\"PlatformTargetDown\",job=\"metrics-bridge\"");
    process_sleep_ms(600000 / FACTOR + 4000); /* TelemetryAbsent would be due */
    expect_none("alertname=\"PlatformTargetDown\",job!~\"metrics-bridge.*\"");
    expect_none("alertname=\"TelemetryAbsent\"");
    assert_return_code(kill(bridge, SIGCONT), errno);
}

static void a_bus_that_takes_nothing_silences_every_service_at_once(void **state)
{
    (void)state;
    char bus[TEST_PATH_BYTES + 16];
    wait_until_well();
    snprintf(bus, sizeof bus, "--bus-url=%s", stack.bus_url);
    /* A program that stops itself within a write: nobody else can write any more. */
    const struct process_options options = {
        .log_path = stack.output,
        .environment = (const char *const[]){"OBS_FAILPOINTS=embedded.begin_write.after=stop", NULL}};
    struct process *holder =
        process_start((const char *const[]){OBS_TEST_DIR "/stream-processor-chaos", bus,
                                            "--listen=127.0.0.1:0", "--member-id=holder",
                                            "--rules=" OBS_SOURCE_DIR "/config/anomaly-rules.yaml", NULL},
                      &options);
    expect("alertname=\"TelemetryAbsent\",service_name=\"api-service\"");
    expect("alertname=\"TelemetryAbsent\",service_name=\"auth-service\"");
    expect("alertname=\"TelemetryAbsent\",service_name=\"inventory-service\"");
    expect("alertname=\"TelemetryAbsent\",service_name=\"payment-service\"");
    expect_none("alertname=\"PlatformTargetDown\"");
    process_kill(holder);
    process_free(holder);
    wait_until_well();
}

static void a_broker_that_is_gone_is_named_and_nothing_else(void **state)
{
    (void)state;
    wait_until_well();
    kafka_broker_kill(&broker);
    expect("alertname=\"PlatformTargetDown\",job=\"bus\"");
    process_sleep_ms(600000 / FACTOR + 4000); /* TelemetryAbsent would be due */
    expect_none("alertname=\"PlatformTargetDown\",job!=\"bus\"");
    expect_none("alertname=\"TelemetryAbsent\"");
    assert_int_equal(kafka_broker_start_again(&broker), 0);
    wait_until_well();
    assert_int_equal(file_count_lines(stack.output, "killed by signal"), 0); /* everybody waited */
}

int main(int argc, char **argv)
{
    const struct CMUnitTest embedded[] = {
        cmocka_unit_test(a_stopped_processor_is_named_and_its_unread_events),
        cmocka_unit_test(a_stopped_bridge_is_named_and_no_service_is_blamed),
        cmocka_unit_test(a_bus_that_takes_nothing_silences_every_service_at_once),
    };
    const struct CMUnitTest kafka[] = {
        cmocka_unit_test(a_broker_that_is_gone_is_named_and_nothing_else),
    };
    on_kafka = argc > 1 && strcmp(argv[1], "kafka") == 0;
    if (!on_kafka) {
        return cmocka_run_group_tests(embedded, start, stop);
    }
    int code = kafka_broker_require(&broker);
    if (code == 0) {
        code = cmocka_run_group_tests(kafka, start, stop);
        kafka_broker_stop(&broker, false);
    }
    return code;
}
