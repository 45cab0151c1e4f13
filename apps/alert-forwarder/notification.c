#include "notification.h"

#include "alert/encode.h"
#include "buffer/buffer.h"
#include "clock/rfc3339.h"
#include "json/json_write.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void write_text(struct json_writer *writer, const char *key, const char *text)
{
    json_key(writer, key);
    json_string(writer, text);
}

static void write_time(struct json_writer *writer, const char *key, int64_t ms)
{
    char text[RFC3339_BYTES];
    rfc3339_format(text, ms);
    write_text(writer, key, text);
}

static void write_buffer(struct json_writer *writer, const char *key, struct buffer *text)
{
    json_key(writer, key);
    json_string_bytes(writer, text->data, text->size);
    buffer_clear(text);
}

static void write_unsigned(struct json_writer *writer, const char *key, uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    write_text(writer, key, text);
}

/* Annotations are texts. */
static void write_real(struct json_writer *writer, const char *key, double value)
{
    char text[JSON_REAL_BYTES] = "unknown";
    if (isfinite(value)) {
        json_format_real(text, value);
    }
    write_text(writer, key, text);
}

static void write_labels(struct json_writer *writer, const struct notification *n)
{
    const struct alert_transition *t = n->transition;
    json_key(writer, "labels");
    json_object_begin(writer);
    write_text(writer, "alertname", t->rule);
    write_text(writer, "service_name", t->labels.service);
    write_text(writer, "cloud_region", t->labels.region);
    if (t->labels.route[0] != '\0') {
        write_text(writer, "http_route", t->labels.route);
    }
    write_text(writer, "severity", rule_severity_name(n->severity));
    write_text(writer, "detector", "stream");
    if (n->page) {
        write_text(writer, "page", "true");
    }
    json_object_end(writer);
}

static void write_evidence(struct json_writer *writer, const struct alert_transition *t)
{
    char id[ALERT_ID_BYTES];
    alert_id_format(id, t->fingerprint, t->sequence);
    write_text(writer, "alert_id", id);
    write_text(writer, "signal", rule_signal_name(t->signal));
    write_real(writer, "value", t->value);
    write_real(writer, "threshold", t->threshold);
    write_unsigned(writer, "samples", t->samples);
    write_unsigned(writer, "bad", t->bad);
    write_unsigned(writer, "window_seconds", t->window_seconds);
    write_unsigned(writer, "evaluations", t->evaluations);
    write_time(writer, "event_starts_at", t->starts_ms);
    if (t->state == ALERT_RESOLVED) {
        write_time(writer, "event_ends_at", t->ends_ms);
        write_text(writer, "reason", alert_reason_name(t->reason));
    }
}

/* Everything but unreserved characters as %XX (RFC 3986, 2.1). */
static void append_escaped(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        const bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                           (*text >= '0' && *text <= '9') || strchr("-._~", *text) != NULL;
        buffer_append_format(out, plain ? "%c" : "%%%02X", (unsigned char)*text);
    }
}

static void append_console_page(struct buffer *out, const struct alert_transition *t, const char *console_url)
{
    char fingerprint[ALERT_FINGERPRINT_BYTES];
    alert_fingerprint_format(fingerprint, t->fingerprint);
    buffer_append_format(out, "%s/alerts/%s/%" PRIu32, console_url, fingerprint, t->sequence);
}

static void write_links(struct json_writer *writer, const struct alert_transition *t,
                        const struct notification_links *links, struct buffer *text)
{
    if (t->runbook[0] != '\0') {
        const bool is_absolute = strstr(t->runbook, "://") != NULL;
        buffer_append_format(text, "%s%s", is_absolute ? "" : links->runbook_base, t->runbook);
        write_buffer(writer, "runbook_url", text);
    }
    if (links->dashboard_url[0] != '\0') {
        buffer_append_format(text, "%s%cvar-service=", links->dashboard_url,
                             strchr(links->dashboard_url, '?') == NULL ? '?' : '&');
        append_escaped(text, t->labels.service);
        buffer_append_text(text, "&var-region=");
        append_escaped(text, t->labels.region);
        write_buffer(writer, "dashboard_url", text);
    }
    if (links->console_url[0] != '\0') {
        append_console_page(text, t, links->console_url);
        write_buffer(writer, "console_url", text);
    }
}

static void write_annotations(struct json_writer *writer, const struct notification *n,
                              const struct notification_links *links, struct buffer *text)
{
    json_key(writer, "annotations");
    json_object_begin(writer);
    alert_summary(text, n->transition);
    write_buffer(writer, "summary", text);
    write_evidence(writer, n->transition);
    write_links(writer, n->transition, links, text);
    json_object_end(writer);
}

void notification_write(struct json_writer *writer, const struct notification *n,
                        const struct notification_links *links)
{
    char storage[4096];
    struct buffer text;
    buffer_init_fixed(&text, storage, sizeof storage);
    json_object_begin(writer);
    write_labels(writer, n);
    write_annotations(writer, n, links, &text);
    if (n->starts_ms != 0) {
        write_time(writer, "startsAt", n->starts_ms);
    }
    write_time(writer, "endsAt", n->ends_ms);
    if (links->console_url[0] != '\0') {
        append_console_page(&text, n->transition, links->console_url);
        write_buffer(writer, "generatorURL", &text);
    }
    json_object_end(writer);
}
