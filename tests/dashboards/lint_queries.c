#include "dashboards/lint.h"

#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "docs/alert_list.h"
#include "docs/dashboard.h"
#include "support/files.h"
#include "support/process.h"
#include "yaml/yaml_tree.h"
#include "json/json_write.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SERVICE_CHOSEN "service_name=~\"$service"

/* All queries of the dashboard: their text, for the variables that are used, and as rules for promtool. */
struct queries {
    struct buffer texts, rules;
};

static struct queries queries; /* lint_each_panel has no context of its own */

static void add_rule(const struct yaml_node *panel, const char *name, const char *expression)
{
    struct buffer replaced;
    buffer_init(&replaced, 0);
    dashboard_replace_variables(&replaced, expression);
    buffer_append_format(&queries.rules, "      - record: \"panel_%s_query_%s\"\n        expr: \"",
                         panel == NULL ? "none" : lint_text(panel, "id"), name);
    json_append_escaped(&queries.rules, replaced.data, replaced.size);
    buffer_append_text(&queries.rules, "\"\n");
    buffer_free(&replaced);
}

/* --- ranges ---- */

/* A range of its own makes sense only where an alert looks at just that. */
static bool is_range_of_alert(const struct lint *lint, const char *range, size_t size)
{
    const struct yaml_node *links = yaml_get(lint->panel, "links");
    for (size_t i = 0; links != NULL && i < links->count; i++) {
        for (size_t a = 0; a < lint->alerts->count; a++) {
            const struct alert_link *alert = &lint->alerts->alerts[a];
            const size_t length = strlen(alert->name);
            if (alert->expression != NULL &&
                strncmp(lint_text(links->items[i], "title"), alert->name, length) == 0 &&
                memmem(alert->expression, strlen(alert->expression), range, size) != NULL) {
                return true;
            }
        }
    }
    return false;
}

static void check_ranges(struct lint *lint, const struct yaml_node *target, const char *expression)
{
    for (const char *at = expression; (at = strchr(at, '[')) != NULL;) {
        const size_t size = strcspn(at, "]") + 1;
        const bool follows =
            strncmp(at, "[$__rate_interval]", size) == 0 || strncmp(at, "[$__range]", size) == 0;
        if (!follows && !is_range_of_alert(lint, at, size)) {
            lint_complain(lint, target,
                          "the range %.*s is neither $__rate_interval, $__range nor a linked alert's",
                          (int)size, at);
        }
        at++;
    }
}

/* --- variables ---- */

static size_t word_size(const char *text)
{
    size_t size = 0;
    while (isalnum((unsigned char)text[size]) || text[size] == '_') {
        size++;
    }
    return size;
}

static bool is_declared(const struct lint *lint, const char *name, size_t size)
{
    const struct yaml_node *list = lint_find(lint->root, "templating.list");
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        const char *declared = lint_text(list->items[i], "name");
        if (strlen(declared) == size && memcmp(declared, name, size) == 0) {
            return true;
        }
    }
    return false;
}

/* Several values stand as "a|b", so nothing but =~ takes them. */
static void check_variables(struct lint *lint, const struct yaml_node *target, const char *expression)
{
    for (const char *at = expression; (at = strchr(at, '$')) != NULL; at++) {
        const size_t size = word_size(at + 1);
        if (strncmp(at, "$__", 3) == 0) {
            continue;
        }
        if (!is_declared(lint, at + 1, size)) {
            lint_complain(lint, target, "there is no variable %.*s", (int)size + 1, at);
        }
        if (at - expression < 3 || strncmp(at - 3, "=~\"", 3) != 0) {
            lint_complain(lint, target, "%.*s isn't matched with =~", (int)size + 1, at);
        }
    }
}

/* Who chooses a service sees no other one's figures. */
static void check_choice(struct lint *lint, const struct yaml_node *target, const char *expression,
                         const char *label, const char *matcher)
{
    const size_t size = strlen(label);
    for (const char *at = expression; (at = strstr(at, label)) != NULL; at += size) {
        if (strchr("=!", at[size]) != NULL && at[size] != '\0' &&
            strncmp(at, matcher, strlen(matcher)) != 0) {
            lint_complain(lint, target, "%s isn't matched by the choice (%s)", label, matcher);
        }
    }
    /* late events are counted by service alone */
    if (strstr(expression, "stream_processor_late_events_total") == NULL &&
        strstr(expression, "{service_name=~\"$service\"") != NULL && strstr(expression, matcher) == NULL) {
        lint_complain(lint, target, "it ignores the choice of %s", label);
    }
}

static void check_expression(struct lint *lint, const struct yaml_node *target, const char *expression)
{
    buffer_append_format(&queries.texts, "%s\n", expression);
    check_ranges(lint, target, expression);
    check_variables(lint, target, expression);
    check_choice(lint, target, expression, "service_name", SERVICE_CHOSEN);
    check_choice(lint, target, expression, "cloud_region", "cloud_region=~\"$region");
}

/* --- what a panel asks ---- */

