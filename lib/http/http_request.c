/* The library's own decoding is switched off (http_server.c): it would turn %2f into a slash before anybody
 * could look, and end the path at %00. The raw target is taken apart here, once, strictly. */
#include "http/http_message.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Decodes in place. False: a broken escape, or a character that has no business here. */
static bool decode(char *text, bool is_path)
{
    char *out = text;
    for (const char *at = text; *at != '\0'; at++) {
        char c = *at;
        if (c == '%') {
            int high = hex_digit(at[1]);
            int low = high < 0 ? -1 : hex_digit(at[2]);
            if (low < 0) {
                return false;
            }
            c = (char)(high << 4 | low);
            at += 2;
            if (c == '\0' || (is_path && (c == '/' || c == '\\'))) {
                return false;
            }
        } else if (c == '+' && !is_path) {
            c = ' ';
        }
        if (is_path && ((unsigned char)c < 0x20 || c == 0x7f)) {
            return false;
        }
        *out++ = c;
    }
    *out = '\0';
    return true;
}

static bool has_dot_segment(const char *path)
{
    for (const char *at = path; (at = strchr(at, '/')) != NULL;) {
        at++;
        size_t length = strcspn(at, "/");
        if ((length == 1 && at[0] == '.') || (length == 2 && at[0] == '.' && at[1] == '.')) {
            return true;
        }
    }
    return false;
}

static bool split_query(struct http_request *request, char *query)
{
    char *rest = NULL;
    for (char *pair = strtok_r(query, "&", &rest); pair != NULL; pair = strtok_r(NULL, "&", &rest)) {
        if (request->query_count == HTTP_QUERY_LIMIT) {
            return false;
        }
        char *equals = strchr(pair, '=');
        char *value = equals == NULL ? pair + strlen(pair) : equals + 1;
        if (equals != NULL) {
            *equals = '\0';
        }
        if (!decode(pair, false) || !decode(value, false)) {
            return false;
        }
        request->query[request->query_count++] = (struct http_query){pair, value};
    }
    return true;
}

static void refuse(struct http_request *request, int status, const char *sentence)
{
    request->refused = status;
    request->refusal = sentence;
}

static void take_target_apart(struct http_request *request)
{
    char *query = strchr(request->target, '?');
    if (query != NULL) {
        *query++ = '\0';
    }
    if (request->target[0] != '/') {
        refuse(request, 400, "the target must be a path that begins with /");
    } else if (!decode(request->target, true) || has_dot_segment(request->target)) {
        refuse(request, 400,
               "the path holds a broken escape, an encoded slash, a control character or a dot "
               "segment");
    } else if (query != NULL && !split_query(request, query)) {
        refuse(request, 400, "the query holds a broken escape or too many parameters");
    }
}

struct http_request *http_request_create(const char *target, size_t max_body_bytes)
{
    struct http_request *request = calloc(1, sizeof *request);
    size_t length = strlen(target);
    bool too_long = length >= HTTP_TARGET_BYTES;
    if (request == NULL || (request->target = strndup(target, too_long ? 0 : length)) == NULL) {
        free(request);
        return NULL;
    }
    request->path = request->target;
    request->rest = "";
    buffer_init(&request->body, max_body_bytes);
    if (too_long) {
        refuse(request, 414, "the target is too long");
    } else {
        take_target_apart(request);
    }
    return request;
}

void http_request_destroy(struct http_request *request)
{
    if (request == NULL) {
        return;
    }
    if (request->later != NULL) {
        http_response_deinit(request->later);
        free(request->later);
    }
    buffer_free(&request->body);
    free(request->target);
    free(request);
}

const char *http_request_method(const struct http_request *request)
{
    return request->method;
}

const char *http_request_path(const struct http_request *request)
{
    return request->path;
}

const char *http_request_rest(const struct http_request *request)
{
    return request->rest;
}

const char *http_request_query(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->query_count; i++) {
        if (strcmp(request->query[i].name, name) == 0) {
            return request->query[i].value;
        }
    }
    return NULL;
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const void *http_request_body(const struct http_request *request, size_t *size)
{
    *size = request->body.size;
    return request->body.data;
}
