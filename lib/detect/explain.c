/* A detector for people: what each series and each alert looks like now, and why, as JSON. */
#include "detect/detector_private.h"

#include "alert/encode.h"
#include "clock/rfc3339.h"
#include "json/json_write.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static void write_time(struct json_writer *writer, const char *key, int64_t ms)
{
    char text[RFC3339_BYTES];
    rfc3339_format(text, ms);
    json_key(writer, key);
    json_string(writer, text);
}

static void write_names(struct json_writer *writer, const struct series *series)
{
    json_key(writer, "service.name");
    json_string(writer, series->service);
    json_key(writer, "cloud.region");
    json_string(writer, series->region);
    if (series->route != NULL) {
        json_key(writer, "http.route");
        json_string(writer, series->route);
    }
}

static void write_quantiles(struct json_writer *writer, const struct series *series, uint32_t length_s)
{
    static const struct {
        const char *key;
        double quantile;
    } quantiles[] = {{"p50", 0.50}, {"p95", 0.95}, {"p99", 0.99}};
    if (length_s > WINDOW_VALUE_SECONDS) {
        return; /* values are kept for a minute */
    }
    struct histogram values;
    histogram_clear(&values);
    window_read_values(series->window, length_s, RULE_NEVER, &values);
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        json_key(writer, quantiles[i].key);
        json_real(writer, histogram_quantile(&values, quantiles[i].quantile));
    }
}

static void write_windows(struct json_writer *writer, const struct series *series,
                          const struct window_layout *layout)
{
    json_key(writer, "windows");
    json_array_begin(writer);
    for (uint32_t i = 0; i < layout->length_count; i++) {
        const struct window_counts *counts = window_counts(series->window, i);
        json_object_begin(writer);
        json_key(writer, "seconds");
        json_integer(writer, layout->lengths_s[i]);
        json_key(writer, "records");
        json_unsigned(writer, counts->records);
        json_key(writer, "requests");
        json_unsigned(writer, counts->weight);
        json_key(writer, "errors");
        json_unsigned(writer, counts->error_weight);
        json_key(writer, "error_ratio");
        json_real(writer, counts->weight == 0 ? NAN : (double)counts->error_weight / (double)counts->weight);
        json_key(writer, "request_rate");
        json_real(writer, (double)counts->weight / layout->lengths_s[i]);
        write_quantiles(writer, series, layout->lengths_s[i]);
        json_object_end(writer);
    }
    json_array_end(writer);
}

static const char *verdict_name(enum rule_verdict verdict)
{
    static const char *const names[] = {"unknown", "clear", "violated"};
    return names[verdict];
}

/* Why the rule says what it says, in a sentence. */
static void write_why(struct json_writer *writer, const struct rule *rule, const struct rule_state *state,
                      const struct rule_evidence *evidence, const struct window_layout *layout)
{
    char storage[512];
    struct buffer why;
    buffer_init_fixed(&why, storage, sizeof storage);
    uint32_t length_s = layout->lengths_s[evidence->window];
    if (state->firing) {
        if (rule_is_share(rule)) {
            buffer_append_format(&why, "firing; odds that it is over are e^%.1f of the e^%.1f needed, ",
                                 state->log_odds, rule_log_clear_odds(rule));
        }
        buffer_append_format(&why, "%" PRIu32 " of %" PRIu32 " clear evaluations in a row", state->clears,
                             rule_state_for_clear(rule, state));
    } else if (evidence->no_data) {
        buffer_append_format(&why, "no requests for %" PRId64 " s or more", rule->no_data_after_s);
    } else if (evidence->verdict == RULE_VIOLATED) {
        buffer_append_format(
            &why,
            "violated in %" PRIu32 " s (%" PRIu64 " bad of %" PRIu64 "), %" PRIu32 " of %" PRIu32 " in a row",
            length_s, evidence->bad, evidence->records, state->violations, rule->for_violations);
    } else if (evidence->verdict == RULE_CLEAR) {
        buffer_append_format(&why, "within its limit (%" PRIu64 " records in %" PRIu32 " s, %" PRIu64 " bad)",
                             evidence->records, length_s, evidence->bad);
    } else if (evidence->too_few) {
        buffer_append_format(&why,
                             "over its limit, but %" PRIu64 " bad of %" PRIu64 " records in %" PRIu32
                             " s are too few to rule out chance",
                             evidence->bad, evidence->records, length_s);
    } else {
        buffer_append_text(&why, "too little seen to say");
    }
    json_key(writer, "why");
    json_string_bytes(writer, why.data, why.size);
}

