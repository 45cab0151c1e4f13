#include "docs/dashboard.h"

#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "support/files.h"
#include "json/json_read.h"

#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

/* Panels stand in "panels", also within rows; their targets deeper. Title and description may come after the
 * targets, so expressions wait until the panel ends. */
enum { EXPRESSIONS = 32, EXPRESSION_BYTES = 2048 };

struct reading {
    void (*take)(void *context, const struct dashboard_query *query);
    void *context;
    const char *file;
    char key[32];         /* the last one */
    uint32_t panel_depth; /* of the panel that is being read, 0: none */
    uint32_t panels_depth;
    char title[128];
    bool rare;
    size_t count;
    char expressions[EXPRESSIONS][EXPRESSION_BYTES];
};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* "$name", "${name}", "${name:regex}", "[[name]]" -> its value; what it was made of. */
static size_t append_variable(struct buffer *out, const char *text)
{
    static const struct {
        const char *name, *value;
    } values[] = {{"__rate_interval", "1m"},
                  {"__interval", "15s"},
                  {"__range", "5m"},
                  {"__range_s", "300"},
                  {"__interval_ms", "15000"}};
    const bool braces = strncmp(text, "${", 2) == 0;
    const bool brackets = strncmp(text, "[[", 2) == 0;
    const char *name = text + (braces || brackets ? 2 : 1);
    size_t size = 0;
    while (is_word(name[size])) {
        size++;
    }
    const char *value = ".+";
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (strlen(values[i].name) == size && memcmp(values[i].name, name, size) == 0) {
            value = values[i].value;
        }
    }
    buffer_append_text(out, value);
    const char *end = name + size;
    if (braces) {
        end += strcspn(end, "}");
        end += *end == '}';
    } else if (brackets) {
        end += strcspn(end, "]");
        end += strspn(end, "]") < 2 ? strspn(end, "]") : 2;
    }
    return (size_t)(end - text);
}

void dashboard_replace_variables(struct buffer *out, const char *text)
{
    while (*text != '\0') {
        const bool variable = (*text == '$' && (is_word(text[1]) || text[1] == '{')) ||
                              (strncmp(text, "[[", 2) == 0 && is_word(text[2]));
        if (variable) {
            text += append_variable(out, text);
        } else {
            buffer_append_char(out, *text++);
        }
    }
}

static void hand_on(struct reading *reading)
{
    struct buffer expression;
    buffer_init(&expression, 0);
    for (size_t i = 0; i < reading->count; i++) {
        buffer_clear(&expression);
        dashboard_replace_variables(&expression, reading->expressions[i]);
        const struct dashboard_query query = {
            .file = reading->file,
            .panel = reading->title,
            .expression = buffer_text(&expression),
            .rare = reading->rare || reading->title[0] == '\0' || strstr(reading->file, "kubernetes") != NULL,
        };
        reading->take(reading->context, &query);
    }
    buffer_free(&expression);
    reading->count = 0;
    reading->title[0] = '\0';
    reading->rare = false;
}

static void take_text(struct reading *reading, uint32_t depth, const char *text, size_t size)
{
    const bool of_panel = reading->panel_depth > 0 && depth == reading->panel_depth + 1;
    if (strcmp(reading->key, "expr") == 0) {
        assert_true(reading->count < EXPRESSIONS && size < EXPRESSION_BYTES);
        snprintf(reading->expressions[reading->count++], EXPRESSION_BYTES, "%.*s", (int)size, text);
    } else if (of_panel && strcmp(reading->key, "title") == 0) {
        snprintf(reading->title, sizeof reading->title, "%.*s", (int)size, text);
    } else if (strcmp(reading->key, "noValue") == 0) {
        reading->rare = true;
    }
}

static bool take_token(void *context, enum json_token token, uint32_t depth, const char *text, size_t size)
{
    struct reading *reading = context;
    switch (token) {
    case JSON_TOKEN_KEY:
        snprintf(reading->key, sizeof reading->key, "%.*s", (int)size, text);
        break;
    case JSON_TOKEN_ARRAY_BEGIN:
        if (strcmp(reading->key, "panels") == 0) {
            hand_on(reading); /* a row's own */
            reading->panels_depth = depth;
        }
        break;
    case JSON_TOKEN_OBJECT_BEGIN:
        if (reading->panels_depth > 0 && depth == reading->panels_depth + 1) {
            reading->panel_depth = depth;
        }
        break;
    case JSON_TOKEN_OBJECT_END:
        if (depth == reading->panel_depth) {
            hand_on(reading);
        }
        break;
    case JSON_TOKEN_STRING:
        take_text(reading, depth, text, size);
        break;
    default:
        break;
    }
    return true;
}

static void read_dashboard(const char *path, struct reading *reading)
{
    struct buffer text;
    struct json_reader *reader = NULL;
    struct error error;
    error_clear(&error);
    buffer_init(&text, 0);
    file_read(path, &text);
    assert_int_equal(json_reader_create(&reader, text.size, &error), 0);
    if (json_read(reader, text.data, text.size, take_token, reading, &error) != JSON_OK) {
        fail_msg("%s: %s", path, error.message);
    }
    hand_on(reading);
    json_reader_destroy(reader);
    buffer_free(&text);
}

void dashboard_each_query(void (*take)(void *context, const struct dashboard_query *query), void *context)
{
    static struct reading reading; /* too large for a stack */
    glob_t files;
    if (glob(OBS_SOURCE_DIR "/dashboards/*.json", 0, NULL, &files) == GLOB_NOMATCH) {
        return;
    }
    for (size_t i = 0; i < files.gl_pathc; i++) {
        memset(&reading, 0, sizeof reading);
        reading.take = take;
        reading.context = context;
        reading.file = files.gl_pathv[i] + strlen(OBS_SOURCE_DIR) + 1;
        read_dashboard(files.gl_pathv[i], &reading);
    }
    globfree(&files);
}
