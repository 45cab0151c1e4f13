/* When a rule fires and when it resolves. */
#include "rule/rule_load_private.h"

#include "rule/baseline.h"

#include <string.h>

#define DEFAULT_MIN_SAMPLES 20
#define DEFAULT_MIN_BAD     5
#define DEFAULT_CONFIDENCE  0.999
#define DEFAULT_VIOLATIONS  2
#define DEFAULT_CLEAR       20
#define DEFAULT_CLEAR_ODDS  100
#define MAX_EVALUATIONS     3600
#define DAY_MS              INT64_C(86400000)
#define MINUTE_MS           60000
#define MAX_MULTIPLE        1000.0

static int check_threshold(struct rule_loader *l, const struct yaml_node *node, const char *key,
                           const struct rule *rule)
{
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

static int read_threshold(struct rule_loader *l, const struct yaml_node *mapping, struct rule *rule)
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
    return rule->is_baseline ? 0 : check_threshold(l, node, key, rule);
}

/* --- against the series' own history ---- */

/* Times what is expected: on the far side of it, or just there when deviations are added. */
static int check_multiple(struct rule_loader *l, const struct yaml_node *mapping, const struct rule *rule)
{
    const char *key = rule->below ? "below" : "above";
    const struct yaml_node *node = yaml_get(mapping, key);
    bool at_expected = rule->threshold == 1 && rule->deviations > 0;
    bool fits = rule->below ? rule->threshold > 0 && rule->threshold < 1
                            : rule->threshold > 1 && rule->threshold <= MAX_MULTIPLE;
    if (!fits && !at_expected) {
        return yaml_refuse(
            l->tree, node, l->error,
            "'%s' of a baseline rule is times what is expected: %s, or 1 with 'deviations', not %s", key,
            rule->below ? "between 0 and 1, such as 0.2" : "more than 1, such as 3", node->text);
    }
    if (rule->below && (rule_is_latency(rule) || rule->signal == RULE_ERROR_RATE)) {
        return yaml_refuse(l->tree, node, l->error, "a %s rule can only be 'above'",
                           rule_signal_name(rule->signal));
    }
    return 0;
}

static int read_positive(struct rule_loader *l, const struct yaml_node *mapping, const char *key,
                         double *value)
{
    const struct yaml_node *node = yaml_get(mapping, key);
    if (node == NULL) {
        return 0;
    }
    if (yaml_read_real(l->tree, node, key, value, l->error) != 0) {
        return -1;
    }
    return *value > 0
               ? 0
               : yaml_refuse(l->tree, node, l->error, "'%s' must be more than 0, not %s", key, node->text);
}

static int read_history(struct rule_loader *l, const struct yaml_node *mapping, struct rule *rule)
{
    const struct yaml_node *history = yaml_get(mapping, "history");
    const struct yaml_node *least = yaml_get(mapping, "min_history");
    int64_t ms = 7 * DAY_MS;
    if (history != NULL && yaml_read_duration_ms(l->tree, history, "history", &ms, l->error) != 0) {
        return -1;
    }
    if (ms != DAY_MS && ms != 7 * DAY_MS) {
        return yaml_refuse(l->tree, history, l->error,
                           "'history' must be 7d (hour of the week) or 1d (hour of the day), not %s",
                           history->text);
    }
    rule->history_slots = ms == DAY_MS ? BASELINE_HOURS_OF_DAY : BASELINE_HOURS_OF_WEEK;
    ms = 60 * MINUTE_MS;
    if (least != NULL && yaml_read_duration_ms(l->tree, least, "min_history", &ms, l->error) != 0) {
        return -1;
    }
    if (ms < 10 * MINUTE_MS || ms > 7 * DAY_MS || ms % MINUTE_MS != 0) {
        return yaml_refuse(l->tree, least, l->error,
                           "'min_history' must be whole minutes from 10m to 7d, not %s", least->text);
    }
    rule->min_history_minutes = (uint32_t)(ms / MINUTE_MS);
    return 0;
}

