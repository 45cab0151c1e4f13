#include "upstream.h"

#include "backfill.h"
#include "event_stream.h"
#include "live.h"
#include "processor_set.h"
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
#define STEP_MS          200 /* in which it notices that it is to stop */

struct upstream {
    struct program *program;
    struct live *live;
    size_t index;
    struct processor processor;
    const char *headers[2]; /* of every request; NULL-ended */
    char url[PROCESSOR_URL_BYTES + 8];
    struct event_stream stream;
    struct json_reader *reader;
    bool has_spoken; /* on this connection */
    bool has_complained;
    bool is_garbled;  /* it sent what isn't an event: hung up on, and told as away */
    char garble[192]; /* why */
    bool has_filled;  /* the bars of before */
    size_t filling;   /* which series */
    atomic_bool is_followed, is_stopping;
    pthread_t thread;
};

static bool is_stopping(const struct upstream *upstream)
{
    return atomic_load(&upstream->is_stopping) || program_is_stopping(upstream->program);
}

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
    for (size_t i = 0; i < FILLED_SERIES && status >= 0 && !is_stopping(upstream); i++) {
        upstream->filling = i;
        if (!live_name_series(upstream->live, i, texts[0], texts[1])) {
            continue;
        }
        buffer_clear(&url);
        buffer_clear(&answer);
        buffer_append_format(&url, "%s/series/history?seconds=300", upstream->processor.url);
        for (size_t n = 0; n < 2; n++) {
            buffer_append_format(&url, "&%s=", names[n]);
            proxy_append_encoded(&url, texts[n]);
        }
        const struct http_client_request request = {
            .url = buffer_text(&url), .headers = upstream->headers, .timeout_ms = FILL_TIMEOUT_MS};
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
        atomic_store(&upstream->is_followed, true);
        live_set_connected(upstream->live, upstream->index, NULL);
        log_info_with(program_log(upstream->program), "following a stream-processor",
                      log_text("url", upstream->url));
    }
}

static bool take_bytes(void *context, const char *data, size_t size)
{
    struct upstream *upstream = context;
    event_stream_feed(&upstream->stream, data, size);
    return !upstream->is_garbled && !is_stopping(upstream);
}

static bool goes_on(void *context)
{
    const struct upstream *upstream = context;
    return !is_stopping(upstream);
}

static void follow(struct upstream *upstream)
{
    const struct http_client_request request = {
        .url = upstream->url, .headers = upstream->headers, .timeout_ms = SILENCE_MS};
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
    atomic_store(&upstream->is_followed, false);
    live_set_connected(upstream->live, upstream->index, why);
    if (!upstream->has_complained && !is_stopping(upstream)) {
        upstream->has_complained = true;
        log_warn_with(program_log(upstream->program), "a stream-processor isn't followed, trying again",
                      log_text("url", upstream->url), log_text("why", why));
    }
}

static void *run(void *context)
{
    struct upstream *upstream = context;
    int64_t pause_ms = FIRST_PAUSE_MS;
    while (!is_stopping(upstream)) {
        follow(upstream);
        pause_ms = upstream->has_spoken && !upstream->is_garbled ? FIRST_PAUSE_MS : pause_ms * 2;
        pause_ms = pause_ms > LONGEST_PAUSE_MS ? LONGEST_PAUSE_MS : pause_ms;
        for (int64_t slept_ms = 0; slept_ms < pause_ms && !is_stopping(upstream); slept_ms += STEP_MS) {
            (void)program_sleep(upstream->program, STEP_MS);
        }
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
                   const struct processor *processor, struct error *error)
{
    struct upstream *upstream = calloc(1, sizeof *upstream);
    *out = NULL;
    if (upstream == NULL) {
        return error_set(error, -1, "no memory for %s", processor->url);
    }
    upstream->program = program;
    upstream->live = live;
    upstream->index = index;
    upstream->processor = *processor;
    upstream->headers[0] = processor->host_header[0] != '\0' ? upstream->processor.host_header : NULL;
    (void)snprintf(upstream->url, sizeof upstream->url, "%s/stream", processor->url);
    event_stream_init(&upstream->stream, EVENT_BYTES, take_event, upstream);
    if (json_reader_create(&upstream->reader, EVENT_BYTES, error) != 0) {
        destroy(upstream);
        return -1;
    }
    live_add_processor(live, index, processor->url);
    if (pthread_create(&upstream->thread, NULL, run, upstream) != 0) {
        live_remove_processor(live, index);
        destroy(upstream);
        return error_set(error, -1, "no thread for %s", processor->url);
    }
    *out = upstream;
    return 0;
}

bool upstream_is_followed(const struct upstream *upstream)
{
    return atomic_load(&upstream->is_followed);
}

void upstream_stop(struct upstream *upstream)
{
    atomic_store(&upstream->is_stopping, true);
}

void upstream_join(struct upstream *upstream)
{
    if (upstream != NULL) {
        (void)pthread_join(upstream->thread, NULL);
        live_remove_processor(upstream->live, upstream->index);
        destroy(upstream);
    }
}
