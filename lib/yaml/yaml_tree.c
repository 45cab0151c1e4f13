/* The tree is built from libyaml's events, not from its document API: that one resolves aliases, knows no
 * duplicate keys, and has no limits. */
#include "yaml/yaml_tree.h"

#include "text/parse_value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define MAX_BYTES 1048576
#define MAX_DEPTH 32
#define MAX_NODES 20000

struct yaml_tree {
    char *name;
    struct yaml_node *root;
    size_t node_count;
};

struct builder {
    yaml_parser_t parser;
    struct yaml_tree *tree;
    struct error *error;
    int depth;
    bool several; /* documents: the root is their list */
};

static void node_destroy(struct yaml_node *node)
{
    if (node == NULL) {
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        node_destroy(node->items[i]);
        if (node->keys != NULL) {
            node_destroy(node->keys[i]);
        }
    }
    free(node->items);
    free(node->keys);
    free((char *)(uintptr_t)node->text);
    free(node);
}

static int refuse_at(const struct yaml_tree *tree, int line, struct error *error, const char *sentence)
{
    return error_set(error, -1, "%s:%d: %s", tree->name, line, sentence);
}

int yaml_refuse(const struct yaml_tree *tree, const struct yaml_node *node, struct error *error,
                const char *format, ...)
{
    char sentence[ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return refuse_at(tree, node == NULL ? 1 : node->line, error, sentence);
}

static int event_line(const yaml_event_t *event)
{
    return (int)event->start_mark.line + 1;
}

static int next_event(struct builder *b, yaml_event_t *event)
{
    if (yaml_parser_parse(&b->parser, event) == 0) {
        char sentence[512];
        (void)snprintf(sentence, sizeof sentence, "not valid YAML: %s%s%s",
                       b->parser.context == NULL ? "" : b->parser.context,
                       b->parser.context == NULL ? "" : ": ",
                       b->parser.problem == NULL ? "no memory" : b->parser.problem);
        return refuse_at(b->tree, (int)b->parser.problem_mark.line + 1, b->error, sentence);
    }
    return 0;
}

static struct yaml_node *new_node(struct builder *b, enum yaml_kind kind, int line)
{
    struct yaml_node *node = NULL;
    if (b->tree->node_count >= MAX_NODES) {
        (void)refuse_at(b->tree, line, b->error, "too many values (more than 20000)");
    } else if ((node = calloc(1, sizeof *node)) == NULL) {
        (void)refuse_at(b->tree, line, b->error, "no memory");
    } else {
        b->tree->node_count++;
        node->kind = kind;
        node->line = line;
    }
    return node;
}

static struct yaml_node *build_node(struct builder *b, const yaml_event_t *event);

static struct yaml_node *build_scalar(struct builder *b, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    if (strlen(text) != event->data.scalar.length) {
        (void)refuse_at(b->tree, event_line(event), b->error, "a NUL character inside a value");
        return NULL;
    }
    struct yaml_node *node = new_node(b, YAML_SCALAR, event_line(event));
    if (node == NULL) {
        return NULL;
    }
    node->text = strdup(text);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (node->text == NULL) {
        (void)refuse_at(b->tree, node->line, b->error, "no memory");
        node_destroy(node);
        return NULL;
    }
    return node;
}

/* Takes key (NULL in a sequence) and item over, also when it fails. */
static int add_item(struct builder *b, struct yaml_node *node, struct yaml_node *key, struct yaml_node *item)
{
    if (node->count % 8 == 0) {
        struct yaml_node **items = realloc(node->items, (node->count + 8) * sizeof *items);
        node->items = items == NULL ? node->items : items;
        struct yaml_node **keys = NULL;
        if (node->kind == YAML_MAPPING) {
            keys = realloc(node->keys, (node->count + 8) * sizeof *keys);
            node->keys = keys == NULL ? node->keys : keys;
        }
        if (items == NULL || (node->kind == YAML_MAPPING && keys == NULL)) {
            node_destroy(key);
            node_destroy(item);
            return refuse_at(b->tree, node->line, b->error, "no memory");
        }
    }
    if (key != NULL) {
        node->keys[node->count] = key;
    }
    node->items[node->count++] = item;
    return 0;
}

static int check_new_key(struct builder *b, const struct yaml_node *mapping, const struct yaml_node *key)
{
    for (size_t i = 0; i < mapping->count; i++) {
        if (strcmp(mapping->keys[i]->text, key->text) == 0) {
            return yaml_refuse(b->tree, key, b->error, "'%s' is given twice, first in line %d", key->text,
                               mapping->keys[i]->line);
        }
    }
    return 0;
}

static struct yaml_node *build_key(struct builder *b, const struct yaml_node *mapping,
                                   const yaml_event_t *event)
{
    if (event->type != YAML_SCALAR_EVENT) {
        (void)refuse_at(b->tree, event_line(event), b->error, "a key must be plain text");
        return NULL;
    }
    struct yaml_node *key = build_node(b, event);
    if (key != NULL && check_new_key(b, mapping, key) != 0) {
        node_destroy(key);
        return NULL;
    }
    return key;
}

/* One item of a container, from the event that begins it. */
static int build_item(struct builder *b, struct yaml_node *node, const yaml_event_t *first)
{
    if (node->kind == YAML_SEQUENCE) {
        struct yaml_node *item = build_node(b, first);
        return item == NULL ? -1 : add_item(b, node, NULL, item);
    }
    struct yaml_node *key = build_key(b, node, first);
    if (key == NULL) {
        return -1;
    }
    yaml_event_t event;
    if (next_event(b, &event) != 0) {
        node_destroy(key);
        return -1;
    }
    struct yaml_node *value = build_node(b, &event);
    yaml_event_delete(&event);
    if (value == NULL) {
        node_destroy(key);
        return -1;
    }
    return add_item(b, node, key, value);
}

static struct yaml_node *build_container(struct builder *b, enum yaml_kind kind, int line)
{
    if (b->depth >= MAX_DEPTH) {
        (void)refuse_at(b->tree, line, b->error, "nested too deep (more than 32 levels)");
        return NULL;
    }
    struct yaml_node *node = new_node(b, kind, line);
    if (node == NULL) {
        return NULL;
    }
    b->depth++;
    for (;;) {
        yaml_event_t event;
        if (next_event(b, &event) != 0) {
            break;
        }
        bool ended = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        int failed = ended ? 0 : build_item(b, node, &event);
        yaml_event_delete(&event);
        if (ended) {
            b->depth--;
            return node;
        }
        if (failed != 0) {
            break;
        }
    }
    node_destroy(node);
    return NULL;
}

static bool has_anchor_or_tag(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor != NULL || event->data.sequence_start.tag != NULL;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor != NULL || event->data.mapping_start.tag != NULL;
    default:
        return event->type == YAML_ALIAS_EVENT;
    }
}

