/* make local, as a newcomer meets it: the program local-stack with a real Prometheus and Alertmanager, on
 * ports of its own. */
#include "buffer/buffer.h"
#include "clock/clock.h"
#include "cmocka_all.h"
#include "support/files.h"
#include "support/net.h"
#include "support/process.h"
#include "support/prometheus.h"
#include "support/stack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define DURATION "http_server_request_duration_seconds"

enum { START_TIMEOUT_MS = 30000 };

static int create_stack(void **state)
{
    struct stack *stack = calloc(1, sizeof *stack);
    assert_non_null(stack);
    *state = stack;
    stack_create(stack);
    return 0;
}

static int destroy_stack(void **state)
{
    stack_destroy(*state);
    free(*state);
    return 0;
}

static int64_t now_ms(void)
{
    return clock_steady_ms(clock_system());
}

struct expected_lines {
    const char *path, *text;
    size_t at_least;
};

static bool has_lines(void *context)
{
    const struct expected_lines *expected = context;
    return file_count_lines(expected->path, expected->text) >= expected->at_least;
}

static void wait_for_line(const char *path, const char *text, int timeout_ms)
{
    struct expected_lines expected = {path, text, 1};
    if (!process_wait_until(has_lines, &expected, timeout_ms)) {
        fail_msg("no \"%s\" in %s after %d ms", text, path, timeout_ms);
    }
}

static bool none_is_left(void *context)
{
    return process_count_mentioning(((struct stack *)context)->data) == 0;
}

static void it_starts_shows_data_within_2_s_and_stops_without_a_trace(void **state)
{
    struct stack *stack = *state;
    for (int start = 0; start < 2; start++) { /* the second one finds the data of the first */
        const int64_t begin_ms = now_ms();
        stack_start(stack, NULL);
        stack_wait_until_up(stack, START_TIMEOUT_MS);
        assert_in_range(now_ms() - begin_ms, 0, 10000);
        const int64_t up_ms = now_ms();
        wait_for_line(stack->output, " events/s | P99 ", 10000);
        assert_in_range(now_ms() - up_ms, 0, 2500);
        assert_int_equal(process_count_mentioning(stack->data), 8);
        assert_int_equal(stack_stop(stack), 0);
        assert_int_equal(process_count_mentioning(stack->data), 0);
        assert_int_equal(file_count_lines(stack->output, "Stopped."), 1);
    }
}

static void prometheus_scrapes_every_job_and_has_loaded_the_rules(void **state)
{
    struct stack *stack = *state;
    struct buffer page;
    buffer_init(&page, 0);
    stack_start(stack, (const char *const[]){"--scrape-interval=500ms", NULL});
    stack_wait_until_up(stack, START_TIMEOUT_MS);
    const char *prometheus = stack_url(stack, STACK_PROMETHEUS, "");
    for (int i = 0; i < 100 && !(prometheus_value(prometheus, "sum(up)") >= 8); i++) {
        process_sleep_ms(100);
    }
    assert_true(prometheus_value(prometheus, "sum(up)") == 8);
    /* Both forms of the latencies, and nothing of the bridge twice. */
    for (int i = 0; i < 100 && !(prometheus_value(prometheus, "count(histogram_count(" DURATION "))") > 0);
         i++) {
        process_sleep_ms(100);
    }
    assert_true(prometheus_value(prometheus, "count(histogram_count(" DURATION "))") > 0);
    assert_true(prometheus_value(prometheus, "count(" DURATION "_bucket)") > 0);
    assert_true(prometheus_value(prometheus, "count(count by (job) (http_server_requests_total))") == 1);
    assert_true(prometheus_value(prometheus, "count({job=\"metrics-bridge-native\",__name__!~\"" DURATION
                                             "|up|scrape_.*\"}) or vector(0)") == 0);
    assert_int_equal(net_get(stack_url(stack, STACK_PROMETHEUS, "/api/v1/rules"), &page), 200);
    assert_non_null(strstr(buffer_text(&page), "HighLatencyP99"));
    assert_non_null(strstr(buffer_text(&page), "HighErrorRate"));
    assert_non_null(strstr(buffer_text(&page), "KafkaConsumerLagHigh"));
    buffer_clear(&page);
    assert_int_equal(net_get(stack_url(stack, STACK_PROMETHEUS, "/api/v1/alertmanagers"), &page), 200);
    assert_non_null(strstr(buffer_text(&page), stack_url(stack, STACK_ALERTMANAGER, "/api/v2/alerts")));
    buffer_free(&page);
    assert_int_equal(stack_stop(stack), 0);
}

