/* What recordings and alerts are written with: indentation, labels, ranges, counts. */
#ifndef SLO_RULES_RULE_WRITER_H
#define SLO_RULES_RULE_WRITER_H

#include "slo.h"

#include <stdint.h>

struct buffer;

struct window {
    const char *name; /* as rules are called by it: "5m", "30d" */
    int64_t seconds;
};

/* Counts are recorded as often, and over as long. */
extern const struct window writer_step;

struct rule_writer {
    struct buffer *out;
    const struct slo *slo;
    struct window period; /* of the SLO: 30d */
    char period_name[8];
};

void writer_init(struct rule_writer *writer, struct buffer *out, const struct slo *slo);

/* FUNCTION is rate or increase: the sum over all series of the bad (total) events. With events but no series
 * of bad ones, 0; with events but no series of good ones, all are bad. */
void writer_add_bad(struct rule_writer *writer, const char *function, const struct window *window);
void writer_add_total(struct rule_writer *writer, const char *function, const struct window *window);
/* NAME{sloth_id="…"}, a series of the SLO that another rule has recorded; NAMEWINDOW where window isn't NULL.
 */
void writer_add_series(struct rule_writer *writer, const char *name, const struct window *window);
/* sloth_service: "…", sloth_slo: "…", sloth_id: "…" */
void writer_add_labels(struct rule_writer *writer);
/* What may be burnt: 1 - objective. */
void writer_add_budget(struct rule_writer *writer);
/* - record: NAMEWINDOW with "expr: " begun; window NULL: NAME. */
void writer_begin_record(struct rule_writer *writer, const char *name, const struct window *window);
/* Ends the expression with the labels that Sloth gives; shown: a sloth_window as well, or NULL. */
void writer_end_record(struct rule_writer *writer, const struct window *shown);

#endif
