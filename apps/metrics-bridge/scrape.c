#include "scrape.h"

#include "counting_worker.h"
#include "lag_watch.h"
#include "series_counters.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "metrics/encode_text.h"
#include "metrics/metric_set.h"
#include "program/program.h"
#include "json/json_write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct scrape {
    struct program *program;
    struct series_counters *counters;
    struct lag_watch *lag;
    const struct counting_worker *worker;
    struct metric *seconds, *label_sets, *overflow;
    char le[COUNTER_VALUES][JSON_REAL_BYTES];
};

int scrape_create(struct scrape **out, struct program *program, struct series_counters *counters,
                  struct lag_watch *lag, const struct counting_worker *worker, struct error *error)
{
    struct scrape *scrape = calloc(1, sizeof *scrape);
    *out = scrape;
    if (scrape == NULL) {
        return error_set(error, -1, "no memory for the scrape");
    }
    struct metric_set *set = program_metrics(program);
    *scrape = (struct scrape){.program = program, .counters = counters, .lag = lag, .worker = worker};
    scrape->seconds =
        metric_add_gauge(set, "metrics_bridge_scrape_seconds", "How long the last scrape took to render.");
    scrape->label_sets =
        metric_add_gauge(set, "metrics_bridge_label_sets", "Label sets that are counted (--max-series).");
    scrape->overflow = metric_add_gauge(set, "metrics_bridge_overflow_label_sets",
                                        "Label sets counted under _overflow, past --max-series.");
    for (int i = 0; i < COUNTER_BUCKETS; i++) {
        json_format_real(scrape->le[i], counter_bucket_bounds[i]);
    }
    (void)strcpy(scrape->le[COUNTER_BUCKETS], "+Inf");
    return 0;
}

void scrape_destroy(struct scrape *scrape)
{
    free(scrape);
}

/* --- overflow rows of several partitions become one ---- */

static int compare_rows(const void *a, const void *b)
{
    const struct counter_row *x = a;
    const struct counter_row *y = b;
    if (x->overflow != y->overflow) {
        return x->overflow ? 1 : -1;
    }
    if (!x->overflow) {
        return 0;
    }
    if (x->kind != y->kind) {
        return x->kind < y->kind ? -1 : 1;
    }
    return strcmp(x->labels, y->labels);
}

static void join_overflow(struct counter_snapshot *snapshot)
{
    if (snapshot->overflow_label_sets == 0) {
        return;
    }
    qsort(snapshot->rows, snapshot->count, sizeof snapshot->rows[0], compare_rows);
    size_t kept = 0;
    for (size_t i = 0; i < snapshot->count; i++) {
        struct counter_row *last = kept == 0 ? NULL : &snapshot->rows[kept - 1];
        const struct counter_row *row = &snapshot->rows[i];
        if (last == NULL || !row->overflow || compare_rows(last, row) != 0) {
            snapshot->rows[kept++] = *row;
            continue;
        }
        for (int v = 0; v < COUNTER_VALUES; v++) {
            last->values[v] += row->values[v];
        }
        last->sum += row->sum;
    }
    snapshot->count = kept;
}

/* --- families ---- */

static void append_line(struct buffer *out, const char *name, const struct counter_row *row,
                        const char *extra_name, const char *extra, uint64_t value)
{
    buffer_append_text(out, name);
    buffer_append_char(out, '{');
    buffer_append(out, row->labels, row->labels_bytes);
    if (extra != NULL) {
        buffer_append_char(out, ',');
        buffer_append_text(out, extra_name);
        buffer_append_text(out, "=\"");
        buffer_append_text(out, extra);
        buffer_append_char(out, '"');
    }
    buffer_append_text(out, "} ");
    metrics_text_count(out, value);
    buffer_append_char(out, '\n');
}

static void append_histograms(const struct scrape *scrape, struct buffer *out,
                              const struct counter_snapshot *snapshot)
{
    metrics_text_header(out, "http_server_request_duration_seconds", "Duration of HTTP server requests.",
                        "histogram");
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct counter_row *row = &snapshot->rows[i];
        if (row->kind != COUNTER_REQUESTS) {
            continue;
        }
        uint64_t total = 0;
        for (int b = 0; b < COUNTER_VALUES; b++) {
            total += row->values[b];
            append_line(out, "http_server_request_duration_seconds_bucket", row, "le", scrape->le[b], total);
        }
        buffer_append_text(out, "http_server_request_duration_seconds_sum{");
        buffer_append(out, row->labels, row->labels_bytes);
        buffer_append_text(out, "} ");
        metrics_text_number(out, row->sum);
        buffer_append_char(out, '\n');
        append_line(out, "http_server_request_duration_seconds_count", row, NULL, NULL, total);
    }
}

