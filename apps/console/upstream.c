#include "upstream.h"

#include "backfill.h"
#include "event_stream.h"
#include "live.h"
#include "proxy.h"
#include "series_event.h"

#include "buffer/buffer.h"
#include "http/http_client.h"
#include "log/log.h"
#include "program/program.h"
#include "json/json_read.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_BYTES      ((size_t)16 * 1048576)
#define FILLED_SERIES    64
#define FILL_TIMEOUT_MS  1000
#define SILENCE_MS       5000 /* it speaks once a second */
#define FIRST_PAUSE_MS   1000
#define LONGEST_PAUSE_MS 5000

struct upstream {
    struct program *program;
    struct live *live;
    size_t index;
    char url[512];
    struct event_stream stream;
    struct json_reader *reader;
    bool has_spoken; /* on this connection */
    bool has_complained;
    bool is_garbled;  /* it sent what isn't an event: hung up on, and told as away */
    char garble[192]; /* why */
    bool has_filled;  /* the bars of before */
    size_t filling;   /* which series */
    const char *base; /* borrowed */
    pthread_t thread;
};

static void fill_bar(void *context, int64_t slot, const struct series_values *values)
{
    struct upstream *upstream = context;
    live_fill_bar(upstream->live, upstream->filling, slot, values);
}

/* Once, between its first event and the next: a console that starts beside a platform that has run has no
 * past of its own. Not for many series: it would take long, and no page draws so many at once. */
static void fill_past(struct upstream *upstream)
{
    static const char *const names[] = {"service.name", "cloud.region"};
    struct buffer url;
    struct buffer answer;
    char texts[2][SERIES_NAME_BYTES];
    int status = 200;
    buffer_init(&url, 4096);
    buffer_init(&answer, EVENT_BYTES);
    for (size_t i = 0; i < FILLED_SERIES && status >= 0 && !program_is_stopping(upstream->program); i++) {
        upstream->filling = i;
        if (!live_name_series(upstream->live, i, texts[0], texts[1])) {
            continue;
        }
        buffer_clear(&url);
        buffer_clear(&answer);
        buffer_append_format(&url, "%s/series/history?seconds=300", upstream->base);
        for (size_t n = 0; n < 2; n++) {
            buffer_append_format(&url, "&%s=", names[n]);
            proxy_append_encoded(&url, texts[n]);
        }
        const struct http_client_request request = {.url = buffer_text(&url), .timeout_ms = FILL_TIMEOUT_MS};
        status = http_client_send(&request, &answer, NULL);
        if (status == 200) {
            (void)backfill_read(upstream->reader, answer.data, answer.size, fill_bar, upstream);
        }
    }
    buffer_free(&url);
    buffer_free(&answer);
}

static void take_event(void *context, const char *event, const char *data, size_t size)
{
    struct upstream *upstream = context;
    struct series_event series = {0};
    struct error error;
    error_clear(&error);
    if (upstream->is_garbled || strcmp(event, "series") != 0) {
        return; /* transitions come from alerts.fired itself, which outlives a processor */
    }
    live_begin_event(upstream->live);
    const int result =
        series_event_read(upstream->reader, data, size, &series, live_take_tile, upstream->live, &error);
    live_end_event(upstream->live, upstream->index, result == 0 ? series.lag_seconds : 0);
    if (result != 0) {
        upstream->is_garbled = true;
        (void)snprintf(upstream->garble, sizeof upstream->garble,
                       "it sent an event that can't be read: %.140s", error.message);
        return;
    }
    if (!upstream->has_filled) {
        upstream->has_filled = true;
        fill_past(upstream);
    }
    if (!upstream->has_spoken) {
        upstream->has_spoken = true;
        upstream->has_complained = false;
        live_set_connected(upstream->live, upstream->index, NULL);
        log_info_with(program_log(upstream->program), "following a stream-processor",
                      log_text("url", upstream->url));
    }
}

static bool take_bytes(void *context, const char *data, size_t size)
{
    struct upstream *upstream = context;
    event_stream_feed(&upstream->stream, data, size);
    return !upstream->is_garbled && !program_is_stopping(upstream->program);
}

static bool goes_on(void *context)
{
    const struct upstream *upstream = context;
    return !program_is_stopping(upstream->program);
}

static void follow(struct upstream *upstream)
{
    const struct http_client_request request = {.url = upstream->url, .timeout_ms = SILENCE_MS};
    const struct http_client_follower follower = {
        .take = take_bytes, .goes_on = goes_on, .context = upstream};
    struct error error;
    error_clear(&error);
    upstream->has_spoken = false;
    upstream->is_garbled = false;
    event_stream_reset(&upstream->stream);
    const int result = http_client_follow(&request, &follower, &error);
    const char *why = upstream->is_garbled ? upstream->garble
                      : result == 0        ? "the stream ended"
                                           : error.message;
    live_set_connected(upstream->live, upstream->index, why);
    if (!upstream->has_complained && !program_is_stopping(upstream->program)) {
        upstream->has_complained = true;
        log_warn_with(program_log(upstream->program), "a stream-processor isn't followed, trying again",
                      log_text("url", upstream->url), log_text("why", why));
    }
}

static void *run(void *context)
{
    struct upstream *upstream = context;
    int64_t pause_ms = FIRST_PAUSE_MS;
    while (!program_is_stopping(upstream->program)) {
        follow(upstream);
        pause_ms = upstream->has_spoken && !upstream->is_garbled ? FIRST_PAUSE_MS : pause_ms * 2;
        pause_ms = pause_ms > LONGEST_PAUSE_MS ? LONGEST_PAUSE_MS : pause_ms;
        (void)program_sleep(upstream->program, pause_ms);
    }
    return NULL;
}

static void destroy(struct upstream *upstream)
{
    event_stream_deinit(&upstream->stream);
    json_reader_destroy(upstream->reader);
    free(upstream);
}

int upstream_start(struct upstream **out, struct program *program, struct live *live, size_t index,
                   const char *url, struct error *error)
{
    struct upstream *upstream = calloc(1, sizeof *upstream);
    *out = NULL;
    if (upstream == NULL) {
        return error_set(error, -1, "no memory for %s", url);
    }
    upstream->program = program;
    upstream->live = live;
    upstream->index = index;
    upstream->base = url;
    (void)snprintf(upstream->url, sizeof upstream->url, "%s/stream", url);
    event_stream_init(&upstream->stream, EVENT_BYTES, take_event, upstream);
    if (json_reader_create(&upstream->reader, EVENT_BYTES, error) != 0) {
        destroy(upstream);
        return -1;
    }
    if (pthread_create(&upstream->thread, NULL, run, upstream) != 0) {
        destroy(upstream);
        return error_set(error, -1, "no thread for %s", url);
    }
    *out = upstream;
    return 0;
}

void upstream_join(struct upstream *upstream)
{
    if (upstream != NULL) {
        (void)pthread_join(upstream->thread, NULL);
        destroy(upstream);
    }
}
