#include "dashboards/lint.h"

#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "yaml/yaml_tree.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void lint_complain(struct lint *lint, const struct yaml_node *node, const char *format, ...)
{
    char sentence[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    buffer_append_format(lint->complaints, "%s:%d: ", lint->file, node == NULL ? 1 : node->line);
    if (lint->panel != NULL) {
        buffer_append_format(lint->complaints, "panel '%s': ", lint_text(lint->panel, "title"));
    }
    buffer_append_format(lint->complaints, "%s\n", sentence);
}

const struct yaml_node *lint_find(const struct yaml_node *node, const char *path)
{
    char key[64];
    while (node != NULL && *path != '\0') {
        const size_t size = strcspn(path, ".");
        (void)snprintf(key, sizeof key, "%.*s", (int)size, path);
        node = yaml_get(node, key);
        path += size + (path[size] == '.');
    }
    return node;
}

const char *lint_text(const struct yaml_node *node, const char *path)
{
    const struct yaml_node *found = lint_find(node, path);
    return found == NULL || found->kind != YAML_SCALAR ? "" : found->text;
}

double lint_number(const struct yaml_node *node, const char *path)
{
    const char *text = lint_text(node, path);
    char *end = NULL;
    const double value = strtod(text, &end);
    return *text == '\0' || *end != '\0' ? (double)NAN : value;
}

bool lint_is_one_of(const char *text, const char *list)
{
    const size_t size = strlen(text);
    for (const char *at = list;; at++) {
        const size_t length = strcspn(at, "|");
        if (length == size && memcmp(at, text, size) == 0) {
            return true;
        }
        at += length;
        if (*at == '\0') {
            return false;
        }
    }
}

void lint_each_panel(struct lint *lint, void (*check)(struct lint *lint, const struct yaml_node *panel))
{
    const struct yaml_node *panels = yaml_get(lint->root, "panels");
    for (size_t i = 0; panels != NULL && i < panels->count; i++) {
        lint->panel = panels->items[i];
        check(lint, panels->items[i]);
    }
    lint->panel = NULL;
}

void lint_dashboard(const char *file, const char *text, size_t size, const struct alert_list *alerts,
                    struct buffer *complaints)
{
    struct yaml_tree *tree = NULL;
    struct error error;
    error_clear(&error);
    if (yaml_tree_parse(&tree, file, text, size, &error) != 0) {
        buffer_append_format(complaints, "%s\n", error.message);
        return;
    }
    struct lint lint = {
        .file = file, .root = yaml_tree_root(tree), .alerts = alerts, .complaints = complaints};
    lint_frame(&lint);
    lint_panels(&lint);
    lint_queries(&lint);
    lint_limits(&lint);
    lint_fields(&lint);
    yaml_tree_destroy(tree);
}
