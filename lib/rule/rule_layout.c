/* Which windows and latencies the rules of a set need together. */
#include "rule/rule_load_private.h"

#include <string.h>

static int add_length(struct rule_loader *l, uint32_t length_s)
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

static int add_threshold(struct rule_loader *l, struct rule *rule)
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

int rule_make_layout(struct rule_loader *l)
{
    struct rule_set *set = l->set;
    /* What the pages show is always there. */
    int result = add_length(l, 10) | add_length(l, 60) | add_length(l, 600);
    for (size_t i = 0; i < set->count && result == 0; i++) {
        for (uint32_t w = 0; w < set->rules[i].window_count && result == 0; w++) {
            result = add_length(l, l->lengths_s[i][w]);
        }
        if (result == 0 && rule_is_latency(&set->rules[i]) && !set->rules[i].is_baseline) {
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
