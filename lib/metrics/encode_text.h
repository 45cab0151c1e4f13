/* lib/metrics/encode_text: the pieces of Prometheus' text format 0.0.4, for the set and for programs with
 * series of their own. https://prometheus.io/docs/instrumenting/exposition_formats/ */
#ifndef OBS_METRICS_ENCODE_TEXT_H
#define OBS_METRICS_ENCODE_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct buffer;

#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* "# HELP name help" and "# TYPE name type". */
void metrics_text_header(struct buffer *out, const char *name, const char *help, const char *type);
/* A label's value between its quotes: backslash, quote and newline escaped, NUL replaced. */
void metrics_text_label_value(struct buffer *out, const char *value, size_t size);
/* A number as the format wants it: whole ones without a point, NaN, +Inf, -Inf. */
void metrics_text_number(struct buffer *out, double value);
void metrics_text_count(struct buffer *out, uint64_t value);

#endif
