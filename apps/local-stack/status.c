#include "status.h"

#include "pages.h"
#include "plan.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "http/http_client.h"
#include "metrics/decode_text.h"
#include "json/json_read.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_TIMEOUT_MS 1000
#define PAGE_LIMIT_BYTES  8388608
#define WINDOW_SECONDS    10
#define RATE_SAMPLES      6    /* the rate is over the last five seconds */
#define LAG_INTERVAL_MS   2000 /* as --lag-interval in plan.c */
/* A page of thousands of series isn't asked for each second: a second for each of so many bytes. */
#define BYTES_PER_SECOND  262144

struct rate_sample {
    int64_t steady_ms;
    double events;
};

struct status {
    const struct plan *plan;
    const struct clock *clock;
    struct json_reader *reader;
    struct buffer page;
    struct rate_sample samples[RATE_SAMPLES]; /* oldest first */
    size_t sample_count;
    bool has_series, has_alerts, has_lag;
    struct series_totals series;
    struct firing_alerts alerts;
    double lag, lag_s;
    int64_t series_due_ms, lag_due_ms;
};

int status_create(struct status **out, const struct plan *plan, const struct clock *clock,
                  struct error *error)
{
    struct status *status = calloc(1, sizeof *status);
    *out = status;
    if (status == NULL) {
        return error_set(error, -1, "no memory");
    }
    status->plan = plan;
    status->clock = clock;
    buffer_init(&status->page, PAGE_LIMIT_BYTES);
    return json_reader_create(&status->reader, PAGE_LIMIT_BYTES, error);
}

void status_destroy(struct status *status)
{
    if (status != NULL) {
        json_reader_destroy(status->reader);
        buffer_free(&status->page);
        free(status);
    }
}

static bool get(struct status *status, enum part_id part, const char *path)
{
    char url[PLAN_URL_BYTES];
    plan_url(url, &status->plan->parts[part], path);
    const struct http_client_request request = {
        .url = url, .timeout_ms = ANSWER_TIMEOUT_MS, .max_response_bytes = PAGE_LIMIT_BYTES};
    buffer_clear(&status->page);
    return http_client_send(&request, &status->page, NULL) == 200;
}

static int64_t next_due(const struct status *status, int64_t now_ms, int64_t at_least_ms)
{
    const int64_t by_size_ms = (int64_t)(status->page.size / BYTES_PER_SECOND) * 1000;
    return now_ms + (by_size_ms > at_least_ms ? by_size_ms : at_least_ms);
}

/* A counter that went back belongs to a program that began anew. */
static void add_rate_sample(struct status *status, int64_t now_ms, double events)
{
    if (status->sample_count > 0 && events < status->samples[status->sample_count - 1].events) {
        status->sample_count = 0;
    }
    if (status->sample_count == RATE_SAMPLES) {
        memmove(status->samples, status->samples + 1, (RATE_SAMPLES - 1) * sizeof status->samples[0]);
        status->sample_count--;
    }
    status->samples[status->sample_count++] = (struct rate_sample){now_ms, events};
}

static void refresh_events(struct status *status, int64_t now_ms)
{
    size_t count = 0;
    if (!get(status, PART_PROCESSOR, "/metrics")) {
        status->sample_count = 0;
        return;
    }
    const double events = metric_page_sum(status->page.data, status->page.size,
                                          "stream_processor_events_total", NULL, NULL, &count);
    if (count > 0) {
        add_rate_sample(status, now_ms, events);
    }
}

static void refresh_series(struct status *status, int64_t now_ms)
{
    if (now_ms < status->series_due_ms) {
        return;
    }
    status->has_series = get(status, PART_PROCESSOR, "/series") &&
                         pages_read_series(status->reader, status->page.data, status->page.size,
                                           WINDOW_SECONDS, &status->series) == 0;
    status->series_due_ms = next_due(status, now_ms, 0);
}

/* All groups' records together, and the time by which the worst partition is behind. The number of samples.
 */
static size_t read_lag(struct status *status)
{
    struct metric_page page = {status->page.data, status->page.size};
    struct metric_sample sample;
    size_t count = 0;
    status->lag = status->lag_s = 0;
    while (metric_page_next(&page, &sample)) {
        if (metric_sample_is(&sample, "kafka_consumergroup_lag")) {
            status->lag += sample.value;
            count++;
        } else if (metric_sample_is(&sample, "kafka_consumergroup_lag_seconds") &&
                   sample.value > status->lag_s) {
            status->lag_s = sample.value;
        }
    }
    return count;
}

static void refresh_lag(struct status *status, int64_t now_ms)
{
    size_t count = 0;
    if (now_ms < status->lag_due_ms) {
        return;
    }
    if (get(status, PART_BRIDGE, "/metrics")) {
        count = read_lag(status);
    }
    status->has_lag = count > 0;
    status->lag_due_ms = status->has_lag ? next_due(status, now_ms, LAG_INTERVAL_MS) : 0;
}

void status_refresh(struct status *status)
{
    const int64_t now_ms = clock_steady_ms(status->clock);
    refresh_events(status, now_ms);
    refresh_series(status, now_ms);
    status->has_alerts =
        get(status, PART_PROCESSOR, "/alerts") &&
        pages_read_alerts(status->reader, status->page.data, status->page.size, &status->alerts) == 0;
    refresh_lag(status, now_ms);
}

/* --- the line ---- */

static void write_rate(const struct status *status, struct buffer *out)
{
    const struct rate_sample *first = &status->samples[0];
    const struct rate_sample *last = first + (status->sample_count > 0 ? status->sample_count - 1 : 0);
    if (last == first || last->steady_ms == first->steady_ms) {
        buffer_append_text(out, "– events/s");
        return;
    }
    buffer_append_format(out, "%.0f events/s",
                         (last->events - first->events) * 1000 /
                             (double)(last->steady_ms - first->steady_ms));
}

static void write_latency(const struct status *status, struct buffer *out)
{
    if (!status->has_series || status->series.worst_p99_s < 0) {
        buffer_append_text(out, "P99 –");
        return;
    }
    buffer_append_format(out, "P99 %.0f ms at worst (%s)", status->series.worst_p99_s * 1000,
                         status->series.worst_name);
}

static void write_errors(const struct status *status, struct buffer *out)
{
    if (!status->has_series || !(status->series.requests > 0)) {
        buffer_append_text(out, "errors –");
        return;
    }
    buffer_append_format(out, "errors %.2f %%", 100 * status->series.errors / status->series.requests);
}

static void write_alerts(const struct status *status, struct buffer *out)
{
    if (!status->has_alerts) {
        buffer_append_text(out, "– firing");
    } else if (status->alerts.count == 0) {
        buffer_append_text(out, "0 firing");
    } else {
        buffer_append_format(out, "%zu FIRING: %s%s", status->alerts.count, status->alerts.first,
                             status->alerts.count > 1 ? ", …" : "");
    }
}

bool status_has_rate(const struct status *status)
{
    return status->sample_count > 1;
}

size_t status_firing(const struct status *status)
{
    return status->alerts.count;
}

void status_write_line(const struct status *status, struct buffer *out)
{
    write_rate(status, out);
    buffer_append_text(out, " | ");
    write_latency(status, out);
    buffer_append_text(out, " | ");
    write_errors(status, out);
    buffer_append_text(out, " | ");
    if (status->has_lag) {
        buffer_append_format(out, "lag %.0f records, %.1f s", status->lag, status->lag_s);
    } else {
        buffer_append_text(out, "lag –");
    }
    buffer_append_text(out, " | ");
    write_alerts(status, out);
}
