/* lib/http/http_server: a small HTTP/1.1 server for health, metrics, pages and APIs. libmicrohttpd is behind
 * it, known only here.
 *
 * Handlers run on the server's own threads (a small fixed pool), one request at a time each: they must not
 * block for long (http_response_wait) and must lock what they share. Bounded: connections, connections per
 * address, header and body sizes, seconds until the headers and the body are in (not only inactivity), so
 * slow or many clients hold neither memory nor threads. Answers by itself: 404, 405 (with Allow), 413, 414,
 * 431, 400 (no Host, NUL or an encoded slash in the path, dot segments), HEAD for every GET. On a loopback
 * address only requests for localhost or a loopback address are answered (421 otherwise), and nowhere a write
 * from another origin's page (403): a web page elsewhere must not act here through its visitor's browser. */
#ifndef OBS_HTTP_HTTP_SERVER_H
#define OBS_HTTP_HTTP_SERVER_H

#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct http_request;
struct http_response;
struct http_server;
struct log;

/* The request, as long as the handler runs. Texts are NUL-ended; NULL: absent. */
const char *http_request_method(const struct http_request *request);
const char *http_request_path(const struct http_request *request); /* decoded, begins with '/' */
const char *http_request_rest(
    const struct http_request *request); /* what a route's trailing * matched; "" otherwise */
const char *http_request_query(const struct http_request *request, const char *name);
const char *http_request_header(const struct http_request *request, const char *name);
const void *http_request_body(const struct http_request *request, size_t *size);

typedef void http_handler(void *context, const struct http_request *request, struct http_response *response);

/* The answer: the body is what the handler appends to the buffer; status 200 and text/plain unless set. */
struct buffer *http_response_body(struct http_response *response);
void http_response_set_status(struct http_response *response, int status);
void http_response_set_type(struct http_response *response, const char *content_type);
/* False: refused (CR, LF or NUL inside, too many). */
bool http_response_set_header(struct http_response *response, const char *name, const char *value);
/* For a body too large to keep whole: next appends the next part (some 64 KiB) and answers whether there is
 * more; it runs on a server's thread, as the client takes the parts, after the handler returned. done is
 * called once in every case and frees context. What the handler appended to the body comes first. */
typedef bool http_body_part(void *context, struct buffer *part);
void http_response_stream(struct http_response *response, http_body_part *next, void (*done)(void *context),
                          void *context);
/* The streamed body as gzip, if the client asks for it: after http_response_stream. */
void http_response_compress(struct http_response *response, const struct http_request *request);
/* The answer takes waiting for other servers: handler gives it, on a thread that may wait
 * (http_server_settings.waiting_threads; without them at once, here). What is set so far stays. Whatever
 * waits for one other server has one context: by it the threads are shared out (waiting_share). */
void http_response_wait(struct http_response *response, http_handler *handler, void *context);
/* How long the client may take for this answer, instead of answer_timeout_ms: where an answer holds memory.
 */
void http_response_limit_time(struct http_response *response, int64_t timeout_ms);
/* Status and {"error": "sentence"} as the body. */
void http_response_fail(struct http_response *response, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct http_route {
    const char *method; /* "GET" also answers HEAD */
    const char *path;   /* "/series", or "/faults/" + "*" as the last segment: any rest */
    http_handler *handler;
    void *context;
};

struct http_server_settings {
    const char *address;             /* numeric IPv4 or IPv6 */
    uint16_t port;                   /* 0: any free one, ask http_server_port */
    const char *setting;             /* the setting that chose the port, for "port taken" ("--listen") */
    const struct http_route *routes; /* borrowed until http_server_stop */
    size_t route_count;
    size_t max_body_bytes;            /* 0: 64 KiB */
    unsigned threads;                 /* 0: 2; more where handlers wait for others */
    unsigned waiting_threads;         /* of http_response_wait */
    unsigned waiting_share;           /* of those, the most for one context; 0: all */
    unsigned connections;             /* 0: 64 */
    unsigned connections_per_address; /* 0: half of them */
    /* Deadlines, each for the whole of it and not since the last byte; 0: the default. */
    int64_t headers_timeout_ms; /* from accept, or the request line, to the end of the headers: 10 s */
    int64_t body_timeout_ms;    /* to the end of the body: 20 s */
    int64_t answer_timeout_ms;  /* until the client has taken the answer: 60 s */
    int64_t idle_timeout_ms;    /* a kept connection until its next request: 75 s */
    struct log *log;
};

int http_server_start(struct http_server **out, const struct http_server_settings *settings,
                      struct error *error);
uint16_t http_server_port(const struct http_server *server);
void http_server_stop(struct http_server *server); /* waits for running handlers; NULL is fine */

#endif
