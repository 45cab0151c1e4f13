#include "metrics/encode_text.h"

#include "buffer/buffer.h"
#include "metrics/metric_private.h"
#include "json/json_write.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD: a NUL would end the page for Prometheus' parser */

void metrics_text_header(struct buffer *out, const char *name, const char *help, const char *type)
{
    buffer_append_format(out, "# HELP %s ", name);
    for (const char *at = help; *at != '\0'; at++) {
        if (*at == '\\' || *at == '\n') {
            buffer_append_text(out, *at == '\n' ? "\\n" : "\\\\");
        } else {
            buffer_append_char(out, *at);
        }
    }
    buffer_append_format(out, "\n# TYPE %s %s\n", name, type);
}

void metrics_text_label_value(struct buffer *out, const char *value, size_t size)
{
    size_t start = 0;
    for (size_t i = 0; i < size; i++) {
        char c = value[i];
        if (c == '\\' || c == '"' || c == '\n' || c == '\0') {
            buffer_append(out, value + start, i - start);
            buffer_append_text(out, c == '\n' ? "\\n" : c == '"' ? "\\\"" : c == '\\' ? "\\\\" : REPLACEMENT);
            start = i + 1;
        }
    }
    buffer_append(out, value + start, size - start);
}

void metrics_text_number(struct buffer *out, double value)
{
    if (isnan(value)) {
        buffer_append_text(out, "NaN");
    } else if (isinf(value)) {
        buffer_append_text(out, value > 0 ? "+Inf" : "-Inf");
    } else if (value == floor(value) && fabs(value) < 1e15) {
        buffer_append_format(out, "%.0f", value);
    } else {
        char text[JSON_REAL_BYTES];
        json_format_real(text, value);
        buffer_append_text(out, text);
    }
}

void metrics_text_count(struct buffer *out, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buffer_append(out, digits + at, sizeof digits - at);
}

/* {a="x",b="y",le="0.5"}, or nothing when there are no labels. */
static void append_labels(struct buffer *out, const struct metric *metric, const char *le)
{
    const struct metric_family *family = metric->family;
    if (family->label_count == 0 && le == NULL) {
        return;
    }
    buffer_append_char(out, '{');
    for (size_t i = 0; i < family->label_count; i++) {
        buffer_append_format(out, "%s%s=\"", i == 0 ? "" : ",", family->label_names[i]);
        metrics_text_label_value(out, metric->label_values[i], strlen(metric->label_values[i]));
        buffer_append_char(out, '"');
    }
    if (le != NULL) {
        buffer_append_format(out, "%sle=\"%s\"", family->label_count == 0 ? "" : ",", le);
    }
    buffer_append_char(out, '}');
}

static void append_histogram(struct buffer *out, const struct metric *metric)
{
    const struct metric_family *family = metric->family;
    uint64_t total = 0;
    for (size_t i = 0; i <= family->bound_count; i++) {
        char le[JSON_REAL_BYTES] = "+Inf";
        if (i < family->bound_count) {
            json_format_real(le, family->bounds[i]);
        }
        total += atomic_load_explicit(&metric->bucket_counts[i], memory_order_relaxed);
        buffer_append_format(out, "%s_bucket", family->name);
        append_labels(out, metric, le);
        buffer_append_format(out, " %" PRIu64 "\n", total);
    }
    buffer_append_format(out, "%s_sum", family->name);
    append_labels(out, metric, NULL);
    buffer_append_char(out, ' ');
    metrics_text_number(out, atomic_load_explicit(&metric->value, memory_order_relaxed));
    buffer_append_format(out, "\n%s_count", family->name);
    append_labels(out, metric, NULL);
    buffer_append_format(out, " %" PRIu64 "\n", total);
}

static void append_series(struct buffer *out, const struct metric *metric)
{
    if (metric->family->type == METRIC_HISTOGRAM) {
        append_histogram(out, metric);
        return;
    }
    buffer_append_text(out, metric->family->name);
    append_labels(out, metric, NULL);
    buffer_append_char(out, ' ');
    if (metric->family->type == METRIC_COUNTER) {
        metrics_text_count(out, atomic_load_explicit(&metric->count, memory_order_relaxed));
    } else {
        metrics_text_number(out, atomic_load_explicit(&metric->value, memory_order_relaxed));
    }
    buffer_append_char(out, '\n');
}

void metric_set_encode_text(struct metric_set *set, struct buffer *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    (void)pthread_mutex_lock(&set->lock);
    for (size_t f = 0; f < set->family_count; f++) {
        const struct metric_family *family = set->families[f];
        metrics_text_header(out, family->name, family->help, types[family->type]);
        for (size_t i = 0; i < family->series_count; i++) {
            append_series(out, family->series[i]);
        }
    }
    (void)pthread_mutex_unlock(&set->lock);
}
