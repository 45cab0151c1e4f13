/* Links and bookmarks name a dashboard by its uid and find it in any Grafana, so the uid is the file's name
 * and nothing in the file belongs to one Grafana (__inputs, id). */
#include "dashboards/lint.h"

#include "yaml/yaml_tree.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NEWEST_SCHEMA = 42 }; /* the last of the classic model */

static void check_text(struct lint *lint, const char *path, const char *expected)
{
    if (strcmp(lint_text(lint->root, path), expected) != 0) {
        lint_complain(lint, lint_find(lint->root, path), "%s is '%s', not '%s'", path,
                      lint_text(lint->root, path), expected);
    }
}

static void check_head(struct lint *lint)
{
    char uid[128];
    const char *name = strrchr(lint->file, '/');
    (void)snprintf(uid, sizeof uid, "%s", name == NULL ? lint->file : name + 1);
    uid[strcspn(uid, ".")] = '\0';
    check_text(lint, "uid", uid);
    check_text(lint, "editable", "false");
    check_text(lint, "graphTooltip", "1");
    check_text(lint, "time.to", "now");
    if (*lint_text(lint->root, "title") == '\0' || *lint_text(lint->root, "description") == '\0') {
        lint_complain(lint, NULL, "it has no title or no description");
    }
    const double schema = lint_number(lint->root, "schemaVersion");
    if (!(schema > 0 && schema <= NEWEST_SCHEMA)) {
        lint_complain(lint, lint_find(lint->root, "schemaVersion"), "schemaVersion isn't 1 to %d",
                      NEWEST_SCHEMA);
    }
    if (!lint_is_one_of(lint_text(lint->root, "time.from"), "now-15m|now-1h|now-6h|now-24h|now-7d") ||
        !lint_is_one_of(lint_text(lint->root, "refresh"), "5s|10s|30s|1m|5m")) {
        lint_complain(lint, lint_find(lint->root, "time"),
                      "the time range or the refresh isn't one that can be chosen");
    }
}

static bool has_item(const struct yaml_node *list, const char *text)
{
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        if (list->items[i]->kind == YAML_SCALAR && strcmp(list->items[i]->text, text) == 0) {
            return true;
        }
    }
    return false;
}

static void check_links(struct lint *lint)
{
    static const char tag[] = "observability-platform";
    const struct yaml_node *links = yaml_get(lint->root, "links");
    bool found = false;
    if (!has_item(yaml_get(lint->root, "tags"), tag)) {
        lint_complain(lint, NULL, "it hasn't the tag %s", tag);
    }
    for (size_t i = 0; links != NULL && i < links->count; i++) {
        const struct yaml_node *link = links->items[i];
        found = found || (strcmp(lint_text(link, "type"), "dashboards") == 0 &&
                          has_item(yaml_get(link, "tags"), tag) &&
                          strcmp(lint_text(link, "includeVars"), "true") == 0 &&
                          strcmp(lint_text(link, "keepTime"), "true") == 0);
    }
    if (!found) {
        lint_complain(lint, links, "no link leads to the other dashboards with the same choice and time");
    }
}

static void check_annotations(struct lint *lint)
{
    static const char *const severities[] = {"severity=\"critical\"", "severity=\"warning\""};
    const struct yaml_node *list = lint_find(lint->root, "annotations.list");
    for (size_t s = 0; s < sizeof severities / sizeof severities[0]; s++) {
        bool found = false;
        for (size_t i = 0; list != NULL && i < list->count; i++) {
            const char *expression = lint_text(list->items[i], "target.expr");
            found = found || (strncmp(expression, "ALERTS{alertstate=\"firing\"", 26) == 0 &&
                              strstr(expression, severities[s]) != NULL &&
                              strcmp(lint_text(list->items[i], "enable"), "true") == 0);
        }
        if (!found) {
            lint_complain(lint, list, "firing alerts of %s aren't shown", severities[s]);
        }
    }
}

static void check_variable(struct lint *lint, const struct yaml_node *variable)
{
    const char *name = lint_text(variable, "name");
    if (strcmp(lint_text(variable, "type"), "query") != 0) {
        lint_complain(lint, variable, "the variable '%s' isn't a query", name);
    }
    if (strcmp(lint_text(variable, "multi"), "true") != 0 ||
        strcmp(lint_text(variable, "includeAll"), "true") != 0 ||
        strcmp(lint_text(variable, "allValue"), ".+") != 0) {
        lint_complain(lint, variable, "the variable '%s' doesn't take several values, or All isn't '.+'",
                      name);
    }
    if (strcmp(lint_text(variable, "datasource.uid"), "${datasource}") != 0) {
        lint_complain(lint, variable, "the variable '%s' doesn't ask the chosen data source", name);
    }
    if (strncmp(lint_text(variable, "query.query"), "label_values(", 13) != 0) {
        lint_complain(lint, variable, "the variable '%s' isn't label_values(series, label)", name);
    }
}

static void check_variables(struct lint *lint)
{
    static const char *const first[] = {"datasource", "service", "region"};
    enum { FIRST = sizeof first / sizeof first[0] };
    const struct yaml_node *list = lint_find(lint->root, "templating.list");
    if (list == NULL || list->count < FIRST) {
        lint_complain(lint, list, "it needs the variables datasource, service and region");
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (i < FIRST && strcmp(lint_text(list->items[i], "name"), first[i]) != 0) {
            lint_complain(lint, list->items[i], "variable %zu is '%s', not '%s'", i + 1,
                          lint_text(list->items[i], "name"), first[i]);
        }
        if (i > 0) {
            check_variable(lint, list->items[i]);
        }
    }
    if (strcmp(lint_text(list->items[0], "type"), "datasource") != 0 ||
        strcmp(lint_text(list->items[0], "query"), "prometheus") != 0) {
        lint_complain(lint, list->items[0], "the variable 'datasource' isn't one of Prometheus");
    }
}

void lint_frame(struct lint *lint)
{
    check_head(lint);
    check_links(lint);
    check_annotations(lint);
    check_variables(lint);
}
