/* Another server's API, passed on to the page: only the named paths, only the named query parameters, and of
 * Prometheus nothing that changes anything. The page never says where a request goes. Any thread; a call
 * waits for the other server (guard_add_waiting_route). */
#ifndef CONSOLE_PROXY_H
#define CONSOLE_PROXY_H

#include <stdbool.h>
#include <stddef.h>

struct buffer;
struct http_request;
struct http_response;
struct program;

struct proxy_rule {
    const char *method;
    const char
        *path; /* below base; a last "*" stands for one segment of letters, digits, '_', ':', '-' and '.' */
};

struct proxy {
    const char *base;   /* "http://127.0.0.1:9090"; NULL or "": there is none */
    const char *name;   /* for people: "Prometheus" */
    const char *prefix; /* put before the path: "/api/v1/" */
    const struct proxy_rule *rules;
    size_t rule_count;
    const char *const *parameters; /* NULL-ended */
    int timeout_ms;
    struct program *program; /* waits no longer when it stops */
};

/* The rest of the request's path is asked of the server, and its answer given, whatever its status. 404: not
 * an allowed path; 502: no answer, and why; 503: no such server is set. */
void proxy_pass(const struct proxy *proxy, const struct http_request *request,
                struct http_response *response);
/* An http_handler whose context is a struct proxy. */
void proxy_handle(void *context, const struct http_request *request, struct http_response *response);

/* "?name=value&…" of the request's parameters with these names, percent-encoded again. */
void proxy_append_query(struct buffer *out, const struct http_request *request, const char *const *names);
/* The goes_on of a http_client_request whose context is the program. */
bool proxy_goes_on(void *program);
/* Percent-encoded, as a query's name or value. */
void proxy_append_encoded(struct buffer *out, const char *text);
bool proxy_allows(const struct proxy *proxy, const char *method, const char *path);

#endif
