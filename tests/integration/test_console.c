/* The console as a browser, a server and an attacker meet it: a real process over an embedded bus, and
 * processors that the test plays. */
#include "support/files.h"
#include "support/kafka.h"
#include "support/net.h"
#include "support/outside.h"
#include "support/process.h"
#include "support/transition_writer.h"

#include "buffer/buffer.h"
#include "bus/bus.h"
#include "clock/clock.h"
#include "clock/rfc3339.h"
#include "http/http_client.h"
#include "http/http_feed.h"
#include "http/http_server.h"
#include "topics/topics.h"

#include "cmocka_all.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 15000

static struct kafka_broker broker;
static bool is_on_kafka; /* otherwise each test has an embedded bus of its own */

struct world {
    char directory[TEST_PATH_BYTES], bus_url[TEST_PATH_BYTES], log[TEST_PATH_BYTES];
    uint16_t port;
    struct process *process;
    struct buffer answer;
    /* Two stream-processors of the test's own. */
    struct http_server *servers[2];
    struct http_feed *feeds[2];
    struct http_route routes[2];
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    temp_directory_create(world->directory, "console");
    (void)snprintf(world->bus_url, sizeof world->bus_url, "embedded:%.460s/bus?durability=process",
                   world->directory);
    if (is_on_kafka) {
        (void)snprintf(world->bus_url, sizeof world->bus_url, "%s", broker.url);
    }
    path_join(world->log, world->directory, "console.log");
    world->port = net_free_port();
    buffer_init(&world->answer, 0);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    process_free(world->process);
    for (size_t i = 0; i < 2; i++) {
        if (world->feeds[i] != NULL) {
            http_feed_close(world->feeds[i]);
        }
        http_server_stop(world->servers[i]);
        http_feed_destroy(world->feeds[i]);
    }
    temp_directory_remove(world->directory);
    buffer_free(&world->answer);
    free(world);
    return 0;
}

static const char *url_of(const struct world *world, const char *path)
{
    static char urls[4][512];
    static size_t next;
    char *url = urls[next++ % 4];
    (void)snprintf(url, sizeof urls[0], "http://127.0.0.1:%u%s", (unsigned)world->port, path);
    return url;
}

/* Without others it follows nobody: the addresses are of nothing. */
static void start(struct world *world, const char *const *more)
{
    char listen[64];
    (void)snprintf(listen, sizeof listen, "--listen=127.0.0.1:%u", (unsigned)world->port);
    char bus[TEST_PATH_BYTES + 16];
    (void)snprintf(bus, sizeof bus, "--bus-url=%s", world->bus_url);
    const char *argv[24] = {process_program("console"),
                            listen,
                            bus,
                            "--prometheus-url=",
                            "--alertmanager-url=",
                            "--dashboards=" OBS_SOURCE_DIR "/dashboards",
                            "--runbooks=" OBS_SOURCE_DIR "/runbooks"};
    size_t count = 7;
    for (; more != NULL && *more != NULL; more++) {
        argv[count++] = *more;
    }
    const struct process_options options = {.log_path = world->log, .directory = world->directory};
    world->process = process_start(argv, &options);
    net_wait_for(url_of(world, "/readyz"), 200, PATIENCE_MS);
}

static bool has_type(const char *const *headers)
{
    return headers != NULL && headers[0] != NULL && strncmp(headers[0], "Content-Type", 12) == 0;
}

/* The status; headers NULL-ended "Name: value". */
static int ask(struct world *world, const char *method, const char *path, const char *body,
               const char *const *headers)
{
    const struct http_client_request request = {
        .method = method,
        .url = url_of(world, path),
        .content_type = body == NULL || has_type(headers) ? NULL : "application/json",
        .body = body,
        .body_bytes = body == NULL ? 0 : strlen(body),
        .headers = headers};
    buffer_clear(&world->answer);
    return http_client_send(&request, &world->answer, NULL);
}

static const char *curl(struct world *world, const char *path, const char *a, const char *b, const char *c,
                        const char *d)
{
    const char *argv[] = {"curl", "-s", "-i", "--path-as-is", url_of(world, path), a, b, c, d, NULL};
    buffer_clear(&world->answer);
    (void)process_run(argv, PATIENCE_MS, &world->answer);
    return buffer_text(&world->answer);
}

