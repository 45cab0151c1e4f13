/* The bridge's page as its readers see it: HTTP, the formats, strict parsers. */
#include "bridge_world.h"

#include "support/net.h"
#include "support/outside.h"
#include "support/process.h"
#include "topics/topics.h"

#include "cmocka_all.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OPENMETRICS "Accept: application/openmetrics-text;version=1.0.0"
#define PROTOBUF                                                                                             \
    "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

/* Headers and body into world->page, by curl; extra: its own arguments, up to three. */
static const char *ask(struct bridge_world *world, const char *query, const char *a, const char *b,
                       const char *c)
{
    char url[128];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", (unsigned)world->port, query);
    buffer_clear(&world->page);
    const char *argv[] = {"curl", "-s", "-i", url, a, b, c, NULL};
    assert_int_equal(process_run(argv, PATIENCE_MS, &world->page), 0);
    return buffer_text(&world->page);
}

static void the_page_answers_as_http_wants(void **state)
{
    struct bridge_world *world = *state;
    char huge[70000];
    bridge_start(world, NULL);
    bridge_wait_until_ready(world);
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    memcpy(huge, "X-Huge: ", 8);
    const struct {
        const char *query, *a, *b, *c, *answer;
    } cases[] = {
        {"/metrics", NULL, NULL, NULL, "HTTP/1.1 200 "},
        {"/metrics?histograms=classic", NULL, NULL, NULL, "HTTP/1.1 200 "},
        {"/metrics?histograms=native", NULL, NULL, NULL, "HTTP/1.1 200 "},
        {"/metrics?histograms=both", NULL, NULL, NULL, "HTTP/1.1 200 "},
        {"/metrics?histograms=x", NULL, NULL, NULL, "HTTP/1.1 400 "},
        {"/metrics?histograms=x", NULL, NULL, NULL, "give classic, native or both"},
        {"/metrics", "--head", NULL, NULL, "HTTP/1.1 200 "},
        {"/metric", NULL, NULL, NULL, "HTTP/1.1 404 "},
        {"/metrics", "-X", "POST", NULL, "HTTP/1.1 405 "},
        {"/metrics", "-X", "DELETE", NULL, "Allow: GET, HEAD\r\n"},
        {"/metrics", "-H", huge, NULL, "HTTP/1.1 431 "},
        {"/metrics", NULL, NULL, NULL, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"},
        {"/metrics", "-H", OPENMETRICS, NULL,
         "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"},
        {"/metrics", "-H", PROTOBUF, NULL,
         "Content-Type: application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
         "encoding=delimited\r\n"},
        {"/metrics", "-H", "Accept-Encoding: gzip", NULL, "Content-Encoding: gzip\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *answer = ask(world, cases[i].query, cases[i].a, cases[i].b, cases[i].c);
        if (strstr(answer, cases[i].answer) == NULL) {
            fail_msg("case %zu: no %s in %.400s", i, cases[i].answer, answer);
        }
    }
    assert_null(strstr(ask(world, "/metrics", "--head", NULL, NULL), "# TYPE"));
    assert_null(strstr(ask(world, "/metrics", NULL, NULL, NULL), "Content-Encoding"));
    assert_non_null(strstr(ask(world, "/metrics", "--compressed", NULL, NULL), "# TYPE"));
}

/* The body of an answer to a file of the world's directory. */
static void save_page(struct bridge_world *world, const char *query, const char *accept,
                      char path[TEST_PATH_BYTES])
{
    const char *answer = ask(world, query, "-H", accept, NULL);
    const char *body = strstr(answer, "\r\n\r\n");
    assert_non_null(body);
    path_join(path, world->directory, "page");
    file_write(path, body + 4, world->page.size - (size_t)(body + 4 - answer));
}

static int run_on_page(const char *const *argv, const char *path, struct buffer *output)
{
    char log_path[TEST_PATH_BYTES + 8];
    (void)snprintf(log_path, sizeof log_path, "%s.out", path);
    const struct process_options options = {.log_path = log_path, .stdin_path = path};
    file_write_text(log_path, ""); /* it is appended to */
    struct process *process = process_start(argv, &options);
    int code = process_wait(process, PATIENCE_MS);
    process_free(process);
    buffer_clear(output);
    file_read(log_path, output);
    return code;
}

static void strict_readers_accept_every_text_page(void **state)
{
    struct bridge_world *world = *state;
    static const char *const promtool[] = {"promtool", "check", "metrics", NULL};
    static const char *const parser[] = {"/usr/bin/python3",
                                         OBS_SOURCE_DIR "/tests/integration/check_openmetrics.py", NULL};
    static const char *const queries[] = {"/metrics", "/metrics?histograms=classic",
                                          "/metrics?histograms=native"};
    process_require_command("promtool");
    bridge_start(world, NULL);
    bridge_produce_events(world, 0, 2400);
    bridge_produce_log(world, LOG_SEVERITY_WARN);
    outside_wait_for_acks(world->producer);
    bridge_wait_until_all_is_counted(world);
    bridge_wait_for_value(world, "metrics_bridge_log_records_total", "", 1);
    struct buffer output;
    buffer_init(&output, 0);
    for (size_t i = 0; i < 3; i++) {
        char path[TEST_PATH_BYTES];
        save_page(world, queries[i], "Accept: text/plain", path);
        int code = run_on_page(promtool, path, &output);
        if (code != 0 || output.size > 0) {
            fail_msg("promtool ends with %d and says %s", code, buffer_text(&output));
        }
        save_page(world, queries[i], OPENMETRICS, path);
        code = run_on_page(parser, path, &output);
        if (code != 0) {
            fail_msg("the OpenMetrics parser says %s", buffer_text(&output));
        }
        print_message("%s: %s", queries[i], buffer_text(&output));
    }
    buffer_free(&output);
}
/* --- slow clients ---- */

/* No more than that it is answered: then it has a place. */
static int ask_and_read_the_status(const struct bridge_world *world)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static const char expected[] = "HTTP/1.1 200";
    char status[sizeof expected - 1];
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(world->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int few_bytes = 4096;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &few_bytes, sizeof few_bytes);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    assert_int_equal(recv(fd, status, sizeof status, MSG_WAITALL), sizeof status);
    assert_memory_equal(status, expected, sizeof status);
    return fd;
}

struct answer {
    char url[64];
    int status;
};

static bool has_status(void *context)
{
    const struct answer *answer = context;
    return net_get(answer->url, NULL) == answer->status;
}

/* A page larger than what the kernel takes for a client that doesn't read: such clients hold all places for a
 * scrape, but not for long, and counting goes on meanwhile. */
static void slow_clients_are_hung_up_on_and_stop_no_counting(void **state)
{
    enum { SETS = 3000, SLOW = 4 };
    struct bridge_world *world = *state;
    int fds[SLOW];
    bridge_start(world, NULL);
    for (uint64_t i = 0; i < SETS; i++) {
        char id[32];
        char route[64];
        struct event event = bridge_make_event(i, id);
        (void)snprintf(route, sizeof route, "/a/long/route/to/make/the/page/large/%llu",
                       (unsigned long long)i);
        event.route = (struct event_text){route, strlen(route)};
        bridge_produce_event(world, &event);
    }
    outside_wait_for_acks(world->producer);
    bridge_wait_until_all_is_counted(world);
    for (int i = 0; i < SLOW; i++) {
        fds[i] = ask_and_read_the_status(world);
    }
    struct answer answer = {.status = 503};
    (void)snprintf(answer.url, sizeof answer.url, "http://127.0.0.1:%u/metrics", (unsigned)world->port);
    assert_true(process_wait_until(has_status, &answer, 8000));
    bridge_produce_events(world, 0, 100);
    answer.status = 200;
    assert_true(process_wait_until(has_status, &answer, 15000));
    bridge_wait_until_all_is_counted(world);
    for (int i = 0; i < SLOW; i++) {
        close(fds[i]);
    }
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, bridge_world_begin, bridge_world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_page_answers_as_http_wants),
        CASE(strict_readers_accept_every_text_page),
        CASE(slow_clients_are_hung_up_on_and_stop_no_counting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
