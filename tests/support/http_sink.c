#include "support/http_sink.h"

#include "clock/clock.h"
#include "cmocka_all.h"
#include "http/http_server.h"
#include "support/process.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kept {
    struct kept *next;
    struct sink_request request;
    char *body;
};

struct http_sink {
    struct http_server *server;
    struct http_route routes[2];
    pthread_mutex_t lock; /* of all below */
    struct kept *first, **last;
    int status;
    char text[128];
};

static void take(void *context, const struct http_request *request, struct http_response *response)
{
    struct http_sink *sink = context;
    size_t size = 0;
    const void *body = http_request_body(request, &size);
    struct kept *kept = calloc(1, sizeof *kept);
    kept->body = calloc(1, size + 1);
    if (size > 0) {
        memcpy(kept->body, body, size);
    }
    (void)snprintf(kept->request.path, sizeof kept->request.path, "%s", http_request_path(request));
    kept->request.body = kept->body;
    kept->request.wall_ms = clock_wall_ms(clock_system());
    (void)pthread_mutex_lock(&sink->lock);
    *sink->last = kept;
    sink->last = &kept->next;
    const bool matches = sink->text[0] == '\0' || strstr(kept->body, sink->text) != NULL;
    http_response_set_status(response, matches ? sink->status : 200);
    (void)pthread_mutex_unlock(&sink->lock);
}

struct http_sink *http_sink_start(uint16_t port)
{
    struct http_sink *sink = calloc(1, sizeof *sink);
    struct error error;
    error_clear(&error);
    assert_non_null(sink);
    (void)pthread_mutex_init(&sink->lock, NULL);
    sink->last = &sink->first;
    sink->status = 200;
    sink->routes[0] = (struct http_route){"POST", "/*", take, sink};
    const struct http_server_settings settings = {.address = "127.0.0.1",
                                                  .port = port,
                                                  .setting = "the sink",
                                                  .routes = sink->routes,
                                                  .route_count = 1,
                                                  .max_body_bytes = 4194304};
    if (http_server_start(&sink->server, &settings, &error) != 0) {
        fail_msg("%s", error.message);
    }
    return sink;
}

void http_sink_stop(struct http_sink *sink)
{
    if (sink == NULL) {
        return;
    }
    http_server_stop(sink->server);
    while (sink->first != NULL) {
        struct kept *kept = sink->first;
        sink->first = kept->next;
        free(kept->body);
        free(kept);
    }
    (void)pthread_mutex_destroy(&sink->lock);
    free(sink);
}

void http_sink_answer(struct http_sink *sink, int status, const char *text)
{
    (void)pthread_mutex_lock(&sink->lock);
    sink->status = status;
    (void)snprintf(sink->text, sizeof sink->text, "%s", text == NULL ? "" : text);
    (void)pthread_mutex_unlock(&sink->lock);
}

static const struct kept *find(const struct http_sink *sink, const char *path, const char *text, size_t nth)
{
    for (const struct kept *kept = sink->first; kept != NULL; kept = kept->next) {
        if (strncmp(kept->request.path, path, strlen(path)) == 0 &&
            (text == NULL || strstr(kept->body, text) != NULL) && nth-- == 0) {
            return kept;
        }
    }
    return NULL;
}

bool http_sink_get(struct http_sink *sink, const char *path, const char *text, size_t nth,
                   struct sink_request *out)
{
    (void)pthread_mutex_lock(&sink->lock);
    const struct kept *kept = find(sink, path, text, nth);
    if (kept != NULL) {
        *out = kept->request;
    }
    (void)pthread_mutex_unlock(&sink->lock);
    return kept != NULL;
}

size_t http_sink_count(struct http_sink *sink, const char *path, const char *text)
{
    size_t count = 0;
    (void)pthread_mutex_lock(&sink->lock);
    while (find(sink, path, text, count) != NULL) {
        count++;
    }
    (void)pthread_mutex_unlock(&sink->lock);
    return count;
}

struct awaited {
    struct http_sink *sink;
    const char *path, *text;
    size_t count;
};

static bool has_come(void *context)
{
    const struct awaited *awaited = context;
    return http_sink_count(awaited->sink, awaited->path, awaited->text) >= awaited->count;
}

void http_sink_wait(struct http_sink *sink, const char *path, const char *text, size_t count, int timeout_ms)
{
    struct awaited awaited = {sink, path, text, count};
    if (!process_wait_until(has_come, &awaited, timeout_ms)) {
        fail_msg("%zu requests to %s with '%s' after %d ms, not %zu", http_sink_count(sink, path, text), path,
                 text == NULL ? "" : text, timeout_ms, count);
    }
}