static void the_page_and_its_files_come_with_a_strict_policy(void **state)
{
    struct world *world = *state;
    static const char *const documents[] = {"/",
                                            "/alerts",
                                            "/alerts/0123456789abcdef/1",
                                            "/d/golden-signals",
                                            "/slos/api-service",
                                            "/logs?var-service=x",
                                            "/lab",
                                            "/runbooks/high-error-rate.md"};
    start(world, NULL);
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        const char *page = curl(world, documents[i], NULL, NULL, NULL, NULL);
        assert_non_null(strstr(page, "HTTP/1.1 200 "));
        assert_non_null(
            strstr(page, "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'"));
        assert_non_null(strstr(page, "frame-ancestors 'none'"));
        assert_null(strstr(page, "unsafe-inline"));
        assert_non_null(strstr(page, "X-Content-Type-Options: nosniff"));
        assert_non_null(strstr(page, "<script type=\"module\" src=\"/assets/console-"));
        assert_null(strstr(page, "style=\""));
    }
    char script[128] = "";
    assert_int_equal(
        sscanf(strstr(buffer_text(&world->answer), "/assets/console-"), "%127[a-z0-9./-]", script), 1);
    const char *plain = curl(world, script, NULL, NULL, NULL, NULL);
    assert_non_null(strstr(plain, "immutable"));
    assert_null(strstr(plain, "Content-Encoding"));
    assert_non_null(
        strstr(curl(world, script, "-H", "Accept-Encoding: gzip", NULL, NULL), "Content-Encoding: gzip"));
}

static void no_path_leads_out_of_what_is_served(void **state)
{
    struct world *world = *state;
    static const char *const paths[] = {
        "/assets/../main.c",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2fetc%2fpasswd",
        "/assets//etc/passwd",
        "/assets/index.html%00.js",
        "/api/runbooks/../README",
        "/api/runbooks/..%2fREADME.md",
        "/api/runbooks/%2e%2e%2fREADME",
        "/api/runbooks//etc/passwd",
        "/api/prometheus/../../admin",
        "/api/alertmanager/%2e%2e/x",
        "/nothing",
        "/api/nothing",
        "/api/transition/../series",
        "/api/dashboards/../../etc/passwd",
    };
    start(world, NULL);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const char *answer = curl(world, paths[i], NULL, NULL, NULL, NULL);
        if (strstr(answer, "HTTP/1.1 400 ") == NULL && strstr(answer, "HTTP/1.1 404 ") == NULL &&
            strstr(answer, "HTTP/1.1 503 ") == NULL) {
            fail_msg("%s: %.200s", paths[i], answer);
        }
        assert_null(strstr(answer, "root:"));
    }
    assert_int_equal(ask(world, "GET", "/api/runbooks/high-error-rate.md", NULL, NULL), 200);
    assert_non_null(strstr(buffer_text(&world->answer), "# HighErrorRate"));
    assert_int_equal(ask(world, "GET", "/api/dashboards", NULL, NULL), 200);
    assert_non_null(strstr(buffer_text(&world->answer), "\"uid\": \"golden-signals\""));
}

