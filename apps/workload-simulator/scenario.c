#include "scenario.h"

#include "clock/rfc3339.h"
#include "yaml/yaml_tree.h"

#include <stdio.h>
#include <string.h>

static int read_run_time(struct scenario *s, const struct yaml_tree *tree, const struct yaml_node *root,
                         struct error *error)
{
    const struct yaml_node *node = yaml_get(root, "duration");
    if (node != NULL) {
        if (yaml_read_duration_ms(tree, node, "duration", &s->duration_ms, error) != 0) {
            return -1;
        }
        if (s->duration_ms < 0 || s->duration_ms > FAULT_MAX_MS) {
            return yaml_refuse(tree, node, error, "'duration' must be from 0 (for ever) to 366 days");
        }
        s->has_duration = true;
    }
    node = yaml_get(root, "start");
    if (node != NULL) {
        if (node->kind != YAML_SCALAR || !rfc3339_parse(node->text, strlen(node->text), &s->start_unix_ms)) {
            return yaml_refuse(tree, node, error, "'start' must be a time such as 2026-11-24T23:06:32Z");
        }
        s->has_start = true;
    }
    return 0;
}

static int read_real(const struct yaml_tree *tree, const struct yaml_node *root, const char *key,
                     double maximum, double *value, bool *given, struct error *error)
{
    const struct yaml_node *node = yaml_get(root, key);
    if (node == NULL) {
        return 0;
    }
    if (yaml_read_real(tree, node, key, value, error) != 0) {
        return -1;
    }
    if (!(*value >= 0 && *value <= maximum)) {
        return yaml_refuse(tree, node, error, "'%s' must be from 0 to %g, not '%.60s'", key, maximum,
                           node->text);
    }
    *given = true;
    return 0;
}

static int read_identity(struct scenario *s, const struct yaml_tree *tree, const struct yaml_node *root,
                         struct error *error)
{
    const struct yaml_node *node = yaml_get(root, "seed");
    if (node != NULL) {
        if (yaml_read_integer(tree, node, "seed", &s->seed, error) != 0) {
            return -1;
        }
        if (s->seed < 0) {
            return yaml_refuse(tree, node, error, "'seed' must not be negative");
        }
        s->has_seed = true;
    }
    node = yaml_get(root, "instance");
    if (node != NULL) {
        const char *name = NULL;
        if (yaml_read_text(tree, node, "instance", &name, error) != 0) {
            return -1;
        }
        if (strlen(name) >= sizeof s->instance) {
            return yaml_refuse(tree, node, error, "'instance' must be at most 64 bytes");
        }
        (void)snprintf(s->instance, sizeof s->instance, "%s", name);
        s->has_instance = true;
    }
    return 0;
}

static int read_faults(struct scenario *s, const struct yaml_tree *tree, const struct yaml_node *root,
                       struct error *error)
{
    const struct yaml_node *faults = yaml_get(root, "faults");
    if (faults == NULL) {
        return 0;
    }
    if (faults->kind != YAML_SEQUENCE) {
        return yaml_refuse(tree, faults, error, "'faults' must be a list");
    }
    if (faults->count > SCENARIO_FAULTS) {
        return yaml_refuse(tree, faults, error, "%zu faults; at most %d are allowed", faults->count,
                           SCENARIO_FAULTS);
    }
    for (size_t i = 0; i < faults->count; i++) {
        if (fault_parse(&s->faults[i], tree, faults->items[i], error) != 0) {
            return -1;
        }
        s->fault_count++;
    }
    return 0;
}

int scenario_load(struct scenario *scenario, const char *path, struct error *error)
{
    static const char *const keys[] = {"seed",       "instance",   "start",  "duration",
                                       "target_rps", "error_rate", "faults", NULL};
    struct yaml_tree *tree = NULL;
    memset(scenario, 0, sizeof *scenario);
    if (yaml_tree_load(&tree, path, error) != 0) {
        return -1;
    }
    const struct yaml_node *root = yaml_tree_root(tree);
    int result = -1;
    if (root->kind != YAML_MAPPING) {
        (void)yaml_refuse(tree, root, error,
                          "a scenario must be a mapping (seed, duration, target_rps, faults)");
    } else if (yaml_check_keys(tree, root, keys, error) == 0 &&
               read_identity(scenario, tree, root, error) == 0 &&
               read_run_time(scenario, tree, root, error) == 0 &&
               read_real(tree, root, "target_rps", 1e6, &scenario->target_rps, &scenario->has_target_rps,
                         error) == 0 &&
               read_real(tree, root, "error_rate", 1, &scenario->error_rate, &scenario->has_error_rate,
                         error) == 0) {
        result = read_faults(scenario, tree, root, error);
    }
    yaml_tree_destroy(tree);
    return result;
}