static size_t count_transitions(const struct stack *stack, const char *state_text)
{
    struct buffer lines;
    buffer_init(&lines, 0);
    assert_int_equal(process_run((const char *const[]){process_program("buscat"), "consume", "alerts.fired",
                                                       "--from-beginning", "--bus-url", stack->bus_url, NULL},
                                 20000, &lines),
                     0);
    size_t count = 0;
    const char *end = buffer_text(&lines) + lines.size;
    for (const char *at = buffer_text(&lines); at < end && (at = strstr(at, state_text)) != NULL; at++) {
        count++;
    }
    buffer_free(&lines);
    return count;
}

struct expected_transitions {
    const struct stack *stack;
    const char *text;
};

static bool has_transition(void *context)
{
    const struct expected_transitions *expected = context;
    return count_transitions(expected->stack, expected->text) > 0;
}

static void an_error_burst_gives_exactly_one_firing_and_one_resolved_alert(void **state)
{
    struct stack *stack = *state;
    struct expected_transitions firing = {stack, "\"state\":\"firing\""};
    struct expected_transitions resolved = {stack, "\"state\":\"resolved\""};
    struct buffer page;
    stack_start(stack, (const char *const[]){"--target-rps=1000", NULL});
    stack_wait_until_up(stack, START_TIMEOUT_MS);
    process_sleep_ms(5000); /* some healthy traffic first */
    assert_int_equal(
        net_send("POST", stack_url(stack, STACK_SIMULATOR, "/faults"), "application/json",
                 "{\"type\":\"error_burst\",\"service\":\"api-service\",\"region\":\"us-east-1\","
                 "\"duration\":\"15s\",\"magnitude\":0.3}",
                 NULL),
        201);
    const int64_t begin_ms = now_ms();
    assert_true(process_wait_until(has_transition, &firing, 15000));
    assert_in_range(now_ms() - begin_ms, 0, 8500); /* looking takes its time too */
    wait_for_line(stack->output, "1 FIRING: HighErrorRate api-service us-east-1", 5000);
    assert_true(process_wait_until(has_transition, &resolved, 90000));
    process_sleep_ms(3000);
    assert_int_equal(count_transitions(stack, firing.text), 1);
    assert_int_equal(count_transitions(stack, resolved.text), 1);
    assert_int_equal(count_transitions(stack, "\"rule\":\"HighErrorRate\""), 2);
    buffer_init(&page, 0);
    assert_int_equal(net_get(stack_url(stack, STACK_FORWARDER, "/metrics"), &page), 200);
    assert_non_null(strstr(buffer_text(&page), "alert_forwarder_notifications_total{result=\"failed\"} 0\n"));
    assert_null(strstr(buffer_text(&page), "alert_forwarder_notifications_total{result=\"sent\"} 0\n"));
    buffer_free(&page);
    assert_int_equal(stack_stop(stack), 0);
    assert_int_equal(process_count_mentioning(stack->data), 0);
}

static void killed_it_takes_its_children_along_and_can_be_started_at_once(void **state)
{
    struct stack *stack = *state;
    stack_start(stack, NULL);
    stack_wait_until_up(stack, START_TIMEOUT_MS);
    process_kill(stack->process);
    assert_true(process_wait_until(none_is_left, stack, 2000));
    stack_start(stack, NULL);
    process_sleep_ms(50); /* in the middle of starting */
    process_kill(stack->process);
    assert_true(process_wait_until(none_is_left, stack, 2000));
    stack_start(stack, NULL);
    stack_wait_until_up(stack, 15000);
    assert_int_equal(stack_stop(stack), 0);
}

static void a_second_start_is_told_who_runs_already(void **state)
{
    struct stack *stack = *state;
    struct stack second = *stack;
    char who[64];
    second.process = NULL;
    path_join(second.output, stack->directory, "second");
    stack_start(stack, NULL);
    stack_wait_until_up(stack, START_TIMEOUT_MS);
    stack_start(&second, NULL);
    assert_int_equal(process_wait(second.process, 10000), 1);
    process_free(second.process);
    snprintf(who, sizeof who, "is running already: process %d", (int)process_id(stack->process));
    assert_int_equal(file_count_lines(second.output, who), 1);
    assert_true(process_is_running(stack->process));
    assert_int_equal(stack_stop(stack), 0);
}

static int listen_on(int port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_return_code(bind(fd, (const struct sockaddr *)&address, sizeof address), errno);
    assert_return_code(listen(fd, 1), errno);
    return fd;
}

static void a_taken_port_is_named_with_its_owner_and_the_setting(void **state)
{
    struct stack *stack = *state;
    char text[160];
    const int fd = listen_on(STACK_PROMETHEUS + stack->port_offset);
    stack_start(stack, NULL);
    assert_int_equal(process_wait(stack->process, 20000), 1);
    close(fd);
    snprintf(text, sizeof text, "port %d, which prometheus needs, is taken by test_local_stack (process %d)",
             STACK_PROMETHEUS + stack->port_offset, (int)getpid());
    assert_int_equal(file_count_lines(stack->output, text), 1);
    assert_int_equal(file_count_lines(stack->output, "--port-offset"), 1);
    assert_int_equal(process_count_mentioning(stack->data), 0);
}

