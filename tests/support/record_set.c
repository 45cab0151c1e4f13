#include "record_set.h"

#include "json/json_read.h"

#include "cmocka_all.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES (256 * 1024)

struct line {
    struct record_case *into;
    char key[32];
    size_t pad_to;
};

static void copy(char *out, size_t room, const char *text, size_t size)
{
    assert_true(size < room);
    memcpy(out, text, size);
    out[size] = '\0';
}

static unsigned sextet(char c)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c == '\0' ? NULL : strchr(alphabet, c);
    assert_non_null(found);
    return (unsigned)(found - alphabet);
}

static void take_base64(struct record_case *into, const char *text, size_t size)
{
    into->data = malloc(size / 4 * 3 + 1);
    assert_non_null(into->data);
    for (size_t i = 0; i < size; i += 4) {
        unsigned padding = text[i + 2] == '=' ? 2 : text[i + 3] == '=' ? 1 : 0;
        unsigned bits = sextet(text[i]) << 18 | sextet(text[i + 1]) << 12;
        bits |= padding == 2 ? 0 : sextet(text[i + 2]) << 6;
        bits |= padding > 0 ? 0 : sextet(text[i + 3]);
        for (unsigned byte = 0; byte < 3 - padding; byte++) {
            into->data[into->size++] = (char)(bits >> (16 - 8 * byte));
        }
    }
}

static void take_value(struct line *line, const char *text, size_t size)
{
    struct record_case *into = line->into;
    if (strcmp(line->key, "case") == 0) {
        copy(into->name, sizeof into->name, text, size);
    } else if (strcmp(line->key, "reason") == 0) {
        copy(into->reason, sizeof into->reason, text, size);
    } else if (strcmp(line->key, "field") == 0) {
        copy(into->field, sizeof into->field, text, size);
    } else if (strcmp(line->key, "pad_to") == 0) {
        line->pad_to = strtoul(text, NULL, 10);
    } else if (strcmp(line->key, "record") == 0) {
        into->data = malloc(size + 1);
        assert_non_null(into->data);
        memcpy(into->data, text, size);
        into->size = size;
    } else if (strcmp(line->key, "record_base64") == 0) {
        take_base64(into, text, size);
    }
}

static bool take(void *context, enum json_token token, uint32_t depth, const char *text, size_t size)
{
    struct line *line = context;
    if (depth == 1 && token == JSON_TOKEN_KEY) {
        copy(line->key, sizeof line->key, text, size);
    } else if (depth == 1) {
        take_value(line, text, size);
    }
    return true;
}

static void fit(struct record_case *into, size_t pad_to)
{
    size_t size = pad_to > into->size ? pad_to : into->size;
    char *data = malloc(size == 0 ? 1 : size);
    assert_non_null(data);
    memset(data, ' ', size);
    if (into->size > 0) {
        memcpy(data, into->data, into->size);
    }
    free(into->data);
    into->data = data;
    into->size = size;
}

void record_set_load(struct record_set *set, const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail_msg("can't open %s", path);
    }
    struct json_reader *reader = NULL;
    assert_int_equal(json_reader_create(&reader, LINE_BYTES, NULL), JSON_OK);
    static char text[LINE_BYTES];
    *set = (struct record_set){0};
    while (fgets(text, sizeof text, file) != NULL) {
        set->cases = realloc(set->cases, (set->count + 1) * sizeof *set->cases);
        assert_non_null(set->cases);
        struct line line = {.into = &set->cases[set->count++]};
        *line.into = (struct record_case){.data = NULL};
        struct error error = {0};
        if (json_read(reader, text, strlen(text), take, &line, &error) != JSON_OK ||
            line.into->data == NULL) {
            fail_msg("%s:%zu: %s", path, set->count, error.message);
        }
        fit(line.into, line.pad_to);
    }
    json_reader_destroy(reader);
    (void)fclose(file);
    assert_true(set->count > 0);
}

void record_set_free(struct record_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        free(set->cases[i].data);
    }
    free(set->cases);
}
