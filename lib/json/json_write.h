/* lib/json/json_write: JSON text, written into a buffer in document order. Commas and colons come by
 * themselves.
 *
 *   struct json_writer w; json_writer_init(&w, &buffer);
 *   json_object_begin(&w); json_key(&w, "rule"); json_string(&w, "HighErrorRate"); json_object_end(&w);
 *
 * Strings: control characters, '"' and '\' are escaped; bad UTF-8 becomes U+FFFD, so the output is always
 * valid JSON. Numbers: the shortest decimal that reads back as the same double; NaN and infinities are
 * written as null. Misuse (a value where a key must stand, unbalanced ends) is a programming error, caught by
 * assert. Failure is the buffer's: check buffer.failed at the end. */
#ifndef OBS_JSON_JSON_WRITE_H
#define OBS_JSON_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;

#define JSON_WRITER_DEPTH 64

struct json_writer {
    struct buffer *buffer;
    uint32_t depth;
    bool has_items; /* a comma is due before the next item */
    bool after_key; /* the next value belongs to a key */
};

void json_writer_init(struct json_writer *writer, struct buffer *buffer);
void json_object_begin(struct json_writer *writer);
void json_object_end(struct json_writer *writer);
void json_array_begin(struct json_writer *writer);
void json_array_end(struct json_writer *writer);
void json_key(struct json_writer *writer, const char *name);
void json_key_bytes(struct json_writer *writer, const char *name, size_t size);
void json_string(struct json_writer *writer, const char *text); /* NULL: null */
void json_string_bytes(struct json_writer *writer, const char *text, size_t size);
void json_integer(struct json_writer *writer, int64_t value);
void json_unsigned(struct json_writer *writer, uint64_t value);
void json_real(struct json_writer *writer, double value);
void json_boolean(struct json_writer *writer, bool value);
void json_null(struct json_writer *writer);
/* A value that is JSON already (one whole value), put in as it is. */
void json_raw(struct json_writer *writer, const char *json, size_t size);

/* The shortest decimal that reads back as value (up to 17 digits, form of %g), NUL-ended; not for NaN,
 * infinities. */
#define JSON_REAL_BYTES 32
void json_format_real(char out[JSON_REAL_BYTES], double value);

/* The escaped form without quotes, appended to the buffer. */
void json_append_escaped(struct buffer *buffer, const char *text, size_t size);

#endif
