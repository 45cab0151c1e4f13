/* lib/metrics/decode_text: reading a page in Prometheus text format 0.0.4, sample by sample, without copying.
 *
 * For readers of our own programs' pages (status line, smoke test): lenient, a line that isn't a sample is
 * passed over. Plain functions of their input; any thread. */
#ifndef OBS_METRICS_DECODE_TEXT_H
#define OBS_METRICS_DECODE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct metric_page {
    const char *text; /* what is left; NUL-ended is not needed */
    size_t size;
};

struct metric_sample {
    const char *name; /* borrowed from the page, as are the labels */
    size_t name_size;
    const char *labels; /* what stands between the braces, as written; size 0: none */
    size_t labels_size;
    double value;
};

/* False: no more. */
bool metric_page_next(struct metric_page *page, struct metric_sample *sample);
bool metric_sample_is(const struct metric_sample *sample, const char *name);
/* The label's value with escapes undone, cut to fit, NUL-ended. False: no such label (out is ""). */
bool metric_sample_label(const struct metric_sample *sample, const char *name, char *out, size_t out_bytes);

/* The sum of all samples of that name; with label not NULL only of those with label="value". *count, where
 * not NULL, is how many there are. */
double metric_page_sum(const char *text, size_t size, const char *name, const char *label, const char *value,
                       size_t *count);

#endif
