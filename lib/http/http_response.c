#include "http/http_message.h"

#include "json/json_write.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void http_response_init(struct http_response *response)
{
    *response = (struct http_response){.status = 200, .type = "text/plain; charset=utf-8"};
    buffer_init(&response->body, 0);
}

void http_response_end_follower(struct http_response *response)
{
    if (response->follower != NULL) {
        http_feed_leave(response->follower);
        response->follower = NULL;
    }
}

void http_response_deinit(struct http_response *response)
{
    buffer_free(&response->body);
    if (response->stream_done != NULL) {
        response->stream_done(response->stream_context);
        response->stream_done = NULL;
    }
    http_response_end_follower(response);
    while (response->header_count > 0) {
        free(response->headers[--response->header_count].name);
    }
}

struct buffer *http_response_body(struct http_response *response)
{
    return &response->body;
}

void http_response_wait(struct http_response *response, http_handler *handler, void *context)
{
    response->later = handler;
    response->later_context = context;
}

void http_response_set_status(struct http_response *response, int status)
{
    response->status = status;
}

void http_response_set_type(struct http_response *response, const char *content_type)
{
    (void)snprintf(response->type, sizeof response->type, "%s", content_type);
}

static bool is_header_text(const char *text, bool is_name)
{
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f || (is_name && (*at == ':' || *at == ' '))) {
            return false;
        }
    }
    return !is_name || *text != '\0';
}

bool http_response_set_header(struct http_response *response, const char *name, const char *value)
{
    if (response->header_count == HTTP_HEADER_LIMIT || !is_header_text(name, true) ||
        !is_header_text(value, false)) {
        return false;
    }
    size_t name_bytes = strlen(name) + 1;
    size_t value_bytes = strlen(value) + 1;
    char *texts = malloc(name_bytes + value_bytes);
    if (texts == NULL) {
        return false;
    }
    memcpy(texts, name, name_bytes);
    memcpy(texts + name_bytes, value, value_bytes);
    response->headers[response->header_count++] = (struct http_header){texts, texts + name_bytes};
    return true;
}

void http_response_stream(struct http_response *response, http_body_part *next, void (*done)(void *context),
                          void *context)
{
    response->next_part = next;
    response->stream_done = done;
    response->stream_context = context;
}

void http_response_limit_time(struct http_response *response, int64_t timeout_ms)
{
    response->timeout_ms = timeout_ms;
}

void http_response_fail(struct http_response *response, int status, const char *format, ...)
{
    char sentence[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    http_response_set_status(response, status);
    http_response_set_type(response, "application/json");
    buffer_clear(&response->body);
    struct json_writer writer;
    json_writer_init(&writer, &response->body);
    json_object_begin(&writer);
    json_key(&writer, "error");
    json_string(&writer, sentence);
    json_object_end(&writer);
    buffer_append_char(&response->body, '\n');
}
