/* lib/metrics/metric_set: a program's own metrics: counters, gauges and histograms with fixed label sets.
 *
 * Made at start, so every counter is there at 0 from the first scrape. Adding is an atomic operation on the
 * series itself: any thread, no lock. Names and labels are checked when they are made; a wrong one is a
 * programming error, caught at once. Ownership: families and series belong to the set. */
#ifndef OBS_METRICS_METRIC_SET_H
#define OBS_METRICS_METRIC_SET_H

#include "metrics/metric_source.h"

#include <stddef.h>
#include <stdint.h>

struct buffer;
struct metric_set;
struct metric_family;
struct metric; /* one series */

struct metric_set *metric_set_create(void); /* aborts without memory: it is start-up */
void metric_set_destroy(struct metric_set *set);

/* Texts are copied. label_names: NULL-ended; NULL: none. */
struct metric_family *metric_family_add(struct metric_set *set, enum metric_type type, const char *name,
                                        const char *help, const char *const *label_names);
/* Upper bounds of the buckets, ascending, without +Inf, at most METRIC_BOUNDS_MOST; before the first series
 * of a histogram family. */
void metric_family_set_buckets(struct metric_family *family, const double *bounds, size_t count);
/* The series with these label values (one per name), made when new. Any thread; keep the pointer instead of
 * asking per event. */
struct metric *metric_series(struct metric_family *family, const char *const *label_values);

/* A family without labels and its one series in a step. */
struct metric *metric_add_counter(struct metric_set *set, const char *name, const char *help);
struct metric *metric_add_gauge(struct metric_set *set, const char *name, const char *help);

void metric_increment(struct metric *metric, uint64_t by);  /* counters */
void metric_set_value(struct metric *metric, double value); /* gauges */
void metric_observe(struct metric *metric, double value);   /* histograms */
double metric_value(const struct metric *metric);           /* counter or gauge, for tests and status lines */

/* A family for an encoder; families are numbered in the order they were added. False: there are no more. The
 * numbers of one series are read one after the other, not at one moment. */
bool metric_set_source(struct metric_set *set, size_t family, struct metric_source *out);
/* The whole set in Prometheus' text format 0.0.4. */
void metric_set_encode_text(struct metric_set *set, struct buffer *out);

#endif
