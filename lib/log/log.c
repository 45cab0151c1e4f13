#include "log/log.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "clock/rfc3339.h"
#include "json/json_write.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ELLIPSIS   "\xe2\x80\xa6"
/* What must still fit behind a cut: the ellipsis, and in JSON its quote and brace; then the newline. */
#define TAIL_BYTES 8

struct log {
    struct log_settings settings;
};

int log_open(struct log **out, const struct log_settings *settings, struct error *error)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return error_set(error, -1, "no memory for the log");
    }
    (*out)->settings = *settings;
    return 0;
}

void log_close(struct log *log)
{
    free(log);
}

bool log_is_enabled(const struct log *log, enum log_level level)
{
    return log != NULL && level >= log->settings.level;
}

struct log_field log_text(const char *name, const char *value)
{
    return log_bytes(name, value == NULL ? "" : value, value == NULL ? 0 : strlen(value));
}

struct log_field log_bytes(const char *name, const char *value, size_t size_bytes)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_TEXT, .text = value, .size_bytes = size_bytes};
}

struct log_field log_integer(const char *name, int64_t value)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_INTEGER, .integer = value};
}

struct log_field log_real(const char *name, double value)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_REAL, .real = value};
}

struct log_field log_boolean(const char *name, bool value)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_BOOLEAN, .integer = value};
}

/* An item that doesn't fit is cut off whole, so that the line stays valid JSON. */
static bool append_json_field(struct buffer *line, const struct log_field *field)
{
    size_t size = line->size;
    struct json_writer writer;
    json_writer_init(&writer, line);
    buffer_append_text(line, ",\"");
    json_append_escaped(line, field->name, strlen(field->name));
    buffer_append_text(line, "\":");
    switch (field->type) {
    case LOG_FIELD_TEXT:
        json_string_bytes(&writer, field->text, field->size_bytes);
        break;
    case LOG_FIELD_INTEGER:
        json_integer(&writer, field->integer);
        break;
    case LOG_FIELD_REAL:
        json_real(&writer, field->real);
        break;
    case LOG_FIELD_BOOLEAN:
        json_boolean(&writer, field->integer != 0);
        break;
    }
    if (line->failed) {
        line->failed = false;
        line->size = size;
        return false;
    }
    return true;
}

static const char *level_name(enum log_level level)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    return names[level];
}

static void write_json(struct buffer *line, const struct log *log, enum log_level level, const char *time,
                       const char *message, const struct log_field *fields, size_t count)
{
    buffer_append_format(line, "{\"time\":\"%s\",\"level\":\"%s\",\"app\":\"%s\"", time, level_name(level),
                         log->settings.app);
    struct log_field text = log_text("msg", message);
    text.size_bytes = text.size_bytes > LOG_LINE_BYTES / 4 ? LOG_LINE_BYTES / 4 : text.size_bytes;
    bool whole = append_json_field(line, &text);
    for (size_t i = 0; i < count && whole; i++) {
        whole = append_json_field(line, &fields[i]);
    }
    line->limit = line->capacity;
    if (!whole) {
        struct log_field cut = log_boolean("cut", true);
        (void)append_json_field(line, &cut);
    }
    buffer_append_text(line, "}");
}

static bool needs_quotes(const struct log_field *field)
{
    for (size_t i = 0; i < field->size_bytes; i++) {
        unsigned char c = (unsigned char)field->text[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) {
            return true;
        }
    }
    return field->size_bytes == 0;
}

static void append_text_field(struct buffer *line, const struct log_field *field)
{
    char real[JSON_REAL_BYTES];
    buffer_append_format(line, " %s=", field->name);
    switch (field->type) {
    case LOG_FIELD_TEXT: {
        bool quoted = needs_quotes(field);
        buffer_append(line, "\"", quoted);
        json_append_escaped(line, field->text, field->size_bytes);
        buffer_append(line, "\"", quoted);
        break;
    }
    case LOG_FIELD_INTEGER:
        buffer_append_format(line, "%" PRId64, field->integer);
        break;
    case LOG_FIELD_REAL:
        json_format_real(real, field->real);
        buffer_append_text(line, real);
        break;
    case LOG_FIELD_BOOLEAN:
        buffer_append_text(line, field->integer != 0 ? "true" : "false");
        break;
    }
}

static void write_text(struct buffer *line, enum log_level level, const char *time, const char *message,
                       const struct log_field *fields, size_t count)
{
    static const char *const labels[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
    buffer_append_format(line, "%.12s %s ", time + 11, labels[level]);
    json_append_escaped(line, message, strlen(message));
    for (size_t i = 0; i < count && !line->failed; i++) {
        append_text_field(line, &fields[i]);
    }
    bool cut = line->failed;
    line->failed = false;
    line->limit = line->capacity;
    if (cut) {
        buffer_append_text(line, ELLIPSIS);
    }
}

void log_write(struct log *log, enum log_level level, const char *message, const struct log_field *fields,
               size_t count)
{
    if (!log_is_enabled(log, level)) {
        return;
    }
    char storage[LOG_LINE_BYTES];
    struct buffer line;
    buffer_init_fixed(&line, storage, sizeof storage - 1); /* the newline always fits */
    line.limit = line.capacity - 2 * TAIL_BYTES;
    char time[RFC3339_BYTES];
    rfc3339_format(time, clock_wall_ms(log->settings.clock));
    if (log->settings.format == LOG_FORMAT_JSON) {
        write_json(&line, log, level, time, message, fields, count);
    } else {
        write_text(&line, level, time, message, fields, count);
    }
    storage[line.size++] = '\n';
    ssize_t written;
    do {
        written = write(log->settings.fd, storage, line.size);
    } while (written < 0 && errno == EINTR);
}

bool log_throttle_allows(struct log_throttle *throttle, int64_t steady_ms, int64_t interval_ms,
                         uint64_t *suppressed)
{
    if (steady_ms < throttle->next_ms) {
        throttle->suppressed++;
        return false;
    }
    *suppressed = throttle->suppressed;
    throttle->suppressed = 0;
    throttle->next_ms = steady_ms + interval_ms;
    return true;
}
