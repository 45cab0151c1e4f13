#include "references.h"

#include <math.h>
#include <string.h>

#define PLAIN_SAMPLES  20
#define PLAIN_IN_A_ROW 3
#define RATE_SCRAPES   8 /* 2 m */
#define HOUR_SCRAPES   240
#define FOR_S          60
#define QUANTILE       0.99

/* --- plain ---- */

void plain_init(struct plain_reference *plain)
{
    *plain = (struct plain_reference){0};
}

void plain_observe(struct plain_reference *plain, const struct reference_limits *limits, double duration_s,
                   bool is_error)
{
    uint64_t slot = plain->seconds % PLAIN_SECONDS;
    plain->records[slot]++;
    plain->record_sum++;
    plain->errors[slot] += is_error;
    plain->error_sum += is_error;
    plain->slow[slot] += duration_s > limits->slow_s;
    plain->slow_sum += duration_s > limits->slow_s;
}

static void plain_decide(struct plain_reference *plain, enum watch watch, bool is_over)
{
    plain->over[watch] = is_over ? plain->over[watch] + 1 : 0;
    plain->within[watch] = is_over ? 0 : plain->within[watch] + 1;
    if (plain->over[watch] >= PLAIN_IN_A_ROW) {
        plain->firing[watch] = true;
    } else if (plain->within[watch] >= PLAIN_IN_A_ROW) {
        plain->firing[watch] = false;
    }
}

void plain_end_second(struct plain_reference *plain, const struct reference_limits *limits)
{
    double records = plain->record_sum;
    bool enough = plain->record_sum >= PLAIN_SAMPLES;
    plain_decide(plain, WATCH_LATENCY, enough && plain->slow_sum > (1 - QUANTILE) * records);
    plain_decide(plain, WATCH_ERRORS, enough && plain->error_sum > limits->errors * records);
    plain_decide(plain, WATCH_TRAFFIC,
                 plain->seconds >= PLAIN_SECONDS && limits->mean_rate >= 1 &&
                     records / PLAIN_SECONDS < limits->left * limits->mean_rate);
    plain->seconds++;
    uint64_t slot = plain->seconds % PLAIN_SECONDS;
    plain->record_sum -= plain->records[slot];
    plain->error_sum -= plain->errors[slot];
    plain->slow_sum -= plain->slow[slot];
    plain->records[slot] = plain->errors[slot] = plain->slow[slot] = 0;
}

/* --- Prometheus ---- */

static const double bounds[PROMETHEUS_BUCKETS] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,    0.5,
                                                  0.75,  1,    2.5,   5,    7.5,   10,  INFINITY};

void prometheus_init(struct prometheus_reference *prometheus)
{
    memset(prometheus, 0, sizeof *prometheus);
    for (int watch = 0; watch < WATCH_COUNT; watch++) {
        prometheus->pending_s[watch] = -1;
    }
}

void prometheus_observe(struct prometheus_reference *prometheus, double duration_s, bool is_error)
{
    int bucket = 0;
    while (duration_s > bounds[bucket]) {
        bucket++;
    }
    prometheus->now.buckets[bucket]++;
    prometheus->now.records++;
    prometheus->now.errors += is_error;
}

static const struct scrape *scrape_before(const struct prometheus_reference *prometheus, uint64_t scrapes)
{
    return &prometheus->scrapes[(prometheus->scraped - 1 - scrapes) % PROMETHEUS_SCRAPES];
}

/* As Prometheus' histogram_quantile: linear within the bucket; the largest bound beyond the last. */
static double histogram_quantile_of(const struct scrape *now, const struct scrape *then)
{
    double rank = QUANTILE * (double)(now->records - then->records);
    double below = 0;
    for (int i = 0; i < PROMETHEUS_BUCKETS - 1; i++) {
        double in_bucket = (double)(now->buckets[i] - then->buckets[i]);
        if (in_bucket > 0 && below + in_bucket >= rank) {
            double low = i == 0 ? 0 : bounds[i - 1];
            return low + (bounds[i] - low) * (rank - below) / in_bucket;
        }
        below += in_bucket;
    }
    return bounds[PROMETHEUS_BUCKETS - 2];
}

static void prometheus_decide(struct prometheus_reference *prometheus, enum watch watch, bool is_over,
                              int64_t now_s)
{
    if (!is_over) {
        prometheus->pending_s[watch] = -1;
        prometheus->firing[watch] = false;
        return;
    }
    if (prometheus->pending_s[watch] < 0) {
        prometheus->pending_s[watch] = now_s;
    }
    prometheus->firing[watch] |= now_s - prometheus->pending_s[watch] >= FOR_S;
}

void prometheus_scrape(struct prometheus_reference *prometheus, const struct reference_limits *limits,
                       int64_t now_s)
{
    prometheus->scrapes[prometheus->scraped++ % PROMETHEUS_SCRAPES] = prometheus->now;
    if (prometheus->scraped <= RATE_SCRAPES) {
        return;
    }
    const struct scrape *now = scrape_before(prometheus, 0);
    const struct scrape *then = scrape_before(prometheus, RATE_SCRAPES);
    double records = (double)(now->records - then->records);
    double errors = (double)(now->errors - then->errors);
    prometheus_decide(prometheus, WATCH_LATENCY,
                      records > 0 && histogram_quantile_of(now, then) > limits->slow_s, now_s);
    prometheus_decide(prometheus, WATCH_ERRORS, records > 0 && errors / records > limits->errors, now_s);
    if (prometheus->scraped > HOUR_SCRAPES) {
        const struct scrape *hour_ago = scrape_before(prometheus, HOUR_SCRAPES);
        double usual = (double)(now->records - hour_ago->records) / (HOUR_SCRAPES * SCRAPE_S);
        prometheus_decide(prometheus, WATCH_TRAFFIC,
                          usual >= 1 && records / (RATE_SCRAPES * SCRAPE_S) < limits->left * usual, now_s);
    }
}
