#include "rule/rule_load.h"

#include "rule/rule_load_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int rule_read_whole(struct rule_loader *l, const struct yaml_node *mapping, const char *key, int64_t minimum,
                    int64_t maximum, int64_t absent, int64_t *value)
{
    const struct yaml_node *node = yaml_get(mapping, key);
    *value = absent;
    if (node == NULL) {
        return 0;
    }
    if (yaml_read_integer(l->tree, node, key, value, l->error) != 0) {
        return -1;
    }
    if (*value < minimum || *value > maximum) {
        return yaml_refuse(l->tree, node, l->error, "'%s' must be from %lld to %lld, not %s", key,
                           (long long)minimum, (long long)maximum, node->text);
    }
    return 0;
}

int rule_read_word(struct rule_loader *l, const struct yaml_node *node, const char *key,
                   const char *const *words, int *index)
{
    const char *text = NULL;
    if (yaml_read_text(l->tree, node, key, &text, l->error) != 0) {
        return -1;
    }
    for (*index = 0; words[*index] != NULL; ++*index) {
        if (strcmp(words[*index], text) == 0) {
            return 0;
        }
    }
    char list[256] = "";
    size_t used = 0;
    for (size_t i = 0; words[i] != NULL; i++) {
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : ", ", words[i]);
    }
    return yaml_refuse(l->tree, node, l->error, "'%s' must be one of %s, not '%.60s'", key, list, text);
}

const struct yaml_node *rule_require_key(struct rule_loader *l, const struct yaml_node *mapping,
                                         const char *key)
{
    const struct yaml_node *node = yaml_get(mapping, key);
    if (node == NULL) {
        (void)yaml_refuse(l->tree, mapping, l->error, "'%s' is missing", key);
    }
    return node;
}

static int read_name(struct rule_loader *l, const struct yaml_node *mapping, struct rule *rule)
{
    const struct yaml_node *node = rule_require_key(l, mapping, "name");
    const char *name = NULL;
    if (node == NULL || yaml_read_text(l->tree, node, "name", &name, l->error) != 0) {
        return -1;
    }
    if (name[0] == '\0' || strlen(name) >= sizeof rule->name ||
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name)) {
        return yaml_refuse(l->tree, node, l->error,
                           "'name' must be 1 to 64 letters, digits or _, not '%.80s'", name);
    }
    for (size_t i = 0; i < l->set->count; i++) {
        if (strcmp(l->set->rules[i].name, name) == 0) {
            return yaml_refuse(l->tree, node, l->error, "a rule named '%s' stands above already", name);
        }
    }
    (void)snprintf(rule->name, sizeof rule->name, "%s", name);
    return 0;
}

static int read_signal(struct rule_loader *l, const struct yaml_node *mapping, struct rule *rule)
{
    static const char *const types[] = {"static", "baseline", NULL};
    static const char *const signals[] = {"latency_p50",  "latency_p95", "latency_p99", "error_rate",
                                          "request_rate", "cpu",         "memory",      NULL};
    const struct yaml_node *type = yaml_get(mapping, "type");
    const struct yaml_node *node = rule_require_key(l, mapping, "signal");
    int index = 0;
    if (node == NULL || (type != NULL && rule_read_word(l, type, "type", types, &index) != 0)) {
        return -1;
    }
    rule->is_baseline = index == 1;
    if (rule_read_word(l, node, "signal", signals, &index) != 0) {
        return -1;
    }
    rule->signal = (enum rule_signal)index;
    return 0;
}

static int read_severity(struct rule_loader *l, const struct yaml_node *mapping, struct rule *rule)
{
    static const char *const words[] = {"info", "warning", "critical", NULL};
    const struct yaml_node *node = rule_require_key(l, mapping, "severity");
    int index = 0;
    if (node == NULL || rule_read_word(l, node, "severity", words, &index) != 0) {
        return -1;
    }
    rule->severity = (enum rule_severity)index;
    return 0;
}

static int read_group_by(struct rule_loader *l, const struct yaml_node *mapping, struct rule *rule)
{
    static const char *const words[] = {"service.name", "cloud.region", "http.route", NULL};
    const struct yaml_node *node = yaml_get(mapping, "group_by");
    if (node == NULL) {
        return 0;
    }
    bool named[3] = {false, false, false};
    for (size_t i = 0; node->kind == YAML_SEQUENCE && i < node->count; i++) {
        int index = 0;
        if (rule_read_word(l, node->items[i], "group_by", words, &index) != 0) {
            return -1;
        }
        named[index] = true;
    }
    if (!named[0] || !named[1]) {
        return yaml_refuse(
            l->tree, node, l->error,
            "'group_by' must hold service.name and cloud.region: records are partitioned by them; a wider "
            "group is a matter for Prometheus rules");
    }
    rule->by_route = named[2];
    if (rule->by_route && (rule->signal == RULE_CPU || rule->signal == RULE_MEMORY)) {
        return yaml_refuse(l->tree, node, l->error,
                           "utilisation has no route; take http.route out of 'group_by'");
    }
    return 0;
}