static void other_hosts_and_other_origins_get_nothing(void **state)
{
    struct world *world = *state;
    char origin[64];
    (void)snprintf(origin, sizeof origin, "Origin: http://127.0.0.1:%u", (unsigned)world->port);
    start(world, NULL);
    const struct {
        const char *method, *path, *body, *header, *second;
        int status;
    } cases[] = {
        {"GET", "/", NULL, "Host: evil.example", NULL, 421},
        {"GET", "/api/stream", NULL, "Host: evil.example:3000", NULL, 421},
        {"GET", "/api/logs", NULL, "Host: localhost", NULL, 200},
        {"GET", "/api/logs", NULL, "Origin: https://evil.example", NULL, 403},
        {"GET", "/api/logs", NULL, "Origin: null", NULL, 403},
        {"GET", "/api/logs", NULL, "Sec-Fetch-Site: cross-site", NULL, 403},
        {"GET", "/api/logs", NULL, "Sec-Fetch-Site: same-site", NULL, 403},
        {"GET", "/api/logs", NULL, "Sec-Fetch-Site: same-origin", NULL, 200},
        {"GET", "/", NULL, "Sec-Fetch-Site: cross-site", NULL, 200}, /* a link in a chat */
        {"GET", "/api/logs", NULL, origin, NULL, 200},
        /* What changes something needs a header that a page elsewhere can't send unasked. */
        {"POST", "/api/simulator/faults", "{}", NULL, NULL, 403},
        {"POST", "/api/alertmanager/silences", "{}", NULL, NULL, 403},
        {"DELETE", "/api/alertmanager/silence/1", NULL, NULL, NULL, 403},
        {"POST", "/api/alertmanager/silences", "{}", "X-Console: 1", "Origin: https://evil.example", 403},
        {"POST", "/api/alertmanager/silences", "{}", "X-Console: 1", origin,
         503}, /* let through: there is none */
        {"OPTIONS", "/api/alertmanager/silences", NULL, "Origin: https://evil.example", NULL, 403},
        {"PUT", "/api/logs", "{}", "X-Console: 1", NULL, 405},
        {"POST", "/api/notifications", "{}", origin, NULL, 403}, /* a browser */
        {"POST", "/api/notifications", "{}", "Content-Type: text/plain", NULL, 403},
        {"POST", "/api/notifications", "{", NULL, NULL, 400},
        {"POST", "/api/notifications", "{\"status\":\"firing\"}", NULL, NULL, 200},
        {"GET", "/api/logs?severity=LOUD", NULL, NULL, NULL, 400},
        {"GET", "/api/logs?limit=-1", NULL, NULL, NULL, 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const headers[] = {cases[i].header, cases[i].second, NULL};
        const int status = ask(world, cases[i].method, cases[i].path, cases[i].body, headers);
        if (status != cases[i].status) {
            fail_msg("%s %s with '%s': %d, not %d: %s", cases[i].method, cases[i].path,
                     cases[i].header == NULL ? "" : cases[i].header, status, cases[i].status,
                     buffer_text(&world->answer));
        }
    }
}

static void another_address_demands_a_token(void **state)
{
    struct world *world = *state;
    char path[TEST_PATH_BYTES];
    char listen[64];
    char token[TEST_PATH_BYTES + 32];
    char bus[TEST_PATH_BYTES + 16];
    path_join(path, world->directory, "token");
    file_write_text(path, "a-token-of-many-characters\n");
    (void)snprintf(listen, sizeof listen, "--listen=0.0.0.0:%u", (unsigned)world->port);
    (void)snprintf(bus, sizeof bus, "--bus-url=%s", world->bus_url);
    (void)snprintf(token, sizeof token, "--token-file=%s", path);
    const struct process_options options = {.log_path = world->log};
    const char *const without[] = {process_program("console"), listen, bus, NULL};
    struct process *refused = process_start(without, &options);
    assert_int_equal(process_wait(refused, PATIENCE_MS), 2);
    process_free(refused);
    assert_int_equal(file_count_lines(world->log, "--token-file"), 1);
    start(world, (const char *const[]){listen, token, "--public-host=console.example", NULL});
    const struct {
        const char *host, *authorization;
        int status;
    } cases[] = {
        {"Host: console.example:3000", NULL, 401},
        {"Host: console.example", "Authorization: Bearer wrong", 401},
        {"Host: console.example", "Authorization: Bearer a-token-of-many-characterss", 401},
        {"Host: console.example", "Authorization: Basic !!!!", 401},
        {"Host: console.example", "Authorization: Bearer a-token-of-many-characters", 200},
        {"Host: console.example", "Authorization: Basic bWFyYTphLXRva2VuLW9mLW1hbnktY2hhcmFjdGVycw==", 200},
        {"Host: other.example", "Authorization: Bearer a-token-of-many-characters", 421},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const headers[] = {cases[i].host, cases[i].authorization, NULL};
        for (int p = 0; p < 2; p++) {
            const int status = ask(world, "GET", p == 0 ? "/" : "/api/logs", NULL, headers);
            if (status != cases[i].status) {
                fail_msg("%s: %d, not %d", cases[i].authorization == NULL ? "" : cases[i].authorization,
                         status, cases[i].status);
            }
        }
    }
}

/* --- processors ---- */

static void follow(void *context, const struct http_request *request, struct http_response *response)
{
    (void)request;
    if (http_feed_follow(context, response)) {
        http_response_set_type(response, "text/event-stream");
        buffer_append_text(http_response_body(response), "retry: 3000\n\n");
    }
}

static void play_processor(struct world *world, size_t index, uint16_t port)
{
    assert_int_equal(http_feed_create(&world->feeds[index], 16, (size_t)16 * 1048576, NULL), 0);
    world->routes[index] = (struct http_route){"GET", "/stream", follow, world->feeds[index]};
    const struct http_server_settings settings = {.address = "127.0.0.1",
                                                  .port = port,
                                                  .setting = "test",
                                                  .routes = &world->routes[index],
                                                  .route_count = 1};
    assert_int_equal(http_server_start(&world->servers[index], &settings, NULL), 0);
}

static void say(struct world *world, size_t index, const char *service, double rate)
{
    char text[512];
    const int size = snprintf(
        text, sizeof text,
        "event: series\ndata: {\"time_unix_ms\":1,\"lag_seconds\":0,\"series\":[{\"service.name\":\"%s\","
        "\"cloud.region\":\"r\",\"time_unix_ms\":1800000000000,\"request_rate\":%g,\"error_ratio\":0,"
        "\"p99\":0.1,\"firing\":[]}]}\n\n",
        service, rate);
    http_feed_publish(world->feeds[index], text, (size_t)size);
}

struct wait {
    struct world *world;
    const char *text;
};

/* The first event of a new follower of the console has everything. */
static bool hello_has(void *context)
{
    const struct wait *wait = context;
    const char *argv[] = {"curl", "-sN", "--max-time", "0.4", url_of(wait->world, "/api/stream"), NULL};
    buffer_clear(&wait->world->answer);
    (void)process_run(argv, PATIENCE_MS, &wait->world->answer);
    return strstr(buffer_text(&wait->world->answer), wait->text) != NULL;
}

static bool have_followers(void *context)
{
    const struct world *world = context;
    return http_feed_followers(world->feeds[0]) == 1 && http_feed_followers(world->feeds[1]) == 1;
}

static void start_with_processors(struct world *world)
{
    char urls[2][64];
    const uint16_t port = net_free_ports(2);
    for (size_t i = 0; i < 2; i++) {
        play_processor(world, i, (uint16_t)(port + i));
        (void)snprintf(urls[i], sizeof urls[i], "--stream-processor-url=http://127.0.0.1:%u",
                       (unsigned)(port + i));
    }
    start(world, (const char *const[]){urls[0], urls[1], NULL});
    assert_true(process_wait_until(have_followers, world, PATIENCE_MS));
}

static void streams_of_several_processors_become_one(void **state)
{
    struct world *world = *state;
    start_with_processors(world);
    say(world, 0, "first", 11);
    say(world, 1, "second", 22);
    struct wait wait = {world, "\"second\",\"r\"]"};
    assert_true(process_wait_until(hello_has, &wait, PATIENCE_MS));
    assert_non_null(strstr(buffer_text(&world->answer), "\"first\",\"r\"]"));
    /* However many pages there are, each processor is followed once. */
    struct process *pages[5];
    for (size_t i = 0; i < 5; i++) {
        const char *argv[] = {"curl", "-sN", "--max-time", "5", url_of(world, "/api/stream"), NULL};
        const struct process_options options = {.log_path = world->log};
        pages[i] = process_start(argv, &options);
    }
    process_sleep_ms(500);
    assert_true(have_followers(world));
    for (size_t i = 0; i < 5; i++) {
        process_free(pages[i]);
    }
}

#define SERIES_AT_THE_BOUND 20000
#define SERIES_AN_EVENT     1000
#define PAGES               50

/* Series number first and those after it. */
static void say_many(struct world *world, int first)
{
    struct buffer text;
    buffer_init(&text, 0);
    buffer_append_text(&text, "event: series\ndata: {\"time_unix_ms\":1,\"lag_seconds\":0,\"series\":[");
    for (int i = first; i < first + SERIES_AN_EVENT; i++) {
        buffer_append_format(&text,
                             "%s{\"service.name\":\"service-%d\",\"cloud.region\":\"r\","
                             "\"time_unix_ms\":1800000000000,\"request_rate\":12.34,\"error_ratio\":0.0123,"
                             "\"p99\":0.1234,\"minute\":{\"request_rate\":12.34,\"error_ratio\":0.0123,"
                             "\"p99\":0.1234},\"firing\":[]}",
                             i > first ? "," : "", i);
    }
    buffer_append_text(&text, "]}\n\n");
    http_feed_publish(world->feeds[0], text.data, text.size);
    buffer_free(&text);
}

static bool metrics_have(void *context)
{
    const struct wait *wait = context;
    return ask(wait->world, "GET", "/metrics", NULL, NULL) == 200 &&
           strstr(buffer_text(&wait->world->answer), wait->text) != NULL;
}

static void expect_metric(struct world *world, const char *line)
{
    struct wait wait = {world, line};
    if (!process_wait_until(metrics_have, &wait, PATIENCE_MS)) {
        fail_msg("no '%s' in %s", line, buffer_text(&world->answer));
    }
}

static double metric(struct world *world, const char *name)
{
    char line[64];
    (void)snprintf(line, sizeof line, "\n%s ", name);
    assert_int_equal(ask(world, "GET", "/metrics", NULL, NULL), 200);
    const char *at = strstr(buffer_text(&world->answer), line);
    assert_non_null(at);
    return strtod(at + strlen(line), NULL);
}

/* Reads on until the text has come. Only the end of what came before is kept. */
static void expect_text(int fd, const char *text)
{
    char part[65536 + 64];
    const size_t keep = strlen(text) - 1;
    size_t size = 0;
    part[0] = '\0';
    while (strstr(part, text) == NULL) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        const size_t kept = size < keep ? size : keep;
        memmove(part, part + size - kept, kept);
        assert_int_equal(poll(&waiting, 1, PATIENCE_MS), 1);
        const ssize_t count = read(fd, part + kept, sizeof part - 1 - kept);
        assert_true(count > 0); /* 0: hung up on */
        size = kept + (size_t)count;
        part[size] = '\0';
    }
}

