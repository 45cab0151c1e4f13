#include "envelope.h"

#include "base64.h"
#include "buffer/buffer.h"
#include "json/json_read.h"
#include "json/number.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_LIMIT 256
#define NAME_BYTES   65536 /* all header names together */

struct envelope_reader {
    struct json_reader *json;
    struct buffer decoded; /* what was base64; never moved while a record points into it */
    struct bus_header headers[HEADER_LIMIT];
    char names[NAME_BYTES];
    /* of the current line */
    struct bus_record *record;
    struct error *error;
    size_t names_used;
    char field[24];   /* of the envelope */
    const char *name; /* of the header */
    bool is_base64;   /* the next text of a header */
    bool is_object;
};

static bool refuse(struct envelope_reader *reader, const char *why)
{
    error_set(reader->error, -1, "%s%s%s", reader->field, reader->field[0] == '\0' ? "" : " ", why);
    return false;
}

static bool field_is(const struct envelope_reader *reader, const char *name)
{
    return strcmp(reader->field, name) == 0;
}

static bool take_field_name(struct envelope_reader *reader, const char *text, size_t size)
{
    static const char *const known[] = {"partition", "offset",     "timestamp", "key",
                                        "headers",   "key_base64", "value",     "value_base64"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strlen(known[i]) == size && memcmp(known[i], text, size) == 0) {
            memcpy(reader->field, known[i], size + 1);
            return true;
        }
    }
    reader->field[0] = '\0';
    return refuse(
        reader,
        "only partition, offset, timestamp, key, key_base64, headers, value and value_base64 are known");
}

/* A whole number from 0 to most. */
static bool scan_whole(const char *text, size_t size, uint64_t most, struct json_number *number)
{
    (void)json_number_scan(text, size, number);
    return number->exact && number->exponent == 0 && !number->negative && number->mantissa <= most;
}

static bool take_partition(struct envelope_reader *reader, const char *text, size_t size)
{
    struct json_number number;
    if (!scan_whole(text, size, INT32_MAX, &number)) {
        return refuse(reader, "must be a partition's number");
    }
    reader->record->partition = (int32_t)number.mantissa;
    return true;
}

static bool take_offset(struct envelope_reader *reader, const char *text, size_t size)
{
    struct json_number number;
    if (!scan_whole(text, size, INT64_MAX, &number)) {
        return refuse(reader, "must be an offset");
    }
    reader->record->offset = (int64_t)number.mantissa;
    return true;
}

/* The bytes of a text or of base64; false: not base64. */
static bool bytes_of(struct envelope_reader *reader, bool is_base64, const char *text, size_t size,
                     struct bus_bytes *out)
{
    if (!is_base64) {
        *out = (struct bus_bytes){size == 0 ? "" : text, size};
        return true;
    }
    size_t begin = reader->decoded.size;
    if (!base64_decode(&reader->decoded, text, size)) {
        return refuse(reader, "isn't base64");
    }
    *out = (struct bus_bytes){reader->decoded.data + begin, reader->decoded.size - begin};
    return true;
}

static bool take_key_or_value(struct envelope_reader *reader, enum json_token token, const char *text,
                              size_t size)
{
    struct bus_bytes *into = reader->field[0] == 'k' ? &reader->record->key : &reader->record->value;
    if (into->data != NULL) {
        return refuse(reader, "is given twice");
    }
    if (token == JSON_TOKEN_NULL) {
        return true;
    }
    bool is_base64 = field_is(reader, "key_base64") || field_is(reader, "value_base64");
    return token == JSON_TOKEN_STRING ? bytes_of(reader, is_base64, text, size, into)
                                      : refuse(reader, "must be a text or null");
}

static bool take_field(struct envelope_reader *reader, enum json_token token, const char *text, size_t size)
{
    if (field_is(reader, "headers")) {
        bool fits =
            token == JSON_TOKEN_OBJECT_BEGIN || token == JSON_TOKEN_OBJECT_END || token == JSON_TOKEN_NULL;
        return fits || refuse(reader, "must be an object");
    }
    if (field_is(reader, "partition") || field_is(reader, "offset") || field_is(reader, "timestamp")) {
        if (token != JSON_TOKEN_NUMBER) {
            return refuse(reader, "must be a number");
        }
        return field_is(reader, "partition") ? take_partition(reader, text, size)
               : field_is(reader, "offset")  ? take_offset(reader, text, size)
                                             : true;
    }
    return take_key_or_value(reader, token, text, size);
}

