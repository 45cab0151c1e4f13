/* Text 0.0.4 and OpenMetrics 1.0 are one format but for the family's header (OpenMetrics names a counter
 * without _total and has units), exemplars and the end. */
#include "metrics/encode_text.h"

#include "buffer/buffer.h"
#include "metrics/encoder_private.h"
#include "json/json_write.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD: a NUL would end the page for Prometheus' parser */
#define TOTAL       "_total"

/* --- pieces ---- */

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

/* --- a family's header ---- */

static bool ends_with(const char *text, size_t size, const char *end)
{
    size_t end_size = strlen(end);
    return size > end_size && memcmp(text + size - end_size, end, end_size) == 0;
}

/* OpenMetrics escapes quotes in HELP too; 0.0.4 doesn't know that escape. */
static void append_help(struct buffer *out, const char *help, bool quotes)
{
    for (const char *at = help; *at != '\0'; at++) {
        if (*at == '\\' || *at == '\n' || (*at == '"' && quotes)) {
            buffer_append_char(out, '\\');
            buffer_append_char(out, *at == '\n' ? 'n' : *at);
        } else {
            buffer_append_char(out, *at);
        }
    }
}

void metric_text_begin(const struct metric_encoder *encoder, const struct metric_source *source,
                       struct buffer *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    static const char *const units[] = {"seconds", "bytes", "ratio"};
    bool open = encoder->format == METRIC_OPENMETRICS;
    size_t size = strlen(source->name);
    if (open && source->type == METRIC_COUNTER && ends_with(source->name, size, TOTAL)) {
        size -= strlen(TOTAL);
    }
    buffer_append_format(out, "# HELP %.*s ", (int)size, source->name);
    append_help(out, source->help, open);
    buffer_append_format(out, "\n# TYPE %.*s %s\n", (int)size, source->name, types[source->type]);
    for (size_t i = 0; open && i < sizeof units / sizeof units[0]; i++) {
        char suffix[16];
        (void)snprintf(suffix, sizeof suffix, "_%s", units[i]);
        if (ends_with(source->name, size, suffix)) {
            buffer_append_format(out, "# UNIT %.*s %s\n", (int)size, source->name, units[i]);
        }
    }
}

/* --- points ---- */

/* NAMESUFFIX{labels,extra="…" and, with le, what stands before a bucket's bound; braces only around
 * something. */
static void append_series(struct buffer *out, const struct metric_source *source, const char *suffix,
                          const struct metric_point *point, bool has_le)
{
    const char *comma = "";
    buffer_append_text(out, source->name);
    buffer_append_text(out, suffix);
    if (point->labels_bytes == 0 && point->extra_name == NULL && !has_le) {
        buffer_append_char(out, ' ');
        return;
    }
    buffer_append_char(out, '{');
    if (point->labels_bytes > 0) {
        buffer_append(out, point->labels, point->labels_bytes);
        comma = ",";
    }
    if (point->extra_name != NULL) {
        buffer_append_text(out, comma);
        buffer_append_text(out, point->extra_name);
        buffer_append_text(out, "=\"");
        buffer_append_text(out, point->extra_value);
        buffer_append_char(out, '"');
        comma = ",";
    }
    if (has_le) {
        buffer_append_text(out, comma);
        buffer_append_text(out, "le=\"");
    } else {
        buffer_append_text(out, "} ");
    }
}

/* Below a million to the next nanosecond, upwards, which is a fifth of the work of finding the shortest text
 * that reads back the same; a bucket's bounds are coarser than that, so no exemplar leaves its bucket. */
static void append_exemplar_value(struct buffer *out, double value)
{
    if (!(value >= 0 && value < 1e6)) {
        metrics_text_number(out, value);
        return;
    }
    uint64_t nanos = (uint64_t)ceil(value * 1e9 * (1 - 0x1p-52));
    uint64_t fraction = nanos % 1000000000;
    metrics_text_count(out, nanos / 1000000000);
    if (fraction > 0) {
        char digits[10] = ".";
        size_t size = 10;
        for (size_t i = 9; i > 0; i--) {
            digits[i] = (char)('0' + fraction % 10);
            fraction /= 10;
        }
        while (digits[size - 1] == '0') {
            size--;
        }
        buffer_append(out, digits, size);
    }
}

