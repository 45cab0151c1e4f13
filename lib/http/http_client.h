/* lib/http/http_client: one request to an HTTP/1.1 server, with a deadline for the whole of it; or an answer
 * that goes on, followed for as long as both sides like. Blocking; plain http:// only. Any thread; nothing is
 * shared. */
#ifndef OBS_HTTP_HTTP_CLIENT_H
#define OBS_HTTP_HTTP_CLIENT_H

#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>

struct buffer;

struct http_client_request {
    const char *method; /* NULL: GET, with a body POST */
    const char *url;    /* http://host[:port]/path?query */
    const char *content_type;
    const void *body;
    size_t body_bytes;
    const char *const *headers;     /* "Name: value", NULL-ended; NULL: none */
    int timeout_ms;                 /* 0: 5 000 */
    size_t max_response_bytes;      /* 0: 16 MiB */
    bool (*goes_on)(void *context); /* asked about once a second while waiting; false gives up. NULL: waits */
    void *context;                  /* of goes_on */
};

/* The status code (any, 4xx and 5xx too) with the body appended to response; -1: no answer, error says why.
 */
int http_client_send(const struct http_client_request *request, struct buffer *response, struct error *error);

/* An answer that goes on (server-sent events): take gets its bytes as they come and answers whether to go on;
 * goes_on is asked about once a second, also while nothing comes. timeout_ms covers the connecting, and is
 * then the longest silence (rounded up to seconds). 0: take or goes_on said enough, or the server ended a
 * good answer; -1: error says why (no answer, a status other than 200, silence). */
struct http_client_follower {
    bool (*take)(void *context, const char *data, size_t size);
    bool (*goes_on)(void *context);
    void *context;
};
int http_client_follow(const struct http_client_request *request, const struct http_client_follower *follower,
                       struct error *error);

#endif
