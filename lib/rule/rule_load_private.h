/* lib/rule/rule_load_private: one file being read, for the files that read it:
 *
 *   rule_load.c       a file becomes a set; what every rule has: name, type, signal, severity, group, match,
 * runbook rule_decision.c   when it fires: threshold, windows, evidence, silence, history rule_layout.c the
 * window layout that all rules share */
#ifndef OBS_RULE_RULE_LOAD_PRIVATE_H
#define OBS_RULE_RULE_LOAD_PRIVATE_H

#include "error/error.h"
#include "rule/rule.h"
#include "yaml/yaml_tree.h"

struct rule_loader {
    const struct yaml_tree *tree;
    struct rule_set *set;
    struct error *error;
    uint32_t lengths_s[RULE_MAX][WINDOW_LENGTHS]; /* of each rule, before the layout is known */
};

/* All return 0, or -1 with the error set: file, line and what to write. */
/* rule_load.c */
int rule_read_whole(struct rule_loader *l, const struct yaml_node *mapping, const char *key, int64_t minimum,
                    int64_t maximum, int64_t absent, int64_t *value);
/* A word of a NULL-ended list, as its index. */
int rule_read_word(struct rule_loader *l, const struct yaml_node *node, const char *key,
                   const char *const *words, int *index);
/* NULL: refused. */
const struct yaml_node *rule_require_key(struct rule_loader *l, const struct yaml_node *mapping,
                                         const char *key);
/* rule_decision.c: of a rule whose type and signal are known. */
int rule_read_decision(struct rule_loader *l, const struct yaml_node *mapping, struct rule *rule);
/* rule_layout.c */
int rule_make_layout(struct rule_loader *l);

#endif
