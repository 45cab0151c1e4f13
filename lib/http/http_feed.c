/* A follower with nothing to take is suspended in libmicrohttpd: it costs no thread and no turn until
 * something is published. */
#include "http/http_feed.h"

#include "http/feed_part.h"
#include "http/http_message.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define PART_BYTES 32768 /* what the library asks for at a time */
#define CLOSE_MS   1000
#define KERNEL_BYTES                                                                                         \
    131072 /* of the kernel's memory that a follower's socket may fill (it reckons twice that);              \
            * left to itself it grows to 4 MiB for one who reads nothing */

struct http_follower {
    struct http_feed *feed;
    struct http_server *server;
    struct MHD_Connection *connection; /* NULL: its answer isn't queued yet */
    struct buffer own;                 /* what its answer begins with */
    struct feed_part *at;              /* it comes after own */
    size_t sent;                       /* of own, then of at */
    uint64_t beginning;                /* the number of the one that at is; 0: it is none */
    bool is_suspended, has_ended, is_too_slow;
    struct http_follower *next;
};

struct http_feed {
    pthread_mutex_t lock;
    struct http_follower *followers;
    size_t count;
    size_t most_followers, most_bytes, held_bytes;
    struct feed_part *end, *beginning; /* beginning NULL: none */
    uint64_t beginnings;               /* how many there have been */
    bool is_closed;
};

int http_feed_create(struct http_feed **out, size_t most_followers, size_t most_bytes, struct error *error)
{
    struct http_feed *feed = calloc(1, sizeof *feed);
    *out = NULL;
    if (feed == NULL || (feed->end = feed_part_create_end(0, &feed->held_bytes)) == NULL) {
        free(feed);
        return error_set(error, -1, "no memory for a feed");
    }
    (void)pthread_mutex_init(&feed->lock, NULL);
    feed->most_followers = most_followers;
    feed->most_bytes = most_bytes;
    *out = feed;
    return 0;
}

void http_feed_destroy(struct http_feed *feed)
{
    if (feed != NULL) {
        feed_part_release(feed->beginning);
        feed_part_release(feed->end);
        (void)pthread_mutex_destroy(&feed->lock);
        free(feed);
    }
}

/* With the lock held. */
static struct http_follower *add_follower(struct http_feed *feed)
{
    const bool has_room = !feed->is_closed && feed->count < feed->most_followers;
    struct http_follower *follower = has_room ? calloc(1, sizeof *follower) : NULL;
    if (follower != NULL) {
        follower->feed = feed;
        follower->beginning = feed->beginning != NULL ? feed->beginnings : 0;
        follower->at = feed_part_hold(feed->beginning != NULL ? feed->beginning : feed->end);
        follower->next = feed->followers;
        feed->followers = follower;
        feed->count++;
    }
    return follower;
}

bool http_feed_follow(struct http_feed *feed, struct http_response *response)
{
    (void)pthread_mutex_lock(&feed->lock);
    response->follower = add_follower(feed);
    (void)pthread_mutex_unlock(&feed->lock);
    if (response->follower == NULL) {
        http_response_fail(response, 503, "there are %zu followers already; try again later",
                           feed->most_followers);
        (void)http_response_set_header(response, "Retry-After", "5");
        return false;
    }
    return true;
}

void http_feed_leave(struct http_follower *follower)
{
    struct http_feed *feed = follower->feed;
    (void)pthread_mutex_lock(&feed->lock);
    struct http_follower **link = &feed->followers;
    while (*link != follower) {
        link = &(*link)->next;
    }
    *link = follower->next;
    feed->count--;
    feed_part_release(follower->at);
    (void)pthread_mutex_unlock(&feed->lock);
    buffer_free(&follower->own);
    free(follower);
}

size_t http_feed_followers(struct http_feed *feed)
{
    (void)pthread_mutex_lock(&feed->lock);
    size_t count = feed->count;
    (void)pthread_mutex_unlock(&feed->lock);
    return count;
}

size_t http_feed_bytes(struct http_feed *feed)
{
    (void)pthread_mutex_lock(&feed->lock);
    size_t bytes = feed->held_bytes;
    (void)pthread_mutex_unlock(&feed->lock);
    return bytes;
}

/* With the lock held. */
static void wake(struct http_follower *follower)
{
    if (follower->is_suspended) {
        follower->is_suspended = false;
        MHD_resume_connection(follower->connection);
    }
}

/* With the lock held. It may take nothing at all, so its socket is shut down, and what it held is free at
 * once. */
static void give_up_on(struct http_follower *follower)
{
    if (follower->is_too_slow) {
        return;
    }
    follower->is_too_slow = true;
    feed_part_release(follower->at);
    follower->at = NULL;
    buffer_free(&follower->own);
    if (follower->connection != NULL) {
        http_server_hang_up(follower->server, follower->connection);
    }
    wake(follower);
}

