#include "buffer/buffer.h"
#include "http/http_server.h"

#include "cmocka_all.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define HOST  "Host: 127.0.0.1\r\n"
#define CLOSE "Connection: close\r\n"

static struct http_server *server;
static atomic_int in_handler, streams_done;

static void show_hello(void *context, const struct http_request *request, struct http_response *response)
{
    (void)context;
    const char *name = http_request_query(request, "name");
    buffer_append_format(http_response_body(response), "hello %s", name == NULL ? "nobody" : name);
    assert_true(http_response_set_header(response, "X-Test", "1"));
    assert_false(http_response_set_header(response, "X-Test", "1\r\nX-Forged: 1"));
}

static void show_rest(void *context, const struct http_request *request, struct http_response *response)
{
    (void)context;
    buffer_append_format(http_response_body(response), "<%s>", http_request_rest(request));
}

static void count_body(void *context, const struct http_request *request, struct http_response *response)
{
    (void)context;
    size_t size = 0;
    (void)http_request_body(request, &size);
    http_response_set_status(response, 201);
    buffer_append_format(http_response_body(response), "%zu", size);
}

static void wait_for_company(void *context, const struct http_request *request,
                             struct http_response *response)
{
    (void)context;
    (void)request;
    atomic_fetch_add(&in_handler, 1);
    for (int i = 0; i < 2000 && atomic_load(&in_handler) < 2; i++) {
        usleep(1000);
    }
    buffer_append_format(http_response_body(response), "%d", atomic_load(&in_handler));
}

struct counting {
    int next, limit;
};

static bool next_numbers(void *context, struct buffer *part)
{
    struct counting *counting = context;
    for (int i = 0; i < 1000 && counting->next < counting->limit; i++) {
        buffer_append_format(part, "%d\n", counting->next++);
    }
    return counting->next < counting->limit;
}

static void end_numbers(void *context)
{
    free(context);
    atomic_fetch_add(&streams_done, 1);
}

static void stream_numbers(void *context, const struct http_request *request, struct http_response *response)
{
    (void)context;
    struct counting *counting = malloc(sizeof *counting);
    *counting = (struct counting){0, 100000};
    buffer_append_text(http_response_body(response), "begin\n");
    http_response_stream(response, next_numbers, end_numbers, counting);
    http_response_compress(response, request);
}

static const struct http_route routes[] = {
    {"GET", "/hello", show_hello, NULL},      {"GET", "/faults", show_hello, NULL},
    {"POST", "/faults", count_body, NULL},    {"DELETE", "/faults/*", show_rest, NULL},
    {"GET", "/wait", wait_for_company, NULL}, {"GET", "/numbers", stream_numbers, NULL},
};

static int start_server(void **state)
{
    (void)state;
    const struct http_server_settings settings = {.address = "127.0.0.1",
                                                  .setting = "--listen",
                                                  .routes = routes,
                                                  .route_count = sizeof routes / sizeof routes[0],
                                                  .max_body_bytes = 1000,
                                                  .connections = 16,
                                                  .connections_per_address = 12,
                                                  .headers_timeout_ms = 400,
                                                  .body_timeout_ms = 400,
                                                  .answer_timeout_ms = 3000,
                                                  .idle_timeout_ms = 600};
    struct error error;
    return http_server_start(&server, &settings, &error);
}

static int stop_server(void **state)
{
    (void)state;
    http_server_stop(server);
    server = NULL;
    return 0;
}

static int connect_to_server(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(http_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return; /* the server may hang up at any time */
        }
        data += sent;
        size -= (size_t)sent;
    }
}

/* Everything until the server closes; NUL-ended. */
static const char *read_to_end(int fd, size_t *total)
{
    static char answer[2 * 1048576];
    size_t size = 0;
    ssize_t got;
    while (size < sizeof answer - 1 && (got = recv(fd, answer + size, sizeof answer - 1 - size, 0)) > 0) {
        size += (size_t)got;
    }
    answer[size] = '\0';
    if (total != NULL) {
        *total = size;
    }
    close(fd);
    return answer;
}

