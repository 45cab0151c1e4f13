/* The page is rendered in parts as the client takes it: at 10 000 label sets it has 40 MB as text, which
 * nobody should hold at once. What is kept while that lasts is a snapshot of the numbers; how many at once
 * and for how long is bounded, so that slow clients hold neither memory nor a place for long. */
#include "scrape.h"

#include "counting_worker.h"
#include "families.h"
#include "negotiation.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "metrics/encoder.h"
#include "metrics/metric_set.h"
#include "program/program.h"

#include <stdatomic.h>
#include <stdlib.h>

#define PART_BYTES   65536
#define MOST_AT_ONCE 4     /* snapshots in memory */
#define TIMEOUT_MS   10000 /* for the whole answer: Prometheus' own scrape_timeout unless it is set */

struct scrape {
    struct program *program;
    struct series_counters *counters;
    struct lag_watch *lag;
    const struct counting_worker *worker;
    struct metric *seconds, *label_sets, *overflow, *refused;
    atomic_int running;
};

/* One scrape being rendered: the bridge's families, then the program's own metrics. */
struct page {
    struct scrape *scrape;
    struct metric_encoder *encoder;
    struct families families;
    size_t family, own_family; /* that are being rendered */
    size_t place;              /* in the family */
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
    return 0;
}

void scrape_destroy(struct scrape *scrape)
{
    free(scrape);
}

static struct metric_set *own_metrics(const struct page *page)
{
    return program_metrics(page->scrape->program);
}

static bool next_source(struct page *page, struct metric_source *source)
{
    return families_source(&page->families, page->family, source) ||
           metric_set_source(own_metrics(page), page->own_family, source);
}

static void end_source(struct page *page)
{
    struct metric_source source;
    page->own_family += !families_source(&page->families, page->family, &source);
    page->family++;
    page->place = 0;
}

static bool render_part(void *context, struct buffer *part)
{
    struct page *page = context;
    const struct clock *clock = program_clock(page->scrape->program);
    int64_t begin_ns = clock_steady_ns(clock);
    bool is_more = true;
    while (is_more && part->size < PART_BYTES && !part->failed) {
        struct metric_source source;
        if (!next_source(page, &source)) {
            metric_encode_end(page->encoder, part);
            is_more = false;
        } else if (metric_encode(page->encoder, &source, &page->place, part, PART_BYTES)) {
            end_source(page);
        }
    }
    page->busy_ns += clock_steady_ns(clock) - begin_ns;
    return is_more;
}

static void end_page(void *context)
{
    struct page *page = context;
    struct scrape *scrape = page->scrape;
    metric_set_value(scrape->seconds, (double)page->busy_ns / 1e9);
    families_deinit(&page->families);
    counter_snapshot_release(scrape->counters, &page->families.counters);
    lag_snapshot_release(&page->families.lag);
    metric_encoder_destroy(page->encoder);
    free(page);
    (void)atomic_fetch_sub(&scrape->running, 1);
}

/* --- the request ---- */

static bool begin_snapshots(const struct scrape *scrape, struct families *families)
{
    int64_t now_ms = clock_wall_ms(program_clock(scrape->program));
    if (lag_watch_take(scrape->lag, counting_worker_owns_first(scrape->worker), &families->lag) != 0) {
        return false;
    }
    if (counter_snapshot_take(scrape->counters, now_ms, &families->counters) != 0) {
        lag_snapshot_release(&families->lag);
        return false;
    }
    families_init(families);
    metric_set_value(scrape->label_sets, (double)families->counters.label_sets);
    metric_set_value(scrape->overflow, (double)families->counters.overflow_sets);
    return true;
}

static struct page *begin_page(struct scrape *scrape, enum metric_format format,
                               enum metric_histograms histograms)
{
    const struct clock *clock = program_clock(scrape->program);
    int64_t begin_ns = clock_steady_ns(clock);
    struct page *page = calloc(1, sizeof *page);
    if (page == NULL) {
        return NULL;
    }
    page->scrape = scrape;
    page->encoder = metric_encoder_create(format, histograms);
    if (page->encoder == NULL || !begin_snapshots(scrape, &page->families)) {
        metric_encoder_destroy(page->encoder);
        free(page);
        return NULL;
    }
    page->busy_ns = clock_steady_ns(clock) - begin_ns;
    return page;
}

void scrape_answer(void *context, const struct http_request *request, struct http_response *response)
{
    struct scrape *scrape = context;
    enum metric_format format = negotiate_format(http_request_header(request, "Accept"));
    enum metric_histograms histograms;
    const char *word = http_request_query(request, "histograms");
    if (!negotiate_histograms(word, &histograms)) {
        http_response_fail(response, 400, "histograms=%.20s is not allowed; give classic, native or both",
                           word);
        return;
    }
    bool is_admitted = atomic_fetch_add(&scrape->running, 1) < MOST_AT_ONCE;
    struct page *page = is_admitted ? begin_page(scrape, format, histograms) : NULL;
    if (page == NULL) {
        (void)atomic_fetch_sub(&scrape->running, 1);
        metric_increment(scrape->refused, 1);
        http_response_fail(response, 503,
                           is_admitted ? "no memory for a scrape" : "too many scrapes at once");
        (void)http_response_set_header(response, "Retry-After", "1");
        return;
    }
    http_response_set_type(response, metric_format_type(format));
    http_response_limit_time(response, TIMEOUT_MS);
    http_response_stream(response, render_part, end_page, page);
    http_response_compress(response, request);
}
