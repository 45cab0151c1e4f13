#include "stream_feed.h"

#include "partition.h"

#include "http/http_feed.h"
#include "http/http_server.h"
#include "json/json_write.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#define FOLLOWERS      16
#define FOLLOWER_BYTES 1048576 /* behind by more, and it is hung up on */
#define PERIOD_MS      1000
#define RETRY_MS       3000 /* after which a browser comes back */

struct stream_feed {
    struct http_feed *feed;
    struct buffer text;
    uint64_t next_id;
    int64_t next_ms;        /* steady */
    _Atomic int64_t lag_ms; /* as of the last second: pages ask on their own threads */
};

int stream_feed_create(struct stream_feed **out, struct error *error)
{
    struct stream_feed *feed = calloc(1, sizeof *feed);
    *out = NULL;
    if (feed == NULL) {
        return error_set(error, -1, "no memory for the stream");
    }
    buffer_init(&feed->text, 0);
    if (http_feed_create(&feed->feed, FOLLOWERS, FOLLOWER_BYTES, error) != 0) {
        free(feed);
        return -1;
    }
    *out = feed;
    return 0;
}

void stream_feed_close(struct stream_feed *feed)
{
    http_feed_close(feed->feed);
}

void stream_feed_destroy(struct stream_feed *feed)
{
    if (feed != NULL) {
        http_feed_destroy(feed->feed);
        buffer_free(&feed->text);
        free(feed);
    }
}

/* --- events ---- */

/* For how long the oldest record that is not read yet has been there, as far as we know: a partition that was
 * read to its end is not behind. */
static int64_t lag_ms(const struct detection_worker *worker)
{
    int64_t oldest_ms = worker_wall_ms(worker);
    int64_t now_ms = oldest_ms;
    for (const struct partition *p = worker->partitions; p != NULL; p = p->next) {
        int64_t last_ms = p->place.clock.last_appended_ms;
        if (p->is_started && !p->at_end && last_ms != INT64_MIN && last_ms < oldest_ms) {
            oldest_ms = last_ms;
        }
    }
    return now_ms - oldest_ms;
}

/* With the worker's lock held. as_new: every series, for one who has seen none; the others' place stays. */
static void write_series(struct buffer *out, struct detection_worker *worker, bool as_new)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_object_begin(&w);
    json_key(&w, "time_unix_ms");
    json_integer(&w, worker_wall_ms(worker));
    json_key(&w, "lag_seconds");
    json_real(&w, (double)atomic_load(&worker->stream->lag_ms) / 1000);
    json_key(&w, "series");
    json_array_begin(&w);
    for (struct partition *p = worker->partitions; p != NULL; p = p->next) {
        int64_t told_ms = detector_write_tiles(p->place.detector, &w, as_new ? INT64_MIN : p->told_ms);
        p->told_ms = as_new ? p->told_ms : told_ms;
    }
    json_array_end(&w);
    json_object_end(&w);
    buffer_append_text(out, "\n\n");
}

void stream_feed_tick(struct stream_feed *feed, struct detection_worker *worker)
{
    int64_t now_ms = worker_steady_ms(worker);
    if (now_ms < feed->next_ms) {
        return;
    }
    feed->next_ms = now_ms + PERIOD_MS;
    atomic_store(&feed->lag_ms, lag_ms(worker));
    if (http_feed_followers(feed->feed) == 0) {
        return;
    }
    buffer_clear(&feed->text);
    buffer_append_format(&feed->text, "event: series\nid: %" PRIu64 "\ndata: ", ++feed->next_id);
    (void)pthread_mutex_lock(&worker->lock);
    write_series(&feed->text, worker, false);
    (void)pthread_mutex_unlock(&worker->lock);
    if (!feed->text.failed) {
        http_feed_publish(feed->feed, feed->text.data, feed->text.size);
    }
}

void stream_feed_tell_transitions(struct stream_feed *feed, struct partition *partition)
{
    if (partition->decided_text.size > 0 && !partition->decided_text.failed) {
        http_feed_publish(feed->feed, partition->decided_text.data, partition->decided_text.size);
    }
    buffer_clear(&partition->decided_text);
}

void stream_feed_show(void *context, const struct http_request *request, struct http_response *response)
{
    (void)request;
    struct detection_worker *worker = context;
    if (!http_feed_follow(worker->stream->feed, response)) {
        return;
    }
    struct buffer *body = http_response_body(response);
    http_response_set_type(response, "text/event-stream");
    buffer_append_format(body, "retry: %d\n\nevent: series\ndata: ", RETRY_MS);
    (void)pthread_mutex_lock(&worker->lock);
    write_series(body, worker, true);
    (void)pthread_mutex_unlock(&worker->lock);
}