static void write_rule(const struct detector *detector, struct json_writer *writer,
                       const struct series *series, const struct watched_rule *watched)
{
    const struct rule *rule = &detector->rules->rules[watched->rule];
    const struct window_layout *layout = &detector->rules->layout;
    const struct rule_view view = {.window = series->window,
                                   .layout = layout,
                                   .born_s = series->born_s,
                                   .last_record_s = series->last_record_s,
                                   .pending = &series->pending};
    struct rule_evidence evidence;
    rule_judge(rule, &watched->state, &view, &evidence);
    json_object_begin(writer);
    json_key(writer, "rule");
    json_string(writer, rule->name);
    json_key(writer, "firing");
    json_boolean(writer, watched->state.firing);
    json_key(writer, "verdict");
    json_string(writer, verdict_name(evidence.verdict));
    json_key(writer, "value");
    json_real(writer, rule_measure(rule, &watched->state, &view, evidence.window));
    json_key(writer, "threshold");
    json_real(writer, rule->threshold);
    json_key(writer, "window_seconds");
    json_integer(writer, layout->lengths_s[evidence.window]);
    json_key(writer, "violations");
    json_integer(writer, watched->state.violations);
    json_key(writer, "clears");
    json_integer(writer, watched->state.clears);
    write_why(writer, rule, &watched->state, &evidence, layout);
    json_object_end(writer);
}

void detector_write_series(const struct detector *detector, struct json_writer *writer)
{
    for (size_t i = 0; i < detector->table.count; i++) {
        const struct series *series = detector->table.all[i];
        json_object_begin(writer);
        write_names(writer, series);
        write_time(writer, "time", series->newest_ms);
        json_key(writer, "cpu");
        json_real(writer, series->last_cpu);
        json_key(writer, "memory");
        json_real(writer, series->last_memory);
        write_windows(writer, series, &detector->rules->layout);
        json_key(writer, "rules");
        json_array_begin(writer);
        for (size_t r = 0; r < series->rule_count; r++) {
            write_rule(detector, writer, series, &series->rules[r]);
        }
        json_array_end(writer);
        json_object_end(writer);
    }
}

static void write_alert(const struct detector *detector, struct json_writer *writer,
                        const struct series *series, const struct watched_rule *watched)
{
    const struct rule *rule = &detector->rules->rules[watched->rule];
    char fingerprint[ALERT_FINGERPRINT_BYTES];
    alert_fingerprint_format(fingerprint, watched->fingerprint);
    json_object_begin(writer);
    json_key(writer, "rule");
    json_string(writer, rule->name);
    json_key(writer, "severity");
    json_string(writer, rule_severity_name(rule->severity));
    json_key(writer, "fingerprint");
    json_string(writer, fingerprint);
    json_key(writer, "sequence");
    json_integer(writer, watched->state.sequence);
    json_key(writer, "labels");
    json_object_begin(writer);
    write_names(writer, series);
    json_object_end(writer);
    write_time(writer, "starts_at", watched->state.fired_s * 1000);
    json_key(writer, "evidence");
    write_rule(detector, writer, series, watched);
    json_object_end(writer);
}

void detector_write_alerts(const struct detector *detector, struct json_writer *writer)
{
    for (size_t i = 0; i < detector->table.count; i++) {
        const struct series *series = detector->table.all[i];
        for (size_t r = 0; r < series->rule_count; r++) {
            if (series->rules[r].state.firing) {
                write_alert(detector, writer, series, &series->rules[r]);
            }
        }
    }
}
