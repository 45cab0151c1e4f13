/* tests/support/prometheus: a real Prometheus and instant queries to one, for tests. Functions fail the
 * running test themselves when there is no valid answer. */
#ifndef OBS_TESTS_SUPPORT_PROMETHEUS_H
#define OBS_TESTS_SUPPORT_PROMETHEUS_H

#include <stdbool.h>
#include <stddef.h>

struct buffer;
struct process;

#define PROMETHEUS_LABELS 16

struct prometheus_sample {
    size_t label_count;
    char names[PROMETHEUS_LABELS][64], values[PROMETHEUS_LABELS][160];
    double value;
};

#define PROMETHEUS_BASE_BYTES 64

/* Debian's Prometheus on a free port of 127.0.0.1, ready for queries, its address in base. config: the text
 * of its configuration. features: what --enable-feature takes; NULL: none. Its files are prometheus.yml,
 * prometheus.log and data/ in the directory. process_free ends it. */
struct process *prometheus_start(const char *directory, const char *config, const char *features,
                                 char base[PROMETHEUS_BASE_BYTES]);

/* base: "http://127.0.0.1:9090". take is called for each sample of the result; the sample is borrowed. The
 * number of samples. */
size_t prometheus_query(const char *base, const char *query,
                        void (*take)(void *context, const struct prometheus_sample *sample), void *context);
/* A query that may be wrong: the number of samples, or -1 when it is refused; answer says why. */
int prometheus_try(const char *base, const char *query, struct buffer *answer);
/* Have the series of a query exemplars of the last hour? */
bool prometheus_has_exemplars(const char *base, const char *query);
/* "" when the sample has no such label. */
const char *prometheus_label(const struct prometheus_sample *sample, const char *name);
/* The one sample of a result; NaN when it is empty. */
double prometheus_value(const char *base, const char *query);
/* Waits until the one sample of the result has the value. */
void prometheus_wait_for(const char *base, const char *query, double value);

#endif
