#include "rule_text.h"

#include "burn_alert.h"
#include "rule_writer.h"

#include "buffer/buffer.h"

#include <inttypes.h>

static const struct window from_counters[] = {{"5m", 300}, {"30m", 1800}, {"1h", 3600}};
static const struct window from_counts[] = {{"2h", 7200}, {"6h", 21600}, {"1d", 86400}, {"3d", 259200}};
static const struct window bad_from_counts[] = {{"6h", 21600}, {"3d", 259200}}; /* as alerts ask for them */

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

static void write_alerts(struct rule_writer *w, bool urgent)
{
    for (int i = 0; i < BURN_ALERT_COUNT; i++) {
        if (burn_alerts[i].is_urgent == urgent) {
            burn_alert_write(w, &burn_alerts[i]);
        }
    }
}

/* --- the first group: what a page depends on ---- */

static void write_ratio_of_counters(struct rule_writer *w, const struct window *window)
{
    writer_begin_record(w, "slo:sli_error:ratio_rate", window);
    writer_add_bad(w, "rate", window);
    buffer_append_text(w->out, "\n          / (");
    writer_add_total(w, "rate", window);
    buffer_append_text(w->out, " > 0)");
    writer_end_record(w, window);
}

static void write_increase(struct rule_writer *w, const char *name, bool bad, const struct window *window)
{
    writer_begin_record(w, name, window);
    if (bad) {
        writer_add_bad(w, "increase", window);
    } else {
        writer_add_total(w, "increase", window);
    }
    writer_end_record(w, NULL);
}

static void write_burn_rate(struct rule_writer *w, const char *name, const struct window *window)
{
    writer_begin_record(w, name, NULL);
    buffer_append_text(w->out, "max without (sloth_window) (");
    writer_add_series(w, "slo:sli_error:ratio_rate", window);
    buffer_append_text(w->out, ") / ");
    writer_add_budget(w);
    writer_end_record(w, NULL);
}

static void write_urgent_group(struct rule_writer *w)
{
    buffer_append_format(w->out, "  - name: slo-%s\n    rules:\n", w->slo->id);
    for (size_t i = 0; i < LENGTH(from_counters); i++) {
        write_ratio_of_counters(w, &from_counters[i]);
    }
    write_increase(w, "slo:sli_bad:increase", true, &burn_alerts[0].window);
    write_burn_rate(w, "slo:current_burn_rate:ratio", &from_counters[0]);
    write_alerts(w, true);
}

/* --- the second group: counts, longer windows, the budget ---- */

static void add_sum_over_time(struct rule_writer *w, const char *name, const struct window *window)
{
    buffer_append_text(w->out, "sum_over_time(");
    writer_add_series(w, name, &writer_step);
    buffer_append_text(w->out, "[");
    buffer_append_text(w->out, window->name);
    buffer_append_text(w->out, "])");
}

static void write_ratio_of_counts(struct rule_writer *w, const struct window *window)
{
    writer_begin_record(w, "slo:sli_error:ratio_rate", window);
    add_sum_over_time(w, "slo:sli_bad:increase", window);
    buffer_append_text(w->out, "\n          / (");
    add_sum_over_time(w, "slo:sli_total:increase", window);
    buffer_append_text(w->out, " > 0)");
    writer_end_record(w, window);
}

static void write_number(struct rule_writer *w, const char *name, double number)
{
    writer_begin_record(w, name, NULL);
    buffer_append_format(w->out, "vector(%.12g)", number);
    writer_end_record(w, NULL);
}

static void write_history_covered(struct rule_writer *w)
{
    writer_begin_record(w, "slo:history_covered:ratio", NULL);
    buffer_append_text(w->out, "clamp_max(count_over_time(");
    writer_add_series(w, "slo:sli_total:increase", &writer_step);
    buffer_append_text(w->out, "[");
    buffer_append_text(w->out, w->period.name);
    buffer_append_format(w->out, "]) / %" PRId64 ", 1)", w->period.seconds / writer_step.seconds);
    writer_end_record(w, NULL);
}

/* What is left of the whole period's budget: what was watched counts only for its share of the period. */
static void write_remaining(struct rule_writer *w)
{
    writer_begin_record(w, "slo:period_error_budget_remaining:ratio", NULL);
    buffer_append_text(w->out, "1 - ");
    writer_add_series(w, "slo:period_burn_rate:ratio", NULL);
    buffer_append_text(w->out, " * ");
    writer_add_series(w, "slo:history_covered:ratio", NULL);
    writer_end_record(w, NULL);
}

static void write_info(struct rule_writer *w)
{
    buffer_append_text(w->out, "      - record: sloth_slo_info\n        expr: vector(1)\n        labels: {");
    writer_add_labels(w);
    buffer_append_format(w->out,
                         ", sloth_objective: \"%.10g\", sloth_mode: slo-rules, sloth_spec: openslo/v1}\n",
                         w->slo->objective * 100);
}

static void write_counts_group(struct rule_writer *w)
{
    buffer_append_format(w->out, "  - name: slo-%s-counts\n    interval: ", w->slo->id);
    buffer_append_text(w->out, writer_step.name);
    buffer_append_text(w->out, "\n    rules:\n");
    write_increase(w, "slo:sli_total:increase", false, &writer_step);
    write_increase(w, "slo:sli_bad:increase", true, &writer_step);
    for (size_t i = 0; i < LENGTH(from_counts); i++) {
        write_ratio_of_counts(w, &from_counts[i]);
    }
    write_ratio_of_counts(w, &w->period);
    for (size_t i = 0; i < LENGTH(bad_from_counts); i++) {
        writer_begin_record(w, "slo:sli_bad:increase", &bad_from_counts[i]);
        add_sum_over_time(w, "slo:sli_bad:increase", &bad_from_counts[i]);
        writer_end_record(w, NULL);
    }
    write_number(w, "slo:objective:ratio", w->slo->objective);
    write_number(w, "slo:error_budget:ratio", 1 - w->slo->objective);
    write_number(w, "slo:time_period:days", w->slo->window_days);
    write_burn_rate(w, "slo:period_burn_rate:ratio", &w->period);
    write_history_covered(w);
    write_remaining(w);
    write_info(w);
    write_alerts(w, false);
}

void rule_text_write(struct buffer *out, const struct slo_file *file, const char *source)
{
    buffer_append_format(
        out,
        "# Generated from %s by `make slo-rules`; changes belong there. docs/slo.md explains.\n"
        "# yamllint disable rule:line-length\n"
        "groups:\n",
        source);
    for (size_t i = 0; i < file->count; i++) {
        struct rule_writer writer;
        writer_init(&writer, out, &file->slos[i]);
        write_urgent_group(&writer);
        write_counts_group(&writer);
    }
}
