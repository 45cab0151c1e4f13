/* lib/http/http_message: the inside of a request and a response. Internal to lib/http. */
#ifndef OBS_HTTP_HTTP_MESSAGE_H
#define OBS_HTTP_HTTP_MESSAGE_H

#include "buffer/buffer.h"
#include "http/http_server.h"

#include <stdbool.h>
#include <stddef.h>

#define HTTP_QUERY_LIMIT  32   /* name=value pairs of a query */
#define HTTP_TARGET_BYTES 4096 /* path and query */
#define HTTP_HEADER_LIMIT 16   /* headers of a response, beside the server's own */

struct http_follower;
struct MHD_Connection;
struct MHD_Response;

struct http_query {
    const char *name, *value; /* into target */
};

struct http_request {
    struct MHD_Connection *connection;
    const char *method;
    char *target; /* the decoded copy of path and query; owned */
    const char *path, *rest;
    struct http_query query[HTTP_QUERY_LIMIT];
    size_t query_count;
    int refused;         /* a status, when the target is no good; 0: fine */
    const char *refusal; /* a constant sentence */
    struct buffer body;
    bool headers_seen, body_refused;
    /* Handed over to the waiters: */
    bool is_later;
    struct http_response *later; /* owned */
    http_handler *later_handler;
    void *later_context;
    struct http_request *later_next;
};

/* NULL: no memory. A target that is no good gives a request with refused set. */
struct http_request *http_request_create(const char *target, size_t max_body_bytes);
void http_request_destroy(struct http_request *request);

struct http_header {
    char *name, *value; /* one allocation at name */
};

struct http_response {
    int status;
    char type[128];
    struct buffer body;
    struct http_header headers[HTTP_HEADER_LIMIT];
    size_t header_count;
    http_body_part *next_part; /* NULL: the body is all there is */
    void (*stream_done)(void *context);
    void *stream_context;
    struct http_follower *follower; /* of a feed that the answer goes on with; owned; NULL: none */
    struct http_server *server;
    int64_t timeout_ms;  /* 0: the server's */
    http_handler *later; /* NULL: the answer is there */
    void *later_context;
};

/* http_feed.c: the answer of response->follower, taken over; NULL: no memory. */
struct MHD_Response *http_feed_answer(struct MHD_Connection *connection, struct http_response *response);
/* It follows no more, and is freed. */
void http_feed_leave(struct http_follower *follower);
/* http_server.c: the client takes what it is sent, so its time for the answer begins anew. */
void http_server_note_progress(struct http_server *server, struct MHD_Connection *connection);
/* Its socket is shut down now, whatever it is doing. */
void http_server_hang_up(struct http_server *server, struct MHD_Connection *connection);

void http_response_init(struct http_response *response);
/* It isn't to go on after all. */
void http_response_end_follower(struct http_response *response);
/* Frees what wasn't taken over (body.data, the stream, the follower). */
void http_response_deinit(struct http_response *response);

#endif
