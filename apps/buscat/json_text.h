/* JSON text written anew: indented for people, or with some fields of its object set. */
#ifndef BUSCAT_JSON_TEXT_H
#define BUSCAT_JSON_TEXT_H

#include "buffer/buffer.h"
#include "json/json_read.h"

#include <stdbool.h>
#include <stddef.h>

#define JSON_TEXT_SETS 16

/* A field of the outermost object and its new value, JSON already. */
struct json_text_set {
    char name[256];
    struct buffer value;
};

/* "field=value": a value that isn't JSON is a text. False: no such form, or no memory. */
bool json_text_parse_set(struct json_text_set *set, struct json_reader *reader, const char *text);

/* Both append to out and leave it as it was when they answer false. */
/* An object or array, two spaces a level. False: it is neither, or not JSON. */
bool json_text_indent(struct buffer *out, struct json_reader *reader, const void *data, size_t size);
/* The object with those fields, each once, at its end; the others as they were. False: not a JSON object. */
bool json_text_change(struct buffer *out, struct json_reader *reader, const void *data, size_t size,
                      const struct json_text_set *sets, size_t count);

#endif
