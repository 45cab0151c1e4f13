/* lib/http/http_feed: answers that go on: what is published reaches every client that follows, for as long as
 * it likes (server-sent events and the like).
 *
 * Published bytes are kept once for each follower until it has taken them, up to a limit; who is slower than
 * that is hung up on, and so is who takes nothing for the server's answer time-out. Nothing waits for a
 * follower. Any thread. */
#ifndef OBS_HTTP_HTTP_FEED_H
#define OBS_HTTP_HTTP_FEED_H

#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>

struct http_feed;
struct http_response;

int http_feed_create(struct http_feed **out, size_t most_followers, size_t most_bytes, struct error *error);
/* In a handler: the body so far is the answer's beginning, what is published follows it. False: there are
 * enough followers, or the feed is closed; the answer is then 503 with Retry-After. */
bool http_feed_follow(struct http_feed *feed, struct http_response *response);
void http_feed_publish(struct http_feed *feed, const void *data, size_t size);
size_t http_feed_followers(struct http_feed *feed);
/* Every answer ends, and no new one begins; waits up to a second for clients to take it. Before
 * http_server_stop. */
void http_feed_close(struct http_feed *feed);
void http_feed_destroy(struct http_feed *feed); /* after http_server_stop; NULL is fine */

#endif