/* small: the kernel takes little for whoever reads nothing. */
static int connect_to(uint16_t port, bool is_small)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const int small = 4096;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (is_small) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    }
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static bool nobody_follows(void *context)
{
    struct world *world = context;
    return ask(world, "GET", "/metrics", NULL, NULL) == 200 &&
           strstr(buffer_text(&world->answer), "\nconsole_pages 0\n") != NULL;
}

static bool somebody_follows(void *context)
{
    struct world *world = context;
    return ask(world, "GET", "/metrics", NULL, NULL) == 200 &&
           strstr(buffer_text(&world->answer), "\nconsole_pages 1\n") != NULL;
}

/* A connection that has asked for the stream and reads nothing of it. */
static int open_page(struct world *world)
{
    static const char request[] = "GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const int fd = connect_to(world->port, true);
    assert_int_equal(write(fd, request, sizeof request - 1), sizeof request - 1);
    assert_true(process_wait_until(somebody_follows, world, PATIENCE_MS));
    return fd;
}

static void a_client_that_takes_nothing_is_hung_up_on(void **state)
{
    struct world *world = *state;
    start(world, NULL);
    const int fd = open_page(world);
    char *body = malloc(60001);
    assert_non_null(body);
    memset(body, 'x', 60000);
    memcpy(body, "{\"status\":\"", 11);
    memcpy(body + 59998, "\"}", 2);
    body[60000] = '\0';
    for (int i = 0; i < 150; i++) { /* 9 MB, where 2 are held for a follower and the kernel holds some */
        assert_int_equal(ask(world, "POST", "/api/notifications", body, NULL), 200);
    }
    free(body);
    assert_true(process_wait_until(nobody_follows, world, PATIENCE_MS));
    assert_int_equal(ask(world, "GET", "/healthz", NULL, NULL), 200);
    (void)close(fd);
}

