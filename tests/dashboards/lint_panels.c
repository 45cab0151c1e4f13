#include "dashboards/lint.h"

#include "docs/page.h"
#include "support/files.h"
#include "yaml/yaml_tree.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS 24
#define TYPES   "timeseries|stat|gauge|bargauge|table|heatmap|text"
/* What the console can write. */
#define UNITS   "short|percentunit|s|bytes|reqps|eps"

static bool is_type(const struct yaml_node *panel, const char *types)
{
    return lint_is_one_of(lint_text(panel, "type"), types);
}

/* --- words ---- */

static void check_words(struct lint *lint, const struct yaml_node *panel)
{
    enum { SHORTEST = 20 };
    const char *description = lint_text(panel, "description");
    const size_t size = strlen(description);
    if (*lint_text(panel, "title") == '\0') {
        lint_complain(lint, panel, "it has no title");
    }
    if (size < SHORTEST || description[size - 1] != '.') {
        lint_complain(lint, panel, "the description isn't a sentence");
    }
    if (!is_type(panel, TYPES)) {
        lint_complain(lint, panel, "the type '%s' isn't one of " TYPES, lint_text(panel, "type"));
    }
}

static void check_unit(struct lint *lint, const struct yaml_node *panel)
{
    const struct yaml_node *unit = lint_find(panel, "fieldConfig.defaults.unit");
    if (!is_type(panel, "text") && (unit == NULL || !lint_is_one_of(unit->text, UNITS))) {
        lint_complain(lint, unit == NULL ? panel : unit, "the unit isn't one of " UNITS);
    }
}

static bool has_own_unit(const struct yaml_node *panel, const char *column)
{
    const struct yaml_node *overrides = lint_find(panel, "fieldConfig.overrides");
    for (size_t i = 0; overrides != NULL && i < overrides->count; i++) {
        const struct yaml_node *properties = yaml_get(overrides->items[i], "properties");
        if (strcmp(lint_text(overrides->items[i], "matcher.id"), "byName") != 0 ||
            strcmp(lint_text(overrides->items[i], "matcher.options"), column) != 0) {
            continue;
        }
        for (size_t p = 0; properties != NULL && p < properties->count; p++) {
            if (strcmp(lint_text(properties->items[p], "id"), "unit") == 0 &&
                lint_is_one_of(lint_text(properties->items[p], "value"), UNITS)) {
                return true;
            }
        }
    }
    return false;
}

/* A table's columns of values: named, each with a unit of its own. */
static void check_columns(struct lint *lint, const struct yaml_node *panel)
{
    const struct yaml_node *steps = yaml_get(panel, "transformations");
    const struct yaml_node *names = NULL;
    size_t values = 0;
    for (size_t i = 0; steps != NULL && i < steps->count; i++) {
        const struct yaml_node *found = lint_find(steps->items[i], "options.renameByName");
        names = found == NULL ? names : found;
    }
    for (size_t i = 0; names != NULL && i < names->count; i++) {
        if (strncmp(names->keys[i]->text, "Value", 5) != 0) {
            continue;
        }
        values++;
        if (!has_own_unit(panel, names->items[i]->text)) {
            lint_complain(lint, names->items[i], "the column '%s' has no unit", names->items[i]->text);
        }
    }
    const struct yaml_node *targets = yaml_get(panel, "targets");
    if (targets == NULL || values != targets->count) {
        lint_complain(lint, panel, "not every query of the table is a named column");
    }
}

/* --- places ---- */

struct place {
    double x, y, w, h;
};

static struct place place_of(const struct yaml_node *panel)
{
    return (struct place){lint_number(panel, "gridPos.x"), lint_number(panel, "gridPos.y"),
                          lint_number(panel, "gridPos.w"), lint_number(panel, "gridPos.h")};
}

static void check_place(struct lint *lint, const struct yaml_node *panel)
{
    const struct place place = place_of(panel);
    /* so said, NaN is refused too */
    if (!(place.x >= 0 && place.y >= 0 && place.w >= 1 && place.h >= 1 && place.x + place.w <= COLUMNS)) {
        lint_complain(lint, panel, "it doesn't stand within %d columns", COLUMNS);
    }
}

static bool overlap(struct place a, struct place b)
{
    return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

static void check_against_others(struct lint *lint, const struct yaml_node *panel)
{
    const struct yaml_node *panels = yaml_get(lint->root, "panels");
    for (size_t i = 0; panels->items[i] != panel; i++) {
        const struct yaml_node *other = panels->items[i];
        const char *title = lint_text(other, "title");
        if (overlap(place_of(panel), place_of(other))) {
            lint_complain(lint, panel, "it overlaps with '%s'", title);
        }
        if (!(lint_number(panel, "id") != lint_number(other, "id"))) {
            lint_complain(lint, panel, "'%s' has the same id", title);
        }
        if (strcmp(lint_text(panel, "title"), title) == 0) {
            lint_complain(lint, panel, "another one has the same title");
        }
    }
}

/* --- links ---- */

/* "/d/UID?…": there is such a dashboard, and it gets the choice and the time. */
static void check_links(struct lint *lint, const struct yaml_node *panel)
{
    const struct yaml_node *links = yaml_get(panel, "links");
    for (size_t i = 0; links != NULL && i < links->count; i++) {
        char file[128];
        const char *url = lint_text(links->items[i], "url");
        if (strncmp(url, "/d/", 3) != 0) {
            continue;
        }
        (void)snprintf(file, sizeof file, "dashboards/%.*s.json", (int)strcspn(url + 3, "?"), url + 3);
        if (!file_exists(page_path(file))) {
            lint_complain(lint, links->items[i], "there is no %s", file);
        }
        if (strstr(url, "${service:queryparam}&${region:queryparam}&${__url_time_range}") == NULL) {
            lint_complain(lint, links->items[i], "the link forgets the choice or the time");
        }
    }
}

static void check_panel(struct lint *lint, const struct yaml_node *panel)
{
    check_words(lint, panel);
    check_unit(lint, panel);
    check_place(lint, panel);
    check_against_others(lint, panel);
    if (!(lint_number(panel, "id") >= 1)) {
        lint_complain(lint, panel, "it has no id");
    }
    check_links(lint, panel);
    if (is_type(panel, "table")) {
        check_columns(lint, panel);
    }
}

void lint_panels(struct lint *lint)
{
    const struct yaml_node *panels = yaml_get(lint->root, "panels");
    if (panels == NULL || panels->count == 0) {
        lint_complain(lint, NULL, "it has no panels");
    }
    lint_each_panel(lint, check_panel);
}
