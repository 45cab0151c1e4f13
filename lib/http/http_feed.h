/* lib/http/http_feed: answers that go on: what is published reaches every client that follows, for as long as
 * it likes (server-sent events and the like).
 *
 * Published bytes are kept once, until every follower has taken them; so is the beginning that newcomers are
 * given. A follower that is behind by more than the limit is hung up on, and so is who takes nothing for the
 * server's answer time-out, or is still at its beginning when HTTP_FEED_BEGINNINGS newer ones have been made.
 * All slow followers together hold so many beginnings and what was published up to the limit; one more costs
 * its connection. Nothing waits for a follower. Any thread. */
#ifndef OBS_HTTP_HTTP_FEED_H
#define OBS_HTTP_HTTP_FEED_H

#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>

struct buffer;
struct http_feed;
struct http_response;

#define HTTP_FEED_BEGINNINGS 8

int http_feed_create(struct http_feed **out, size_t most_followers, size_t most_bytes, struct error *error);
/* In a handler: the answer is its body, which counts for no limit, then the feed's beginning, then all that
 * is published after that (without a beginning: from now on). False: there are enough followers, or the feed
 * is closed; the answer is then 503 with Retry-After. */
bool http_feed_follow(struct http_feed *feed, struct http_response *response);
void http_feed_publish(struct http_feed *feed, const void *data, size_t size);
/* What followers begin with from now on; what is published meanwhile is kept for those to come, so drop it
 * before long. Takes over text. False: no memory, there is none. */
bool http_feed_set_beginning(struct http_feed *feed, struct buffer *text);
bool http_feed_has_beginning(struct http_feed *feed);
void http_feed_drop_beginning(struct http_feed *feed);
size_t http_feed_followers(struct http_feed *feed);
size_t http_feed_bytes(struct http_feed *feed); /* that are held for all of them */
/* Every answer ends, and no new one begins; waits up to a second for clients to take it. Before
 * http_server_stop. */
void http_feed_close(struct http_feed *feed);
void http_feed_destroy(struct http_feed *feed); /* after http_server_stop; NULL is fine */

#endif
