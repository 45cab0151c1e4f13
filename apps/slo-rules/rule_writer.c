#include "rule_writer.h"

#include "buffer/buffer.h"

#include <stdio.h>

#define DAY_S 86400

const struct window writer_step = {"5m", 300};

void writer_init(struct rule_writer *writer, struct buffer *out, const struct slo *slo)
{
    *writer = (struct rule_writer){.out = out, .slo = slo};
    (void)snprintf(writer->period_name, sizeof writer->period_name, "%dd", slo->window_days);
    writer->period = (struct window){writer->period_name, (int64_t)slo->window_days * DAY_S};
}

static void add_sum(struct rule_writer *writer, const char *function, const struct slo_counter *counter,
                    const struct window *window)
{
    buffer_append_format(writer->out, "sum(%s(%.*s[", function, counter->size, counter->text);
    buffer_append_text(writer->out, window->name);
    buffer_append_text(writer->out, "]))");
}

void writer_add_total(struct rule_writer *writer, const char *function, const struct window *window)
{
    add_sum(writer, function, &writer->slo->total, window);
}

static void add_or_zero(struct rule_writer *writer, const char *function, const struct slo_counter *counter,
                        const struct window *window)
{
    add_sum(writer, function, counter, window);
    buffer_append_text(writer->out, "\n            or 0 * ");
    writer_add_total(writer, function, window);
}

void writer_add_bad(struct rule_writer *writer, const char *function, const struct window *window)
{
    const struct slo *slo = writer->slo;
    if (slo->bad.text != NULL) {
        buffer_append_text(writer->out, "(\n            ");
        add_or_zero(writer, function, &slo->bad, window);
        buffer_append_text(writer->out, "\n          )");
        return;
    }
    /* Extrapolation can put the good ones a little above the total. */
    buffer_append_text(writer->out, "clamp_min(\n            ");
    writer_add_total(writer, function, window);
    buffer_append_text(writer->out, "\n            - (");
    add_or_zero(writer, function, &slo->good, window);
    buffer_append_text(writer->out, "),\n            0\n          )");
}

void writer_add_series(struct rule_writer *writer, const char *name, const struct window *window)
{
    buffer_append_format(writer->out, "%s%s{sloth_id=\"%s\"}", name, window == NULL ? "" : window->name,
                         writer->slo->id);
}

void writer_add_labels(struct rule_writer *writer)
{
    const struct slo *slo = writer->slo;
    buffer_append_format(writer->out, "sloth_service: \"%s\", sloth_slo: \"%s\", sloth_id: \"%s\"",
                         slo->service, slo->name, slo->id);
}

void writer_add_budget(struct rule_writer *writer)
{
    buffer_append_format(writer->out, "%.12g", 1 - writer->slo->objective);
}

void writer_begin_record(struct rule_writer *writer, const char *name, const struct window *window)
{
    buffer_append_format(writer->out, "      - record: %s%s\n        expr: |\n          ", name,
                         window == NULL ? "" : window->name);
}

void writer_end_record(struct rule_writer *writer, const struct window *shown)
{
    buffer_append_text(writer->out, "\n        labels: {");
    writer_add_labels(writer);
    if (shown != NULL) {
        buffer_append_format(writer->out, ", sloth_window: \"%s\"", shown->name);
    }
    buffer_append_text(writer->out, "}\n");
}
