/* references: the two detectors that ours is held against, written as their users would have them, on the
 * same records.
 *
 *   plain       once a second over the last 60 s: at least 20 requests, over the limit, 3 evaluations in a
 * row; within the limit 3 times in a row resolves. Traffic: below a fifth of the day's mean. prometheus
 * counters and histogram buckets (docs: the platform's own bounds) scraped every 15 s, rules evaluated at
 * each scrape: histogram_quantile(0.99, rate(...[2m])), the ratio of the rates of 5xx and all over 2 m, and
 * the rate over 2 m against a fifth of that over the last hour; `for: 1m`.
 *
 * Both know each series' limits as our rules do, and evaluate in time whether records come or not. Plain
 * data, one of each a series. */
#ifndef SCORE_REFERENCES_H
#define SCORE_REFERENCES_H

#include "plan.h"

#define PLAIN_SECONDS      60
#define PROMETHEUS_BUCKETS 15  /* the last is +Inf */
#define PROMETHEUS_SCRAPES 241 /* an hour */
#define SCRAPE_S           15

struct reference_limits {
    double slow_s, errors, left;
    double mean_rate; /* of the series' day: what a plain rule's author knows */
};

struct plain_reference {
    uint32_t records[PLAIN_SECONDS], errors[PLAIN_SECONDS], slow[PLAIN_SECONDS];
    uint32_t record_sum, error_sum, slow_sum;
    uint64_t seconds;
    uint32_t over[WATCH_COUNT], within[WATCH_COUNT];
    bool firing[WATCH_COUNT];
};

struct scrape {
    uint64_t records, errors, buckets[PROMETHEUS_BUCKETS];
};

struct prometheus_reference {
    struct scrape now, scrapes[PROMETHEUS_SCRAPES];
    uint64_t scraped;
    int64_t pending_s[WATCH_COUNT]; /* -1: not over */
    bool firing[WATCH_COUNT];
};

void plain_init(struct plain_reference *plain);
void plain_observe(struct plain_reference *plain, const struct reference_limits *limits, double duration_s,
                   bool is_error);
void plain_end_second(struct plain_reference *plain, const struct reference_limits *limits);

void prometheus_init(struct prometheus_reference *prometheus);
void prometheus_observe(struct prometheus_reference *prometheus, double duration_s, bool is_error);
/* Every SCRAPE_S seconds. */
void prometheus_scrape(struct prometheus_reference *prometheus, const struct reference_limits *limits,
                       int64_t now_s);

#endif
