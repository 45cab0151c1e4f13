/* A follower with nothing to take is suspended in libmicrohttpd: it costs no thread and no turn until
 * something is published. */
#include "http/http_feed.h"

#include "http/http_message.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PART_BYTES 32768 /* what the library asks for at a time */
#define CLOSE_MS   1000

struct http_follower {
    struct http_feed *feed;
    struct http_server *server;
    struct MHD_Connection *connection;
    struct buffer pending;
    size_t sent; /* of pending */
    bool is_suspended, has_ended, is_too_slow;
    struct http_follower *next;
};

struct http_feed {
    pthread_mutex_t lock;
    struct http_follower *followers;
    size_t count; /* also of those whose answer isn't queued yet */
    size_t most_followers, most_bytes;
    bool is_closed;
};

int http_feed_create(struct http_feed **out, size_t most_followers, size_t most_bytes, struct error *error)
{
    struct http_feed *feed = calloc(1, sizeof *feed);
    *out = feed;
    if (feed == NULL) {
        return error_set(error, -1, "no memory for a feed");
    }
    (void)pthread_mutex_init(&feed->lock, NULL);
    feed->most_followers = most_followers;
    feed->most_bytes = most_bytes;
    return 0;
}

void http_feed_destroy(struct http_feed *feed)
{
    if (feed != NULL) {
        (void)pthread_mutex_destroy(&feed->lock);
        free(feed);
    }
}

bool http_feed_follow(struct http_feed *feed, struct http_response *response)
{
    (void)pthread_mutex_lock(&feed->lock);
    bool has_room = !feed->is_closed && feed->count < feed->most_followers;
    feed->count += has_room;
    (void)pthread_mutex_unlock(&feed->lock);
    if (!has_room) {
        http_response_fail(response, 503, "there are %zu followers already; try again later",
                           feed->most_followers);
        (void)http_response_set_header(response, "Retry-After", "5");
        return false;
    }
    response->feed = feed;
    return true;
}

void http_feed_give_up(struct http_feed *feed)
{
    (void)pthread_mutex_lock(&feed->lock);
    feed->count--;
    (void)pthread_mutex_unlock(&feed->lock);
}

size_t http_feed_followers(struct http_feed *feed)
{
    (void)pthread_mutex_lock(&feed->lock);
    size_t count = feed->count;
    (void)pthread_mutex_unlock(&feed->lock);
    return count;
}

/* With the lock held. */
static void wake(struct http_follower *follower)
{
    if (follower->is_suspended) {
        follower->is_suspended = false;
        MHD_resume_connection(follower->connection);
    }
}

/* With the lock held. It may take nothing at all, so its socket is shut down, and its memory is free at once.
 */
static void give_up_on(struct http_follower *follower)
{
    follower->is_too_slow = true;
    buffer_free(&follower->pending);
    follower->sent = 0;
    http_server_hang_up(follower->server, follower->connection);
}

void http_feed_publish(struct http_feed *feed, const void *data, size_t size)
{
    (void)pthread_mutex_lock(&feed->lock);
    for (struct http_follower *f = feed->followers; f != NULL; f = f->next) {
        bool has_room = f->pending.size - f->sent + size <= feed->most_bytes;
        if (!f->is_too_slow && (!has_room || !buffer_append(&f->pending, data, size))) {
            give_up_on(f);
        }
        wake(f);
    }
    (void)pthread_mutex_unlock(&feed->lock);
}

void http_feed_close(struct http_feed *feed)
{
    (void)pthread_mutex_lock(&feed->lock);
    feed->is_closed = true;
    for (struct http_follower *f = feed->followers; f != NULL; f = f->next) {
        f->has_ended = true;
        wake(f);
    }
    (void)pthread_mutex_unlock(&feed->lock);
    /* The server's threads end them, if the clients take it; a server that stops cuts them off. */
    for (int waited_ms = 0; waited_ms < CLOSE_MS && http_feed_followers(feed) > 0; waited_ms += 5) {
        const struct timespec pause = {.tv_nsec = 5000000};
        (void)nanosleep(&pause, NULL);
    }
}

/* --- on the server's threads ---- */

/* An answer's beginning may be large, what follows seldom is: its memory isn't kept for as long as the
 * answer. */
static void drop_sent(struct http_follower *follower)
{
    if (follower->pending.capacity > PART_BYTES) {
        buffer_free(&follower->pending);
        buffer_init(&follower->pending, 0);
    } else {
        buffer_clear(&follower->pending);
    }
    follower->sent = 0;
}

static ssize_t take_part(struct http_follower *follower, char *out, size_t room)
{
    size_t left = follower->pending.size - follower->sent;
    if (follower->is_too_slow) { /* hung up on in the middle: it comes back and begins anew */
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (follower->has_ended) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (left == 0) {
        follower->is_suspended = true;
        MHD_suspend_connection(follower->connection);
        return 0;
    }
    size_t count = left < room ? left : room;
    memcpy(out, follower->pending.data + follower->sent, count);
    follower->sent += count;
    if (follower->sent == follower->pending.size) {
        drop_sent(follower);
    }
    return (ssize_t)count;
}

static ssize_t read_feed(void *argument, uint64_t position, char *out, size_t room)
{
    (void)position; /* the library reads in order */
    struct http_follower *follower = argument;
    http_server_note_progress(follower->server, follower->connection);
    (void)pthread_mutex_lock(&follower->feed->lock);
    ssize_t count = take_part(follower, out, room);
    (void)pthread_mutex_unlock(&follower->feed->lock);
    return count;
}

static void leave(void *argument)
{
    struct http_follower *follower = argument;
    struct http_feed *feed = follower->feed;
    (void)pthread_mutex_lock(&feed->lock);
    struct http_follower **link = &feed->followers;
    while (*link != NULL && *link != follower) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        *link = follower->next;
    }
    feed->count--;
    (void)pthread_mutex_unlock(&feed->lock);
    buffer_free(&follower->pending);
    free(follower);
}

struct MHD_Response *http_feed_answer(struct MHD_Connection *connection, struct http_response *response)
{
    struct http_follower *follower = calloc(1, sizeof *follower);
    struct http_feed *feed = response->feed;
    if (follower == NULL) {
        return NULL;
    }
    *follower = (struct http_follower){.feed = feed, .server = response->server, .connection = connection};
    struct MHD_Response *made =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PART_BYTES, read_feed, follower, leave);
    if (made == NULL) {
        free(follower);
        return NULL;
    }
    follower->pending = response->body;
    response->body = (struct buffer){0};
    response->feed = NULL; /* the follower's from here on */
    (void)pthread_mutex_lock(&feed->lock);
    follower->has_ended = feed->is_closed;
    follower->next = feed->followers;
    feed->followers = follower;
    (void)pthread_mutex_unlock(&feed->lock);
    return made;
}