static void append_classes(struct buffer *out, const struct counter_snapshot *snapshot)
{
    static const char *const classes[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    metrics_text_header(out, "http_server_requests_total", "HTTP server requests by class of status.",
                        "counter");
    for (size_t i = 0; i < snapshot->count; i++) {
        for (int c = 0; snapshot->rows[i].kind == COUNTER_CLASSES && c < 5; c++) {
            append_line(out, "http_server_requests_total", &snapshot->rows[i], "status_class", classes[c],
                        snapshot->rows[i].values[c]);
        }
    }
}

static void append_gauge(struct buffer *out, const struct counter_snapshot *snapshot, const char *name,
                         const char *help, size_t offset)
{
    metrics_text_header(out, name, help, "gauge");
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct counter_row *row = &snapshot->rows[i];
        double value;
        memcpy(&value, (const char *)row + offset, sizeof value);
        if (row->kind == COUNTER_CLASSES && !row->overflow && !isnan(value)) {
            buffer_append_format(out, "%s{", name);
            buffer_append(out, row->labels, row->labels_bytes);
            buffer_append_text(out, "} ");
            metrics_text_number(out, value);
            buffer_append_char(out, '\n');
        }
    }
}

static void append_logs(struct buffer *out, const struct counter_snapshot *snapshot)
{
    metrics_text_header(out, "log_records_total", "Log records by severity.", "counter");
    for (size_t i = 0; i < snapshot->count; i++) {
        if (snapshot->rows[i].kind == COUNTER_LOGS) {
            append_line(out, "log_records_total", &snapshot->rows[i], NULL, NULL,
                        snapshot->rows[i].values[0]);
        }
    }
}

static void append_total(struct buffer *out, const char *name, const char *result, uint64_t value)
{
    buffer_append_format(out, "%s{result=\"%s\"} ", name, result);
    metrics_text_count(out, value);
    buffer_append_char(out, '\n');
}

static void append_totals(struct buffer *out, const struct counter_snapshot *snapshot)
{
    metrics_text_header(out, "metrics_bridge_events_total", "Records of metrics.raw by what became of them.",
                        "counter");
    append_total(out, "metrics_bridge_events_total", "counted", snapshot->totals[TOTAL_EVENTS_COUNTED]);
    append_total(out, "metrics_bridge_events_total", "malformed", snapshot->totals[TOTAL_EVENTS_MALFORMED]);
    metrics_text_header(out, "metrics_bridge_log_records_total",
                        "Records of logs.raw by what became of them.", "counter");
    append_total(out, "metrics_bridge_log_records_total", "counted", snapshot->totals[TOTAL_LOGS_COUNTED]);
    append_total(out, "metrics_bridge_log_records_total", "malformed",
                 snapshot->totals[TOTAL_LOGS_MALFORMED]);
}

static void render(struct scrape *scrape, struct buffer *out, const struct counter_snapshot *snapshot)
{
    append_histograms(scrape, out, snapshot);
    append_classes(out, snapshot);
    append_gauge(out, snapshot, "system_cpu_utilization_ratio", "CPU utilisation, the last sample.",
                 offsetof(struct counter_row, cpu));
    append_gauge(out, snapshot, "system_memory_utilization_ratio", "Memory utilisation, the last sample.",
                 offsetof(struct counter_row, memory));
    append_logs(out, snapshot);
    lag_watch_encode(scrape->lag, out, counting_worker_owns_first(scrape->worker));
    append_totals(out, snapshot);
}

static bool histograms_are_known(const struct http_request *request, struct http_response *response)
{
    const char *form = http_request_query(request, "histograms");
    if (form == NULL || strcmp(form, "classic") == 0 || strcmp(form, "both") == 0) {
        return true;
    }
    http_response_fail(
        response, 400,
        "histograms=%.20s is not allowed; give classic or both (native needs protobuf, which this "
        "version does not speak)",
        form);
    return false;
}

void scrape_answer(void *context, const struct http_request *request, struct http_response *response)
{
    struct scrape *scrape = context;
    const struct clock *clock = program_clock(scrape->program);
    int64_t begin_ns = clock_steady_ns(clock);
    struct counter_snapshot snapshot;
    if (!histograms_are_known(request, response)) {
        return;
    }
    if (series_counters_snapshot(scrape->counters, clock_wall_ms(clock), &snapshot) != 0) {
        http_response_fail(response, 503, "no memory for a scrape");
        return;
    }
    metric_set_value(scrape->label_sets, (double)snapshot.label_sets);
    metric_set_value(scrape->overflow, (double)snapshot.overflow_label_sets);
    join_overflow(&snapshot);
    http_response_set_type(response, METRICS_TEXT_TYPE);
    render(scrape, http_response_body(response), &snapshot);
    series_counters_release(scrape->counters, &snapshot);
    metric_set_encode_text(program_metrics(scrape->program), http_response_body(response));
    metric_set_value(scrape->seconds, (double)(clock_steady_ns(clock) - begin_ns) / 1e9);
}
