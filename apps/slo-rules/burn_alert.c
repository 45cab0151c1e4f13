#include "burn_alert.h"

#include "buffer/buffer.h"

#include <inttypes.h>

#define MIN_HISTORY 0.95 /* of the long window's samples: a restart isn't a lack of history */

const struct burn_alert burn_alerts[BURN_ALERT_COUNT] = {
    {"ErrorBudgetBurnRateFast", "critical", 14, {"1h", 3600}, {"5m", 300}, true, false},
    {"ErrorBudgetBurnRateSlow", "warning", 3, {"6h", 21600}, {"30m", 1800}, false, false},
    {"ErrorBudgetBurnRateSlowest", "warning", 1, {"3d", 259200}, {"6h", 21600}, false, true},
};

static void add_burn_rate(struct rule_writer *writer, const struct window *window)
{
    buffer_append_text(writer->out, "max without (sloth_window) (");
    writer_add_series(writer, "slo:sli_error:ratio_rate", window);
    buffer_append_text(writer->out, ") / ");
    writer_add_budget(writer);
}

static void add_enough_events(struct rule_writer *writer, const struct window *window)
{
    struct buffer *out = writer->out;
    buffer_append_text(out, "            and on (sloth_id) (\n              ");
    writer_add_series(writer, "slo:sli_bad:increase", window);
    buffer_append_format(out, " >= %d\n              or ", BURN_MIN_BAD);
    writer_add_series(writer, "slo:sli_bad:increase", window);
    buffer_append_format(out, " >= %d and on (sloth_id) ", BURN_MIN_BAD_WHEN_DOWN);
    writer_add_series(writer, "slo:sli_error:ratio_rate", window);
    buffer_append_format(out, " >= %g\n            )\n", BURN_DOWN_RATIO);
}

static void add_history(struct rule_writer *writer, const struct window *window)
{
    buffer_append_text(writer->out, "            and on (sloth_id) count_over_time(");
    writer_add_series(writer, "slo:sli_total:increase", &writer_step);
    buffer_append_text(writer->out, "[");
    buffer_append_text(writer->out, window->name);
    buffer_append_format(writer->out, "]) >= %g * %" PRId64 "\n", MIN_HISTORY,
                         window->seconds / writer_step.seconds);
}

static void add_annotations(struct rule_writer *writer, const struct burn_alert *alert)
{
    const struct slo *slo = writer->slo;
    buffer_append_format(
        writer->out,
        "        annotations:\n"
        "          summary: \"%s burns its error budget of %s {{ $value | printf \\\"%%.1f\\\" }} times too "
        "fast\"\n"
        "          description: >-\n"
        "            Over the last %s, and still over the last %s, bad events came more than %d times as "
        "fast as the objective\n"
        "            of %.10g %% allows. At %d times, a whole budget of %d days is gone in %.1f days.\n"
        "          runbook_url: \"{{ $externalLabels.runbook_base }}runbooks/error-budget-burn.md\"\n",
        slo->service, slo->name, alert->window.name, alert->short_window.name, alert->factor,
        slo->objective * 100, alert->factor, slo->window_days, (double)slo->window_days / alert->factor);
}

void burn_alert_write(struct rule_writer *writer, const struct burn_alert *alert)
{
    struct buffer *out = writer->out;
    buffer_append_format(out, "      - alert: %s\n        expr: |\n          ", alert->name);
    add_burn_rate(writer, &alert->window);
    buffer_append_format(out, " > %d\n            and on (sloth_id) ", alert->factor);
    add_burn_rate(writer, &alert->short_window);
    buffer_append_format(out, " > %d\n", alert->factor);
    add_enough_events(writer, &alert->window);
    if (alert->needs_history) {
        add_history(writer, &alert->window);
    }
    buffer_append_format(out, "        labels: {severity: %s, detector: prometheus, service_name: \"%s\", ",
                         alert->severity, writer->slo->service);
    writer_add_labels(writer);
    buffer_append_text(out, "}\n");
    add_annotations(writer, alert);
}
