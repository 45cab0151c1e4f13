/* GET /stream: server-sent events, for a console that doesn't poll.
 *
 *   event: series       once a second: the series whose time has passed since, and how far behind we are; the
 *                       first one has them all
 *   event: transition   a record of alerts.fired, at the commit that published it
 *
 * Written once for all followers, and only while there are any. Everything but the page runs on the worker's
 * thread. */
#ifndef STREAM_PROCESSOR_STREAM_FEED_H
#define STREAM_PROCESSOR_STREAM_FEED_H

#include "error/error.h"

struct detection_worker;
struct http_request;
struct http_response;
struct partition;
struct stream_feed;

int stream_feed_create(struct stream_feed **out, struct error *error);
void stream_feed_close(struct stream_feed *feed);   /* before the HTTP server stops */
void stream_feed_destroy(struct stream_feed *feed); /* after; NULL is fine */

/* Between turns: tells series when a second has passed. */
void stream_feed_tick(struct stream_feed *feed, struct detection_worker *worker);
/* The partition's commit holds: its transitions are true. */
void stream_feed_tell_transitions(struct stream_feed *feed, struct partition *partition);

/* The page; context: the worker. */
void stream_feed_show(void *context, const struct http_request *request, struct http_response *response);

#endif