static void check_target(struct lint *lint, const struct yaml_node *panel, const struct yaml_node *target)
{
    const char *expression = lint_text(target, "expr");
    if (strcmp(lint_text(target, "datasource.uid"), "${datasource}") != 0) {
        lint_complain(lint, target, "the query doesn't ask the chosen data source");
    }
    if (*lint_text(target, "legendFormat") == '\0') {
        lint_complain(lint, target, "the query has no legend");
    }
    check_expression(lint, target, expression);
    add_rule(panel, lint_text(target, "refId"), expression);
}

/* From a slow moment to a request that was slow. */
static void check_exemplars(struct lint *lint, const struct yaml_node *panel)
{
    const struct yaml_node *targets = yaml_get(panel, "targets");
    bool is_latency = false, found = false;
    for (size_t i = 0; targets != NULL && i < targets->count; i++) {
        is_latency =
            is_latency || strstr(lint_text(targets->items[i], "expr"), "histogram_quantile(") != NULL;
        found = found || strcmp(lint_text(targets->items[i], "exemplar"), "true") == 0;
    }
    if (strcmp(lint_text(panel, "type"), "timeseries") == 0 && is_latency && !found) {
        lint_complain(lint, panel, "latency without exemplars");
    }
}

static void check_targets(struct lint *lint, const struct yaml_node *panel)
{
    const struct yaml_node *targets = yaml_get(panel, "targets");
    const bool is_text = strcmp(lint_text(panel, "type"), "text") == 0;
    if (!is_text && (targets == NULL || targets->count == 0)) {
        lint_complain(lint, panel, "it has no query");
    }
    if (!is_text && strcmp(lint_text(panel, "datasource.uid"), "${datasource}") != 0) {
        lint_complain(lint, panel, "it doesn't ask the chosen data source");
    }
    for (size_t i = 0; targets != NULL && i < targets->count; i++) {
        const char id[] = {(char)('A' + i), '\0'};
        if (strcmp(lint_text(targets->items[i], "refId"), id) != 0) {
            lint_complain(lint, targets->items[i], "the refId isn't %s", id);
        }
        check_target(lint, panel, targets->items[i]);
    }
    check_exemplars(lint, panel);
}

/* label_values(series, label): the series. */
static void check_source(struct lint *lint, const struct yaml_node *variable)
{
    enum { PREFIX = sizeof "label_values(" - 1 };
    char series[512] = "";
    const char *query = lint_text(variable, "query.query");
    const char *comma = strrchr(query, ',');
    if (comma == NULL || comma - query <= PREFIX) {
        return; /* lint_frame says so */
    }
    (void)snprintf(series, sizeof series, "%.*s", (int)(comma - query - PREFIX), query + PREFIX);
    buffer_append_format(&queries.texts, "%s\n", series);
    check_variables(lint, variable, series);
    check_choice(lint, variable, series, "service_name", SERVICE_CHOSEN);
    add_rule(NULL, lint_text(variable, "name"), series);
}

static void check_others(struct lint *lint)
{
    const struct yaml_node *annotations = lint_find(lint->root, "annotations.list");
    const struct yaml_node *variables = lint_find(lint->root, "templating.list");
    for (size_t i = 0; annotations != NULL && i < annotations->count; i++) {
        const char *expression = lint_text(annotations->items[i], "target.expr");
        check_expression(lint, annotations->items[i], expression);
        add_rule(NULL, "annotation", expression);
    }
    queries.texts.size = 0; /* a variable that only annotations use changes no panel */
    for (size_t i = 1; variables != NULL && i < variables->count; i++) {
        check_source(lint, variables->items[i]);
    }
}

static void check_use(struct lint *lint)
{
    const struct yaml_node *variables = lint_find(lint->root, "templating.list");
    char use[80];
    for (size_t i = 1; variables != NULL && i < variables->count; i++) {
        (void)snprintf(use, sizeof use, "\"$%s\"", lint_text(variables->items[i], "name"));
        if (strstr(buffer_text(&queries.texts), use) == NULL) {
            lint_complain(lint, variables->items[i], "no query uses the variable %s", use);
        }
    }
}

/* --- grammar ---- */

static void check_grammar(struct lint *lint)
{
    char directory[TEST_PATH_BYTES], path[TEST_PATH_BYTES], command[2 * TEST_PATH_BYTES];
    struct buffer output;
    if (!process_has_command("promtool")) {
        return; /* test_dashboards says so */
    }
    buffer_init(&output, 0);
    temp_directory_create(directory, "dashboards");
    path_join(path, directory, "queries.yaml");
    file_write(path, queries.rules.data, queries.rules.size);
    (void)snprintf(command, sizeof command, "promtool check rules --lint=none %s 2>&1", path);
    if (process_run((const char *const[]){"sh", "-c", command, NULL}, 20000, &output) != 0) {
        lint_complain(lint, NULL, "not PromQL: %s", buffer_text(&output));
    }
    temp_directory_remove(directory);
    buffer_free(&output);
}

void lint_queries(struct lint *lint)
{
    buffer_init(&queries.texts, 0);
    buffer_init(&queries.rules, 0);
    buffer_append_text(&queries.rules, "groups:\n  - name: dashboard\n    rules:\n");
    check_others(lint);
    lint_each_panel(lint, check_targets);
    check_use(lint);
    check_grammar(lint);
    buffer_free(&queries.texts);
    buffer_free(&queries.rules);
}
