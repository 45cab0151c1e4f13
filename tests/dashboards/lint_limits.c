/* A line on a panel is where an alert fires, and the panel says which: its link is called "ALERT: what to do"
 * and leads to the alert's runbook. What the limit is, only rules/ know. */
#include "dashboards/lint.h"

#include "docs/alert_list.h"
#include "docs/page.h"
#include "support/files.h"
#include "yaml/yaml_tree.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINK_TITLE_END ": what to do"

/* Limits are compared with > or <; with >= the rules ask for enough evidence. */
static bool expression_has_limit(const char *expression, double limit)
{
    for (const char *at = expression; (at = strpbrk(at, "<>")) != NULL;) {
        char *end = NULL;
        at++;
        if (*at != '=') {
            const double value = strtod(at, &end);
            if (end != at && fabs(value - limit) <= 1e-12 * fabs(value)) {
                return true;
            }
        }
    }
    return false;
}

/* Several SLOs have an alert of one name: the limit must be all of theirs. */
static bool is_limit(const struct lint *lint, const char *name, double limit)
{
    size_t count = 0;
    for (size_t i = 0; i < lint->alerts->count; i++) {
        const struct alert_link *alert = &lint->alerts->alerts[i];
        if (alert->expression == NULL || strcmp(alert->name, name) != 0) {
            continue;
        }
        count++;
        if (!expression_has_limit(alert->expression, limit)) {
            return false;
        }
    }
    return count > 0;
}

static const struct alert_link *find_alert(const struct lint *lint, const char *name)
{
    for (size_t i = 0; i < lint->alerts->count; i++) {
        const struct alert_link *alert = &lint->alerts->alerts[i];
        if (alert->expression != NULL && strcmp(alert->name, name) == 0) {
            return alert;
        }
    }
    return NULL;
}

/* The alert that a link is about; false: it is another kind of link. */
static bool alert_of_link(const struct yaml_node *link, char name[96])
{
    const char *title = lint_text(link, "title");
    const char *end = strstr(title, LINK_TITLE_END);
    if (end == NULL || (size_t)(end - title) >= 96) {
        return false;
    }
    (void)snprintf(name, 96, "%.*s", (int)(end - title), title);
    return true;
}

static void check_step(struct lint *lint, const struct yaml_node *panel, const struct yaml_node *step)
{
    const struct yaml_node *links = yaml_get(panel, "links");
    const double value = lint_number(step, "value");
    if (isnan(value) || value == 0) {
        return; /* the base, and the bound of what can be used up */
    }
    for (size_t i = 0; links != NULL && i < links->count; i++) {
        char name[96];
        if (alert_of_link(links->items[i], name) && is_limit(lint, name, value)) {
            const struct alert_link *alert = find_alert(lint, name);
            const char *colour = strcmp(alert->severity, "critical") == 0 ? "red" : "orange";
            if (strcmp(lint_text(step, "color"), colour) != 0) {
                lint_complain(lint, step, "the limit of %s, which is %s, isn't %s", name, alert->severity,
                              colour);
            }
            return;
        }
    }
    lint_complain(lint, step, "the threshold %g is no limit of an alert that the panel links to", value);
}

static bool has_step(const struct lint *lint, const struct yaml_node *thresholds, const char *name)
{
    const struct yaml_node *steps = lint_find(thresholds, "steps");
    for (size_t i = 0; steps != NULL && i < steps->count; i++) {
        const double value = lint_number(steps->items[i], "value");
        if (!isnan(value) && is_limit(lint, name, value)) {
            return true;
        }
    }
    return false;
}

/* The thresholds of the panel (0) and of its overrides (1 …); NULL: there are no more. */
static const struct yaml_node *thresholds_at(const struct yaml_node *panel, size_t number)
{
    const struct yaml_node *overrides = lint_find(panel, "fieldConfig.overrides");
    if (number == 0) {
        return lint_find(panel, "fieldConfig.defaults.thresholds");
    }
    for (size_t i = 0; overrides != NULL && i < overrides->count; i++) {
        const struct yaml_node *properties = yaml_get(overrides->items[i], "properties");
        for (size_t p = 0; properties != NULL && p < properties->count; p++) {
            if (strcmp(lint_text(properties->items[p], "id"), "thresholds") == 0 && --number == 0) {
                return yaml_get(properties->items[p], "value");
            }
        }
    }
    return NULL;
}

static void check_link(struct lint *lint, const struct yaml_node *panel, const struct yaml_node *link)
{
    char name[96], url[160];
    if (!alert_of_link(link, name)) {
        if (strncmp(lint_text(link, "url"), "/runbooks/", 10) == 0) {
            lint_complain(lint, link, "a link to a runbook isn't called 'ALERT" LINK_TITLE_END "'");
        }
        return;
    }
    const struct alert_link *alert = find_alert(lint, name);
    if (alert == NULL) {
        lint_complain(lint, link, "rules/ have no alert %s", name);
        return;
    }
    (void)snprintf(url, sizeof url, "/%s", alert->page);
    if (strcmp(lint_text(link, "url"), url) != 0) {
        lint_complain(lint, link, "the link of %s isn't %s", name, url);
    }
    bool found = has_step(lint, thresholds_at(panel, 0), name);
    for (size_t i = 1; !found && thresholds_at(panel, i) != NULL; i++) {
        found = has_step(lint, thresholds_at(panel, i), name);
    }
    if (!found) {
        lint_complain(lint, link, "it links to %s and doesn't show its limit", name);
    }
}

static void check_panel(struct lint *lint, const struct yaml_node *panel)
{
    const struct yaml_node *links = yaml_get(panel, "links");
    for (size_t i = 0; links != NULL && i < links->count; i++) {
        check_link(lint, panel, links->items[i]);
    }
    for (size_t i = 0; i == 0 || thresholds_at(panel, i) != NULL; i++) {
        const struct yaml_node *steps = lint_find(thresholds_at(panel, i), "steps");
        for (size_t s = 0; steps != NULL && s < steps->count; s++) {
            check_step(lint, panel, steps->items[s]);
        }
    }
}

void lint_limits(struct lint *lint)
{
    lint_each_panel(lint, check_panel);
}
