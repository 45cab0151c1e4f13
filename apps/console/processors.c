#include "processors.h"

#include "guard.h"
#include "proxy.h"

#include "buffer/buffer.h"
#include "http/http_client.h"
#include "http/http_server.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS   3000
#define ANSWER_BYTES ((size_t)32 * 1048576)

static int get(const struct processors *processors, size_t index, const char *path, struct buffer *out,
               struct error *error)
{
    struct buffer url;
    buffer_init(&url, 8192);
    buffer_append_format(&url, "%s%s", processors->urls[index], path);
    const struct http_client_request request = {.url = buffer_text(&url),
                                                .timeout_ms = TIMEOUT_MS,
                                                .max_response_bytes = ANSWER_BYTES,
                                                .goes_on = proxy_goes_on,
                                                .context = processors->program};
    const int status = http_client_send(&request, out, error);
    buffer_free(&url);
    return status;
}

/* The first that answers 200; otherwise the last one's answer. */
static void ask_in_turn(const struct processors *processors, const char *path, struct http_response *response)
{
    struct error error;
    int status = -1;
    error_clear(&error);
    for (size_t i = 0; i < processors->count && status != 200; i++) {
        buffer_clear(http_response_body(response));
        status = get(processors, i, path, http_response_body(response), &error);
    }
    if (status < 0) {
        http_response_fail(response, 502, "no stream-processor answers: %s", error.message);
        return;
    }
    http_response_set_status(response, status);
    http_response_set_type(response, "application/json");
}

/* {"NAME":[…]} of each, joined to one. */
static void gather(const struct processors *processors, const char *path, const char *name,
                   struct http_response *response)
{
    struct buffer *body = http_response_body(response);
    struct buffer answer;
    struct error error;
    size_t answered = 0;
    char head[64];
    const int head_size = snprintf(head, sizeof head, "{\"%s\":[", name);
    buffer_init(&answer, ANSWER_BYTES);
    error_clear(&error);
    buffer_append(body, head, (size_t)head_size);
    for (size_t i = 0; i < processors->count; i++) {
        buffer_clear(&answer);
        if (get(processors, i, path, &answer, &error) == 200 && answer.size >= (size_t)head_size + 2 &&
            memcmp(answer.data, head, (size_t)head_size) == 0) {
            const size_t size = answer.size - (size_t)head_size - 2;
            buffer_append_text(body, size > 0 && body->size > (size_t)head_size ? "," : "");
            buffer_append(body, answer.data + head_size, size);
            answered++;
        }
    }
    buffer_append_text(body, "]}");
    buffer_free(&answer);
    http_response_set_type(response, "application/json");
    if (answered == 0) {
        http_response_fail(response, 502, "no stream-processor answers: %s", error.message);
    }
}

static void show_firing(void *context, const struct http_request *request, struct http_response *response)
{
    (void)request;
    gather(context, "/alerts", "alerts", response);
}

static void show_series(void *context, const struct http_request *request, struct http_response *response)
{
    (void)request;
    gather(context, "/series", "series", response);
}

static void show_history(void *context, const struct http_request *request, struct http_response *response)
{
    static const char *const names[] = {"service.name", "cloud.region", "http.route", "seconds", NULL};
    struct buffer path;
    buffer_init(&path, 8192);
    buffer_append_text(&path, "/series/history");
    proxy_append_query(&path, request, names);
    ask_in_turn(context, buffer_text(&path), response);
    buffer_free(&path);
}

static void show_transition(void *context, const struct http_request *request, struct http_response *response)
{
    const char *rest = http_request_rest(request);
    struct buffer path;
    if (strlen(rest) > 40 || rest[strspn(rest, "0123456789abcdef/")] != '\0') {
        http_response_fail(response, 400, "give /api/transition/FINGERPRINT/SEQUENCE");
        return;
    }
    buffer_init(&path, 256);
    buffer_append_format(&path, "/alerts/%s", rest);
    ask_in_turn(context, buffer_text(&path), response);
    buffer_free(&path);
}

void processors_add_routes(struct processors *processors, struct guard *guard, struct program *program)
{
    guard_add_waiting_route(guard, program, GUARD_API, "GET", "/api/firing", show_firing, processors);
    guard_add_waiting_route(guard, program, GUARD_API, "GET", "/api/series", show_series, processors);
    guard_add_waiting_route(guard, program, GUARD_API, "GET", "/api/history", show_history, processors);
    guard_add_waiting_route(guard, program, GUARD_API, "GET", "/api/transition/*", show_transition,
                            processors);
}