/* The labels of an exemplar may have 128 characters: trace_id and its value have 40. */
static void append_exemplar(struct buffer *out, const struct metric_exemplar *exemplar)
{
    static const char hex[] = "0123456789abcdef";
    char id[2 * METRIC_TRACE_BYTES];
    for (size_t i = 0; i < METRIC_TRACE_BYTES; i++) {
        id[2 * i] = hex[exemplar->trace_id[i] >> 4];
        id[2 * i + 1] = hex[exemplar->trace_id[i] & 15];
    }
    buffer_append_text(out, " # {trace_id=\"");
    buffer_append(out, id, sizeof id);
    buffer_append_text(out, "\"} ");
    append_exemplar_value(out, exemplar->value);
    const int ms = (int)(exemplar->time_ms % 1000);
    const char thousandths[4] = {'.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10),
                                 (char)('0' + ms % 10)};
    buffer_append_char(out, ' ');
    metrics_text_count(out, (uint64_t)exemplar->time_ms / 1000);
    buffer_append(out, thousandths, sizeof thousandths);
}

static void name_bounds(struct metric_encoder *encoder, const struct metric_histogram *histogram)
{
    if (encoder->bounds == histogram->bounds) {
        return;
    }
    encoder->bounds = histogram->bounds;
    for (size_t i = 0; i < histogram->bound_count; i++) {
        char text[JSON_REAL_BYTES];
        json_format_real(text, histogram->bounds[i]);
        (void)snprintf(encoder->le[i], METRIC_LE_BYTES, "%s%s\"} ", text,
                       strpbrk(text, ".e") == NULL ? ".0" : "");
    }
    (void)strcpy(encoder->le[histogram->bound_count], "+Inf\"} ");
}

static void append_histogram(struct metric_encoder *encoder, const struct metric_source *source,
                             const struct metric_point *point, struct buffer *out)
{
    const struct metric_histogram *histogram = &point->histogram;
    const struct metric_exemplar *exemplar = histogram->exemplars;
    bool shows_all = (encoder->histograms & METRIC_CLASSIC) != 0 || histogram->native == NULL;
    uint64_t total = 0;
    struct buffer *prefix = &encoder->prefix; /* of all the point's buckets */
    buffer_clear(prefix);
    append_series(prefix, source, "_bucket", point, true);
    out->failed = out->failed || prefix->failed;
    name_bounds(encoder, histogram);
    for (size_t b = 0; b <= histogram->bound_count; b++) {
        bool has_exemplar = exemplar != NULL && (histogram->exemplar_buckets >> b & 1) != 0;
        total += histogram->counts[b];
        if (shows_all || b == histogram->bound_count) {
            buffer_append(out, prefix->data, prefix->size);
            buffer_append_text(out, encoder->le[b]);
            metrics_text_count(out, total);
            if (has_exemplar && encoder->format == METRIC_OPENMETRICS) {
                append_exemplar(out, exemplar);
            }
            buffer_append_char(out, '\n');
        }
        exemplar += has_exemplar;
    }
    append_series(out, source, "_sum", point, false);
    metrics_text_number(out, histogram->sum);
    buffer_append_char(out, '\n');
    append_series(out, source, "_count", point, false);
    metrics_text_count(out, total);
    buffer_append_char(out, '\n');
}

void metric_text_point(struct metric_encoder *encoder, const struct metric_source *source,
                       const struct metric_point *point, struct buffer *out)
{
    if (source->type == METRIC_HISTOGRAM) {
        append_histogram(encoder, source, point, out);
        return;
    }
    append_series(out, source, "", point, false);
    if (source->type == METRIC_COUNTER) {
        metrics_text_count(out, point->count);
    } else {
        metrics_text_number(out, point->value);
    }
    buffer_append_char(out, '\n');
}
