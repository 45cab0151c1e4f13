#include "event/encode.h"

#include "buffer/buffer.h"
#include "event/log_record.h"
#include "json/json_write.h"

#include <math.h>
#include <string.h>

#define MICROS 1e6

/* A field whose name needs no escaping: the names are the contract's. */
static void append_name(struct buffer *buffer, const char *name)
{
    buffer_append_text(buffer, name);
}

/* Nothing in it stands for something else in JSON: the usual, and then it is copied as it is. */
static bool is_plain(struct event_text text)
{
    unsigned special = 0;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        special |=
            (unsigned)(c < 0x20) | (unsigned)(c >= 0x7f) | (unsigned)(c == '"') | (unsigned)(c == '\\');
    }
    return special == 0;
}

static void append_text(struct buffer *buffer, const char *name, struct event_text text)
{
    append_name(buffer, name);
    char *at = is_plain(text) ? buffer_reserve(buffer, text.size + 2) : NULL;
    if (at != NULL) {
        at[0] = '"';
        memcpy(at + 1, text.data, text.size);
        at[text.size + 1] = '"';
        buffer->size += text.size + 2;
        return;
    }
    buffer_append_char(buffer, '"');
    json_append_escaped(buffer, text.data, text.size);
    buffer_append_char(buffer, '"');
}

static void append_optional_text(struct buffer *buffer, const char *name, struct event_text text)
{
    if (text.data != NULL) {
        append_text(buffer, name, text);
    }
}

static void append_integer(struct buffer *buffer, const char *name, int64_t value)
{
    char digits[24];
    char *at = digits + sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        *--at = '-';
    }
    append_name(buffer, name);
    buffer_append(buffer, at, (size_t)(digits + sizeof digits - at));
}

/* Whole micro-units k below 2^53: k/10^6 is one correctly rounded division, so k's digits with the point
 * moved read back as the very same double, without trying printf's precisions. */
static bool append_micros(struct buffer *buffer, double value)
{
    double scaled = value * MICROS;
    if (!(scaled >= 0 && scaled < 9e15)) {
        return false;
    }
    uint64_t micros = (uint64_t)(scaled + 0.5);
    if ((double)micros / MICROS != value) {
        return false;
    }
    uint64_t whole = micros / 1000000;
    uint64_t rest = micros % 1000000;
    append_integer(buffer, "", (int64_t)whole);
    if (rest > 0) {
        char fraction[7] = ".000000";
        size_t size = sizeof fraction;
        for (size_t i = size - 1; i > 0; i--) {
            fraction[i] = (char)('0' + rest % 10);
            rest /= 10;
        }
        while (fraction[size - 1] == '0') {
            size--;
        }
        buffer_append(buffer, fraction, size);
    }
    return true;
}

static void append_real(struct buffer *buffer, const char *name, double value)
{
    append_name(buffer, name);
    if (!append_micros(buffer, value)) {
        char text[JSON_REAL_BYTES];
        json_format_real(text, value);
        buffer_append_text(buffer, text);
    }
}

void event_encode(struct buffer *buffer, const struct event *event)
{
    append_text(buffer, "{\"id\":", event->id);
    append_integer(buffer, ",\"time_unix_ms\":", event->time_unix_ms);
    append_text(buffer, ",\"service.name\":", event->service);
    append_text(buffer, ",\"cloud.region\":", event->region);
    if (event->kind == EVENT_RESOURCE) {
        append_name(buffer, ",\"kind\":\"resource\"");
    } else {
        append_name(buffer, ",\"http.request.method\":\"");
        append_name(buffer, event_method_name(event->method));
        buffer_append_char(buffer, '"');
        append_text(buffer, ",\"http.route\":", event->route);
        append_integer(buffer, ",\"http.response.status_code\":", event->status_code);
        append_real(buffer, ",\"http.server.request.duration\":", event->duration_s);
    }
    if (event->count != 1) {
        append_integer(buffer, ",\"count\":", event->count);
    }
    if (!isnan(event->cpu_utilization)) {
        append_real(buffer, ",\"system.cpu.utilization\":", event->cpu_utilization);
    }
    if (!isnan(event->memory_utilization)) {
        append_real(buffer, ",\"system.memory.utilization\":", event->memory_utilization);
    }
    append_optional_text(buffer, ",\"trace_id\":", event->trace_id);
    append_optional_text(buffer, ",\"span_id\":", event->span_id);
    buffer_append_char(buffer, '}');
}

void log_record_encode(struct buffer *buffer, const struct log_record *record)
{
    append_integer(buffer, "{\"time_unix_ms\":", record->time_unix_ms);
    append_text(buffer, ",\"service.name\":", record->service);
    append_text(buffer, ",\"cloud.region\":", record->region);
    append_name(buffer, ",\"severity_text\":\"");
    append_name(buffer, log_severity_name(record->severity));
    buffer_append_char(buffer, '"');
    append_text(buffer, ",\"body\":", record->body);
    append_optional_text(buffer, ",\"trace_id\":", record->trace_id);
    append_optional_text(buffer, ",\"span_id\":", record->span_id);
    buffer_append_char(buffer, '}');
}
