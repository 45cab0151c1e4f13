#include "json/json_write.h"

#include "buffer/buffer.h"
#include "json/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void json_writer_init(struct json_writer *writer, struct buffer *buffer)
{
    *writer = (struct json_writer){.buffer = buffer};
}

static void begin_value(struct json_writer *writer)
{
    if (writer->has_items && !writer->after_key) {
        buffer_append_char(writer->buffer, ',');
    }
    writer->has_items = true;
    writer->after_key = false;
}

static void open_container(struct json_writer *writer, char c)
{
    begin_value(writer);
    assert(writer->depth < JSON_WRITER_DEPTH);
    writer->depth++;
    writer->has_items = false;
    buffer_append_char(writer->buffer, c);
}

static void close_container(struct json_writer *writer, char c)
{
    assert(writer->depth > 0 && !writer->after_key);
    writer->depth--;
    writer->has_items = true;
    buffer_append_char(writer->buffer, c);
}

void json_object_begin(struct json_writer *writer)
{
    open_container(writer, '{');
}

void json_object_end(struct json_writer *writer)
{
    close_container(writer, '}');
}

void json_array_begin(struct json_writer *writer)
{
    open_container(writer, '[');
}

void json_array_end(struct json_writer *writer)
{
    close_container(writer, ']');
}

static void append_escape(struct buffer *buffer, unsigned char c)
{
    static const char named[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *found = c == '\0' ? NULL : strchr(named, c);
    if (found != NULL) {
        const char escape[2] = {'\\', letters[found - named]};
        buffer_append(buffer, escape, 2);
    } else {
        buffer_append_format(buffer, "\\u%04x", c);
    }
}

void json_append_escaped(struct buffer *buffer, const char *text, size_t size)
{
    size_t start = 0;
    size_t at = 0;
    while (at < size) {
        unsigned char c = (unsigned char)text[at];
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            at++;
            continue;
        }
        size_t length = c < 0x80 ? 0 : utf8_sequence(text + at, size - at);
        if (length > 0) {
            at += length;
            continue;
        }
        buffer_append(buffer, text + start, at - start);
        if (c < 0x80) {
            append_escape(buffer, c);
        } else {
            buffer_append_text(buffer, "\xef\xbf\xbd"); /* U+FFFD for each byte that is no UTF-8 */
        }
        start = ++at;
    }
    buffer_append(buffer, text + start, at - start);
}

static void append_quoted(struct buffer *buffer, const char *text, size_t size)
{
    buffer_append_char(buffer, '"');
    json_append_escaped(buffer, text, size);
    buffer_append_char(buffer, '"');
}

void json_key_bytes(struct json_writer *writer, const char *name, size_t size)
{
    assert(writer->depth > 0 && !writer->after_key);
    begin_value(writer);
    append_quoted(writer->buffer, name, size);
    buffer_append_char(writer->buffer, ':');
    writer->after_key = true;
}

void json_key(struct json_writer *writer, const char *name)
{
    json_key_bytes(writer, name, strlen(name));
}

void json_string_bytes(struct json_writer *writer, const char *text, size_t size)
{
    begin_value(writer);
    append_quoted(writer->buffer, text, size);
}

void json_string(struct json_writer *writer, const char *text)
{
    if (text == NULL) {
        json_null(writer);
    } else {
        json_string_bytes(writer, text, strlen(text));
    }
}

void json_integer(struct json_writer *writer, int64_t value)
{
    begin_value(writer);
    buffer_append_format(writer->buffer, "%" PRId64, value);
}

void json_unsigned(struct json_writer *writer, uint64_t value)
{
    begin_value(writer);
    buffer_append_format(writer->buffer, "%" PRIu64, value);
}

void json_format_real(char out[JSON_REAL_BYTES], double value)
{
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(out, JSON_REAL_BYTES, "%.*g", digits, value);
        if (strtod(out, NULL) == value) {
            return;
        }
    }
}

void json_real(struct json_writer *writer, double value)
{
    if (!isfinite(value)) {
        json_null(writer);
        return;
    }
    char text[JSON_REAL_BYTES];
    json_format_real(text, value);
    begin_value(writer);
    buffer_append_text(writer->buffer, text);
}

void json_boolean(struct json_writer *writer, bool value)
{
    json_raw(writer, value ? "true" : "false", value ? 4 : 5);
}

void json_null(struct json_writer *writer)
{
    json_raw(writer, "null", 4);
}

void json_raw(struct json_writer *writer, const char *json, size_t size)
{
    begin_value(writer);
    buffer_append(writer->buffer, json, size);
}
