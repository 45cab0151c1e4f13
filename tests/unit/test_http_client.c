#include "buffer/buffer.h"
#include "http/http_client.h"

#include "cmocka_all.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A server for one connection: reads the request, sends the answer, waits, hangs up. */
struct script {
    int listener;
    const char *answer;
    size_t repeat; /* how many times the answer is sent */
    int wait_ms;   /* before each */
    char request[4096];
    pthread_t thread;
    char url[64];
};

static void *play(void *argument)
{
    struct script *script = argument;
    int fd = accept(script->listener, NULL, NULL);
    size_t size = 0;
    while (fd >= 0 && size < sizeof script->request - 1) {
        ssize_t got = recv(fd, script->request + size, sizeof script->request - 1 - size, 0);
        size += got > 0 ? (size_t)got : 0;
        script->request[size] = '\0';
        const char *end = strstr(script->request, "\r\n\r\n");
        if (got <= 0 || (end != NULL && (strstr(script->request, "Content-Length:") == NULL ||
                                         strstr(end, "body") != NULL))) {
            break;
        }
    }
    for (size_t i = 0; i < script->repeat; i++) {
        usleep((useconds_t)script->wait_ms * 1000);
        if (send(fd, script->answer, strlen(script->answer), MSG_NOSIGNAL) < 0) {
            break;
        }
    }
    close(fd);
    return NULL;
}

static void begin(struct script *script, const char *answer, size_t repeat, int wait_ms)
{
    *script = (struct script){.answer = answer, .repeat = repeat, .wait_ms = wait_ms};
    script->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert_int_equal(bind(script->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(script->listener, 1), 0);
    assert_int_equal(getsockname(script->listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(script->url, sizeof script->url, "http://127.0.0.1:%u/a?b=c",
                   (unsigned)ntohs(address.sin_port));
    assert_int_equal(pthread_create(&script->thread, NULL, play, script), 0);
}

static void end(struct script *script)
{
    (void)shutdown(script->listener, SHUT_RDWR);
    pthread_join(script->thread, NULL);
    close(script->listener);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void answers_of_every_framing_come_whole(void **state)
{
    (void)state;
    const struct {
        const char *answer;
        int status;
        const char *body;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc"},
        {"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", 503, ""},
        {"HTTP/1.1 204 No\r\n\r\n", 204, ""},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nT: u\r\n\r\n",
         200, "abc"},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", 200, "abc"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nx", 404, "x"},
        {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 302, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct script script;
        struct buffer body;
        struct error error;
        buffer_init(&body, 0);
        begin(&script, cases[i].answer, 1, 0);
        const struct http_client_request request = {.url = script.url};
        assert_int_equal(http_client_send(&request, &body, &error), cases[i].status);
        assert_string_equal(buffer_text(&body), cases[i].body);
        end(&script);
        assert_memory_equal(script.request, "GET /a?b=c HTTP/1.1\r\n", 21);
        buffer_free(&body);
    }
}

static void method_headers_and_body_are_sent(void **state)
{
    (void)state;
    const struct {
        const char *method, *body, *line;
    } cases[] = {
        {NULL, "body", "POST /a?b=c HTTP/1.1\r\n"}, {"POST", "body", "POST /a?b=c HTTP/1.1\r\n"},
        {"PUT", "body", "PUT /a?b=c HTTP/1.1\r\n"}, {"DELETE", NULL, "DELETE /a?b=c HTTP/1.1\r\n"},
        {"HEAD", NULL, "HEAD /a?b=c HTTP/1.1\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct script script;
        struct buffer body;
        struct error error;
        buffer_init(&body, 0);
        begin(&script, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 1, 0);
        const char *const headers[] = {"X-One: 1", "X-Two: 2", NULL};
        const struct http_client_request request = {.method = cases[i].method,
                                                    .url = script.url,
                                                    .headers = headers,
                                                    .content_type = "application/json",
                                                    .body = cases[i].body,
                                                    .body_bytes = cases[i].body == NULL ? 0 : 4};
        assert_int_equal(http_client_send(&request, &body, &error), 200);
        end(&script);
        assert_memory_equal(script.request, cases[i].line, strlen(cases[i].line));
        assert_non_null(strstr(script.request, "X-One: 1\r\n"));
        assert_non_null(strstr(script.request, "X-Two: 2\r\n"));
        assert_null(strstr(script.request, "Expect"));
        if (cases[i].body != NULL) {
            assert_non_null(strstr(script.request, "Content-Type: application/json\r\n"));
            assert_non_null(strstr(script.request, "Content-Length: 4\r\n"));
            assert_string_equal(strstr(script.request, "\r\n\r\n"), "\r\n\r\nbody");
        }
        buffer_free(&body);
    }
}

static void the_deadline_holds_for_the_whole_request(void **state)
{
    (void)state;
    const struct {
        const char *answer;
        size_t repeat;
        int wait_ms;
    } cases[] = {
        {"", 1, 1000},  /* silence */
        {"H", 100, 50}, /* a status line that never ends */
        {"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx", 100, 50},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct script script;
        struct buffer body;
        struct error error;
        buffer_init(&body, 0);
        begin(&script, cases[i].answer, cases[i].repeat, cases[i].wait_ms);
        const struct http_client_request request = {.url = script.url, .timeout_ms = 300};
        int64_t begun = now_ms();
        assert_int_equal(http_client_send(&request, &body, &error), -1);
        assert_in_range(now_ms() - begun, 0, 2000);
        assert_non_null(strstr(error.message, script.url));
        end(&script);
        buffer_free(&body);
    }
}

static void an_answer_past_the_limit_is_refused(void **state)
{
    (void)state;
    struct script script;
    struct buffer body;
    struct error error;
    buffer_init(&body, 0);
    begin(&script, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n12345678901", 1, 0);
    const struct http_client_request request = {.url = script.url, .max_response_bytes = 10};
    assert_int_equal(http_client_send(&request, &body, &error), -1);
    assert_non_null(strstr(error.message, "the answer is too large"));
    assert_in_range(body.size, 0, 10);
    end(&script);
    buffer_free(&body);
}

static void what_cannot_be_reached_or_is_not_http_is_an_error_that_says_so(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "http://127.0.0.1:1/", "https://127.0.0.1/", "file:///etc/passwd", "ftp://127.0.0.1/", "http://", ""};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct buffer body;
        struct error error;
        error_clear(&error);
        buffer_init(&body, 0);
        const struct http_client_request request = {.url = urls[i], .timeout_ms = 500};
        assert_int_equal(http_client_send(&request, &body, &error), -1);
        assert_true(strlen(error.message) > strlen(urls[i]) + 3);
        assert_int_equal(body.size, 0);
        buffer_free(&body);
    }
}

static void an_answer_cut_short_is_an_error(void **state)
{
    (void)state;
    struct script script;
    struct buffer body;
    struct error error;
    buffer_init(&body, 0);
    begin(&script, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 1, 0);
    const struct http_client_request request = {.url = script.url};
    assert_int_equal(http_client_send(&request, &body, &error), -1);
    end(&script);
    buffer_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_of_every_framing_come_whole),
        cmocka_unit_test(method_headers_and_body_are_sent),
        cmocka_unit_test(the_deadline_holds_for_the_whole_request),
        cmocka_unit_test(an_answer_past_the_limit_is_refused),
        cmocka_unit_test(what_cannot_be_reached_or_is_not_http_is_an_error_that_says_so),
        cmocka_unit_test(an_answer_cut_short_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
