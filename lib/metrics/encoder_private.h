/* lib/metrics/encoder_private: what the formats share; for the encoders alone. */
#ifndef OBS_METRICS_ENCODER_PRIVATE_H
#define OBS_METRICS_ENCODER_PRIVATE_H

#include "buffer/buffer.h"
#include "metrics/encoder.h"

#define METRIC_LE_BYTES 48

struct protobuf_scratch;

struct metric_encoder {
    enum metric_format format;
    enum metric_histograms histograms;
    const double *bounds;                             /* that le is of */
    char le[METRIC_BOUNDS_MOST + 1][METRIC_LE_BYTES]; /* and what ends the series */
    struct buffer prefix;
    struct protobuf_scratch *protobuf;
};

/* text and OpenMetrics */
void metric_text_begin(const struct metric_encoder *encoder, const struct metric_source *source,
                       struct buffer *out);
void metric_text_point(struct metric_encoder *encoder, const struct metric_source *source,
                       const struct metric_point *point, struct buffer *out);

/* protobuf; NULL: no memory */
struct protobuf_scratch *metric_protobuf_create(void);
void metric_protobuf_destroy(struct protobuf_scratch *scratch);
void metric_protobuf_family(struct metric_encoder *encoder, const struct metric_source *source,
                            struct buffer *out);

#endif
