#include "alert/encode.h"

#include "buffer/buffer.h"
#include "clock/rfc3339.h"
#include "json/json_write.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char *signal_for_people(enum rule_signal signal)
{
    static const char *const names[] = {"P50 latency",  "P95 latency",     "P99 latency",       "Error rate",
                                        "Request rate", "CPU utilisation", "Memory utilisation"};
    return names[signal];
}

static void append_quantity(struct buffer *buffer, enum rule_signal signal, double value)
{
    switch (signal) {
    case RULE_LATENCY_P50:
    case RULE_LATENCY_P95:
    case RULE_LATENCY_P99:
        buffer_append_format(buffer, value < 1 ? "%.0f ms" : "%.2f s", value < 1 ? value * 1000 : value);
        break;
    case RULE_REQUEST_RATE:
        buffer_append_format(buffer, "%.2f requests/s", value);
        break;
    case RULE_ERROR_RATE:
    case RULE_CPU:
    case RULE_MEMORY:
        buffer_append_format(buffer, "%.1f %%", value * 100);
        break;
    }
}

void alert_summary(struct buffer *buffer, const struct alert_transition *t)
{
    buffer_append_format(buffer, "%s of %s%s%s in %s", signal_for_people(t->signal), t->labels.service,
                         t->labels.route[0] == '\0' ? "" : " ", t->labels.route, t->labels.region);
    if (t->reason == ALERT_REASON_RULE_REMOVED) {
        buffer_append_text(buffer, " is no longer watched: its rule was removed");
        return;
    }
    if (t->reason == ALERT_REASON_NO_DATA || isnan(t->value)) {
        buffer_append_text(buffer, " is unknown: no requests come");
        return;
    }
    buffer_append_text(buffer, t->state == ALERT_FIRING ? " is " : " is back at ");
    append_quantity(buffer, t->signal, t->value);
    if (t->state == ALERT_FIRING) {
        buffer_append_text(buffer, t->below ? ", under " : ", over ");
        append_quantity(buffer, t->signal, t->threshold);
    }
    if (t->bad > 0) {
        buffer_append_format(buffer, " (%" PRIu64 " of %" PRIu64 " requests in %" PRIu32 " s)", t->bad,
                             t->samples, t->window_seconds);
    }
}

static void write_time(struct json_writer *writer, const char *key, int64_t ms)
{
    char text[RFC3339_BYTES];
    rfc3339_format(text, ms);
    json_key(writer, key);
    json_string(writer, text);
}

static void write_labels(struct json_writer *writer, const struct alert_labels *labels)
{
    json_key(writer, "labels");
    json_object_begin(writer);
    json_key(writer, "service.name");
    json_string(writer, labels->service);
    json_key(writer, "cloud.region");
    json_string(writer, labels->region);
    if (labels->route[0] != '\0') {
        json_key(writer, "http.route");
        json_string(writer, labels->route);
    }
    json_object_end(writer);
}

static void write_identity(struct json_writer *writer, const struct alert_transition *t)
{
    char id[ALERT_ID_BYTES];
    char fingerprint[ALERT_FINGERPRINT_BYTES];
    alert_id_format(id, t->fingerprint, t->sequence);
    alert_fingerprint_format(fingerprint, t->fingerprint);
    json_key(writer, "v");
    json_integer(writer, 1);
    json_key(writer, "alert_id");
    json_string(writer, id);
    json_key(writer, "sequence");
    json_integer(writer, t->sequence);
    json_key(writer, "fingerprint");
    json_string(writer, fingerprint);
    json_key(writer, "state");
    json_string(writer, alert_state_name(t->state));
    if (t->state == ALERT_RESOLVED) {
        json_key(writer, "reason");
        json_string(writer, alert_reason_name(t->reason));
    }
    json_key(writer, "rule");
    json_string(writer, t->rule);
    json_key(writer, "severity");
    json_string(writer, rule_severity_name(t->severity));
}

static void write_evidence(struct json_writer *writer, const struct alert_transition *t)
{
    json_key(writer, "signal");
    json_string(writer, rule_signal_name(t->signal));
    json_key(writer, "value");
    json_real(writer, t->value);
    json_key(writer, "threshold");
    json_real(writer, t->threshold);
    json_key(writer, "samples");
    json_unsigned(writer, t->samples);
    json_key(writer, "bad");
    json_unsigned(writer, t->bad);
    json_key(writer, "window_seconds");
    json_integer(writer, t->window_seconds);
    json_key(writer, "evaluations");
    json_integer(writer, t->evaluations);
}

static void write_for_people(struct json_writer *writer, const struct alert_transition *t,
                             const char *runbook_base)
{
    char storage[2048];
    struct buffer text;
    buffer_init_fixed(&text, storage, sizeof storage);
    alert_summary(&text, t);
    json_key(writer, "summary");
    json_string_bytes(writer, text.data, text.size);
    buffer_clear(&text);
    bool is_absolute = strstr(t->runbook, "://") != NULL;
    if (!is_absolute && t->runbook[0] != '\0' && runbook_base != NULL) {
        buffer_append_text(&text, runbook_base);
    }
    buffer_append_text(&text, t->runbook);
    json_key(writer, "runbook_url");
    json_string_bytes(writer, text.data, text.size);
}

void alert_encode(struct buffer *buffer, const struct alert_transition *t, const char *runbook_base)
{
    struct json_writer writer;
    json_writer_init(&writer, buffer);
    json_object_begin(&writer);
    write_identity(&writer, t);
    write_labels(&writer, &t->labels);
    write_evidence(&writer, t);
    write_time(&writer, "starts_at", t->starts_ms);
    if (t->state == ALERT_RESOLVED) {
        write_time(&writer, "ends_at", t->ends_ms);
    }
    write_time(&writer, "detected_at", t->detected_ms);
    write_for_people(&writer, t, runbook_base);
    json_object_end(&writer);
}
