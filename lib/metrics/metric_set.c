#include "metrics/metric_set.h"

#include "buffer/buffer.h"
#include "metrics/encode_text.h"
#include "metrics/metric_private.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Metrics are made at start and with new label values only: without memory for them a program can do nothing
 * of use. */
static void *need(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* A programming error: said where it is made, in every build. */
static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

struct metric_set *metric_set_create(void)
{
    struct metric_set *set = need(calloc(1, sizeof *set));
    (void)pthread_mutex_init(&set->lock, NULL);
    return set;
}

static void destroy_family(struct metric_family *family)
{
    for (size_t i = 0; i < family->series_count; i++) {
        struct metric *metric = family->series[i];
        for (size_t l = 0; l < family->label_count; l++) {
            free(metric->label_values[l]);
        }
        free(metric->label_values);
        free(metric->labels);
        free(metric->bucket_counts);
        free(metric);
    }
    for (size_t l = 0; l < family->label_count; l++) {
        free(family->label_names[l]);
    }
    free(family->label_names);
    free(family->series);
    free(family->bounds);
    free(family->name);
    free(family->help);
    free(family);
}

void metric_set_destroy(struct metric_set *set)
{
    if (set == NULL) {
        return;
    }
    for (size_t i = 0; i < set->family_count; i++) {
        destroy_family(set->families[i]);
    }
    free(set->families);
    (void)pthread_mutex_destroy(&set->lock);
    free(set);
}

static bool is_name(const char *name, bool colon_allowed)
{
    for (const char *at = name; *at != '\0'; at++) {
        bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '_' ||
                      (*at == ':' && colon_allowed);
        if (!letter && !(*at >= '0' && *at <= '9' && at != name)) {
            return false;
        }
    }
    return name[0] != '\0';
}

static size_t count_names(const char *const *names)
{
    size_t count = 0;
    while (names != NULL && names[count] != NULL) {
        count++;
    }
    return count;
}

struct metric_family *metric_family_add(struct metric_set *set, enum metric_type type, const char *name,
                                        const char *help, const char *const *label_names)
{
    require(is_name(name, true));
    struct metric_family *family = need(calloc(1, sizeof *family));
    family->set = set;
    family->type = type;
    family->name = need(strdup(name));
    family->help = need(strdup(help));
    family->label_count = count_names(label_names);
    family->label_names = need(calloc(family->label_count + 1, sizeof *family->label_names));
    for (size_t i = 0; i < family->label_count; i++) {
        require(is_name(label_names[i], false));
        family->label_names[i] = need(strdup(label_names[i]));
    }
    (void)pthread_mutex_lock(&set->lock);
    set->families = need(realloc(set->families, (set->family_count + 1) * sizeof(struct metric_family *)));
    set->families[set->family_count++] = family;
    (void)pthread_mutex_unlock(&set->lock);
    return family;
}

void metric_family_set_buckets(struct metric_family *family, const double *bounds, size_t count)
{
    require(family->type == METRIC_HISTOGRAM && family->series_count == 0 && count <= METRIC_BOUNDS_MOST);
    family->bounds = need(realloc(family->bounds, (count + 1) * sizeof *bounds));
    memcpy(family->bounds, bounds, count * sizeof *bounds);
    family->bound_count = count;
}

static struct metric *find_series(const struct metric_family *family, const char *const *label_values)
{
    for (size_t i = 0; i < family->series_count; i++) {
        size_t equal = 0;
        while (equal < family->label_count &&
               strcmp(family->series[i]->label_values[equal], label_values[equal]) == 0) {
            equal++;
        }
        if (equal == family->label_count) {
            return family->series[i];
        }
    }
    return NULL;
}

static char *write_labels(const struct metric *metric)
{
    struct buffer labels;
    buffer_init(&labels, 0);
    for (size_t i = 0; i < metric->family->label_count; i++) {
        buffer_append_format(&labels, "%s%s=\"", i == 0 ? "" : ",", metric->family->label_names[i]);
        metrics_text_label_value(&labels, metric->label_values[i], strlen(metric->label_values[i]));
        buffer_append_char(&labels, '"');
    }
    require(!labels.failed);
    char *text = need(strdup(buffer_text(&labels)));
    buffer_free(&labels);
    return text;
}

static struct metric *make_series(struct metric_family *family, const char *const *label_values)
{
    struct metric *metric = need(calloc(1, sizeof *metric));
    metric->family = family;
    metric->label_values = need(calloc(family->label_count + 1, sizeof *metric->label_values));
    for (size_t i = 0; label_values != NULL && i < family->label_count; i++) {
        metric->label_values[i] = need(strdup(label_values[i]));
    }
    metric->labels = write_labels(metric);
    if (family->type == METRIC_HISTOGRAM) {
        metric->bucket_counts = need(calloc(family->bound_count + 1, sizeof *metric->bucket_counts));
    }
    family->series = need(realloc(family->series, (family->series_count + 1) * sizeof(struct metric *)));
    family->series[family->series_count++] = metric;
    return metric;
}

struct metric *metric_series(struct metric_family *family, const char *const *label_values)
{
    require(label_values != NULL || family->label_count == 0);
    for (size_t i = 0; label_values != NULL && i < family->label_count; i++) {
        require(label_values[i] != NULL);
    }
    (void)pthread_mutex_lock(&family->set->lock);
    struct metric *metric = find_series(family, label_values);
    if (metric == NULL) {
        metric = make_series(family, label_values);
    }
    (void)pthread_mutex_unlock(&family->set->lock);
    return metric;
}

struct metric *metric_add_counter(struct metric_set *set, const char *name, const char *help)
{
    return metric_series(metric_family_add(set, METRIC_COUNTER, name, help, NULL), NULL);
}

struct metric *metric_add_gauge(struct metric_set *set, const char *name, const char *help)
{
    return metric_series(metric_family_add(set, METRIC_GAUGE, name, help, NULL), NULL);
}

/* Relaxed order everywhere: a scrape needs each number whole, not the numbers of one moment. */

void metric_increment(struct metric *metric, uint64_t by)
{
    assert(metric->family->type == METRIC_COUNTER);
    (void)atomic_fetch_add_explicit(&metric->count, by, memory_order_relaxed);
}

void metric_set_value(struct metric *metric, double value)
{
    assert(metric->family->type == METRIC_GAUGE);
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_observe(struct metric *metric, double value)
{
    assert(metric->family->type == METRIC_HISTOGRAM);
    size_t bucket = 0;
    while (bucket < metric->family->bound_count && value > metric->family->bounds[bucket]) {
        bucket++;
    }
    (void)atomic_fetch_add_explicit(&metric->bucket_counts[bucket], 1, memory_order_relaxed);
    double sum = atomic_load_explicit(&metric->value, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&metric->value, &sum, sum + value, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

double metric_value(const struct metric *metric)
{
    return metric->family->type == METRIC_COUNTER
               ? (double)atomic_load_explicit(&metric->count, memory_order_relaxed)
               : atomic_load_explicit(&metric->value, memory_order_relaxed);
}
