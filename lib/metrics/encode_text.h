/* lib/metrics/encode_text: the pieces of Prometheus' text formats, for what makes labels and for tests. */
#ifndef OBS_METRICS_ENCODE_TEXT_H
#define OBS_METRICS_ENCODE_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct buffer;

/* A label's value between its quotes: backslash, quote and newline escaped, NUL replaced. */
void metrics_text_label_value(struct buffer *out, const char *value, size_t size);
/* A number as the formats want it: whole ones without a point, NaN, +Inf, -Inf. */
void metrics_text_number(struct buffer *out, double value);
void metrics_text_count(struct buffer *out, uint64_t value);

#endif
