/* Why this file is more than a call of the library: yajl is quick, in C and hands out numbers as text, but it
 * lets through what RFC 8259 doesn't (measured: ADR-002), and it allocates. So there are three guards around
 * it:
 *
 *   text  -> check_encoding   UTF-8 of the whole text, \u escapes in proper pairs, no \v and \f
 *         -> yajl             grammar; all its memory from an arena that each call begins anew
 *         -> enter, on_number depth and the grammar of numbers
 *         -> sink
 */
#include "json/json_read.h"

#include "json/number.h"
#include "json/utf8.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#define ARENA_ALIGNMENT 16

struct arena {
    unsigned char *memory;
    size_t size;
    size_t used;
    unsigned char *last; /* the newest block: it can grow in place */
};

struct json_reader {
    size_t max_bytes;
    char *texts; /* strings whose escapes were undone, one after the other; together shorter than the input */
    size_t texts_used;
    struct arena arena;
    /* of the current call */
    const char *data;
    size_t size;
    json_sink *sink;
    void *context;
    uint32_t depth;
    bool too_deep, bad_number;
};

/* --- the arena: each block is led by its size --- */

static void *arena_take(void *context, size_t size)
{
    struct arena *arena = context;
    size_t rounded = (size + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT + ARENA_ALIGNMENT;
    /* yajl doesn't look at the result; json_reader_create has reckoned what it can need. */
    assert(arena->size - arena->used >= rounded);
    unsigned char *block = arena->memory + arena->used + ARENA_ALIGNMENT;
    memcpy(block - sizeof size, &size, sizeof size);
    arena->used += rounded;
    arena->last = block;
    return block;
}

static void *arena_grow(void *context, void *old, size_t size)
{
    struct arena *arena = context;
    if (old == NULL) {
        return arena_take(context, size);
    }
    size_t old_size;
    memcpy(&old_size, (unsigned char *)old - sizeof old_size, sizeof old_size);
    if (old == arena->last) {
        arena->used = (size_t)(arena->last - arena->memory) - ARENA_ALIGNMENT;
        return arena_take(context, size); /* the same address */
    }
    void *block = arena_take(context, size);
    memcpy(block, old, old_size < size ? old_size : size);
    return block;
}

static void arena_forget(void *context, void *block)
{
    (void)context; /* all at once, at the next call */
    (void)block;
}

/* --- yajl's callbacks --- */

static bool hand_on(struct json_reader *reader, enum json_token token, const char *text, size_t size)
{
    return reader->sink == NULL || reader->sink(reader->context, token, reader->depth, text, size);
}

/* yajl points into the input where it can, else into memory that the next string overwrites. */
static const char *keep_text(struct json_reader *reader, const char *text, size_t size)
{
    uintptr_t offset = (uintptr_t)text - (uintptr_t)reader->data;
    if (offset < reader->size || size == 0) {
        return text;
    }
    assert(reader->max_bytes - reader->texts_used >= size);
    char *kept = reader->texts + reader->texts_used;
    memcpy(kept, text, size);
    reader->texts_used += size;
    return kept;
}

static int on_null(void *context)
{
    return hand_on(context, JSON_TOKEN_NULL, NULL, 0);
}

static int on_boolean(void *context, int value)
{
    return hand_on(context, value != 0 ? JSON_TOKEN_TRUE : JSON_TOKEN_FALSE, NULL, 0);
}

static int on_number(void *context, const char *text, size_t size)
{
    struct json_reader *reader = context;
    struct json_number number;
    if (json_number_scan(text, size, &number) != size) {
        reader->bad_number = true;
        return 0;
    }
    return hand_on(reader, JSON_TOKEN_NUMBER, keep_text(reader, text, size), size);
}

static int on_string(void *context, const unsigned char *text, size_t size)
{
    return hand_on(context, JSON_TOKEN_STRING, keep_text(context, (const char *)text, size), size);
}

static int on_key(void *context, const unsigned char *text, size_t size)
{
    return hand_on(context, JSON_TOKEN_KEY, keep_text(context, (const char *)text, size), size);
}

static int enter(struct json_reader *reader, enum json_token token)
{
    if (reader->depth == JSON_DEPTH) {
        reader->too_deep = true;
        return 0;
    }
    bool go_on = hand_on(reader, token, NULL, 0);
    reader->depth++;
    return go_on;
}

static int leave(struct json_reader *reader, enum json_token token)
{
    reader->depth--;
    return hand_on(reader, token, NULL, 0);
}

static int on_object_begin(void *context)
{
    return enter(context, JSON_TOKEN_OBJECT_BEGIN);
}

static int on_object_end(void *context)
{
    return leave(context, JSON_TOKEN_OBJECT_END);
}

static int on_array_begin(void *context)
{
    return enter(context, JSON_TOKEN_ARRAY_BEGIN);
}

static int on_array_end(void *context)
{
    return leave(context, JSON_TOKEN_ARRAY_END);
}

/* --- what yajl doesn't check --- */

/* The four hex digits after \u at text; -1: no such escape there. */
static int32_t read_escape(const char *text, const char *end)
{
    if (end - text < 6 || text[0] != '\\' || text[1] != 'u') {
        return -1;
    }
    int32_t value = 0;
    for (int i = 2; i < 6; i++) {
        unsigned char c = (unsigned char)text[i];
        int digit = c >= '0' && c <= '9'                     ? c - '0'
                    : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                             : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

/* Backslashes are legal inside strings only, which yajl sees to: here each one is taken for an escape's
 * begin. Returns the first \u that is half of a pair without the other half, or NULL. */
static const char *find_lone_surrogate(const char *text, size_t size)
{
    const char *end = text + size;
    const char *at = text;
    while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        int32_t unit = read_escape(at, end);
        if (unit < 0) {
            at = end - at > 2 ? at + 2 : end; /* another escape, or one that yajl will refuse */
        } else if (unit < 0xd800 || unit > 0xdfff) {
            at += 6;
        } else {
            int32_t second = unit < 0xdc00 ? read_escape(at + 6, end) : -1;
            if (second < 0xdc00 || second > 0xdfff) {
                return at;
            }
            at += 12;
        }
    }
    return NULL;
}

static int check_encoding(const char *text, size_t size, struct error *error)
{
    if (!utf8_is_valid(text, size)) {
        size_t at = 0;
        for (size_t length = 1; length > 0; at += length) {
            length = utf8_sequence(text + at, size - at);
        }
        return error_set(error, JSON_INVALID, "not UTF-8 at byte %zu", at);
    }
    for (const char *c = "\v\f"; *c != '\0'; c++) { /* white space to yajl, legal nowhere */
        const char *found = memchr(text, *c, size);
        if (found != NULL) {
            return error_set(error, JSON_INVALID, "a control character at byte %zu", (size_t)(found - text));
        }
    }
    const char *lone = find_lone_surrogate(text, size);
    if (lone != NULL) {
        return error_set(error, JSON_INVALID, "half of a surrogate pair at byte %zu", (size_t)(lone - text));
    }
    return JSON_OK;
}

/* --- the module --- */

int json_reader_create(struct json_reader **out, size_t max_bytes, struct error *error)
{
    struct json_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        return error_set(error, JSON_INVALID, "no memory for a JSON reader");
    }
    reader->max_bytes = max_bytes;
    /* yajl keeps two buffers that double from 2 KiB (undone escapes, a token cut off by the end), each moving
     * at most log2 times: the sum of a buffer's sizes is under 4 × the input; and a byte a container in steps
     * of 128. */
    reader->arena.size = 8 * max_bytes + 64 * 1024;
    reader->arena.memory = malloc(reader->arena.size);
    reader->texts = malloc(max_bytes + 1);
    if (reader->arena.memory == NULL || reader->texts == NULL) {
        json_reader_destroy(reader);
        return error_set(error, JSON_INVALID, "no memory for a JSON reader of %zu bytes", max_bytes);
    }
    *out = reader;
    return JSON_OK;
}

void json_reader_destroy(struct json_reader *reader)
{
    if (reader != NULL) {
        free(reader->arena.memory);
        free(reader->texts);
        free(reader);
    }
}

static int say_why(struct json_reader *reader, yajl_handle parser, struct error *error)
{
    size_t at = yajl_get_bytes_consumed(parser);
    if (reader->too_deep) {
        return error_set(error, JSON_INVALID, "nested more than %d deep at byte %zu", JSON_DEPTH, at);
    }
    if (reader->bad_number) {
        return error_set(error, JSON_INVALID, "not a JSON number before byte %zu", at);
    }
    unsigned char *why = yajl_get_error(parser, 0, NULL, 0); /* "parse error: premature EOF\n" */
    if (strstr((const char *)why, "premature EOF") != NULL) {
        at = reader->size;
    }
    int length = (int)strcspn((const char *)why, "\n");
    return error_set(error, JSON_INVALID, "%.*s at byte %zu", length, (const char *)why, at);
}

int json_read(struct json_reader *reader, const void *data, size_t size, json_sink *sink, void *context,
              struct error *error)
{
    static const yajl_callbacks callbacks = {.yajl_null = on_null,
                                             .yajl_boolean = on_boolean,
                                             .yajl_number = on_number,
                                             .yajl_string = on_string,
                                             .yajl_start_map = on_object_begin,
                                             .yajl_map_key = on_key,
                                             .yajl_end_map = on_object_end,
                                             .yajl_start_array = on_array_begin,
                                             .yajl_end_array = on_array_end};
    if (size > reader->max_bytes) {
        return error_set(error, JSON_TOO_LONG, "%zu bytes, at most %zu are read", size, reader->max_bytes);
    }
    if (size == 0) {
        return error_set(error, JSON_INVALID, "empty: there is no JSON value");
    }
    int result = check_encoding(data, size, error);
    if (result != JSON_OK) {
        return result;
    }
    reader->arena.used = 0;
    reader->arena.last = NULL;
    reader->texts_used = 0;
    reader->data = data;
    reader->size = size;
    reader->sink = sink;
    reader->context = context;
    reader->depth = 0;
    reader->too_deep = reader->bad_number = false;

    yajl_alloc_funcs memory = {arena_take, arena_grow, arena_forget, &reader->arena};
    yajl_handle parser = yajl_alloc(&callbacks, &memory, reader);
    yajl_config(parser, yajl_dont_validate_strings, 1); /* check_encoding did, strictly */
    yajl_status status = yajl_parse(parser, data, size);
    if (status == yajl_status_ok) {
        status = yajl_complete_parse(parser);
    }
    if (status == yajl_status_ok) {
        return JSON_OK;
    }
    if (status == yajl_status_client_canceled && !reader->too_deep && !reader->bad_number) {
        return error_set(error, JSON_STOPPED, "stopped at byte %zu", yajl_get_bytes_consumed(parser));
    }
    return say_why(reader, parser, error);
}
