/* tests/dashboards/lint: what must hold of every dashboard, beside Grafana's types
 * (scripts/check-dashboard-types) and the answers of a running platform (test_live_pages). It reads the JSON,
 * whoever made it, as YAML, of which JSON is a part: so each complaint names its line.
 *
 * A check adds a line a complaint, "dashboards/x.json:12: panel 'Traffic': …", and goes on. */
#ifndef OBS_TESTS_DASHBOARDS_LINT_H
#define OBS_TESTS_DASHBOARDS_LINT_H

#include <stdbool.h>
#include <stddef.h>

struct alert_list;
struct buffer;
struct yaml_node;

struct lint {
    const char *file;              /* "dashboards/golden-signals.json" */
    const struct yaml_node *root;  /* the dashboard */
    const struct yaml_node *panel; /* the one that is looked at, NULL: none; complaints name it */
    const struct alert_list *alerts;
    struct buffer *complaints;
};

/* text: the JSON. Runs all checks below. */
void lint_dashboard(const char *file, const char *text, size_t size, const struct alert_list *alerts,
                    struct buffer *complaints);

/* The dashboard around the panels: what it is called, variables, annotations, links. */
void lint_frame(struct lint *lint);
/* Titles, units, descriptions, places. */
void lint_panels(struct lint *lint);
/* Which variables and ranges a query uses; PromQL's grammar, by promtool where it is installed. */
void lint_queries(struct lint *lint);
/* Thresholds are the limits of the alerts that the panel links to, as rules/ have them. */
void lint_limits(struct lint *lint);
/* Nothing that the console doesn't draw. */
void lint_fields(struct lint *lint);

/* node: whose line; NULL: the dashboard's. */
void lint_complain(struct lint *lint, const struct yaml_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void lint_each_panel(struct lint *lint, void (*check)(struct lint *lint, const struct yaml_node *panel));

/* By a path of keys, "gridPos.w"; NULL when something on the way isn't there. */
const struct yaml_node *lint_find(const struct yaml_node *node, const char *path);
/* The text of a scalar, "" when it isn't there. */
const char *lint_text(const struct yaml_node *node, const char *path);
/* NaN when it isn't a number. */
double lint_number(const struct yaml_node *node, const char *path);
/* Is text one of a list, "a|b|c"? */
bool lint_is_one_of(const char *text, const char *list);

#endif
