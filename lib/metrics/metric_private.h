/* lib/metrics/metric_private: how a set is laid out; for the set and its sources alone. */
#ifndef OBS_METRICS_METRIC_PRIVATE_H
#define OBS_METRICS_METRIC_PRIVATE_H

#include "metrics/metric_set.h"

#include <pthread.h>
#include <stdatomic.h>

struct metric {
    struct metric_family *family;
    char **label_values;             /* one per label name of the family */
    char *labels;                    /* as the text format wants them */
    _Atomic uint64_t count;          /* counters */
    _Atomic double value;            /* gauges; histograms: the sum */
    _Atomic uint64_t *bucket_counts; /* histograms: not cumulated; one more than bounds, for +Inf */
};

struct metric_family {
    struct metric_set *set;
    enum metric_type type;
    char *name, *help;
    char **label_names;
    size_t label_count;
    double *bounds;
    size_t bound_count;
    struct metric **series;
    size_t series_count;
};

struct metric_set {
    pthread_mutex_t lock; /* of the lists; the numbers are atomic */
    struct metric_family **families;
    size_t family_count;
};

#endif