static int read_baseline(struct rule_loader *l, const struct yaml_node *mapping, struct rule *rule)
{
    const struct yaml_node *odds = yaml_get(mapping, "clear_odds");
    if (odds != NULL) {
        return yaml_refuse(l->tree, odds, l->error,
                           "'clear_odds' says nothing to a baseline rule; take it out");
    }
    if (read_positive(l, mapping, "deviations", &rule->deviations) != 0 ||
        read_positive(l, mapping, "min_expected", &rule->min_expected) != 0 ||
        check_multiple(l, mapping, rule) != 0 || read_history(l, mapping, rule) != 0) {
        return -1;
    }
    bool can_be_nothing = rule->signal == RULE_REQUEST_RATE || rule->signal == RULE_ERROR_RATE;
    if (can_be_nothing && rule->min_expected == 0) {
        return yaml_refuse(l->tree, mapping, l->error,
                           "'min_expected' is missing: a baseline rule on %s needs the least that is worth "
                           "judging, such as %s",
                           rule_signal_name(rule->signal),
                           rule->signal == RULE_ERROR_RATE ? "0.001" : "1 request a second");
    }
    return 0;
}

static int refuse_history(struct rule_loader *l, const struct yaml_node *mapping)
{
    static const char *const keys[] = {"deviations", "history", "min_history", "min_expected", NULL};
    for (size_t i = 0; keys[i] != NULL; i++) {
        const struct yaml_node *node = yaml_get(mapping, keys[i]);
        if (node != NULL) {
            return yaml_refuse(l->tree, node, l->error, "'%s' is for rules of type: baseline", keys[i]);
        }
    }
    return 0;
}

/* --- what both have ---- */

static int read_window(struct rule_loader *l, const struct yaml_node *node, uint32_t *length_s)
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

static int read_windows(struct rule_loader *l, const struct yaml_node *mapping, struct rule *rule)
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
    if (rule->is_baseline && rule_is_latency(rule) && lengths_s[0] > WINDOW_VALUE_SECONDS) {
        return yaml_refuse(
            l->tree, node, l->error,
            "'window' of a baseline rule on latency must be up to 60s: durations are kept for a minute");
    }
    return 0;
}

static int read_confidence(struct rule_loader *l, const struct yaml_node *mapping, struct rule *rule)
{
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

static int read_evidence(struct rule_loader *l, const struct yaml_node *mapping, struct rule *rule)
{
    int64_t min_samples = 0;
    int64_t min_bad = 0;
    int64_t violations = 0;
    int64_t clear = 0;
    if (rule_read_whole(l, mapping, "min_samples", 0, 1000000, DEFAULT_MIN_SAMPLES, &min_samples) != 0 ||
        rule_read_whole(l, mapping, "min_bad", 1, 1000000, DEFAULT_MIN_BAD, &min_bad) != 0 ||
        rule_read_whole(l, mapping, "for_violations", 1, MAX_EVALUATIONS, DEFAULT_VIOLATIONS, &violations) !=
            0 ||
        rule_read_whole(l, mapping, "for_clear", 1, MAX_EVALUATIONS, DEFAULT_CLEAR, &clear) != 0) {
        return -1;
    }
    rule->min_samples = (uint64_t)min_samples;
    rule->min_bad = (uint64_t)min_bad;
    rule->for_violations = (uint32_t)violations;
    rule->for_clear = (uint32_t)clear;
    return read_confidence(l, mapping, rule);
}

/* hold | resolve | fire, or {resolve: 5m}. Without a time: the longest window. */
static int read_no_data(struct rule_loader *l, const struct yaml_node *mapping, struct rule *rule)
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
    if (rule_read_word(l, timed ? node->keys[0] : node, "on_no_data", words, &index) != 0) {
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
    rule->no_data_learned = rule->is_baseline && !timed && rule->on_no_data == RULE_FIRE;
    return 0;
}

int rule_read_decision(struct rule_loader *l, const struct yaml_node *mapping, struct rule *rule)
{
    if (read_threshold(l, mapping, rule) != 0 ||
        (rule->is_baseline ? read_baseline(l, mapping, rule) : refuse_history(l, mapping)) != 0) {
        return -1;
    }
    return read_windows(l, mapping, rule) != 0 || read_evidence(l, mapping, rule) != 0 ||
                   read_no_data(l, mapping, rule) != 0
               ? -1
               : 0;
}
