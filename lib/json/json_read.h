/* lib/json/json_read: JSON text (RFC 8259) as a stream of tokens, strictly, in memory of a fixed size.
 *
 * Accepted is exactly one JSON value in well-formed UTF-8 with nothing but white space around it; refused are
 * bad UTF-8, unpaired surrogate escapes (they have no UTF-8), a byte order mark, and more than JSON_DEPTH
 * containers inside each other. Numbers are checked by grammar and handed on as text: json/number.h makes
 * doubles of them. The same key twice in an object is valid JSON: the sink sees both. The whole text is
 * checked; a sink sees tokens of a text that may turn out invalid further on, so it acts on the result of
 * json_read alone.
 *
 * The library behind it is no one's business (ADR-002). A reader allocates once, at creation; one per thread.
 */
#ifndef OBS_JSON_JSON_READ_H
#define OBS_JSON_JSON_READ_H

#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH 1024

enum json_token {
    JSON_TOKEN_NULL,
    JSON_TOKEN_FALSE,
    JSON_TOKEN_TRUE,
    JSON_TOKEN_NUMBER, /* text: as written */
    JSON_TOKEN_STRING, /* text: escapes undone, UTF-8, may hold NULs */
    JSON_TOKEN_KEY,    /* the same; the next token is its value */
    JSON_TOKEN_OBJECT_BEGIN,
    JSON_TOKEN_OBJECT_END,
    JSON_TOKEN_ARRAY_BEGIN,
    JSON_TOKEN_ARRAY_END
};

/* depth: how many containers the token stands in (0: the whole value; its own keys and items 1; a container's
 * begin and end have the depth of the container itself). text isn't NUL-ended and lives as long as the data
 * that was read and until the reader's next json_read. False: stop, json_read answers JSON_STOPPED. */
typedef bool json_sink(void *context, enum json_token token, uint32_t depth, const char *text, size_t size);

enum { JSON_OK = 0, JSON_INVALID = -1, JSON_STOPPED = -2, JSON_TOO_LONG = -3 };

struct json_reader;

/* max_bytes: the longest text it will take; it reserves about nine times that, of which only what is used
 * becomes resident. */
int json_reader_create(struct json_reader **out, size_t max_bytes, struct error *error);
void json_reader_destroy(struct json_reader *reader); /* NULL is fine */

/* JSON_OK, or a negative code with error saying what is wrong and at which byte. A NULL sink: only check. */
int json_read(struct json_reader *reader, const void *data, size_t size, json_sink *sink, void *context,
              struct error *error);

#endif