static bool take_header_name(struct envelope_reader *reader, const char *text, size_t size)
{
    if (memchr(text, '\0', size) != NULL || size + 1 > NAME_BYTES - reader->names_used) {
        return refuse(reader, "have a name that is too long or has a NUL in it");
    }
    char *name = reader->names + reader->names_used;
    memcpy(name, text, size);
    name[size] = '\0';
    reader->names_used += size + 1;
    reader->name = name;
    return true;
}

static bool take_header(struct envelope_reader *reader, enum json_token token, const char *text, size_t size)
{
    struct bus_bytes value = {NULL, 0};
    if (token == JSON_TOKEN_STRING) {
        if (!bytes_of(reader, reader->is_base64, text, size, &value)) {
            return false;
        }
    } else if (token != JSON_TOKEN_NULL) {
        return refuse(reader, "have a value that is no text");
    }
    if (reader->record->header_count == HEADER_LIMIT) {
        return refuse(reader, "are too many");
    }
    reader->headers[reader->record->header_count++] = (struct bus_header){reader->name, value};
    return true;
}

/* Inside "headers": {"name": "text"}, {"name": {"base64": "…"}} or an array of both. */
static bool take_in_headers(struct envelope_reader *reader, enum json_token token, uint32_t depth,
                            const char *text, size_t size)
{
    switch (token) {
    case JSON_TOKEN_KEY:
        if (depth == 2) {
            return take_header_name(reader, text, size);
        }
        reader->is_base64 = size == 6 && memcmp(text, "base64", 6) == 0;
        return reader->is_base64 || refuse(reader, "have a value that is no text");
    case JSON_TOKEN_OBJECT_BEGIN:
    case JSON_TOKEN_ARRAY_BEGIN:
        return depth < 4 || refuse(reader, "are nested too deep");
    case JSON_TOKEN_OBJECT_END:
        reader->is_base64 = false;
        return true;
    case JSON_TOKEN_ARRAY_END:
        return true;
    default:
        return take_header(reader, token, text, size);
    }
}

static bool take(void *context, enum json_token token, uint32_t depth, const char *text, size_t size)
{
    struct envelope_reader *reader = context;
    if (depth == 0) {
        reader->is_object = token == JSON_TOKEN_OBJECT_BEGIN || token == JSON_TOKEN_OBJECT_END;
        return reader->is_object || refuse(reader, "not a JSON object");
    }
    if (depth > 1) {
        return field_is(reader, "headers") ? take_in_headers(reader, token, depth, text, size)
                                           : refuse(reader, "must not be nested");
    }
    return token == JSON_TOKEN_KEY ? take_field_name(reader, text, size)
                                   : take_field(reader, token, text, size);
}

int envelope_reader_create(struct envelope_reader **out, struct error *error)
{
    struct envelope_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        return error_set(error, -1, "no memory for envelopes");
    }
    buffer_init(&reader->decoded, ENVELOPE_LINE_BYTES);
    if (json_reader_create(&reader->json, ENVELOPE_LINE_BYTES, error) != JSON_OK) {
        free(reader);
        return -1;
    }
    *out = reader;
    return 0;
}

void envelope_reader_destroy(struct envelope_reader *reader)
{
    if (reader != NULL) {
        json_reader_destroy(reader->json);
        buffer_free(&reader->decoded);
        free(reader);
    }
}

int envelope_read(struct envelope_reader *reader, const char *text, size_t size, struct bus_record *record,
                  struct error *error)
{
    record->key = record->value = (struct bus_bytes){NULL, 0};
    record->partition = BUS_PARTITION_BY_KEY;
    record->offset = -1;
    record->headers = reader->headers;
    record->header_count = 0;
    reader->record = record;
    reader->error = error;
    reader->names_used = 0;
    reader->field[0] = '\0';
    reader->is_base64 = false;
    buffer_clear(&reader->decoded);
    /* Decoding takes less room than the line, so the buffer won't move under the record. */
    if (buffer_reserve(&reader->decoded, size + 1) == NULL) {
        return error_set(error, -1, "no memory for a line of %zu bytes", size);
    }
    struct error why;
    int result = json_read(reader->json, text, size, take, reader, &why);
    if (result == JSON_OK || result == JSON_STOPPED) {
        return result == JSON_OK ? 0 : -1; /* stopped: refuse has said why */
    }
    return error_set(error, -1, "not JSON: %s", why.message);
}
