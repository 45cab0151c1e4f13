#include "json_text.h"

#include "json/json_write.h"

#include <stdio.h>
#include <string.h>

/* What is written while a text is read. */
struct rewriting {
    struct buffer *out;
    bool indents;
    bool is_first;  /* of its container: no comma */
    bool after_key; /* the next value stands on the key's line */
    bool skips;     /* the value of a field that is set */
    bool needs_object;
    const struct json_text_set *sets;
    size_t set_count;
};

static void begin_item(struct rewriting *rewriting, uint32_t depth)
{
    if (rewriting->after_key || depth == 0) {
        rewriting->after_key = false;
        return;
    }
    if (!rewriting->is_first) {
        buffer_append_char(rewriting->out, ',');
    }
    rewriting->is_first = false;
    if (rewriting->indents) {
        buffer_append_format(rewriting->out, "\n%*s", (int)(2 * depth), "");
    }
}

static void write_quoted(struct buffer *out, const char *text, size_t size)
{
    buffer_append_char(out, '"');
    json_append_escaped(out, text, size);
    buffer_append_char(out, '"');
}

static void write_key(struct rewriting *rewriting, uint32_t depth, const char *text, size_t size)
{
    begin_item(rewriting, depth);
    write_quoted(rewriting->out, text, size);
    buffer_append_text(rewriting->out, rewriting->indents ? ": " : ":");
    rewriting->after_key = true;
}

static void write_scalar(struct buffer *out, enum json_token token, const char *text, size_t size)
{
    if (token == JSON_TOKEN_STRING) {
        write_quoted(out, text, size);
    } else if (token == JSON_TOKEN_NUMBER) {
        buffer_append(out, text, size);
    } else {
        buffer_append_text(out, token == JSON_TOKEN_NULL   ? "null"
                                : token == JSON_TOKEN_TRUE ? "true"
                                                           : "false");
    }
}

static void end_container(struct rewriting *rewriting, enum json_token token, uint32_t depth)
{
    if (rewriting->indents && !rewriting->is_first) {
        buffer_append_format(rewriting->out, "\n%*s", (int)(2 * depth), "");
    }
    rewriting->is_first = false;
    buffer_append_char(rewriting->out, token == JSON_TOKEN_OBJECT_END ? '}' : ']');
}

static bool is_set(const struct rewriting *rewriting, const char *text, size_t size)
{
    for (size_t i = 0; i < rewriting->set_count; i++) {
        const char *name = rewriting->sets[i].name;
        if (strlen(name) == size && memcmp(name, text, size) == 0) {
            return true;
        }
    }
    return false;
}

static void write_sets(struct rewriting *rewriting)
{
    for (size_t i = 0; i < rewriting->set_count; i++) {
        const struct json_text_set *set = &rewriting->sets[i];
        write_key(rewriting, 1, set->name, strlen(set->name));
        buffer_append(rewriting->out, set->value.data, set->value.size);
        rewriting->after_key = false;
    }
}

static bool rewrite(void *context, enum json_token token, uint32_t depth, const char *text, size_t size)
{
    struct rewriting *rewriting = context;
    bool ends_all = depth == 0 && (token == JSON_TOKEN_OBJECT_END || token == JSON_TOKEN_ARRAY_END);
    if (depth == 0 && token != JSON_TOKEN_OBJECT_BEGIN && !ends_all &&
        (rewriting->needs_object || token != JSON_TOKEN_ARRAY_BEGIN)) {
        return false;
    }
    if (ends_all || (depth == 1 && token == JSON_TOKEN_KEY)) {
        rewriting->skips = !ends_all && is_set(rewriting, text, size);
    }
    if (rewriting->skips) {
        return true;
    }
    if (ends_all) {
        write_sets(rewriting);
    }
    switch (token) {
    case JSON_TOKEN_KEY:
        write_key(rewriting, depth, text, size);
        break;
    case JSON_TOKEN_OBJECT_BEGIN:
    case JSON_TOKEN_ARRAY_BEGIN:
        begin_item(rewriting, depth);
        buffer_append_char(rewriting->out, token == JSON_TOKEN_OBJECT_BEGIN ? '{' : '[');
        rewriting->is_first = true;
        break;
    case JSON_TOKEN_OBJECT_END:
    case JSON_TOKEN_ARRAY_END:
        end_container(rewriting, token, depth);
        break;
    default:
        begin_item(rewriting, depth);
        write_scalar(rewriting->out, token, text, size);
    }
    return !rewriting->out->failed;
}

static bool rewrite_all(struct rewriting *rewriting, struct json_reader *reader, const void *data,
                        size_t size)
{
    struct error error;
    size_t before = rewriting->out->size;
    if (json_read(reader, data, size, rewrite, rewriting, &error) == JSON_OK) {
        return true;
    }
    rewriting->out->size = before;
    return false;
}

bool json_text_indent(struct buffer *out, struct json_reader *reader, const void *data, size_t size)
{
    struct rewriting rewriting = {.out = out, .indents = true};
    return rewrite_all(&rewriting, reader, data, size);
}

bool json_text_change(struct buffer *out, struct json_reader *reader, const void *data, size_t size,
                      const struct json_text_set *sets, size_t count)
{
    struct rewriting rewriting = {.out = out, .needs_object = true, .sets = sets, .set_count = count};
    return rewrite_all(&rewriting, reader, data, size);
}

bool json_text_parse_set(struct json_text_set *set, struct json_reader *reader, const char *text)
{
    struct error error;
    const char *equals = strchr(text, '=');
    buffer_init(&set->value, 0);
    if (equals == NULL || equals == text || (size_t)(equals - text) >= sizeof set->name) {
        return false;
    }
    (void)snprintf(set->name, sizeof set->name, "%.*s", (int)(equals - text), text);
    const char *value = equals + 1;
    if (json_read(reader, value, strlen(value), NULL, NULL, &error) == JSON_OK) {
        buffer_append_text(&set->value, value);
    } else {
        write_quoted(&set->value, value, strlen(value));
    }
    return !set->value.failed;
}