static struct yaml_node *build_node(struct builder *b, const yaml_event_t *event)
{
    if (has_anchor_or_tag(event)) {
        (void)refuse_at(b->tree, event_line(event), b->error, "anchors, aliases and tags are not supported");
        return NULL;
    }
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return build_scalar(b, event);
    case YAML_SEQUENCE_START_EVENT:
        return build_container(b, YAML_SEQUENCE, event_line(event));
    case YAML_MAPPING_START_EVENT:
        return build_container(b, YAML_MAPPING, event_line(event));
    default:
        (void)refuse_at(b->tree, event_line(event), b->error, "a value is missing");
        return NULL;
    }
}

static bool is_empty_document(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR && !node->quoted && node->text[0] == '\0';
}

static int add_document(struct builder *b, const yaml_event_t *first)
{
    struct yaml_node *node = build_node(b, first);
    if (node == NULL) {
        return -1;
    }
    if (!b->several) {
        b->tree->root = node;
        return 0;
    }
    if (is_empty_document(node)) {
        node_destroy(node);
        return 0;
    }
    return add_item(b, b->tree->root, NULL, node);
}

/* Stream start, at most one document or several, stream end. */
static int build_stream(struct builder *b)
{
    for (;;) {
        yaml_event_t event;
        if (next_event(b, &event) != 0) {
            return -1;
        }
        int failed = 0;
        bool ended = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT && b->tree->root != NULL && !b->several) {
            failed =
                refuse_at(b->tree, event_line(&event), b->error, "a second document; one file holds one");
        } else if (event.type == YAML_SCALAR_EVENT || event.type == YAML_SEQUENCE_START_EVENT ||
                   event.type == YAML_MAPPING_START_EVENT || event.type == YAML_ALIAS_EVENT) {
            failed = add_document(b, &event);
        }
        yaml_event_delete(&event);
        if (failed != 0 || ended) {
            return failed;
        }
    }
}

