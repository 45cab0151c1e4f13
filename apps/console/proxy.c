#include "proxy.h"

#include "buffer/buffer.h"
#include "http/http_client.h"
#include "http/http_server.h"
#include "program/program.h"

#include <ctype.h>
#include <string.h>

#define ANSWER_BYTES ((size_t)32 * 1048576)

static bool is_segment(const char *text)
{
    if (*text == '\0' || strcmp(text, ".") == 0 || strcmp(text, "..") == 0) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (!isalnum((unsigned char)*text) && strchr("_:-.", *text) == NULL) {
            return false;
        }
    }
    return true;
}

static bool path_matches(const char *pattern, const char *path)
{
    const size_t size = strlen(pattern);
    const char *star = strchr(pattern, '*');
    if (star == NULL) {
        return strcmp(pattern, path) == 0;
    }
    const size_t before = (size_t)(star - pattern);
    const size_t after = size - before - 1;
    const size_t path_size = strlen(path);
    char segment[128];
    if (path_size <= before + after || path_size - before - after >= sizeof segment ||
        strncmp(pattern, path, before) != 0 || strcmp(path + path_size - after, star + 1) != 0) {
        return false;
    }
    memcpy(segment, path + before, path_size - before - after);
    segment[path_size - before - after] = '\0';
    return is_segment(segment);
}

bool proxy_allows(const struct proxy *proxy, const char *method, const char *path)
{
    for (size_t i = 0; i < proxy->rule_count; i++) {
        const bool reads = strcmp(method, "HEAD") == 0 && strcmp(proxy->rules[i].method, "GET") == 0;
        if ((reads || strcmp(proxy->rules[i].method, method) == 0) &&
            path_matches(proxy->rules[i].path, path)) {
            return true;
        }
    }
    return false;
}

void proxy_append_encoded(struct buffer *out, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        if (isalnum(c) || strchr("-_.~", c) != NULL) {
            buffer_append_char(out, (char)c);
        } else {
            const char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
            buffer_append(out, escaped, sizeof escaped);
        }
    }
}

void proxy_append_query(struct buffer *out, const struct http_request *request, const char *const *names)
{
    char separator = '?';
    for (; names != NULL && *names != NULL; names++) {
        const char *value = http_request_query(request, *names);
        if (value != NULL) {
            buffer_append_char(out, separator);
            proxy_append_encoded(out, *names);
            buffer_append_char(out, '=');
            proxy_append_encoded(out, value);
            separator = '&';
        }
    }
}

bool proxy_goes_on(void *program)
{
    return !program_is_stopping(program);
}

static void ask(const struct proxy *proxy, const char *url, const struct http_request *request,
                struct http_response *response)
{
    struct error error;
    error_clear(&error);
    size_t size = 0;
    const void *body = http_request_body(request, &size);
    const struct http_client_request outgoing = {.method = http_request_method(request),
                                                 .url = url,
                                                 .content_type = http_request_header(request, "Content-Type"),
                                                 .body = size > 0 ? body : NULL,
                                                 .body_bytes = size,
                                                 .timeout_ms = proxy->timeout_ms,
                                                 .max_response_bytes = ANSWER_BYTES,
                                                 .goes_on = proxy_goes_on,
                                                 .context = proxy->program};
    const int status = http_client_send(&outgoing, http_response_body(response), &error);
    if (status < 0) {
        http_response_fail(response, 502, "%s doesn't answer: %s", proxy->name, error.message);
        return;
    }
    http_response_set_status(response, status);
    http_response_set_type(response, "application/json");
}

void proxy_pass(const struct proxy *proxy, const struct http_request *request, struct http_response *response)
{
    const char *path = http_request_rest(request);
    if (proxy->base == NULL || proxy->base[0] == '\0') {
        http_response_fail(response, 503, "No %s on this platform", proxy->name);
        return;
    }
    if (!proxy_allows(proxy, http_request_method(request), path)) {
        http_response_fail(response, 404, "%s %s of %s isn't passed on", http_request_method(request), path,
                           proxy->name);
        return;
    }
    struct buffer url;
    buffer_init(&url, 65536);
    buffer_append_format(&url, "%s%s%s", proxy->base, proxy->prefix, path);
    proxy_append_query(&url, request, proxy->parameters);
    if (url.failed) {
        http_response_fail(response, 500, "no memory for the request");
    } else {
        ask(proxy, buffer_text(&url), request, response);
    }
    buffer_free(&url);
}

void proxy_handle(void *context, const struct http_request *request, struct http_response *response)
{
    proxy_pass(context, request, response);
}