static void a_missing_package_is_named_with_make_install(void **state)
{
    struct stack *stack = *state;
    char offset[32];
    snprintf(offset, sizeof offset, "%d", stack->port_offset);
    const struct process_options options = {.log_path = stack->output,
                                            .environment = (const char *[]){"PATH=/nonexistent", NULL}};
    stack->process =
        process_start((const char *const[]){process_program("local-stack"), "--source", OBS_SOURCE_DIR,
                                            "--data", stack->data, "--port-offset", offset, NULL},
                      &options);
    assert_int_equal(process_wait(stack->process, 10000), 1);
    assert_int_equal(file_count_lines(stack->output, "the package prometheus isn't installed: make install"),
                     1);
}

static void a_program_that_dies_is_reported_and_started_again(void **state)
{
    struct stack *stack = *state;
    char pattern[TEST_PATH_BYTES];
    stack_start(stack, NULL);
    stack_wait_until_up(stack, START_TIMEOUT_MS);
    snprintf(pattern, sizeof pattern, "--listen=127.0.0.1:%d", STACK_BRIDGE + stack->port_offset);
    const pid_t bridge = process_find(pattern);
    assert_true(bridge > 0);
    assert_return_code(kill(bridge, SIGKILL), errno);
    wait_for_line(stack->output, "metrics-bridge ended: killed by signal 9", 5000);
    wait_for_line(stack->output, "metrics-bridge is started again in 1 s", 5000);
    wait_for_line(stack->output, "metrics-bridge is back.", 15000);
    assert_int_equal(stack_stop(stack), 0);
}

static void a_missing_secret_of_alertmanager_is_named_before_anything_starts(void **state)
{
    struct stack *stack = *state;
    stack_start(stack, (const char *const[]){"--alertmanager-config",
                                             OBS_SOURCE_DIR "/config/alertmanager.production.yml", NULL});
    assert_int_equal(process_wait(stack->process, 20000), 1);
    assert_int_equal(file_count_lines(stack->output, "/config/alertmanager.production.yml needs the secret "
                                                     "/etc/alertmanager/secrets/observability/slack-api-url"),
                     1);
    assert_int_equal(process_count_mentioning(stack->data), 0);
}

static void a_program_that_never_gets_ready_stops_the_stack_with_its_last_words(void **state)
{
    struct stack *stack = *state;
    char source[TEST_PATH_BYTES], config[TEST_PATH_BYTES], path[TEST_PATH_BYTES];
    path_join(source, stack->directory, "source");
    path_join(config, source, "config");
    assert_int_equal(process_run((const char *const[]){"mkdir", source, NULL}, 5000, NULL), 0);
    assert_int_equal(process_run((const char *const[]){"cp", "-r", OBS_SOURCE_DIR "/config",
                                                       OBS_SOURCE_DIR "/rules", source, NULL},
                                 5000, NULL),
                     0);
    path_join(path, config, "anomaly-rules.yaml");
    file_write_text(path, "rules:\n  - nme: Wrong\n");
    stack_start(stack, (const char *const[]){"--source", source, NULL});
    assert_int_equal(process_wait(stack->process, 30000), 1);
    assert_int_equal(file_count_lines(stack->output, "stream-processor ended before it was ready"), 1);
    assert_true(file_count_lines(stack->output, "anomaly-rules.yaml:2") >= 1);
    assert_int_equal(process_count_mentioning(stack->data), 0);
}

#define STACK_TEST(function) cmocka_unit_test_setup_teardown(function, create_stack, destroy_stack)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STACK_TEST(it_starts_shows_data_within_2_s_and_stops_without_a_trace),
        STACK_TEST(prometheus_scrapes_every_job_and_has_loaded_the_rules),
        STACK_TEST(an_error_burst_gives_exactly_one_firing_and_one_resolved_alert),
        STACK_TEST(killed_it_takes_its_children_along_and_can_be_started_at_once),
        STACK_TEST(a_second_start_is_told_who_runs_already),
        STACK_TEST(a_taken_port_is_named_with_its_owner_and_the_setting),
        STACK_TEST(a_missing_package_is_named_with_make_install),
        STACK_TEST(a_program_that_dies_is_reported_and_started_again),
        STACK_TEST(a_missing_secret_of_alertmanager_is_named_before_anything_starts),
        STACK_TEST(a_program_that_never_gets_ready_stops_the_stack_with_its_last_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
