/* A point becomes protobuf-c's structures in memory that is used again for the next one, and is packed behind
 * the points before it. A family's length stands before it, so the family is packed first and moved by the
 * length's few bytes then. */
#include "buffer/buffer.h"
#include "metrics/encoder_private.h"
#include "metrics/native_histogram.h"

#include "client_model.pb-c.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LABELS_MOST  16
#define VARINT_BYTES 10
#define METRIC_TAG   0x22 /* field 4 of MetricFamily, length-delimited */
#define SPANS_MOST   NATIVE_BUCKETS_MOST
#define CLASSIC_MOST (METRIC_BOUNDS_MOST + 1)

typedef Io__Prometheus__Client__LabelPair label_pair;
typedef Io__Prometheus__Client__Exemplar exemplar_message;
typedef Io__Prometheus__Client__Timestamp timestamp_message;
typedef Io__Prometheus__Client__Bucket bucket_message;
typedef Io__Prometheus__Client__BucketSpan span_message;
typedef Io__Prometheus__Client__Histogram histogram_message;
typedef Io__Prometheus__Client__Metric metric_message;
typedef Io__Prometheus__Client__MetricFamily family_message;

struct exemplar_place {
    exemplar_message message;
    timestamp_message time;
    label_pair label;
    label_pair *label_pointer;
    char trace_id[2 * METRIC_TRACE_BYTES + 1];
};

struct protobuf_scratch {
    struct buffer texts; /* a point's labels, each NUL-ended */
    label_pair labels[LABELS_MOST];
    label_pair *label_pointers[LABELS_MOST];
    bucket_message buckets[CLASSIC_MOST];
    bucket_message *bucket_pointers[CLASSIC_MOST];
    struct exemplar_place exemplars[CLASSIC_MOST];
    exemplar_message *exemplar_pointers[CLASSIC_MOST];
    span_message spans[SPANS_MOST];
    span_message *span_pointers[SPANS_MOST];
    int64_t deltas[SPANS_MOST];
};

struct protobuf_scratch *metric_protobuf_create(void)
{
    struct protobuf_scratch *scratch = calloc(1, sizeof *scratch);
    if (scratch == NULL) {
        return NULL;
    }
    buffer_init(&scratch->texts, 0);
    for (size_t i = 0; i < LABELS_MOST; i++) {
        scratch->label_pointers[i] = &scratch->labels[i];
    }
    for (size_t i = 0; i < CLASSIC_MOST; i++) {
        scratch->bucket_pointers[i] = &scratch->buckets[i];
        scratch->exemplar_pointers[i] = &scratch->exemplars[i].message;
    }
    for (size_t i = 0; i < SPANS_MOST; i++) {
        scratch->span_pointers[i] = &scratch->spans[i];
    }
    return scratch;
}

void metric_protobuf_destroy(struct protobuf_scratch *scratch)
{
    if (scratch != NULL) {
        buffer_free(&scratch->texts);
        free(scratch);
    }
}

/* --- labels ---- */

/* name="value",… with the text format's escapes, into pairs of texts. The texts' places are offsets at first,
 * for the buffer may move. */
static size_t read_labels(struct protobuf_scratch *scratch, const struct metric_point *point)
{
    struct buffer *texts = &scratch->texts;
    const char *at = point->labels;
    const char *end = at + point->labels_bytes;
    size_t starts[2 * LABELS_MOST];
    size_t count = 0;
    buffer_clear(texts);
    while (at < end && count < LABELS_MOST) {
        const char *equals = memchr(at, '=', (size_t)(end - at));
        if (equals == NULL) {
            break;
        }
        starts[2 * count] = texts->size;
        buffer_append(texts, at, (size_t)(equals - at));
        buffer_append_char(texts, '\0');
        starts[2 * count + 1] = texts->size;
        for (at = equals + 2; at < end && *at != '"'; at++) {
            bool escaped = *at == '\\' && at + 1 < end;
            at += escaped;
            buffer_append_char(texts, escaped && *at == 'n' ? '\n' : *at);
        }
        buffer_append_char(texts, '\0');
        at += at + 1 < end ? 2 : 1; /* the quote and the comma */
        count++;
    }
    for (size_t i = 0; i < count && !texts->failed; i++) {
        io__prometheus__client__label_pair__init(&scratch->labels[i]);
        scratch->labels[i].name = texts->data + starts[2 * i];
        scratch->labels[i].value = texts->data + starts[2 * i + 1];
    }
    return texts->failed ? 0 : count;
}

