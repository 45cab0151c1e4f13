#include "live.h"

#include "live_write.h"
#include "record_ring.h"
#include "series_table.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "http/http_feed.h"
#include "http/http_server.h"
#include "metrics/metric_set.h"
#include "program/program.h"
#include "json/json_write.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A page behind by more is hung up on; it comes back and gets everything anew. */
#define FOLLOWER_BYTES     ((size_t)2 * 1048576)
/* A hello is written once for all pages that come within so many ticks, unless so much has been said since.
 */
#define HELLO_TICKS        5
#define HELLO_LATER_BYTES  ((size_t)262144)
#define PERIOD_MS          1000
#define RETRY_MS           1000
#define BARS_MOST          400 /* series whose five minutes go with a hello */
#define TRANSITIONS        300
#define TRANSITION_BYTES   1048576
#define NOTIFICATIONS      64
#define NOTIFICATION_BYTES 524288
#define ACCEPTANCE_BYTES   65536

struct live {
    struct live_settings settings;
    struct http_feed *feed;
    pthread_mutex_t lock; /* of what follows */
    struct series_table *table;
    struct live_processor processors[LIVE_PROCESSORS];
    struct record_ring transitions, notifications, acceptances;
    uint64_t told_turn;   /* of the last tick */
    unsigned hello_ticks; /* since the feed's beginning was made */
    size_t hello_later;   /* bytes that were published since */
    struct buffer text;
    pthread_t thread;
    bool is_running;
    atomic_bool is_closing;
    struct metric *followers_metric, *series_metric, *bytes_metric;
};

static int64_t wall_ms(const struct live *live)
{
    return clock_wall_ms(program_clock(live->settings.program));
}

int live_create(struct live **out, const struct live_settings *settings, struct error *error)
{
    struct live *live = calloc(1, sizeof *live);
    *out = NULL;
    if (live == NULL) {
        return error_set(error, -1, "no memory for the live picture");
    }
    live->settings = *settings;
    live->table = series_table_create();
    buffer_init(&live->text, 0);
    (void)pthread_mutex_init(&live->lock, NULL);
    record_ring_init(&live->transitions, TRANSITIONS, TRANSITION_BYTES);
    record_ring_init(&live->notifications, NOTIFICATIONS, NOTIFICATION_BYTES);
    record_ring_init(&live->acceptances, TRANSITIONS, ACCEPTANCE_BYTES);
    live->followers_metric = metric_add_gauge(program_metrics(settings->program), "console_pages",
                                              "Open pages that follow the stream.");
    live->series_metric = metric_add_gauge(program_metrics(settings->program), "console_series",
                                           "Series that the processors told of.");
    live->bytes_metric =
        metric_add_gauge(program_metrics(settings->program), "console_stream_bytes",
                         "Bytes of the stream that are held for pages, each once for all of them.");
    if (live->table == NULL ||
        http_feed_create(&live->feed, settings->most_followers, FOLLOWER_BYTES, error) != 0) {
        live_destroy(live);
        return error_set(error, -1, "no memory for the live picture");
    }
    *out = live;
    return 0;
}

void live_destroy(struct live *live)
{
    if (live != NULL) {
        live_close(live);
        http_feed_destroy(live->feed);
        series_table_destroy(live->table);
        record_ring_deinit(&live->transitions);
        record_ring_deinit(&live->notifications);
        record_ring_deinit(&live->acceptances);
        buffer_free(&live->text);
        (void)pthread_mutex_destroy(&live->lock);
        free(live);
    }
}

/* --- events, with the lock held ---- */

static void begin_event(struct json_writer *w, struct buffer *out, const char *name)
{
    buffer_append_format(out, "event: %s\ndata: ", name);
    json_writer_init(w, out);
}

static void end_event(struct buffer *out)
{
    buffer_append_text(out, "\n\n");
}

static void write_head(struct live *live, struct json_writer *w)
{
    json_key(w, "now_unix_ms");
    json_integer(w, wall_ms(live));
    json_key(w, "newest_unix_ms");
    json_integer(w, series_table_newest_ms(live->table));
    live_write_processors(w, live->processors, LIVE_PROCESSORS);
}

static void write_hello(struct live *live, struct buffer *out)
{
    struct json_writer w;
    buffer_append_format(out, "retry: %d\n\n", RETRY_MS);
    begin_event(&w, out, "hello");
    json_object_begin(&w);
    json_key(&w, "version");
    json_string(&w, OBS_VERSION);
    write_head(live, &w);
    live_write_series(&w, live->table, 0, true);
    live_write_bars(&w, live->table, BARS_MOST);
    json_key(&w, "transitions");
    record_ring_write(&live->transitions, &w);
    json_key(&w, "notifications");
    record_ring_write(&live->notifications, &w);
    json_key(&w, "acceptances");
    record_ring_write(&live->acceptances, &w);
    json_object_end(&w);
    end_event(out);
}

static void publish(struct live *live)
{
    if (!live->text.failed) {
        http_feed_publish(live->feed, live->text.data, live->text.size);
        live->hello_later += live->text.size;
    }
}

static void write_tick(struct live *live)
{
    struct json_writer w;
    buffer_clear(&live->text);
    begin_event(&w, &live->text, "tick");
    json_object_begin(&w);
    write_head(live, &w);
    live_write_series(&w, live->table, live->told_turn, false);
    json_object_end(&w);
    end_event(&live->text);
}