/* With the lock held. */
static bool is_behind(const struct http_follower *follower)
{
    const struct http_feed *feed = follower->feed;
    const bool has_begun = follower->beginning == 0 && follower->own.size == 0;
    const uint64_t place = follower->at->position + (has_begun ? follower->sent : 0);
    return feed->end->position - place > feed->most_bytes;
}

void http_feed_publish(struct http_feed *feed, const void *data, size_t size)
{
    struct buffer bytes;
    buffer_init(&bytes, 0);
    bool is_published = buffer_append(&bytes, data, size);
    (void)pthread_mutex_lock(&feed->lock);
    is_published = is_published && feed_part_fill(&feed->end, &bytes);
    for (struct http_follower *f = feed->followers; f != NULL; f = f->next) {
        if (!f->is_too_slow && (!is_published || is_behind(f))) {
            give_up_on(f); /* a gap would not be noticed, a lost connection is */
        }
        wake(f);
    }
    (void)pthread_mutex_unlock(&feed->lock);
}

/* --- beginnings ---- */

/* With the lock held. */
static void drop_beginning(struct http_feed *feed)
{
    feed_part_release(feed->beginning);
    feed->beginning = NULL;
}

bool http_feed_set_beginning(struct http_feed *feed, struct buffer *text)
{
    (void)pthread_mutex_lock(&feed->lock);
    drop_beginning(feed);
    feed->beginning = feed_part_create_before(feed->end, text);
    feed->beginnings += feed->beginning != NULL;
    for (struct http_follower *f = feed->followers; f != NULL; f = f->next) {
        if (f->beginning != 0 && f->beginning + HTTP_FEED_BEGINNINGS <= feed->beginnings) {
            give_up_on(f);
        }
    }
    const bool is_set = feed->beginning != NULL;
    (void)pthread_mutex_unlock(&feed->lock);
    return is_set;
}

bool http_feed_has_beginning(struct http_feed *feed)
{
    (void)pthread_mutex_lock(&feed->lock);
    const bool has_one = feed->beginning != NULL;
    (void)pthread_mutex_unlock(&feed->lock);
    return has_one;
}

void http_feed_drop_beginning(struct http_feed *feed)
{
    (void)pthread_mutex_lock(&feed->lock);
    drop_beginning(feed);
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

static size_t copy_some(const struct buffer *from, size_t *sent, char *out, size_t room)
{
    const size_t left = from->size - *sent;
    const size_t count = left < room ? left : room;
    memcpy(out, from->data + *sent, count);
    *sent += count;
    return count;
}

/* 0: there is no more yet. */
static size_t take_bytes(struct http_follower *follower, char *out, size_t room)
{
    if (follower->own.size > 0) {
        const size_t count = copy_some(&follower->own, &follower->sent, out, room);
        if (follower->sent == follower->own.size) {
            buffer_free(&follower->own);
            follower->own = (struct buffer){0};
            follower->sent = 0;
        }
        return count;
    }
    while (follower->at->next != NULL && follower->sent == follower->at->bytes.size) {
        struct feed_part *taken = follower->at;
        follower->at = feed_part_hold(taken->next);
        feed_part_release(taken);
        follower->sent = 0;
        follower->beginning = 0;
    }
    return follower->at->next == NULL ? 0 : copy_some(&follower->at->bytes, &follower->sent, out, room);
}

static ssize_t take_part(struct http_follower *follower, char *out, size_t room)
{
    if (follower->is_too_slow) { /* hung up on in the middle: it comes back and begins anew */
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (follower->has_ended) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    const size_t count = take_bytes(follower, out, room);
    if (count == 0) {
        follower->is_suspended = true;
        MHD_suspend_connection(follower->connection);
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
    http_feed_leave(argument);
}

static void bound_kernel_memory(struct MHD_Connection *connection)
{
    const int bytes = KERNEL_BYTES;
    const int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

struct MHD_Response *http_feed_answer(struct MHD_Connection *connection, struct http_response *response)
{
    struct http_follower *follower = response->follower;
    struct MHD_Response *made =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PART_BYTES, read_feed, follower, leave);
    if (made == NULL) {
        return NULL;
    }
    response->follower = NULL; /* the library's from here on */
    (void)pthread_mutex_lock(&follower->feed->lock);
    follower->server = response->server;
    follower->connection = connection;
    if (!follower->is_too_slow) {
        follower->own = response->body;
        response->body = (struct buffer){0};
    }
    follower->has_ended = follower->has_ended || follower->feed->is_closed;
    (void)pthread_mutex_unlock(&follower->feed->lock);
    bound_kernel_memory(connection);
    return made;
}
