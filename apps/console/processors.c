#include "processors.h"

#include "guard.h"
#include "processor_set.h"
#include "proxy.h"

#include "buffer/buffer.h"
#include "http/http_client.h"
#include "http/http_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS   3000
#define ANSWER_BYTES ((size_t)32 * 1048576)

/* The processors of the moment in which a page asked. */
struct asking {
    struct program *program; /* waits no longer when it stops */
    struct processor processors[LIVE_PROCESSORS];
    size_t count;
};

static struct asking *begin_asking(struct processor_set *set, struct http_response *response)
{
    struct asking *asking = malloc(sizeof *asking);
    if (asking == NULL) {
        http_response_fail(response, 503, "no memory to ask the stream-processors");
        return NULL;
    }
    asking->program = processor_set_program(set);
    asking->count = processor_set_list(set, asking->processors);
    return asking;
}

static int get(const struct asking *asking, size_t index, const char *path, struct buffer *out,
               struct error *error)
{
    const struct processor *processor = &asking->processors[index];
    const char *const headers[] = {processor->host_header, NULL};
    struct buffer url;
    buffer_init(&url, 8192);
    buffer_append_format(&url, "%s%s", processor->url, path);
    const struct http_client_request request = {.url = buffer_text(&url),
                                                .headers = headers[0][0] == '\0' ? NULL : headers,
                                                .timeout_ms = TIMEOUT_MS,
                                                .max_response_bytes = ANSWER_BYTES,
                                                .goes_on = proxy_goes_on,
                                                .context = asking->program};
    const int status = http_client_send(&request, out, error);
    buffer_free(&url);
    return status;
}

/* The first that answers 200; otherwise the last one's answer. */
static void ask_in_turn(struct processor_set *set, const char *path, struct http_response *response)
{
    struct error error;
    int status = -1;
    struct asking *asking = begin_asking(set, response);
    if (asking == NULL) {
        return;
    }
    error_clear(&error);
    for (size_t i = 0; i < asking->count && status != 200; i++) {
        buffer_clear(http_response_body(response));
        status = get(asking, i, path, http_response_body(response), &error);
    }
    free(asking);
    if (status < 0) {
        http_response_fail(response, 502, "no stream-processor answers: %s", error.message);
        return;
    }
    http_response_set_status(response, status);
    http_response_set_type(response, "application/json");
}

/* {"NAME":[…]} of each, joined to one. */
static void gather(struct processor_set *set, const char *path, const char *name,
                   struct http_response *response)
{
    struct buffer *body = http_response_body(response);
    struct buffer answer;
    struct error error;
    size_t answered = 0;
    char head[64];
    struct asking *asking = begin_asking(set, response);
    if (asking == NULL) {
        return;
    }
    const int head_size = snprintf(head, sizeof head, "{\"%s\":[", name);
    buffer_init(&answer, ANSWER_BYTES);
    error_clear(&error);
    buffer_append(body, head, (size_t)head_size);
    for (size_t i = 0; i < asking->count; i++) {
        buffer_clear(&answer);
        if (get(asking, i, path, &answer, &error) == 200 && answer.size >= (size_t)head_size + 2 &&
            memcmp(answer.data, head, (size_t)head_size) == 0) {
            const size_t size = answer.size - (size_t)head_size - 2;
            buffer_append_text(body, size > 0 && body->size > (size_t)head_size ? "," : "");
            buffer_append(body, answer.data + head_size, size);
            answered++;
        }
    }
    free(asking);
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

void processors_add_routes(struct processor_set *processors, struct guard *guard, struct program *program)
{
    guard_add_waiting_route(guard, program, GUARD_API, "GET", "/api/firing", show_firing, processors);
    guard_add_waiting_route(guard, program, GUARD_API, "GET", "/api/series", show_series, processors);
    guard_add_waiting_route(guard, program, GUARD_API, "GET", "/api/history", show_history, processors);
    guard_add_waiting_route(guard, program, GUARD_API, "GET", "/api/transition/*", show_transition,
                            processors);
}
