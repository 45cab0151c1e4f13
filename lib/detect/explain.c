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

static void write_time_or_null(struct json_writer *writer, const char *key, int64_t second)
{
    if (second == RULE_NEVER) {
        json_key(writer, key);
        json_null(writer);
    } else {
        write_time(writer, key, second * 1000);
    }
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
    window_read_values(series->window, length_s, WINDOW_BEGINNING, &values);
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
        struct window_counts counts;
        window_read_counts(series->window, i, WINDOW_BEGINNING, &counts);
        json_object_begin(writer);
        json_key(writer, "seconds");
        json_integer(writer, layout->lengths_s[i]);
        json_key(writer, "records");
        json_unsigned(writer, counts.records);
        json_key(writer, "requests");
        json_unsigned(writer, counts.weight);
        json_key(writer, "errors");
        json_unsigned(writer, counts.error_weight);
        json_key(writer, "error_ratio");
        json_real(writer, counts.weight == 0 ? NAN : (double)counts.error_weight / (double)counts.weight);
        json_key(writer, "request_rate");
        json_real(writer, (double)counts.weight / layout->lengths_s[i]);
        write_quantiles(writer, series, layout->lengths_s[i]);
        json_object_end(writer);
    }
    json_array_end(writer);
}

static void say_why_firing(struct buffer *why, const struct rule *rule, const struct rule_state *state)
{
    if (rule_is_share(rule)) {
        buffer_append_format(why, "firing: it is %.3g to 1 that it is over, %.3g to 1 is needed; ",
                             exp(state->log_odds), rule->clear_odds);
    } else {
        buffer_append_text(why, "firing; ");
    }
    buffer_append_format(why, "%" PRIu32 " of %" PRIu32 " clear evaluations in a row", state->clears,
                         rule_state_for_clear(rule, state));
}

static void say_why_violated(struct buffer *why, const struct rule *rule, const struct rule_state *state,
                             const struct rule_evidence *evidence, uint32_t length_s)
{
    if (evidence->no_data && rule->no_data_learned) {
        buffer_append_format(why, "nothing came for %" PRIu32 " s or more, %.3g/s were expected", length_s,
                             evidence->expected);
    } else if (evidence->no_data) {
        buffer_append_format(why, "nothing came for %" PRId64 " s or more", rule->no_data_after_s);
    } else if (rule->is_baseline) {
        buffer_append_format(why, "%s %.3g over %" PRIu32 " s, where its history expects %.3g",
                             rule->below ? "under" : "over", evidence->threshold, length_s,
                             evidence->expected);
    } else if (rule_is_share(rule)) {
        buffer_append_format(why, "%" PRIu64 " of %" PRIu64 " requests of %" PRIu32 " s were %s",
                             evidence->bad, evidence->records, length_s,
                             rule_is_latency(rule) ? "slow" : "errors");
    } else {
        buffer_append_format(why, "%s its limit over %" PRIu32 " s", rule->below ? "under" : "over",
                             length_s);
    }
    buffer_append_format(why, ": violated %" PRIu32 " of %" PRIu32 " evaluations in a row", state->violations,
                         rule->for_violations);
}

static void say_why_unknown(struct buffer *why, const struct rule *rule, const struct rule_evidence *evidence,
                            uint32_t length_s)
{
    if (evidence->is_learning) {
        buffer_append_format(why, "learning: less than %" PRIu32 " min of its history seen yet",
                             rule->min_history_minutes);
    } else if (evidence->is_small) {
        buffer_append_format(why, "expected too small: its history expects %.3g now, judged from %.3g up",
                             evidence->expected, rule->min_expected);
    } else if (evidence->is_blip) {
        buffer_append_format(why,
                             "%" PRIu64 " of %" PRIu64 " requests of %" PRIu32
                             " s were bad, but in no more than 3 s: a blip so far",
                             evidence->bad, evidence->records, length_s);
    } else if (evidence->too_few) {
        buffer_append_format(why,
                             "over its limit, but %" PRIu64 " bad of %" PRIu64 " requests in %" PRIu32
                             " s are too few to rule out chance",
                             evidence->bad, evidence->records, length_s);
    } else if (evidence->is_young) {
        buffer_append_format(why, "less than %" PRIu32 " s seen yet", length_s);
    } else if (evidence->records == 0) {
        buffer_append_text(why, "nothing seen that would say");
    } else {
        buffer_append_format(why, "within its limit for %" PRIu32 " s, over it in a longer time", length_s);
    }
}