static int parse(struct yaml_tree **out, const char *name, const void *data, size_t size, bool several,
                 struct error *error)
{
    *out = NULL;
    struct builder b = {.tree = calloc(1, sizeof *b.tree), .error = error, .several = several};
    if (b.tree == NULL || (b.tree->name = strdup(name)) == NULL || yaml_parser_initialize(&b.parser) == 0) {
        yaml_tree_destroy(b.tree);
        return error_set(error, -1, "%s: no memory", name);
    }
    int result = 0;
    if (size > MAX_BYTES) {
        result = error_set(error, -1, "%s: larger than 1 MiB", name);
    } else if (several && (b.tree->root = new_node(&b, YAML_SEQUENCE, 1)) == NULL) {
        result = -1;
    } else {
        yaml_parser_set_input_string(&b.parser, data, size);
        result = build_stream(&b);
    }
    if (result == 0 && b.tree->root == NULL) { /* nothing in it */
        b.tree->root = new_node(&b, YAML_MAPPING, 1);
        result = b.tree->root == NULL ? -1 : 0;
    }
    yaml_parser_delete(&b.parser);
    if (result != 0) {
        yaml_tree_destroy(b.tree);
        return -1;
    }
    *out = b.tree;
    return 0;
}

static int load(struct yaml_tree **out, const char *path, bool several, struct error *error)
{
    *out = NULL;
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return error_set_errno(error, -1, errno, "cannot open '%s'", path);
    }
    char *data = malloc(MAX_BYTES + 1);
    int result;
    if (data == NULL) {
        result = error_set(error, -1, "%s: no memory", path);
    } else {
        size_t size = fread(data, 1, MAX_BYTES + 1, file);
        result = ferror(file) != 0 ? error_set_errno(error, -1, errno, "cannot read '%s'", path)
                                   : parse(out, path, data, size, several, error);
    }
    free(data);
    (void)fclose(file);
    return result;
}

int yaml_tree_parse(struct yaml_tree **out, const char *name, const void *data, size_t size,
                    struct error *error)
{
    return parse(out, name, data, size, false, error);
}

int yaml_tree_load(struct yaml_tree **out, const char *path, struct error *error)
{
    return load(out, path, false, error);
}

int yaml_tree_parse_documents(struct yaml_tree **out, const char *name, const void *data, size_t size,
                              struct error *error)
{
    return parse(out, name, data, size, true, error);
}

int yaml_tree_load_documents(struct yaml_tree **out, const char *path, struct error *error)
{
    return load(out, path, true, error);
}

void yaml_tree_destroy(struct yaml_tree *tree)
{
    if (tree != NULL) {
        node_destroy(tree->root);
        free(tree->name);
        free(tree);
    }
}

const struct yaml_node *yaml_tree_root(const struct yaml_tree *tree)
{
    return tree->root;
}