/* A hello of the largest table was over what a page may be behind, so each page was hung up on for ever; and
 * each was held once a page. */
static void many_pages_that_come_at_once_share_one_hello_at_the_bound(void **state)
{
    struct world *world = *state;
    static const char request[] = "GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n";
    int pages[PAGES];
    start_with_processors(world);
    for (int first = 0; first < SERIES_AT_THE_BOUND; first += SERIES_AN_EVENT) {
        say_many(world, first);
    }
    expect_metric(world, "\nconsole_series 20000\n");
    for (size_t i = 0; i < PAGES; i++) {
        pages[i] = connect_to(world->port, false);
        assert_int_equal(write(pages[i], request, sizeof request - 1), sizeof request - 1);
    }
    expect_metric(world, "\nconsole_pages 50\n");
    say(world, 0, "service-7", 77);
    assert_true(metric(world, "console_stream_bytes") < 16e6); /* 50 hellos are over 100e6 */
    for (size_t i = 0; i < PAGES; i++) {
        expect_text(pages[i], "\"rows\":[[7,"); /* of the tick after the hello, whose first row is 0 */
    }
    for (size_t i = 0; i < PAGES; i++) {
        (void)close(pages[i]);
    }
}

static void sigterm_ends_it_while_pages_are_open(void **state)
{
    struct world *world = *state;
    start(world, NULL);
    const int fd = open_page(world);
    process_signal(world->process, 15);
    assert_int_equal(process_wait(world->process, 10000), 0);
    (void)close(fd);
}

/* --- others that take connections and answer nothing ---- */

/* A listening socket; the kernel takes its connections. */
static int play_dead(uint16_t *port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in bound;
    socklen_t size = sizeof bound;
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &size), 0);
    *port = ntohs(bound.sin_port);
    return fd;
}

#define ASKERS 8 /* more than the server has threads for connections, and all that wait for Prometheus */

struct askers {
    struct process *processes[ASKERS];
    int dead;
    int taken[ASKERS];
};

