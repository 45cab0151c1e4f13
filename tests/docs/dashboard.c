#include "docs/dashboard.h"

#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "support/files.h"
#include "yaml/yaml_tree.h"

#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

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

/* --- the queries; JSON is YAML too ---- */

struct reading {
    void (*take)(void *context, const struct dashboard_query *query);
    void *context;
    const char *file;
};

static const char *text_of(const struct yaml_node *node, const char *key)
{
    const struct yaml_node *found = node == NULL ? NULL : yaml_get(node, key);
    return found == NULL || found->kind != YAML_SCALAR ? "" : found->text;
}

static void hand_on(const struct reading *reading, const char *panel, const char *expression, bool rare,
                    bool has_exemplars)
{
    struct buffer replaced;
    buffer_init(&replaced, 0);
    dashboard_replace_variables(&replaced, expression);
    const struct dashboard_query query = {
        .file = reading->file,
        .panel = panel,
        .expression = buffer_text(&replaced),
        .rare = rare || strstr(reading->file, "kubernetes") != NULL,
        .has_exemplars = has_exemplars,
    };
    reading->take(reading->context, &query);
    buffer_free(&replaced);
}

static void read_panel(const struct reading *reading, const struct yaml_node *panel)
{
    const struct yaml_node *targets = yaml_get(panel, "targets");
    const struct yaml_node *config = yaml_get(panel, "fieldConfig");
    const struct yaml_node *defaults = config == NULL ? NULL : yaml_get(config, "defaults");
    const bool rare = *text_of(defaults, "noValue") != '\0';
    for (size_t i = 0; targets != NULL && i < targets->count; i++) {
        hand_on(reading, text_of(panel, "title"), text_of(targets->items[i], "expr"), rare,
                strcmp(text_of(targets->items[i], "exemplar"), "true") == 0);
    }
}

/* label_values(series, label): the series. */
static void read_variable(const struct reading *reading, const struct yaml_node *variable)
{
    static const char begin[] = "label_values(";
    char series[512];
    const char *query = text_of(yaml_get(variable, "query"), "query");
    const char *comma = strrchr(query, ',');
    if (comma != NULL && strncmp(query, begin, sizeof begin - 1) == 0) {
        snprintf(series, sizeof series, "%.*s", (int)(comma - query - (ptrdiff_t)sizeof begin + 1),
                 query + sizeof begin - 1);
        hand_on(reading, text_of(variable, "name"), series, false, false);
    }
}

/* The list in an object of its own: {"list": […]}. */
static const struct yaml_node *list_in(const struct yaml_node *root, const char *key)
{
    const struct yaml_node *holder = yaml_get(root, key);
    return holder == NULL ? NULL : yaml_get(holder, "list");
}

static void read_dashboard(const struct reading *reading, const struct yaml_node *root)
{
    const struct yaml_node *panels = yaml_get(root, "panels");
    const struct yaml_node *variables = list_in(root, "templating");
    const struct yaml_node *annotations = list_in(root, "annotations");
    for (size_t i = 0; panels != NULL && i < panels->count; i++) {
        read_panel(reading, panels->items[i]);
    }
    for (size_t i = 0; variables != NULL && i < variables->count; i++) {
        read_variable(reading, variables->items[i]);
    }
    for (size_t i = 0; annotations != NULL && i < annotations->count; i++) {
        hand_on(reading, text_of(annotations->items[i], "name"),
                text_of(yaml_get(annotations->items[i], "target"), "expr"), true, false);
    }
}

void dashboard_each_query(void (*take)(void *context, const struct dashboard_query *query), void *context)
{
    glob_t files;
    if (glob(OBS_SOURCE_DIR "/dashboards/*.json", 0, NULL, &files) == GLOB_NOMATCH) {
        return;
    }
    for (size_t i = 0; i < files.gl_pathc; i++) {
        struct yaml_tree *tree = NULL;
        struct error error;
        error_clear(&error);
        if (yaml_tree_load(&tree, files.gl_pathv[i], &error) != 0) {
            fail_msg("%s", error.message);
        }
        const struct reading reading = {take, context, files.gl_pathv[i] + strlen(OBS_SOURCE_DIR) + 1};
        read_dashboard(&reading, yaml_tree_root(tree));
        yaml_tree_destroy(tree);
    }
    globfree(&files);
}
