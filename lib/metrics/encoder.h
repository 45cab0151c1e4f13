/* lib/metrics/encoder: sources as a page in one of the formats that Prometheus reads.
 *
 *   text         0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
 *   OpenMetrics  1.0:   https://github.com/prometheus/OpenMetrics, specification/OpenMetrics.md; exemplars,
 * no _created lines (docs/adr/ADR-013) protobuf     messages io.prometheus.client.MetricFamily, each after
 * its length; native histograms
 *
 * le is written as OpenMetrics wants it ("1.0") in all of them, so that a bucket is the same series whichever
 * format a Prometheus asks for. One thread at a time; one encoder a page. */
#ifndef OBS_METRICS_ENCODER_H
#define OBS_METRICS_ENCODER_H

#include "metrics/metric_source.h"

struct buffer;
struct metric_encoder;

enum metric_format { METRIC_TEXT, METRIC_OPENMETRICS, METRIC_PROTOBUF, METRIC_FORMAT_COUNT };

/* Which forms of a histogram that has both. Without classic buckets the text formats keep +Inf, _sum and
 * _count: they have no way to write native ones. */
enum metric_histograms { METRIC_CLASSIC = 1, METRIC_NATIVE = 2, METRIC_BOTH = 3 };

const char *metric_format_type(enum metric_format format); /* for Content-Type */

/* NULL: no memory. */
struct metric_encoder *metric_encoder_create(enum metric_format format, enum metric_histograms histograms);
void metric_encoder_destroy(struct metric_encoder *encoder);

/* Points from *place on (0: the family begins) until part holds part_bytes. True: the family is done.
 * Protobuf needs a family's length before it, so there the whole family is appended at once. */
bool metric_encode(struct metric_encoder *encoder, const struct metric_source *source, size_t *place,
                   struct buffer *part, size_t part_bytes);
void metric_encode_end(struct metric_encoder *encoder, struct buffer *part);

#endif
