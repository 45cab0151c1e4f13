#include "metrics/encoder.h"

#include "buffer/buffer.h"
#include "metrics/encoder_private.h"

#include <stdlib.h>

const char *metric_format_type(enum metric_format format)
{
    static const char *const types[METRIC_FORMAT_COUNT] = {
        [METRIC_TEXT] = "text/plain; version=0.0.4; charset=utf-8",
        [METRIC_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
        [METRIC_PROTOBUF] =
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
    };
    return types[format];
}

struct metric_encoder *metric_encoder_create(enum metric_format format, enum metric_histograms histograms)
{
    struct metric_encoder *encoder = calloc(1, sizeof *encoder);
    if (encoder == NULL) {
        return NULL;
    }
    encoder->format = format;
    encoder->histograms = histograms;
    buffer_init(&encoder->prefix, 0);
    if (format == METRIC_PROTOBUF) {
        encoder->protobuf = metric_protobuf_create();
        if (encoder->protobuf == NULL) {
            free(encoder);
            return NULL;
        }
    }
    return encoder;
}

void metric_encoder_destroy(struct metric_encoder *encoder)
{
    if (encoder != NULL) {
        metric_protobuf_destroy(encoder->protobuf);
        buffer_free(&encoder->prefix);
        free(encoder);
    }
}

bool metric_encode(struct metric_encoder *encoder, const struct metric_source *source, size_t *place,
                   struct buffer *part, size_t part_bytes)
{
    if (encoder->format == METRIC_PROTOBUF) {
        metric_protobuf_family(encoder, source, part);
        *place = source->count;
        return true;
    }
    if (*place == 0) {
        metric_text_begin(encoder, source, part);
    }
    /* One place at least, however full the part is: place 0 means that the header isn't out. */
    for (bool is_first = true; *place < source->count && (is_first || part->size < part_bytes);
         is_first = false) {
        struct metric_point point = {0};
        if (source->point(source->context, (*place)++, &point)) {
            metric_text_point(encoder, source, &point, part);
        }
    }
    return *place == source->count;
}

void metric_encode_end(struct metric_encoder *encoder, struct buffer *part)
{
    if (encoder->format == METRIC_OPENMETRICS) {
        buffer_append_text(part, "# EOF\n");
    }
}