/* Each query has come as far as the server that never answers. */
static void ask_the_dead(struct world *world, struct askers *askers, size_t count)
{
    const struct process_options options = {.log_path = world->log};
    for (size_t i = 0; i < count; i++) {
        const char *argv[] = {"curl", "-s", url_of(world, "/api/prometheus/query?query=up"), NULL};
        askers->processes[i] = process_start(argv, &options);
    }
    for (size_t i = 0; i < count; i++) {
        struct pollfd waiting = {.fd = askers->dead, .events = POLLIN};
        assert_int_equal(poll(&waiting, 1, PATIENCE_MS), 1);
        askers->taken[i] = accept(askers->dead, NULL, NULL);
        assert_true(askers->taken[i] >= 0);
    }
}

static void end_askers(struct askers *askers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        process_free(askers->processes[i]);
        (void)close(askers->taken[i]);
    }
    (void)close(askers->dead);
}

static void start_beside_the_dead(struct world *world, struct askers *askers)
{
    char prometheus[64];
    uint16_t port = 0;
    *askers = (struct askers){.dead = play_dead(&port)};
    (void)snprintf(prometheus, sizeof prometheus, "--prometheus-url=http://127.0.0.1:%u", (unsigned)port);
    start(world, (const char *const[]){prometheus, NULL});
}

static void sigterm_ends_it_while_prometheus_is_waited_for(void **state)
{
    struct world *world = *state;
    struct askers askers;
    start_beside_the_dead(world, &askers);
    ask_the_dead(world, &askers, ASKERS);
    process_signal(world->process, 15);
    assert_int_equal(process_wait(world->process, 10000), 0);
    end_askers(&askers, ASKERS);
}

/* Whoever waits for Prometheus keeps nobody else waiting: pages that are open are told on, new ones come. */
static void a_prometheus_that_never_answers_holds_up_nothing_else(void **state)
{
    struct world *world = *state;
    static const char request[] = "GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct askers askers;
    int pages[8];
    char text[4096];
    start_beside_the_dead(world, &askers);
    for (size_t i = 0; i < 8; i++) {
        pages[i] = connect_to(world->port, true);
        assert_int_equal(write(pages[i], request, sizeof request - 1), sizeof request - 1);
    }
    ask_the_dead(world, &askers, ASKERS);
    assert_int_equal(ask(world, "POST", "/api/notifications", "{\"status\":\"news\"}", NULL), 200);
    for (size_t i = 0; i < 8; i++) {
        struct pollfd waiting = {.fd = pages[i], .events = POLLIN};
        bool is_told = false;
        while (!is_told && poll(&waiting, 1, PATIENCE_MS) == 1) {
            const ssize_t size = read(pages[i], text, sizeof text - 1);
            assert_true(size > 0);
            text[size] = '\0';
            is_told = strstr(text, "news") != NULL;
        }
        assert_true(is_told);
        (void)close(pages[i]);
    }
    end_askers(&askers, ASKERS);
}

static void list_no_faults(void *context, const struct http_request *request, struct http_response *response)
{
    (void)context;
    (void)request;
    buffer_append_text(http_response_body(response), "{\"faults\":[]}");
}

#define STUCK_QUERIES 64 /* twice as many as there are threads that wait */

static void queries_that_are_stuck_leave_room_for_other_servers(void **state)
{
    struct world *world = *state;
    static const char query[] = "GET /api/prometheus/query?query=up HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const uint16_t port = net_free_port();
    char simulator[64];
    char prometheus[64];
    uint16_t dead_port = 0;
    int stuck[STUCK_QUERIES];
    const int dead = play_dead(&dead_port);
    world->routes[0] = (struct http_route){"GET", "/faults", list_no_faults, NULL};
    const struct http_server_settings settings = {
        .address = "127.0.0.1", .port = port, .setting = "test", .routes = world->routes, .route_count = 1};
    assert_int_equal(http_server_start(&world->servers[0], &settings, NULL), 0);
    (void)snprintf(prometheus, sizeof prometheus, "--prometheus-url=http://127.0.0.1:%u",
                   (unsigned)dead_port);
    (void)snprintf(simulator, sizeof simulator, "--simulator-url=http://127.0.0.1:%u", (unsigned)port);
    start(world, (const char *const[]){prometheus, simulator, NULL});
    for (size_t i = 0; i < STUCK_QUERIES; i++) {
        stuck[i] = connect_to(world->port, true);
        assert_int_equal(write(stuck[i], query, sizeof query - 1), sizeof query - 1);
    }
    struct pollfd waiting = {.fd = dead, .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, PATIENCE_MS), 1);
    assert_int_equal(ask(world, "GET", "/api/simulator/faults", NULL, NULL), 200);
    assert_string_equal(buffer_text(&world->answer), "{\"faults\":[]}");
    for (size_t i = 0; i < STUCK_QUERIES; i++) {
        (void)close(stuck[i]);
    }
    (void)close(dead);
}

