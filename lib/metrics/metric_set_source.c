/* The set for encoders. Series are added while pages are written, so each is looked up under the lock; once
 * there, a series stays. */
#include "buffer/buffer.h"
#include "metrics/encoder.h"
#include "metrics/metric_private.h"

#include <stdlib.h>
#include <string.h>

static void read_histogram(const struct metric *metric, struct metric_point *out)
{
    const struct metric_family *family = metric->family;
    for (size_t i = 0; i <= family->bound_count; i++) {
        out->room[i] = atomic_load_explicit(&metric->bucket_counts[i], memory_order_relaxed);
    }
    out->histogram = (struct metric_histogram){
        .bounds = family->bounds,
        .bound_count = family->bound_count,
        .counts = out->room,
        .sum = atomic_load_explicit(&metric->value, memory_order_relaxed),
    };
}

static bool read_series(void *context, size_t place, struct metric_point *out)
{
    struct metric_family *family = context;
    (void)pthread_mutex_lock(&family->set->lock);
    const struct metric *metric = place < family->series_count ? family->series[place] : NULL;
    (void)pthread_mutex_unlock(&family->set->lock);
    if (metric == NULL) {
        return false;
    }
    out->labels = metric->labels;
    out->labels_bytes = strlen(metric->labels);
    switch (family->type) {
    case METRIC_COUNTER:
        out->count = atomic_load_explicit(&metric->count, memory_order_relaxed);
        break;
    case METRIC_GAUGE:
        out->value = atomic_load_explicit(&metric->value, memory_order_relaxed);
        break;
    case METRIC_HISTOGRAM:
        read_histogram(metric, out);
        break;
    }
    return true;
}

bool metric_set_source(struct metric_set *set, size_t family, struct metric_source *out)
{
    (void)pthread_mutex_lock(&set->lock);
    bool found = family < set->family_count;
    if (found) {
        struct metric_family *chosen = set->families[family];
        *out = (struct metric_source){.name = chosen->name,
                                      .help = chosen->help,
                                      .type = chosen->type,
                                      .count = chosen->series_count,
                                      .point = read_series,
                                      .context = chosen};
    }
    (void)pthread_mutex_unlock(&set->lock);
    return found;
}

void metric_set_encode_text(struct metric_set *set, struct buffer *out)
{
    struct metric_encoder *encoder = metric_encoder_create(METRIC_TEXT, METRIC_BOTH);
    if (encoder == NULL) {
        out->failed = true;
        return;
    }
    struct metric_source source;
    for (size_t family = 0; metric_set_source(set, family, &source); family++) {
        size_t place = 0;
        (void)metric_encode(encoder, &source, &place, out, SIZE_MAX);
    }
    metric_encoder_destroy(encoder);
}