static const char *ask(const char *request)
{
    int fd = connect_to_server();
    send_all(fd, request, strlen(request));
    return read_to_end(fd, NULL);
}

static int status_of(const char *answer)
{
    int status = 0;
    return sscanf(answer, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

static const char *body_of(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    return end == NULL ? "" : end + 4;
}

static void requests_are_routed_or_refused_with_the_right_status(void **state)
{
    (void)state;
    const struct {
        const char *request;
        int status;
        const char *part; /* of the answer */
    } cases[] = {
        {"GET /hello HTTP/1.1\r\n" HOST CLOSE "\r\n", 200, "hello nobody"},
        {"GET /hello?name=a%20b+c%2Fd HTTP/1.1\r\n" HOST CLOSE "\r\n", 200, "hello a b c/d"},
        {"GET /hello?other=1&name HTTP/1.1\r\n" HOST CLOSE "\r\n", 200, "hello "},
        {"GET /%68ello HTTP/1.1\r\n" HOST CLOSE "\r\n", 200, "hello nobody"},
        {"GET /nope HTTP/1.1\r\n" HOST CLOSE "\r\n", 404, "{\"error\":\"there is no /nope here\"}"},
        {"GET /hello/ HTTP/1.1\r\n" HOST CLOSE "\r\n", 404, ""},
        {"POST /hello HTTP/1.1\r\n" HOST CLOSE "Content-Length: 0\r\n\r\n", 405, "Allow: GET, HEAD\r\n"},
        {"PUT /faults HTTP/1.1\r\n" HOST CLOSE "Content-Length: 0\r\n\r\n", 405,
         "Allow: GET, HEAD, POST\r\n"},
        {"OPTIONS /hello HTTP/1.1\r\n" HOST CLOSE "\r\n", 405, "Allow: GET, HEAD\r\n"},
        {"DELETE /faults/a/b HTTP/1.1\r\n" HOST CLOSE "\r\n", 200, "<a/b>"},
        {"POST /faults HTTP/1.1\r\n" HOST CLOSE "Content-Length: 3\r\n\r\nabc", 201, "\r\n\r\n3"},
        {"POST /faults HTTP/1.1\r\n" HOST CLOSE
         "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
         201, "\r\n\r\n3"},
        {"GET /hello HTTP/1.1\r\n" CLOSE "\r\n", 400, ""},
        {"GET /hello HTTP/1.1\r\n" HOST HOST CLOSE "\r\n", 400, "one valid Host"},
        {"GET /hello HTTP/1.1\r\nHost: a/b\r\n" CLOSE "\r\n", 400, "one valid Host"},
        {"GET /hello HTTP/1.1\r\nHost:\r\n" CLOSE "\r\n", 400, "one valid Host"},
        {"GET /hello HTTP/1.1\r\nHost: evil.example\r\n" CLOSE "\r\n", 421, "only for localhost"},
        {"GET /hello HTTP/1.1\r\nHost: localhost.evil.example\r\n" CLOSE "\r\n", 421, ""},
        {"GET /hello HTTP/1.1\r\nHost: LocalHost:80\r\n" CLOSE "\r\n", 200, ""},
        {"GET /hello HTTP/1.1\r\nHost: console.localhost\r\n" CLOSE "\r\n", 200, ""},
        {"GET /hello HTTP/1.1\r\nHost: [::1]:80\r\n" CLOSE "\r\n", 200, ""},
        {"GET hello HTTP/1.1\r\n" HOST CLOSE "\r\n", 400, "begins with /"},
        {"GET http://127.0.0.1/hello HTTP/1.1\r\n" HOST CLOSE "\r\n", 400, "begins with /"},
        {"GET /hello%00 HTTP/1.1\r\n" HOST CLOSE "\r\n", 400, "encoded slash"},
        {"GET /faults%2fx HTTP/1.1\r\n" HOST CLOSE "\r\n", 400, "encoded slash"},
        {"GET /%2e%2e/hello HTTP/1.1\r\n" HOST CLOSE "\r\n", 400, "dot segment"},
        {"GET /../hello HTTP/1.1\r\n" HOST CLOSE "\r\n", 400, "dot segment"},
        {"GET /hello%4 HTTP/1.1\r\n" HOST CLOSE "\r\n", 400, "broken escape"},
        {"GET /hello?name=%zz HTTP/1.1\r\n" HOST CLOSE "\r\n", 400, "broken escape"},
        {"GET /hello?name=%00 HTTP/1.1\r\n" HOST CLOSE "\r\n", 400, "broken escape"},
        {"POST /faults HTTP/1.1\r\n" HOST CLOSE "Content-Length: 1001\r\n\r\n", 413, "over 1000 bytes"},
        {"POST /faults HTTP/1.1\r\n" HOST CLOSE
         "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400, ""},
        {"POST /faults HTTP/1.1\r\n" HOST CLOSE "Origin: http://evil.example\r\nContent-Length: 0\r\n\r\n",
         403, "another origin"},
        {"POST /faults HTTP/1.1\r\n" HOST CLOSE "Origin: http://127.0.0.1\r\nContent-Length: 0\r\n\r\n", 201,
         ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *answer = ask(cases[i].request);
        if (status_of(answer) != cases[i].status || strstr(answer, cases[i].part) == NULL) {
            fail_msg("case %zu: %s got: %s", i, cases[i].request, answer);
        }
    }
}

static void a_header_of_the_answer_cannot_be_forged(void **state)
{
    (void)state;
    const char *answer = ask("GET /hello HTTP/1.1\r\n" HOST CLOSE "\r\n");
    assert_non_null(strstr(answer, "X-Test: 1\r\n"));
    assert_null(strstr(answer, "X-Forged"));
    assert_non_null(strstr(answer, "X-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(answer, "Cache-Control: no-store\r\n"));
}

static void head_is_answered_like_get_without_the_body(void **state)
{
    (void)state;
    const char *answer = ask("HEAD /hello HTTP/1.1\r\n" HOST CLOSE "\r\n");
    assert_int_equal(status_of(answer), 200);
    assert_non_null(strstr(answer, "Content-Length: 12\r\n"));
    assert_string_equal(body_of(answer), "");
}

static void what_is_oversized_is_refused(void **state)
{
    (void)state;
    static char request[2 * 1048576];
    int length =
        snprintf(request, sizeof request, "GET /hello?name=%0*d HTTP/1.1\r\n" HOST CLOSE "\r\n", 5000, 0);
    assert_true(length > 0);
    assert_int_equal(status_of(ask(request)), 414);
    (void)snprintf(request, sizeof request, "GET /%0*d HTTP/1.1\r\n" HOST CLOSE "\r\n", 100000, 0);
    assert_int_equal(status_of(ask(request)), 414);
    (void)snprintf(request, sizeof request, "GET /hello HTTP/1.1\r\n" HOST CLOSE "X-Large: %0*d\r\n\r\n",
                   30000, 0);
    assert_int_equal(status_of(ask(request)), 431);
    /* A body whose length isn't announced: refused at its end, or hung up when it goes far past the limit. */
    (void)snprintf(request, sizeof request,
                   "POST /faults HTTP/1.1\r\n" HOST CLOSE
                   "Transfer-Encoding: chunked\r\n\r\n7d0\r\n%0*d\r\n0\r\n\r\n",
                   2000, 0);
    assert_int_equal(status_of(ask(request)), 413);
    (void)snprintf(request, sizeof request,
                   "POST /faults HTTP/1.1\r\n" HOST CLOSE "Transfer-Encoding: chunked\r\n\r\n180000\r\n%0*d",
                   0x180000, 0);
    assert_int_not_equal(status_of(ask(request)), 201);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Sends text, then filler one piece each 50 ms; returns after how many ms the server hung up. */
static int64_t drip(const char *text, const char *filler)
{
    int fd = connect_to_server();
    int64_t begun = now_ms();
    send_all(fd, text, strlen(text));
    while (now_ms() - begun < 5000) {
        send_all(fd, filler, strlen(filler));
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        char byte;
        if (poll(&wait, 1, 50) > 0 && recv(fd, &byte, 1, 0) <= 0) {
            break;
        }
    }
    close(fd);
    return now_ms() - begun;
}

static void a_client_that_drips_is_hung_up_at_the_deadline_however_busy_it_is(void **state)
{
    (void)state;
    const struct {
        const char *text, *filler;
        int64_t deadline_ms;
    } cases[] = {
        {"", "", 400},                                       /* silent */
        {"G", "E", 400},                                     /* the request line, a byte at a time */
        {"GET /hello HTTP/1.1\r\n" HOST, "X-A: b\r\n", 400}, /* a header at a time */
        {"POST /faults HTTP/1.1\r\n" HOST "Content-Length: 900\r\n\r\n", "x", 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t took = drip(cases[i].text, cases[i].filler);
        if (took < cases[i].deadline_ms - 50 || took > cases[i].deadline_ms + 2500) {
            fail_msg("case %zu was hung up after %lld ms", i, (long long)took);
        }
    }
}

static void a_kept_connection_serves_many_requests_and_ends_when_idle(void **state)
{
    (void)state;
    static const char request[] = "GET /hello HTTP/1.1\r\n" HOST "\r\n";
    int fd = connect_to_server();
    char answer[1024];
    int64_t begun = now_ms();
    for (int i = 0; i < 6; i++) { /* together longer than any one deadline */
        send_all(fd, request, sizeof request - 1);
        ssize_t got = recv(fd, answer, sizeof answer - 1, 0);
        assert_true(got > 0);
        usleep(150000);
    }
    assert_true(now_ms() - begun > 800);
    assert_int_equal(recv(fd, answer, sizeof answer, 0), 0); /* idle: hung up */
    close(fd);
}

static void slow_clients_do_not_keep_others_out_for_longer_than_their_deadline(void **state)
{
    (void)state;
    int slow[20];
    for (size_t i = 0; i < 20; i++) { /* more than there may be */
        slow[i] = connect_to_server();
        send_all(slow[i], "GET /hello", 10);
    }
    int64_t begun = now_ms();
    int status = 0;
    while (status != 200 && now_ms() - begun < 5000) { /* over the limit: waits, or is hung up */
        status = status_of(ask("GET /hello HTTP/1.1\r\n" HOST CLOSE "\r\n"));
    }
    assert_int_equal(status, 200);
    for (size_t i = 0; i < 20; i++) {
        close(slow[i]);
    }
}

static void *ask_and_wait(void *argument)
{
    (void)argument;
    int fd = connect_to_server();
    static const char request[] = "GET /wait HTTP/1.1\r\n" HOST CLOSE "\r\n";
    send_all(fd, request, sizeof request - 1);
    char answer[1024];
    while (recv(fd, answer, sizeof answer, 0) > 0) {
    }
    close(fd);
    return NULL;
}

static void a_handler_that_takes_its_time_does_not_stop_the_others(void **state)
{
    (void)state;
    atomic_store(&in_handler, 0);
    /* Connections fall to the threads as these come to accept them; a few pairs, so that one meets both. */
    for (int round = 0; round < 20 && atomic_load(&in_handler) < 2; round++) {
        pthread_t threads[4];
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, ask_and_wait, NULL), 0);
        }
        for (size_t i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
        }
    }
    assert_true(atomic_load(&in_handler) >= 2);
}

static void a_streamed_body_comes_whole_and_is_freed(void **state)
{
    (void)state;
    atomic_store(&streams_done, 0);
    static const char request[] = "GET /numbers HTTP/1.0\r\n" HOST "\r\n"; /* 1.0: not in chunks */
    int fd = connect_to_server();
    send_all(fd, request, sizeof request - 1);
    const char *body = body_of(read_to_end(fd, NULL));
    assert_memory_equal(body, "begin\n0\n1\n", 10);
    int lines = 0;
    for (const char *at = body; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    assert_int_equal(lines, 100001);
    assert_string_equal(body + strlen(body) - 6, "99999\n");
    (void)ask("HEAD /numbers HTTP/1.1\r\n" HOST CLOSE "\r\n");
    fd = connect_to_server(); /* and when the client goes away in the middle */
    send_all(fd, request, sizeof request - 1);
    close(fd);
    for (int i = 0; i < 300 && atomic_load(&streams_done) < 3; i++) {
        usleep(10000);
    }
    assert_int_equal(atomic_load(&streams_done), 3);
}

/* A body that compresses well comes as few bytes, in pieces that make the same body. */
static void a_streamed_body_is_compressed_where_it_is_asked_for(void **state)
{
    (void)state;
    static const char request[] = "GET /numbers HTTP/1.0\r\n" HOST "Accept-Encoding: gzip\r\n\r\n";
    size_t total = 0;
    int fd = connect_to_server();
    send_all(fd, request, sizeof request - 1);
    const char *answer = read_to_end(fd, &total);
    assert_non_null(strstr(answer, "Content-Encoding: gzip\r\n"));
    const char *body = body_of(answer);
    size_t size = total - (size_t)(body - answer);
    static char plain[1048576];
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)body,
                       .avail_in = (uInt)size,
                       .next_out = (Bytef *)plain,
                       .avail_out = sizeof plain};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, 6 + 588890);
    assert_in_range(size, 1, stream.total_out / 2);
    assert_memory_equal(plain, "begin\n0\n1\n", 10);
    assert_memory_equal(plain + stream.total_out - 6, "99999\n", 6);
    assert_int_equal(stream.avail_in, 0);
    assert_int_equal(inflateEnd(&stream), Z_OK);
    assert_null(strstr(ask("GET /numbers HTTP/1.0\r\n" HOST "Accept-Encoding: gzip;q=0\r\n\r\n"),
                       "Content-Encoding"));
}

static void a_taken_port_is_named_with_the_setting_to_change(void **state)
{
    (void)state;
    struct http_server *second = NULL;
    struct http_server_settings settings = {.address = "127.0.0.1",
                                            .port = http_server_port(server),
                                            .setting = "--listen",
                                            .routes = routes,
                                            .route_count = 1};
    struct error error;
    char expected[256];
    assert_int_equal(http_server_start(&second, &settings, &error), -1);
    (void)snprintf(expected, sizeof expected,
                   "port %u on 127.0.0.1 is taken by another program; choose another one with --listen",
                   (unsigned)settings.port);
    assert_string_equal(error.message, expected);
    assert_null(second);
    settings.address = "localhost";
    assert_int_equal(http_server_start(&second, &settings, &error), -1);
    assert_string_equal(error.message, "'localhost' is no numeric address (--listen)");
}

static void it_listens_on_ipv6_too(void **state)
{
    (void)state;
    struct http_server *six = NULL;
    struct http_server_settings settings = {
        .address = "::1", .setting = "--listen", .routes = routes, .route_count = 1, .threads = 1};
    struct error error;
    if (http_server_start(&six, &settings, &error) != 0) {
        skip(); /* a machine without IPv6 */
    }
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 address = {
        .sin6_family = AF_INET6, .sin6_port = htons(http_server_port(six)), .sin6_addr = in6addr_loopback};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: [::1]\r\n" CLOSE "\r\n";
    send_all(fd, request, sizeof request - 1);
    assert_int_equal(status_of(read_to_end(fd, NULL)), 200);
    http_server_stop(six);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_routed_or_refused_with_the_right_status),
        cmocka_unit_test(a_header_of_the_answer_cannot_be_forged),
        cmocka_unit_test(head_is_answered_like_get_without_the_body),
        cmocka_unit_test(what_is_oversized_is_refused),
        cmocka_unit_test(a_client_that_drips_is_hung_up_at_the_deadline_however_busy_it_is),
        cmocka_unit_test(a_kept_connection_serves_many_requests_and_ends_when_idle),
        cmocka_unit_test(slow_clients_do_not_keep_others_out_for_longer_than_their_deadline),
        cmocka_unit_test(a_handler_that_takes_its_time_does_not_stop_the_others),
        cmocka_unit_test(a_streamed_body_comes_whole_and_is_freed),
        cmocka_unit_test(a_streamed_body_is_compressed_where_it_is_asked_for),
        cmocka_unit_test(a_taken_port_is_named_with_the_setting_to_change),
        cmocka_unit_test(it_listens_on_ipv6_too),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