/* In a sentence. */
static void write_why(struct json_writer *writer, const struct rule *rule, const struct rule_state *state,
                      const struct rule_evidence *evidence, uint32_t length_s)
{
    char storage[512];
    struct buffer why;
    buffer_init_fixed(&why, storage, sizeof storage);
    if (state->firing) {
        say_why_firing(&why, rule, state);
    } else if (evidence->verdict == RULE_VIOLATED) {
        say_why_violated(&why, rule, state, evidence, length_s);
    } else if (evidence->verdict == RULE_CLEAR) {
        buffer_append_format(&why, "within its limit (%" PRIu64 " requests in %" PRIu32 " s",
                             evidence->records, length_s);
        buffer_append_format(&why, rule_is_share(rule) ? ", %" PRIu64 " bad)" : ")", evidence->bad);
    } else {
        say_why_unknown(&why, rule, evidence, length_s);
    }
    json_key(writer, "why");
    json_string_bytes(writer, why.data, why.size);
}

static void write_count(struct json_writer *writer, const char *key, uint64_t value)
{
    json_key(writer, key);
    json_unsigned(writer, value);
}

/* What was found beside what is needed. */
static void write_evidence(struct json_writer *writer, const struct rule *rule,
                           const struct rule_state *state, const struct rule_evidence *evidence)
{
    write_count(writer, "samples", evidence->records);
    write_count(writer, "bad", evidence->bad);
    write_count(writer, "min_bad", rule_is_share(rule) ? rule->min_bad : 0);
    write_count(writer, "violations", state->violations);
    write_count(writer, "for_violations", rule->for_violations);
    write_count(writer, "clears", state->clears);
    write_count(writer, "for_clear", rule_state_for_clear(rule, state));
    json_key(writer, "odds");
    json_real(writer, state->firing && rule_is_share(rule) ? exp(state->log_odds) : NAN);
    json_key(writer, "clear_odds");
    json_real(writer, rule_is_share(rule) ? rule->clear_odds : NAN);
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
                                   .last_gauge_s = series->last_gauge_s,
                                   .baseline = watched->baseline};
    struct rule_evidence evidence;
    rule_judge(rule, &watched->state, &view, &evidence);
    json_object_begin(writer);
    json_key(writer, "rule");
    json_string(writer, rule->name);
    json_key(writer, "signal");
    json_string(writer, rule_signal_name(rule->signal));
    json_key(writer, "severity");
    json_string(writer, rule_severity_name(rule->severity));
    json_key(writer, "firing");
    json_boolean(writer, watched->state.firing);
    json_key(writer, "verdict");
    json_string(writer, rule_verdict_name(evidence.verdict));
    json_key(writer, "value");
    json_real(writer, rule_measure(rule, &watched->state, &view, evidence.window));
    json_key(writer, "threshold");
    json_real(writer, evidence.threshold);
    json_key(writer, "expected");
    json_real(writer, evidence.expected);
    json_key(writer, "deviation");
    json_real(writer, evidence.deviation);
    write_count(writer, "window_seconds", layout->lengths_s[evidence.window]);
    write_evidence(writer, rule, &watched->state, &evidence);
    write_why(writer, rule, &watched->state, &evidence, layout->lengths_s[evidence.window]);
    json_object_end(writer);
}

void detector_write_series(const struct detector *detector, struct json_writer *writer)
{
    for (size_t i = 0; i < detector->table.count; i++) {
        const struct series *series = detector->table.all[i];
        json_object_begin(writer);
        write_names(writer, series);
        write_time(writer, "time", series->newest_ms);
        write_time_or_null(writer, "last_request", series->last_record_s);
        write_time(writer, "partition_clock", detector->clock_ms);
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
