#include "docs/alert_list.h"

#include "cmocka_all.h"
#include "docs/page.h"
#include "yaml/yaml_tree.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The base is a setting: of Prometheus an external label, of the processor --runbook-base. */
#define PROMETHEUS_BASE "{{ $externalLabels.runbook_base }}"
#define ANOMALY_RULES   "config/anomaly-rules.yaml"

static struct alert_link *add(struct alert_list *list, const char *file, const struct yaml_node *name,
                              const struct yaml_node *link, const char *base)
{
    list->alerts = realloc(list->alerts, (list->count + 1) * sizeof list->alerts[0]);
    assert_non_null(list->alerts);
    struct alert_link *alert = &list->alerts[list->count++];
    memset(alert, 0, sizeof *alert);
    snprintf(alert->file, sizeof alert->file, "%s", file);
    snprintf(alert->name, sizeof alert->name, "%s", name->text);
    alert->line = name->line;
    if (link != NULL) {
        snprintf(alert->link, sizeof alert->link, "%s", link->text);
        if (strncmp(link->text, base, strlen(base)) == 0) {
            snprintf(alert->page, sizeof alert->page, "%s", link->text + strlen(base));
        }
    }
    return alert;
}

static struct yaml_tree *load(const char *file)
{
    struct yaml_tree *tree = NULL;
    struct error error;
    error_clear(&error);
    if (yaml_tree_load(&tree, page_path(file), &error) != 0) {
        fail_msg("%s", error.message);
    }
    return tree;
}

static void add_expression(struct alert_link *alert, const struct yaml_node *rule)
{
    const struct yaml_node *expression = yaml_get(rule, "expr");
    const struct yaml_node *labels = yaml_get(rule, "labels");
    const struct yaml_node *severity = labels == NULL ? NULL : yaml_get(labels, "severity");
    assert_non_null(expression);
    alert->expression = strdup(expression->text);
    snprintf(alert->severity, sizeof alert->severity, "%s", severity == NULL ? "" : severity->text);
}

static void add_group(struct alert_list *list, const char *file, const struct yaml_node *group)
{
    const struct yaml_node *rules = yaml_get(group, "rules");
    for (size_t i = 0; rules != NULL && i < rules->count; i++) {
        const struct yaml_node *name = yaml_get(rules->items[i], "alert");
        if (name != NULL) {
            const struct yaml_node *annotations = yaml_get(rules->items[i], "annotations");
            struct alert_link *alert =
                add(list, file, name, annotations == NULL ? NULL : yaml_get(annotations, "runbook_url"),
                    PROMETHEUS_BASE);
            add_expression(alert, rules->items[i]);
        }
    }
}

static void add_prometheus_file(struct alert_list *list, const char *file)
{
    struct yaml_tree *tree = load(file);
    const struct yaml_node *groups = yaml_get(yaml_tree_root(tree), "groups");
    assert_non_null(groups);
    for (size_t i = 0; i < groups->count; i++) {
        add_group(list, file, groups->items[i]);
    }
    yaml_tree_destroy(tree);
}

static void add_anomaly_rules(struct alert_list *list)
{
    struct yaml_tree *tree = load(ANOMALY_RULES);
    const struct yaml_node *rules = yaml_get(yaml_tree_root(tree), "rules");
    assert_non_null(rules);
    for (size_t i = 0; i < rules->count; i++) {
        add(list, ANOMALY_RULES, yaml_get(rules->items[i], "name"), yaml_get(rules->items[i], "runbook"), "");
    }
    yaml_tree_destroy(tree);
}

void alert_list_find(struct alert_list *list)
{
    glob_t files;
    memset(list, 0, sizeof *list);
    assert_int_equal(glob(page_path("rules/*.yaml"), 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        add_prometheus_file(list, files.gl_pathv[i] + strlen(OBS_SOURCE_DIR) + 1);
    }
    globfree(&files);
    add_anomaly_rules(list);
}

void alert_list_free(struct alert_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->alerts[i].expression);
    }
    free(list->alerts);
    memset(list, 0, sizeof *list);
}