static void set_labels(struct protobuf_scratch *scratch, const struct metric_point *point,
                       metric_message *metric)
{
    size_t count = read_labels(scratch, point);
    if (point->extra_name != NULL && count < LABELS_MOST) {
        label_pair *pair = &scratch->labels[count++];
        io__prometheus__client__label_pair__init(pair);
        pair->name = (char *)(uintptr_t)point->extra_name; /* packing only reads */
        pair->value = (char *)(uintptr_t)point->extra_value;
    }
    metric->n_label = count;
    metric->label = scratch->label_pointers;
}

/* --- histograms ---- */

static exemplar_message *set_exemplar(struct exemplar_place *place, const struct metric_exemplar *exemplar)
{
    static const char hex[] = "0123456789abcdef";
    static char name[] = "trace_id";
    io__prometheus__client__exemplar__init(&place->message);
    io__prometheus__client__timestamp__init(&place->time);
    io__prometheus__client__label_pair__init(&place->label);
    for (size_t i = 0; i < METRIC_TRACE_BYTES; i++) {
        place->trace_id[2 * i] = hex[exemplar->trace_id[i] >> 4];
        place->trace_id[2 * i + 1] = hex[exemplar->trace_id[i] & 15];
    }
    place->label.name = name;
    place->label.value = place->trace_id;
    place->label_pointer = &place->label;
    place->time.seconds = exemplar->time_ms / 1000;
    place->time.nanos = (int32_t)(exemplar->time_ms % 1000 * 1000000);
    place->message.n_label = 1;
    place->message.label = &place->label_pointer;
    place->message.value = exemplar->value;
    place->message.timestamp = &place->time;
    return &place->message;
}

/* +Inf goes without saying, unless it has an exemplar. */
static void set_buckets(struct protobuf_scratch *scratch, const struct metric_histogram *histogram,
                        bool classic, histogram_message *message)
{
    const struct metric_exemplar *exemplar = histogram->exemplars;
    size_t exemplars = 0;
    uint64_t total = 0;
    for (size_t b = 0; b <= histogram->bound_count; b++) {
        bucket_message *bucket = &scratch->buckets[b];
        total += histogram->counts[b];
        io__prometheus__client__bucket__init(bucket);
        bucket->cumulative_count = total;
        bucket->upper_bound = b < histogram->bound_count ? histogram->bounds[b] : INFINITY;
        if (exemplar != NULL && (histogram->exemplar_buckets >> b & 1) != 0) {
            bucket->exemplar = set_exemplar(&scratch->exemplars[exemplars++], exemplar++);
        }
    }
    message->sample_count = total;
    message->sample_sum = histogram->sum;
    if (classic) {
        message->n_bucket =
            histogram->bound_count + (scratch->buckets[histogram->bound_count].exemplar != NULL);
        message->bucket = scratch->bucket_pointers;
    }
    if (!classic) { /* readers of the native form look at the buckets too */
        message->n_exemplars = exemplars;
        message->exemplars = scratch->exemplar_pointers;
    }
}

static void set_native(struct protobuf_scratch *scratch, const struct native_histogram *native,
                       histogram_message *message)
{
    size_t spans = 0;
    int32_t next = 0; /* the index after the last span */
    int64_t before = 0;
    for (size_t i = 0; i < native->count; i++) {
        int32_t index = native_bucket_index(native->buckets[i]);
        int64_t count = (int64_t)native_bucket_count(native->buckets[i]);
        if (spans == 0 || index != next) {
            io__prometheus__client__bucket_span__init(&scratch->spans[spans]);
            scratch->spans[spans++].offset = index - next;
        }
        scratch->spans[spans - 1].length++;
        scratch->deltas[i] = count - before;
        before = count;
        next = index + 1;
    }
    message->schema = native->schema;
    message->zero_threshold = NATIVE_ZERO_THRESHOLD;
    message->zero_count = native->zero_count;
    message->n_positive_span = spans;
    message->positive_span = scratch->span_pointers;
    message->n_positive_delta = native->count;
    message->positive_delta = scratch->deltas;
}

