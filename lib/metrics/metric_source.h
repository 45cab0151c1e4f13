/* lib/metrics/metric_source: what is exposed, whatever the format: a family of metrics whose points the
 * encoder asks for one by one. So a page of any size is written from a snapshot without a second copy of it,
 * and a family's name, help and type stand in one place.
 *
 * Names are those of the text format: counters end in _total. A name that ends in a base unit has that unit.
 */
#ifndef OBS_METRICS_METRIC_SOURCE_H
#define OBS_METRICS_METRIC_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct native_histogram;

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

#define METRIC_BOUNDS_MOST 64 /* upper bounds of a classic histogram */
#define METRIC_TRACE_BYTES 16

/* One observation of a bucket and the trace it belongs to. */
struct metric_exemplar {
    unsigned char trace_id[METRIC_TRACE_BYTES];
    double value;
    int64_t time_ms; /* Unix */
};

struct metric_histogram {
    const double *bounds; /* ascending, without +Inf; the same pointer for all points of a family */
    size_t bound_count;
    const uint64_t *counts; /* bound_count + 1, not cumulated */
    double sum;
    /* By bucket in ascending order, exemplar_buckets their bits; NULL: none. */
    const struct metric_exemplar *exemplars;
    uint64_t exemplar_buckets;
    const struct native_histogram *native; /* of the same observations; NULL: there is none */
};

struct metric_point {
    const char *labels; /* name="value",… escaped as the text format wants it; need not end in NUL */
    size_t labels_bytes;
    const char *extra_name, *extra_value; /* one more label that needs no escaping; NULL: none */
    uint64_t count;                       /* of a counter */
    double value;                         /* of a gauge */
    struct metric_histogram histogram;
    uint64_t room[METRIC_BOUNDS_MOST + 1]; /* for a source that has to make its counts */
};

struct metric_source {
    const char *name, *help;
    enum metric_type type;
    size_t count; /* of places to ask for */
    /* False: there is nothing at this place. What the point borrows lives until the next call. */
    bool (*point)(void *context, size_t place, struct metric_point *out);
    void *context;
};

#endif
