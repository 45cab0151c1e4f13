#include "rule/rule_load.h"

#include "yaml/yaml_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MIN_SAMPLES 20
#define DEFAULT_MIN_BAD     5
#define DEFAULT_CONFIDENCE  0.999
#define DEFAULT_VIOLATIONS  2
#define DEFAULT_CLEAR       20
#define DEFAULT_CLEAR_ODDS  100
#define MAX_EVALUATIONS     3600

/* One file being read. */
struct loader {
    const struct yaml_tree *tree;
    struct rule_set *set;
    struct error *error;
    uint32_t lengths_s[RULE_MAX][WINDOW_LENGTHS]; /* of each rule, before the layout is known */
};

static int read_whole(struct loader *l, const struct yaml_node *mapping, const char *key, int64_t minimum,
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

/* A word of a NULL-ended list, as its index. */
static int read_word(struct loader *l, const struct yaml_node *node, const char *key,
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

static const struct yaml_node *require_key(struct loader *l, const struct yaml_node *mapping, const char *key)
{
    const struct yaml_node *node = yaml_get(mapping, key);
    if (node == NULL) {
        (void)yaml_refuse(l->tree, mapping, l->error, "'%s' is missing", key);
    }
    return node;
}

static int read_name(struct loader *l, const struct yaml_node *mapping, struct rule *rule)
{
    const struct yaml_node *node = require_key(l, mapping, "name");
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

static int read_signal(struct loader *l, const struct yaml_node *mapping, struct rule *rule)
{
    static const char *const types[] = {"static", "baseline", NULL};
    static const char *const signals[] = {"latency_p50",  "latency_p95", "latency_p99", "error_rate",
                                          "request_rate", "cpu",         "memory",      NULL};
    const struct yaml_node *type = yaml_get(mapping, "type");
    const struct yaml_node *node = require_key(l, mapping, "signal");
    int index = 0;
    if (node == NULL || (type != NULL && read_word(l, type, "type", types, &index) != 0)) {
        return -1;
    }
    if (index == 1) {
        return yaml_refuse(l->tree, type, l->error, "baseline rules are not supported yet");
    }
    if (read_word(l, node, "signal", signals, &index) != 0) {
        return -1;
    }
    rule->signal = (enum rule_signal)index;
    return 0;
}

static int read_threshold(struct loader *l, const struct yaml_node *mapping, struct rule *rule)
{
    const struct yaml_node *above = yaml_get(mapping, "above");
    const struct yaml_node *below = yaml_get(mapping, "below");
    if ((above == NULL) == (below == NULL)) {
        return yaml_refuse(l->tree, mapping, l->error, "rule '%s' needs either 'above' or 'below'",
                           rule->name);
    }
    const struct yaml_node *node = above != NULL ? above : below;
    const char *key = above != NULL ? "above" : "below";
    rule->below = below != NULL;
    if (yaml_read_real(l->tree, node, key, &rule->threshold, l->error) != 0) {
        return -1;
    }
    bool is_ratio =
        rule->signal == RULE_ERROR_RATE || rule->signal == RULE_CPU || rule->signal == RULE_MEMORY;
    if (rule->threshold < 0 || (is_ratio && rule->threshold >= 1) ||
        (rule_is_share(rule) && rule->threshold == 0)) {
        return yaml_refuse(l->tree, node, l->error, "'%s' must be %s, not %s", key,
                           is_ratio ? "a share between 0 and 1" : "more than 0", node->text);
    }
    if (rule->below && rule_is_share(rule)) {
        return yaml_refuse(l->tree, node, l->error, "a %s rule can only be 'above'",
                           rule_signal_name(rule->signal));
    }
    return 0;
}

static int read_window(struct loader *l, const struct yaml_node *node, uint32_t *length_s)
{
    int64_t ms = 0;
    if (yaml_read_duration_ms(l->tree, node, "window", &ms, l->error) != 0) {
        return -1;
    }
    if (ms < 1000 || ms > WINDOW_MAX_SECONDS * INT64_C(1000) || ms % 1000 != 0) {
        return yaml_refuse(l->tree, node, l->error, "'window' must be whole seconds from 1s to 1h, not %s",
                           node->text);
    }
    *length_s = (uint32_t)(ms / 1000);
    return 0;
}

static int read_windows(struct loader *l, const struct yaml_node *mapping, struct rule *rule)
{
    static const uint32_t defaults[] = {10, 60, 600};
    uint32_t *lengths_s = l->lengths_s[l->set->count];
    const struct yaml_node *node = yaml_get(mapping, "window");
    if (node == NULL) {
        memcpy(lengths_s, defaults, sizeof defaults);
        rule->window_count = rule_is_share(rule) ? 3 : 1;
        lengths_s[0] = rule_is_share(rule) ? 10 : 60;
        return 0;
    }
    rule->window_count = node->kind == YAML_SEQUENCE ? (uint32_t)node->count : 1;
    if (rule->window_count == 0 || rule->window_count > WINDOW_LENGTHS ||
        (rule->window_count > 1 && !rule_is_share(rule))) {
        return yaml_refuse(l->tree, node, l->error, "'window' must be one time%s",
                           rule_is_share(rule) ? " or a list of up to 8" : " for this signal");
    }
    for (uint32_t i = 0; i < rule->window_count; i++) {
        const struct yaml_node *item = node->kind == YAML_SEQUENCE ? node->items[i] : node;
        if (read_window(l, item, &lengths_s[i]) != 0) {
            return -1;
        }
        if (i > 0 && lengths_s[i] <= lengths_s[i - 1]) {
            return yaml_refuse(l->tree, item, l->error, "windows must be in ascending order");
        }
    }
    return 0;
}

static int read_evidence(struct loader *l, const struct yaml_node *mapping, struct rule *rule)
{
    int64_t min_samples = 0;
    int64_t min_bad = 0;
    int64_t violations = 0;
    int64_t clear = 0;
    if (read_whole(l, mapping, "min_samples", 0, 1000000, DEFAULT_MIN_SAMPLES, &min_samples) != 0 ||
        read_whole(l, mapping, "min_bad", 1, 1000000, DEFAULT_MIN_BAD, &min_bad) != 0 ||
        read_whole(l, mapping, "for_violations", 1, MAX_EVALUATIONS, DEFAULT_VIOLATIONS, &violations) != 0 ||
        read_whole(l, mapping, "for_clear", 1, MAX_EVALUATIONS, DEFAULT_CLEAR, &clear) != 0) {
        return -1;
    }
    rule->min_samples = (uint64_t)min_samples;
    rule->min_bad = (uint64_t)min_bad;
    rule->for_violations = (uint32_t)violations;
    rule->for_clear = (uint32_t)clear;
    rule->confidence = DEFAULT_CONFIDENCE;
    rule->clear_odds = DEFAULT_CLEAR_ODDS;
    const struct yaml_node *confidence = yaml_get(mapping, "confidence");
    if (confidence != NULL && confidence->kind == YAML_SCALAR && strcmp(confidence->text, "off") == 0) {
        rule->confidence = 0;
    } else if (confidence != NULL &&
               yaml_read_real(l->tree, confidence, "confidence", &rule->confidence, l->error) != 0) {
        return -1;
    }
    if (confidence != NULL && rule->confidence != 0 && (rule->confidence < 0.5 || rule->confidence >= 1)) {
        return yaml_refuse(l->tree, confidence, l->error,
                           "'confidence' must be from 0.5 to below 1, or off, not %s", confidence->text);
    }
    const struct yaml_node *odds = yaml_get(mapping, "clear_odds");
    if (odds == NULL) {
        return 0;
    }
    if (yaml_read_real(l->tree, odds, "clear_odds", &rule->clear_odds, l->error) != 0) {
        return -1;
    }
    if (rule->clear_odds <= 1 || rule->clear_odds > 1e9) {
        return yaml_refuse(l->tree, odds, l->error, "'clear_odds' must be more than 1, not %s", odds->text);
    }
    return 0;
}

/* hold | resolve | fire, or {resolve: 5m}. Without a time: the longest window. */
static int read_no_data(struct loader *l, const struct yaml_node *mapping, struct rule *rule)
{
    static const char *const words[] = {"hold", "resolve", "fire", NULL};
    const struct yaml_node *node = yaml_get(mapping, "on_no_data");
    rule->on_no_data = RULE_HOLD;
    rule->no_data_after_s = l->lengths_s[l->set->count][rule->window_count - 1];
    if (node == NULL) {
        return 0;
    }
    bool timed = node->kind == YAML_MAPPING && node->count == 1;
    int index = 0;
    if (read_word(l, timed ? node->keys[0] : node, "on_no_data", words, &index) != 0) {
        return -1;
    }
    rule->on_no_data = (enum rule_no_data)index;
    int64_t ms = 0;
    if (timed && yaml_read_duration_ms(l->tree, node->items[0], "on_no_data", &ms, l->error) != 0) {
        return -1;
    }
    if (timed && (ms < 1000 || ms > WINDOW_MAX_SECONDS * INT64_C(1000))) {
        return yaml_refuse(l->tree, node, l->error, "the time of 'on_no_data' must be from 1s to 1h");
    }
    rule->no_data_after_s = timed ? (ms + 999) / 1000 : rule->no_data_after_s;
    return 0;
}

static int read_severity(struct loader *l, const struct yaml_node *mapping, struct rule *rule)
{
    static const char *const words[] = {"info", "warning", "critical", NULL};
    const struct yaml_node *node = require_key(l, mapping, "severity");
    int index = 0;
    if (node == NULL || read_word(l, node, "severity", words, &index) != 0) {
        return -1;
    }
    rule->severity = (enum rule_severity)index;
    return 0;
}

static int read_group_by(struct loader *l, const struct yaml_node *mapping, struct rule *rule)
{
    static const char *const words[] = {"service.name", "cloud.region", "http.route", NULL};
    const struct yaml_node *node = yaml_get(mapping, "group_by");
    if (node == NULL) {
        return 0;
    }
    bool named[3] = {false, false, false};
    for (size_t i = 0; node->kind == YAML_SEQUENCE && i < node->count; i++) {
        int index = 0;
        if (read_word(l, node->items[i], "group_by", words, &index) != 0) {
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

static int read_match(struct loader *l, const struct yaml_node *mapping, struct rule *rule)
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

static int read_runbook(struct loader *l, const struct yaml_node *mapping, struct rule *rule)
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

static int read_rule(struct loader *l, const struct yaml_node *mapping)
{
    static const char *const allowed[] = {
        "name",       "type",        "signal",     "above",          "below",     "window",
        "min_bad",    "min_samples", "confidence", "for_violations", "for_clear", "clear_odds",
        "on_no_data", "severity",    "group_by",   "match",          "runbook",   NULL};
    if (yaml_check_keys(l->tree, mapping, allowed, l->error) != 0) {
        return -1;
    }
    if (l->set->count == RULE_MAX) {
        return yaml_refuse(l->tree, mapping, l->error, "more than %d rules", RULE_MAX);
    }
    struct rule *rule = &l->set->rules[l->set->count];
    if (read_name(l, mapping, rule) != 0 || read_signal(l, mapping, rule) != 0 ||
        read_threshold(l, mapping, rule) != 0 || read_windows(l, mapping, rule) != 0 ||
        read_evidence(l, mapping, rule) != 0 || read_no_data(l, mapping, rule) != 0 ||
        read_severity(l, mapping, rule) != 0 || read_group_by(l, mapping, rule) != 0 ||
        read_match(l, mapping, rule) != 0 || read_runbook(l, mapping, rule) != 0) {
        return -1;
    }
    l->set->count++;
    return 0;
}

/* --- the layout that all rules share ---- */

static int add_length(struct loader *l, uint32_t length_s)
{
    struct window_layout *layout = &l->set->layout;
    uint32_t at = 0;
    while (at < layout->length_count && layout->lengths_s[at] < length_s) {
        at++;
    }
    if (at < layout->length_count && layout->lengths_s[at] == length_s) {
        return 0;
    }
    if (layout->length_count == WINDOW_LENGTHS) {
        return yaml_refuse(l->tree, yaml_tree_root(l->tree), l->error,
                           "the rules name more than %d different windows", WINDOW_LENGTHS);
    }
    memmove(&layout->lengths_s[at + 1], &layout->lengths_s[at],
            (layout->length_count - at) * sizeof layout->lengths_s[0]);
    layout->lengths_s[at] = length_s;
    layout->length_count++;
    return 0;
}

static int add_threshold(struct loader *l, struct rule *rule)
{
    struct window_layout *layout = &l->set->layout;
    uint32_t at = 0;
    while (at < layout->threshold_count && layout->thresholds_s[at] != rule->threshold) {
        at++;
    }
    if (at == WINDOW_THRESHOLDS) {
        return yaml_refuse(l->tree, yaml_tree_root(l->tree), l->error,
                           "the rules name more than %d different latencies", WINDOW_THRESHOLDS);
    }
    layout->thresholds_s[at] = rule->threshold;
    layout->threshold_count = at == layout->threshold_count ? at + 1 : layout->threshold_count;
    rule->slow_index = at;
    return 0;
}

static uint32_t length_index(const struct window_layout *layout, uint32_t length_s)
{
    uint32_t at = 0;
    while (layout->lengths_s[at] != length_s) {
        at++;
    }
    return at;
}

static int make_layout(struct loader *l)
{
    struct rule_set *set = l->set;
    /* What the pages show is always there. */
    int result = add_length(l, 10) | add_length(l, 60) | add_length(l, 600);
    for (size_t i = 0; i < set->count && result == 0; i++) {
        for (uint32_t w = 0; w < set->rules[i].window_count && result == 0; w++) {
            result = add_length(l, l->lengths_s[i][w]);
        }
        if (result == 0 && rule_is_latency(&set->rules[i])) {
            result = add_threshold(l, &set->rules[i]);
        }
        set->any_by_route |= set->rules[i].by_route;
        set->layout.gauges |= set->rules[i].signal == RULE_CPU || set->rules[i].signal == RULE_MEMORY;
    }
    for (size_t i = 0; i < set->count && result == 0; i++) {
        for (uint32_t w = 0; w < set->rules[i].window_count; w++) {
            set->rules[i].windows[w] = length_index(&set->layout, l->lengths_s[i][w]);
        }
    }
    return result;
}

static int read_rules(struct loader *l)
{
    static const char *const allowed[] = {"rules", NULL};
    const struct yaml_node *root = yaml_tree_root(l->tree);
    if (yaml_check_keys(l->tree, root, allowed, l->error) != 0) {
        return -1;
    }
    const struct yaml_node *rules = require_key(l, root, "rules");
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
    return make_layout(l);
}

static int load_tree(struct rule_set **out, const struct yaml_tree *tree, struct error *error)
{
    struct loader *loader = calloc(1, sizeof *loader);
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