/* --- what is on the bus ---- */

static void put_line(struct bus_producer *producer, const char *body)
{
    char text[512];
    const int size = snprintf(
        text, sizeof text,
        "{\"schema_version\":1,\"time_unix_ms\":%lld,\"service.name\":\"shop\",\"cloud.region\":\"r\","
        "\"severity_text\":\"ERROR\",\"body\":\"%s\"}",
        (long long)clock_wall_ms(clock_system()), body);
    const struct bus_record record = {.topic = TOPIC_LOGS_RAW,
                                      .partition = BUS_PARTITION_BY_KEY,
                                      .key = {body, strlen(body)},
                                      .value = {text, (size_t)size}};
    outside_put(producer, &record);
    outside_wait_for_acks(producer);
}

static bool logs_have(void *context)
{
    const struct wait *wait = context;
    return ask(wait->world, "GET", "/api/logs?service=shop", NULL, NULL) == 200 &&
           strstr(buffer_text(&wait->world->answer), wait->text) != NULL;
}

static void expect_line(struct world *world, const char *body)
{
    struct wait wait = {world, body};
    if (!process_wait_until(logs_have, &wait, 4 * PATIENCE_MS)) {
        fail_msg("no line '%s': %s", body, buffer_text(&world->answer));
    }
}

static void fire(struct transition_writer *writer, const char *rule)
{
    struct alert_transition transition = {.sequence = 1, .state = ALERT_FIRING, .window_seconds = 60};
    (void)snprintf(transition.rule, sizeof transition.rule, "%s", rule);
    (void)snprintf(transition.labels.service, sizeof transition.labels.service, "shop");
    transition_writer_put(writer, &transition);
}

static void expect_transition(struct world *world, const char *rule)
{
    struct wait wait = {world, rule};
    if (!process_wait_until(hello_has, &wait, 4 * PATIENCE_MS)) {
        fail_msg("no transition of '%s': %.500s", rule, buffer_text(&world->answer));
    }
}

/* An Alertmanager that the test plays: what it lists. */
static pthread_mutex_t listed_lock = PTHREAD_MUTEX_INITIALIZER;
static struct buffer listed;

static void list_alerts(void *context, const struct http_request *request, struct http_response *response)
{
    (void)context;
    (void)request;
    (void)pthread_mutex_lock(&listed_lock);
    buffer_append_format(http_response_body(response), "[%s]", buffer_text(&listed));
    (void)pthread_mutex_unlock(&listed_lock);
}

static void list_alert(const char *alert_id, int64_t updated_ms, const char *more)
{
    char updated[RFC3339_BYTES];
    rfc3339_format(updated, updated_ms);
    (void)pthread_mutex_lock(&listed_lock);
    buffer_append_format(
        &listed,
        "%s{\"annotations\":{\"summary\":\"x\",\"alert_id\":\"%s\"},\"receivers\":[{\"name\":\"r\"}],"
        "\"updatedAt\":\"%s\",\"labels\":{\"alert_id\":\"other\"%s}}",
        listed.size > 0 ? "," : "", alert_id, updated, more);
    (void)pthread_mutex_unlock(&listed_lock);
}

/* What Alertmanager says of a later telling is no time at which it took the alert first. */
static void the_time_at_which_alertmanager_took_an_alert_is_told_if_it_was_seen(void **state)
{
    struct world *world = *state;
    struct bus *bus = NULL;
    struct bus_producer *producer = NULL;
    char alertmanager[64];
    char wanted[128];
    char ids[2][ALERT_ID_BYTES];
    const uint16_t port = net_free_port();
    buffer_init(&listed, 0);
    world->routes[0] = (struct http_route){"GET", "/api/v2/alerts", list_alerts, NULL};
    const struct http_server_settings settings = {
        .address = "127.0.0.1", .port = port, .setting = "test", .routes = world->routes, .route_count = 1};
    assert_int_equal(http_server_start(&world->servers[0], &settings, NULL), 0);
    (void)snprintf(alertmanager, sizeof alertmanager, "--alertmanager-url=http://127.0.0.1:%u",
                   (unsigned)port);
    outside_open(world->bus_url, &bus, &producer);
    struct transition_writer *writer = transition_writer_open(bus);
    start(world, (const char *const[]){alertmanager, NULL});
    struct alert_transition seen = transition_of_errors("Seen", "shop", "r", ALERT_FIRING, RULE_CRITICAL);
    struct alert_transition late = transition_of_errors("Late", "shop", "r", ALERT_FIRING, RULE_CRITICAL);
    seen.sequence = late.sequence = 7;
    transition_writer_put(writer, &late);
    alert_id_format(ids[0], late.fingerprint, late.sequence);
    list_alert(ids[0], late.detected_ms + 30412, "");
    transition_writer_put(writer, &seen);
    alert_id_format(ids[1], seen.fingerprint, seen.sequence);
    list_alert(ids[1], seen.detected_ms + 412, "");
    list_alert(ids[1], seen.detected_ms + 24000, ",\"page\":\"true\"");
    (void)snprintf(wanted, sizeof wanted, "{\"alert_id\":\"%s\",\"accepted_unix_ms\":%lld}", ids[1],
                   (long long)seen.detected_ms + 412);
    struct wait wait = {world, wanted};
    if (!process_wait_until(hello_has, &wait, PATIENCE_MS)) {
        fail_msg("no %s: %.2000s", wanted, buffer_text(&world->answer));
    }
    (void)snprintf(wanted, sizeof wanted, "{\"alert_id\":\"%s\",\"accepted_unix_ms\"", ids[0]);
    assert_null(strstr(buffer_text(&world->answer), wanted));
    transition_writer_close(writer);
    outside_close(bus, producer);
    http_server_stop(world->servers[0]); /* the console still asks */
    world->servers[0] = NULL;
    buffer_free(&listed);
}

