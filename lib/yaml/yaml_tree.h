/* lib/yaml: a YAML document as a tree that remembers line numbers, so that every complaint can name where.
 * libyaml is behind it.
 *
 * Limits, because files may be hostile: 1 MiB, depth 32, 20 000 nodes; one document unless several are asked
 * for; anchors, aliases and tags are refused; a key given twice in one mapping is refused (naming both
 * lines). Ownership: nodes and their texts belong to the tree. One thread at a time. */
#ifndef OBS_YAML_YAML_TREE_H
#define OBS_YAML_YAML_TREE_H

#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_node {
    enum yaml_kind kind;
    int line;                 /* from 1 */
    const char *text;         /* scalar: its value, NUL-ended */
    bool quoted;              /* scalar: in quotes, so a string whatever it looks like */
    size_t count;             /* sequence: items; mapping: pairs */
    struct yaml_node **keys;  /* mapping: the scalar keys */
    struct yaml_node **items; /* sequence: the items; mapping: the values, in file order */
};

struct yaml_tree;

/* name is what errors call the source ("config/anomaly-rules.yaml"). An empty document is an empty mapping.
 */
int yaml_tree_parse(struct yaml_tree **out, const char *name, const void *data, size_t size,
                    struct error *error);
int yaml_tree_load(struct yaml_tree **out, const char *path, struct error *error);
/* The same for a text of several documents, "---" between them: the root is the list of those that aren't
 * empty. */
int yaml_tree_parse_documents(struct yaml_tree **out, const char *name, const void *data, size_t size,
                              struct error *error);
int yaml_tree_load_documents(struct yaml_tree **out, const char *path, struct error *error);
void yaml_tree_destroy(struct yaml_tree *tree);
const struct yaml_node *yaml_tree_root(const struct yaml_tree *tree);

/* NULL when the key is absent (or node is no mapping). */
const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key);
/* The key itself, for a complaint about its being there: its line is where a reader finds it. NULL as above.
 */
const struct yaml_node *yaml_get_key(const struct yaml_node *mapping, const char *key);

/* Typed reads; on a mismatch they return -1 and say "NAME:LINE: 'key' must be a number, not 'x'". what: how
 * the sentence calls it. */
int yaml_read_text(const struct yaml_tree *tree, const struct yaml_node *node, const char *what,
                   const char **value, struct error *error);
int yaml_read_real(const struct yaml_tree *tree, const struct yaml_node *node, const char *what,
                   double *value, struct error *error);
int yaml_read_integer(const struct yaml_tree *tree, const struct yaml_node *node, const char *what,
                      int64_t *value, struct error *error);
int yaml_read_boolean(const struct yaml_tree *tree, const struct yaml_node *node, const char *what,
                      bool *value, struct error *error);
/* "250ms", "15s", "5m", "1h30m", "7d"; a plain number is seconds. */
int yaml_read_duration_ms(const struct yaml_tree *tree, const struct yaml_node *node, const char *what,
                          int64_t *value_ms, struct error *error);
/* Refuses keys of the mapping that aren't in the NULL-ended list, naming the nearest allowed one's list. */
int yaml_check_keys(const struct yaml_tree *tree, const struct yaml_node *mapping, const char *const *allowed,
                    struct error *error);
/* "NAME:LINE: sentence"; returns -1. */
int yaml_refuse(const struct yaml_tree *tree, const struct yaml_node *node, struct error *error,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