/* --- families ---- */

static size_t write_varint(char out[VARINT_BYTES], size_t value)
{
    size_t count = 0;
    for (; value >= 0x80; value >>= 7) {
        out[count++] = (char)((value & 0x7f) | 0x80);
    }
    out[count++] = (char)value;
    return count;
}

static void append_metric(struct buffer *out, const metric_message *metric)
{
    char head[1 + VARINT_BYTES] = {METRIC_TAG};
    size_t size = io__prometheus__client__metric__get_packed_size(metric);
    buffer_append(out, head, 1 + write_varint(head + 1, size));
    char *place = buffer_reserve(out, size);
    if (place != NULL) {
        out->size += io__prometheus__client__metric__pack(metric, (uint8_t *)place);
    }
}

static void append_point(struct metric_encoder *encoder, const struct metric_source *source,
                         const struct metric_point *point, struct buffer *out)
{
    struct protobuf_scratch *scratch = encoder->protobuf;
    metric_message metric;
    Io__Prometheus__Client__Counter counter;
    Io__Prometheus__Client__Gauge gauge;
    histogram_message histogram;
    io__prometheus__client__metric__init(&metric);
    io__prometheus__client__counter__init(&counter);
    io__prometheus__client__gauge__init(&gauge);
    io__prometheus__client__histogram__init(&histogram);
    set_labels(scratch, point, &metric);
    switch (source->type) {
    case METRIC_COUNTER:
        counter.value = (double)point->count;
        metric.counter = &counter;
        break;
    case METRIC_GAUGE:
        gauge.value = point->value;
        metric.gauge = &gauge;
        break;
    case METRIC_HISTOGRAM: {
        bool native = point->histogram.native != NULL && (encoder->histograms & METRIC_NATIVE) != 0;
        bool classic = !native || (encoder->histograms & METRIC_CLASSIC) != 0;
        set_buckets(scratch, &point->histogram, classic, &histogram);
        if (native) {
            set_native(scratch, point->histogram.native, &histogram);
        }
        metric.histogram = &histogram;
        break;
    }
    }
    append_metric(out, &metric);
}

static void append_family_head(const struct metric_source *source, struct buffer *out)
{
    static const Io__Prometheus__Client__MetricType types[] = {
        [METRIC_COUNTER] = IO__PROMETHEUS__CLIENT__METRIC_TYPE__COUNTER,
        [METRIC_GAUGE] = IO__PROMETHEUS__CLIENT__METRIC_TYPE__GAUGE,
        [METRIC_HISTOGRAM] = IO__PROMETHEUS__CLIENT__METRIC_TYPE__HISTOGRAM,
    };
    family_message family;
    io__prometheus__client__metric_family__init(&family);
    family.name = (char *)(uintptr_t)source->name; /* packing only reads */
    family.help = (char *)(uintptr_t)source->help;
    family.type = types[source->type];
    char *place = buffer_reserve(out, io__prometheus__client__metric_family__get_packed_size(&family));
    if (place != NULL) {
        out->size += io__prometheus__client__metric_family__pack(&family, (uint8_t *)place);
    }
}

void metric_protobuf_family(struct metric_encoder *encoder, const struct metric_source *source,
                            struct buffer *out)
{
    size_t length_at = out->size;
    char length[VARINT_BYTES] = {0};
    buffer_append(out, length, sizeof length);
    size_t begin = out->size;
    append_family_head(source, out);
    size_t empty = out->size;
    for (size_t place = 0; place < source->count; place++) {
        struct metric_point point = {0};
        if (source->point(source->context, place, &point)) {
            append_point(encoder, source, &point, out);
        }
    }
    if (out->failed) {
        return;
    }
    if (out->size == empty) { /* Prometheus refuses a family without metrics */
        out->size = length_at;
        return;
    }
    size_t size = out->size - begin;
    size_t length_bytes = write_varint(length, size);
    memcpy(out->data + length_at, length, length_bytes);
    memmove(out->data + length_at + length_bytes, out->data + begin, size);
    out->size = length_at + length_bytes + size;
}