static void publish_tick(struct live *live)
{
    (void)pthread_mutex_lock(&live->lock);
    const size_t followers = http_feed_followers(live->feed);
    const uint64_t turn = series_table_turn(live->table);
    metric_set_value(live->followers_metric, (double)followers);
    metric_set_value(live->series_metric, (double)series_table_count(live->table));
    if (followers > 0) {
        write_tick(live);
        publish(live);
    }
    if (followers == 0 || ++live->hello_ticks >= HELLO_TICKS || live->hello_later > HELLO_LATER_BYTES) {
        http_feed_drop_beginning(live->feed);
    }
    metric_set_value(live->bytes_metric, (double)http_feed_bytes(live->feed));
    live->told_turn = turn;
    (void)pthread_mutex_unlock(&live->lock);
}

static void *run(void *context)
{
    struct live *live = context;
    while (!atomic_load(&live->is_closing) && !program_sleep(live->settings.program, PERIOD_MS)) {
        publish_tick(live);
    }
    return NULL;
}

int live_start(struct live *live, struct error *error)
{
    live->is_running = pthread_create(&live->thread, NULL, run, live) == 0;
    return live->is_running ? 0 : error_set(error, -1, "no thread for the stream");
}

void live_close(struct live *live)
{
    if (live->feed != NULL) {
        http_feed_close(live->feed);
    }
    atomic_store(&live->is_closing, true);
    if (live->is_running) {
        (void)pthread_join(live->thread, NULL);
        live->is_running = false;
    }
}

/* With the lock held, under which everything is published: what the hello doesn't have follows it. */
static void refresh_hello(struct live *live)
{
    struct buffer text;
    if (!http_feed_has_beginning(live->feed)) {
        buffer_init(&text, 0);
        write_hello(live, &text);
        if (text.failed) {
            buffer_free(&text);
        } else {
            (void)http_feed_set_beginning(live->feed, &text);
        }
        live->hello_ticks = 0;
        live->hello_later = 0;
    }
}

void live_show(void *context, const struct http_request *request, struct http_response *response)
{
    (void)request;
    struct live *live = context;
    (void)pthread_mutex_lock(&live->lock);
    refresh_hello(live);
    if (!http_feed_has_beginning(live->feed)) {
        http_response_fail(response, 503, "no memory for the stream's beginning");
    } else if (http_feed_follow(live->feed, response)) {
        http_response_set_type(response, "text/event-stream");
    }
    (void)pthread_mutex_unlock(&live->lock);
}

/* --- what comes in ---- */

void live_add_processor(struct live *live, size_t index, const char *url)
{
    struct live_processor *processor = &live->processors[index];
    (void)pthread_mutex_lock(&live->lock);
    *processor = (struct live_processor){.why = "not connected yet"};
    (void)snprintf(processor->url, sizeof processor->url, "%s", url);
    (void)pthread_mutex_unlock(&live->lock);
}

void live_remove_processor(struct live *live, size_t index)
{
    (void)pthread_mutex_lock(&live->lock);
    live->processors[index].url[0] = '\0';
    (void)pthread_mutex_unlock(&live->lock);
}

void live_set_connected(struct live *live, size_t index, const char *why_not)
{
    struct live_processor *processor = &live->processors[index];
    (void)pthread_mutex_lock(&live->lock);
    processor->is_connected = why_not == NULL;
    (void)snprintf(processor->why, sizeof processor->why, "%s", why_not == NULL ? "" : why_not);
    (void)pthread_mutex_unlock(&live->lock);
}

void live_begin_event(struct live *live)
{
    (void)pthread_mutex_lock(&live->lock);
}

void live_take_tile(void *context, const struct series_tile *tile)
{
    struct live *live = context;
    (void)series_table_update(live->table, tile);
}

void live_end_event(struct live *live, size_t index, double lag_seconds)
{
    live->processors[index].lag_seconds = lag_seconds;
    live->processors[index].last_event_ms = wall_ms(live);
    (void)pthread_mutex_unlock(&live->lock);
}

bool live_name_series(struct live *live, size_t index, char service[SERIES_NAME_BYTES],
                      char region[SERIES_NAME_BYTES])
{
    bool is_named = false;
    (void)pthread_mutex_lock(&live->lock);
    if (index < series_table_count(live->table)) {
        const struct series_row *row = series_table_row(live->table, index);
        is_named = row->route[0] == '\0';
        (void)snprintf(service, SERIES_NAME_BYTES, "%s", row->service);
        (void)snprintf(region, SERIES_NAME_BYTES, "%s", row->region);
    }
    (void)pthread_mutex_unlock(&live->lock);
    return is_named;
}

void live_fill_bar(struct live *live, size_t index, int64_t slot, const struct series_values *values)
{
    (void)pthread_mutex_lock(&live->lock);
    series_table_fill(live->table, index, slot, values);
    (void)pthread_mutex_unlock(&live->lock);
}

static void keep_and_publish(struct live *live, struct record_ring *ring, const char *name, const char *json,
                             size_t size)
{
    struct json_writer w;
    (void)pthread_mutex_lock(&live->lock);
    const char *line = record_ring_add(ring, json, size);
    if (line != NULL) {
        buffer_clear(&live->text);
        begin_event(&w, &live->text, name);
        json_raw(&w, line, size);
        end_event(&live->text);
        publish(live);
    }
    (void)pthread_mutex_unlock(&live->lock);
}

void live_take_transition(struct live *live, const char *json, size_t size)
{
    keep_and_publish(live, &live->transitions, "transition", json, size);
}

void live_take_notification(struct live *live, const char *json, size_t size)
{
    keep_and_publish(live, &live->notifications, "notification", json, size);
}

void live_take_acceptance(struct live *live, const char *json, size_t size)
{
    keep_and_publish(live, &live->acceptances, "acceptance", json, size);
}