static void lines_and_transitions_of_before_and_after_its_start_are_there(void **state)
{
    struct world *world = *state;
    struct bus *bus = NULL;
    struct bus_producer *producer = NULL;
    outside_open(world->bus_url, &bus, &producer);
    struct transition_writer *writer = transition_writer_open(bus);
    put_line(producer, "line of before");
    fire(writer, "RuleOfBefore");
    start(world, NULL);
    expect_line(world, "line of before");
    expect_transition(world, "RuleOfBefore");
    put_line(producer, "line of after");
    fire(writer, "RuleOfAfter");
    expect_line(world, "line of after");
    expect_transition(world, "RuleOfAfter");
    transition_writer_close(writer);
    outside_close(bus, producer);
}

static bool broker_has_gone(void *context)
{
    (void)context;
    return !net_port_is_taken(broker.port);
}

static void a_broker_that_was_away_is_followed_again(void **state)
{
    struct world *world = *state;
    struct bus *bus = NULL;
    struct bus_producer *producer = NULL;
    outside_open(world->bus_url, &bus, &producer);
    start(world, NULL);
    put_line(producer, "line of the first broker");
    expect_line(world, "line of the first broker");
    kafka_broker_kill(&broker);
    assert_true(process_wait_until(broker_has_gone, NULL, PATIENCE_MS));
    assert_int_equal(ask(world, "GET", "/api/logs?service=shop", NULL, NULL), 200);
    assert_int_equal(kafka_broker_start_again(&broker), 0);
    put_line(producer, "line of the second broker");
    expect_line(world, "line of the second broker");
    outside_close(bus, producer);
}

/* test_console: on an embedded bus of each test's own; test_console kafka: what comes from the bus, on a
 * broker. */
int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(the_page_and_its_files_come_with_a_strict_policy),
        CASE(no_path_leads_out_of_what_is_served),
        CASE(other_hosts_and_other_origins_get_nothing),
        CASE(another_address_demands_a_token),
        CASE(streams_of_several_processors_become_one),
        CASE(a_client_that_takes_nothing_is_hung_up_on),
        CASE(many_pages_that_come_at_once_share_one_hello_at_the_bound),
        CASE(sigterm_ends_it_while_pages_are_open),
        CASE(sigterm_ends_it_while_prometheus_is_waited_for),
        CASE(a_prometheus_that_never_answers_holds_up_nothing_else),
        CASE(queries_that_are_stuck_leave_room_for_other_servers),
        CASE(the_time_at_which_alertmanager_took_an_alert_is_told_if_it_was_seen),
        CASE(lines_and_transitions_of_before_and_after_its_start_are_there),
    };
    const struct CMUnitTest on_kafka[] = {
        CASE(lines_and_transitions_of_before_and_after_its_start_are_there),
        CASE(a_broker_that_was_away_is_followed_again),
        CASE(sigterm_ends_it_while_pages_are_open),
    };
    if (argc < 2 || strcmp(argv[1], "kafka") != 0) {
        return cmocka_run_group_tests(tests, NULL, NULL);
    }
    int code = kafka_broker_require(&broker);
    if (code == 0) {
        is_on_kafka = true;
        code = cmocka_run_group_tests_name("console on Kafka", on_kafka, NULL, NULL);
        kafka_broker_stop(&broker, false);
    }
    return code;
}