/* The index of the pair; the count when there is none. */
static size_t find_pair(const struct yaml_node *mapping, const char *key)
{
    size_t i = 0;
    while (i < mapping->count && strcmp(mapping->keys[i]->text, key) != 0) {
        i++;
    }
    return i;
}

const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key)
{
    if (mapping == NULL || mapping->kind != YAML_MAPPING) {
        return NULL;
    }
    const size_t i = find_pair(mapping, key);
    return i < mapping->count ? mapping->items[i] : NULL;
}

const struct yaml_node *yaml_get_key(const struct yaml_node *mapping, const char *key)
{
    if (mapping == NULL || mapping->kind != YAML_MAPPING) {
        return NULL;
    }
    const size_t i = find_pair(mapping, key);
    return i < mapping->count ? mapping->keys[i] : NULL;
}

static int refuse_type(const struct yaml_tree *tree, const struct yaml_node *node, const char *what,
                       const char *wanted, struct error *error)
{
    return node->kind == YAML_SCALAR
               ? yaml_refuse(tree, node, error, "'%s' must be %s, not '%.80s'", what, wanted, node->text)
               : yaml_refuse(tree, node, error, "'%s' must be %s, not a %s", what, wanted,
                             node->kind == YAML_MAPPING ? "mapping" : "list");
}

int yaml_read_text(const struct yaml_tree *tree, const struct yaml_node *node, const char *what,
                   const char **value, struct error *error)
{
    if (node->kind != YAML_SCALAR || node->text[0] == '\0') {
        return refuse_type(tree, node, what, "text", error);
    }
    *value = node->text;
    return 0;
}

int yaml_read_real(const struct yaml_tree *tree, const struct yaml_node *node, const char *what,
                   double *value, struct error *error)
{
    if (node->kind != YAML_SCALAR || node->quoted || !parse_real(node->text, value)) {
        return refuse_type(tree, node, what, "a number", error);
    }
    return 0;
}

int yaml_read_integer(const struct yaml_tree *tree, const struct yaml_node *node, const char *what,
                      int64_t *value, struct error *error)
{
    if (node->kind != YAML_SCALAR || node->quoted || !parse_integer(node->text, value)) {
        return refuse_type(tree, node, what, "a whole number", error);
    }
    return 0;
}

int yaml_read_boolean(const struct yaml_tree *tree, const struct yaml_node *node, const char *what,
                      bool *value, struct error *error)
{
    if (node->kind != YAML_SCALAR || node->quoted || !parse_boolean(node->text, value)) {
        return refuse_type(tree, node, what, "true or false", error);
    }
    return 0;
}

int yaml_read_duration_ms(const struct yaml_tree *tree, const struct yaml_node *node, const char *what,
                          int64_t *value_ms, struct error *error)
{
    if (node->kind != YAML_SCALAR || !parse_duration_ms(node->text, value_ms)) {
        return refuse_type(tree, node, what, "a time such as 250ms, 15s, 5m or 1h30m", error);
    }
    return 0;
}

int yaml_check_keys(const struct yaml_tree *tree, const struct yaml_node *mapping, const char *const *allowed,
                    struct error *error)
{
    if (mapping->kind != YAML_MAPPING) {
        return refuse_at(tree, mapping->line, error, "must be a mapping of keys to values");
    }
    for (size_t i = 0; i < mapping->count; i++) {
        const char *const *name = allowed;
        while (*name != NULL && strcmp(*name, mapping->keys[i]->text) != 0) {
            name++;
        }
        if (*name == NULL) {
            char list[384] = "";
            size_t used = 0;
            for (name = allowed; *name != NULL && used < sizeof list - 64; name++) {
                used +=
                    (size_t)snprintf(list + used, sizeof list - used, "%s%s", used == 0 ? "" : ", ", *name);
            }
            return yaml_refuse(tree, mapping->keys[i], error, "unknown key '%.80s'; allowed: %s",
                               mapping->keys[i]->text, list);
        }
    }
    return 0;
}
