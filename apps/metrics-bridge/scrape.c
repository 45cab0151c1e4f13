/* The page is rendered in parts as the client takes it: at 10 000 label sets it has 40 MB, which nobody
 * should hold at once. What is kept while that lasts is a snapshot of the numbers. */
#include "scrape.h"

#include "counter_snapshot.h"
#include "counting_worker.h"
#include "lag_watch.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "metrics/encode_text.h"
#include "metrics/metric_set.h"
#include "program/program.h"
#include "json/json_write.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define PART_BYTES    65536
#define MOST_AT_ONCE  4 /* snapshots in memory */
#define DURATION_NAME "http_server_request_duration_seconds"

struct scrape {
    struct program *program;
    struct series_counters *counters;
    struct lag_watch *lag;
    const struct counting_worker *worker;
    struct metric *seconds, *label_sets, *overflow, *refused;
    atomic_int running;
    char le[COUNTER_VALUES][JSON_REAL_BYTES];
};

/* One scrape being rendered. */
struct page {
    struct scrape *scrape;
    struct counter_snapshot snapshot;
    size_t family; /* that is being rendered; past the last: the rest */
    bool is_begun; /* its header is out */
    size_t row;    /* the next one to look at */
    int64_t busy_ns;
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
    scrape->program = program;
    scrape->counters = counters;
    scrape->lag = lag;
    scrape->worker = worker;
    scrape->seconds =
        metric_add_gauge(set, "metrics_bridge_scrape_seconds", "How long the last scrape took to render.");
    scrape->label_sets =
        metric_add_gauge(set, "metrics_bridge_label_sets", "Label sets that are counted (--max-series).");
    scrape->overflow = metric_add_gauge(set, "metrics_bridge_overflow_label_sets",
                                        "Label sets counted under _overflow, past --max-series.");
    scrape->refused = metric_add_counter(set, "metrics_bridge_scrapes_refused_total",
                                         "Scrapes refused because as many as allowed were running.");
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

/* --- rows ---- */

/* NAMESUFFIX{labels,extra_name="extra"} and the space before the number. */
static void append_series(struct buffer *out, const char *name, const char *suffix,
                          const struct counter_row *row, const char *extra_name, const char *extra)
{
    buffer_append_text(out, name);
    buffer_append_text(out, suffix);
    buffer_append_char(out, '{');
    buffer_append(out, row->labels, row->labels_bytes);
    if (extra_name != NULL) {
        buffer_append_char(out, ',');
        buffer_append_text(out, extra_name);
        buffer_append_text(out, "=\"");
        buffer_append_text(out, extra);
        buffer_append_char(out, '"');
    }
    buffer_append_text(out, "} ");
}

static void append_count(struct buffer *out, uint64_t value)
{
    metrics_text_count(out, value);
    buffer_append_char(out, '\n');
}

static void append_number(struct buffer *out, double value)
{
    metrics_text_number(out, value);
    buffer_append_char(out, '\n');
}

static void append_histogram(const struct scrape *scrape, struct buffer *out, const char *name,
                             const struct counter_row *row)
{
    uint64_t total = 0;
    for (int b = 0; b < COUNTER_VALUES; b++) {
        total += row->values[b];
        append_series(out, name, "_bucket", row, "le", scrape->le[b]);
        append_count(out, total);
    }
    append_series(out, name, "_sum", row, NULL, NULL);
    append_number(out, row->sum);
    append_series(out, name, "_count", row, NULL, NULL);
    append_count(out, total);
}

static void append_classes(const struct scrape *scrape, struct buffer *out, const char *name,
                           const struct counter_row *row)
{
    static const char *const classes[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    (void)scrape;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        append_series(out, name, "", row, "status_class", classes[i]);
        append_count(out, row->values[i]);
    }
}

static void append_gauge(struct buffer *out, const char *name, const struct counter_row *row, double value)
{
    if (!isnan(value)) {
        append_series(out, name, "", row, NULL, NULL);
        append_number(out, value);
    }
}

static void append_cpu(const struct scrape *scrape, struct buffer *out, const char *name,
                       const struct counter_row *row)
{
    (void)scrape;
    append_gauge(out, name, row, row->cpu);
}

static void append_memory(const struct scrape *scrape, struct buffer *out, const char *name,
                          const struct counter_row *row)
{
    (void)scrape;
    append_gauge(out, name, row, row->memory);
}

static void append_logs(const struct scrape *scrape, struct buffer *out, const char *name,
                        const struct counter_row *row)
{
    (void)scrape;
    append_series(out, name, "", row, NULL, NULL);
    append_count(out, row->values[0]);
}

/* --- families ---- */

struct family {
    const char *name, *type, *help;
    enum counter_kind kind;
    void (*append)(const struct scrape *scrape, struct buffer *out, const char *name,
                   const struct counter_row *row);
};

static const struct family families[] = {
    {DURATION_NAME, "histogram", "Duration of HTTP server requests.", COUNTER_REQUESTS, append_histogram},
    {"http_server_requests_total", "counter", "HTTP server requests by class of status.", COUNTER_CLASSES,
     append_classes},
    {"system_cpu_utilization_ratio", "gauge", "CPU utilisation, the last sample.", COUNTER_CLASSES,
     append_cpu},
    {"system_memory_utilization_ratio", "gauge", "Memory utilisation, the last sample.", COUNTER_CLASSES,
     append_memory},
    {"log_records_total", "counter", "Log records by severity.", COUNTER_LOGS, append_logs},
};
#define FAMILY_COUNT (sizeof families / sizeof families[0])

/* Rows of the current family until the part is full. True: the family is done. */
static bool append_family(struct page *page, struct buffer *part)
{
    const struct family *family = &families[page->family];
    if (!page->is_begun) {
        metrics_text_header(part, family->name, family->help, family->type);
        page->is_begun = true;
    }
    while (page->row < page->snapshot.count && part->size < PART_BYTES) {
        const struct counter_row *row = &page->snapshot.rows[page->row++];
        if (row->kind == family->kind) {
            family->append(page->scrape, part, family->name, row);
        }
    }
    return page->row == page->snapshot.count;
}

static void append_results(struct buffer *out, const char *name, const char *help, uint64_t counted,
                           uint64_t malformed)
{
    metrics_text_header(out, name, help, "counter");
    buffer_append_format(out, "%s{result=\"counted\"} ", name);
    append_count(out, counted);
    buffer_append_format(out, "%s{result=\"malformed\"} ", name);
    append_count(out, malformed);
}

static void append_rest(const struct page *page, struct buffer *out)
{
    const struct scrape *scrape = page->scrape;
    const uint64_t *totals = page->snapshot.totals;
    lag_watch_encode(scrape->lag, out, counting_worker_owns_first(scrape->worker));
    if (page->snapshot.is_settled) {
        append_results(out, "metrics_bridge_events_total", "Records of metrics.raw by what became of them.",
                       totals[TOTAL_EVENTS_COUNTED], totals[TOTAL_EVENTS_MALFORMED]);
        append_results(out, "metrics_bridge_log_records_total", "Records of logs.raw by what became of them.",
                       totals[TOTAL_LOGS_COUNTED], totals[TOTAL_LOGS_MALFORMED]);
    }
    metric_set_encode_text(program_metrics(scrape->program), out);
}

static bool render_part(void *context, struct buffer *part)
{
    struct page *page = context;
    const struct clock *clock = program_clock(page->scrape->program);
    int64_t begin_ns = clock_steady_ns(clock);
    while (page->family < FAMILY_COUNT && part->size < PART_BYTES) {
        if (append_family(page, part)) {
            page->family++;
            page->is_begun = false;
            page->row = 0;
        }
    }
    bool is_last = page->family == FAMILY_COUNT;
    if (is_last) {
        append_rest(page, part);
    }
    page->busy_ns += clock_steady_ns(clock) - begin_ns;
    return !is_last;
}

static void end_page(void *context)
{
    struct page *page = context;
    struct scrape *scrape = page->scrape;
    metric_set_value(scrape->seconds, (double)page->busy_ns / 1e9);
    counter_snapshot_release(scrape->counters, &page->snapshot);
    free(page);
    (void)atomic_fetch_sub(&scrape->running, 1);
}

/* --- the request ---- */

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

static struct page *begin_page(struct scrape *scrape)
{
    const struct clock *clock = program_clock(scrape->program);
    int64_t begin_ns = clock_steady_ns(clock);
    struct page *page = calloc(1, sizeof *page);
    if (page == NULL || counter_snapshot_take(scrape->counters, clock_wall_ms(clock), &page->snapshot) != 0) {
        free(page);
        return NULL;
    }
    page->scrape = scrape;
    page->busy_ns = clock_steady_ns(clock) - begin_ns;
    metric_set_value(scrape->label_sets, (double)page->snapshot.label_sets);
    metric_set_value(scrape->overflow, (double)page->snapshot.overflow_sets);
    return page;
}

void scrape_answer(void *context, const struct http_request *request, struct http_response *response)
{
    struct scrape *scrape = context;
    if (!histograms_are_known(request, response)) {
        return;
    }
    bool is_admitted = atomic_fetch_add(&scrape->running, 1) < MOST_AT_ONCE;
    struct page *page = is_admitted ? begin_page(scrape) : NULL;
    if (page == NULL) {
        (void)atomic_fetch_sub(&scrape->running, 1);
        metric_increment(scrape->refused, 1);
        http_response_fail(response, 503,
                           is_admitted ? "no memory for a scrape" : "too many scrapes at once");
        (void)http_response_set_header(response, "Retry-After", "1");
        return;
    }
    http_response_set_type(response, METRICS_TEXT_TYPE);
    http_response_stream(response, render_part, end_page, page);
}