static int read_match(struct rule_loader *l, const struct yaml_node *mapping, struct rule *rule)
{
    static const char *const allowed[] = {"service.name", "cloud.region", "http.route", NULL};
    char *const targets[] = {rule->match_service, rule->match_region, rule->match_route};
    const struct yaml_node *node = yaml_get(mapping, "match");
    if (node == NULL) {
        return 0;
    }
    if (yaml_check_keys(l->tree, node, allowed, l->error) != 0) {
        return -1;
    }
    for (size_t i = 0; allowed[i] != NULL; i++) {
        const struct yaml_node *value = yaml_get(node, allowed[i]);
        const char *text = NULL;
        if (value == NULL) {
            continue;
        }
        if (yaml_read_text(l->tree, value, allowed[i], &text, l->error) != 0) {
            return -1;
        }
        if (strlen(text) >= RULE_LABEL_BYTES || (i == 2 && !rule->by_route)) {
            return yaml_refuse(l->tree, value, l->error, "'%s' %s", allowed[i],
                               i == 2 ? "can only be matched when group_by has it" : "is too long");
        }
        (void)snprintf(targets[i], RULE_LABEL_BYTES, "%s", text);
    }
    return 0;
}

static int read_runbook(struct rule_loader *l, const struct yaml_node *mapping, struct rule *rule)
{
    const struct yaml_node *node = yaml_get(mapping, "runbook");
    const char *text = "";
    if (node != NULL && yaml_read_text(l->tree, node, "runbook", &text, l->error) != 0) {
        return -1;
    }
    if (strlen(text) >= sizeof rule->runbook) {
        return yaml_refuse(l->tree, node, l->error, "'runbook' is too long");
    }
    (void)snprintf(rule->runbook, sizeof rule->runbook, "%s", text);
    return 0;
}

static int read_rule(struct rule_loader *l, const struct yaml_node *mapping)
{
    static const char *const allowed[] = {
        "name",         "type",       "signal",      "above",      "below",
        "window",       "min_bad",    "min_samples", "confidence", "for_violations",
        "for_clear",    "clear_odds", "on_no_data",  "severity",   "group_by",
        "match",        "runbook",    "deviations",  "history",    "min_history",
        "min_expected", NULL};
    if (yaml_check_keys(l->tree, mapping, allowed, l->error) != 0) {
        return -1;
    }
    if (l->set->count == RULE_MAX) {
        return yaml_refuse(l->tree, mapping, l->error, "more than %d rules", RULE_MAX);
    }
    struct rule *rule = &l->set->rules[l->set->count];
    if (read_name(l, mapping, rule) != 0 || read_signal(l, mapping, rule) != 0 ||
        rule_read_decision(l, mapping, rule) != 0 || read_severity(l, mapping, rule) != 0 ||
        read_group_by(l, mapping, rule) != 0 || read_match(l, mapping, rule) != 0 ||
        read_runbook(l, mapping, rule) != 0) {
        return -1;
    }
    l->set->count++;
    return 0;
}

static int read_rules(struct rule_loader *l)
{
    static const char *const allowed[] = {"rules", NULL};
    const struct yaml_node *root = yaml_tree_root(l->tree);
    if (yaml_check_keys(l->tree, root, allowed, l->error) != 0) {
        return -1;
    }
    const struct yaml_node *rules = rule_require_key(l, root, "rules");
    if (rules == NULL) {
        return -1;
    }
    if (rules->kind != YAML_SEQUENCE) {
        return yaml_refuse(l->tree, rules, l->error, "'rules' must be a list");
    }
    for (size_t i = 0; i < rules->count; i++) {
        if (read_rule(l, rules->items[i]) != 0) {
            return -1;
        }
    }
    return rule_make_layout(l);
}

static int load_tree(struct rule_set **out, const struct yaml_tree *tree, struct error *error)
{
    struct rule_loader *loader = calloc(1, sizeof *loader);
    struct rule_set *set = calloc(1, sizeof *set);
    int result = -1;
    if (loader == NULL || set == NULL) {
        (void)error_set(error, -1, "no memory for rules");
    } else {
        loader->tree = tree;
        loader->set = set;
        loader->error = error;
        result = read_rules(loader);
    }
    free(loader);
    if (result != 0) {
        free(set);
        set = NULL;
    }
    *out = set;
    return result == 0 ? 0 : -1;
}

int rule_set_parse(struct rule_set **out, const char *name, const void *data, size_t size,
                   struct error *error)
{
    struct yaml_tree *tree = NULL;
    *out = NULL;
    if (yaml_tree_parse(&tree, name, data, size, error) != 0) {
        return -1;
    }
    int result = load_tree(out, tree, error);
    yaml_tree_destroy(tree);
    return result;
}

int rule_set_load(struct rule_set **out, const char *path, struct error *error)
{
    struct yaml_tree *tree = NULL;
    *out = NULL;
    if (yaml_tree_load(&tree, path, error) != 0) {
        return -1;
    }
    int result = load_tree(out, tree, error);
    yaml_tree_destroy(tree);
    return result;
}

void rule_set_destroy(struct rule_set *set)
{
    free(set);
}
