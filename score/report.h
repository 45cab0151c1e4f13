/* report: what was found, as tables in Markdown for people and as JSON for programs. */
#ifndef SCORE_REPORT_H
#define SCORE_REPORT_H

#include "matcher.h"

#include <stdio.h>

struct buffer;

void report_print(FILE *out, const struct result *results, size_t count, uint64_t seed);
void report_write_json(struct buffer *out, const struct result *results, size_t count, uint64_t seed);

/* The classes of requests a second, for tables and the curve. */
struct rate_class {
    const char *name;
    double min, max; /* max 0: no end */
};
extern const struct rate_class report_rates[];
extern const size_t report_rate_count;

/* The sizes of the curve. */
struct size_class {
    const char *name;
    enum incident_kind kind;
    double size;
};
extern const struct size_class report_sizes[];
extern const size_t report_size_count;
struct selection report_select_size(const struct size_class *size);

extern const char *const report_sides[SIDE_COUNT];

#endif
