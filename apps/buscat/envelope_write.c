#include "envelope.h"

#include "base64.h"
#include "buffer/buffer.h"
#include "json/json_write.h"
#include "json/utf8.h"

#include <stdio.h>
#include <string.h>

static void write_base64(struct json_writer *writer, struct bus_bytes bytes)
{
    json_raw(writer, "\"", 1);
    base64_append(writer->buffer, bytes.data, bytes.size_bytes);
    buffer_append_char(writer->buffer, '"');
}

static bool is_text(struct bus_bytes bytes)
{
    return utf8_is_valid(bytes.data, bytes.size_bytes);
}

/* "key":"text", "key":null or "key_base64":"…". */
static void write_bytes(struct json_writer *writer, const char *name, struct bus_bytes bytes)
{
    if (bytes.data == NULL) {
        json_key(writer, name);
        json_null(writer);
    } else if (is_text(bytes)) {
        json_key(writer, name);
        json_string_bytes(writer, bytes.data, bytes.size_bytes);
    } else {
        char base64_name[32];
        (void)snprintf(base64_name, sizeof base64_name, "%s_base64", name);
        json_key(writer, base64_name);
        write_base64(writer, bytes);
    }
}

static void write_header_value(struct json_writer *writer, struct bus_bytes bytes)
{
    if (bytes.data == NULL) {
        json_null(writer);
    } else if (is_text(bytes)) {
        json_string_bytes(writer, bytes.data, bytes.size_bytes);
    } else {
        json_object_begin(writer);
        json_key(writer, "base64");
        write_base64(writer, bytes);
        json_object_end(writer);
    }
}

static size_t count_of_name(const struct bus_record *record, size_t from, const char *name)
{
    size_t count = 0;
    for (size_t i = from; i < record->header_count; i++) {
        count += strcmp(record->headers[i].name, name) == 0;
    }
    return count;
}

static void write_headers(struct json_writer *writer, const struct bus_record *record)
{
    json_key(writer, "headers");
    json_object_begin(writer);
    for (size_t i = 0; i < record->header_count; i++) {
        const char *name = record->headers[i].name;
        size_t same = count_of_name(record, 0, name);
        if (same > 1 && count_of_name(record, i, name) < same) {
            continue; /* written with the first of them */
        }
        json_key(writer, name);
        if (same == 1) {
            write_header_value(writer, record->headers[i].value);
            continue;
        }
        json_array_begin(writer);
        for (size_t j = i; j < record->header_count; j++) {
            if (strcmp(record->headers[j].name, name) == 0) {
                write_header_value(writer, record->headers[j].value);
            }
        }
        json_array_end(writer);
    }
    json_object_end(writer);
}

void envelope_write(struct buffer *buffer, const struct bus_record *record)
{
    struct json_writer writer;
    json_writer_init(&writer, buffer);
    json_object_begin(&writer);
    json_key(&writer, "partition");
    json_integer(&writer, record->partition);
    json_key(&writer, "offset");
    json_integer(&writer, record->offset);
    json_key(&writer, "timestamp");
    json_integer(&writer, record->appended_ms);
    write_bytes(&writer, "key", record->key);
    write_headers(&writer, record);
    write_bytes(&writer, "value", record->value);
    json_object_end(&writer);
}
