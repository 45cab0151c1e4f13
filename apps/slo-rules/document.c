#include "document.h"

#include "indicator.h"

#include "buffer/buffer.h"
#include "yaml/yaml_tree.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_WINDOW_DAYS 7  /* the longest alert window is 3 days */
#define MAX_WINDOW_DAYS 35 /* what Prometheus keeps */

bool document_is_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    const size_t size = strlen(text);
    return size >= 1 && size <= 63 && strspn(text, letters) == size && text[0] != '-' &&
           text[size - 1] != '-';
}

/* The value of a key that must be there. */
static const struct yaml_node *need(const struct slo_file *file, const struct yaml_node *mapping,
                                    const char *key, struct error *error)
{
    const struct yaml_node *node = yaml_get(mapping, key);
    if (node == NULL) {
        (void)yaml_refuse(file->tree, mapping, error, "'%s' is missing", key);
    }
    return node;
}

static int read_name(const struct slo_file *file, const struct yaml_node *mapping, const char *key,
                     char name[SLO_NAME_BYTES], struct error *error)
{
    const char *text = NULL;
    const struct yaml_node *node = need(file, mapping, key, error);
    if (node == NULL || yaml_read_text(file->tree, node, key, &text, error) != 0) {
        return -1;
    }
    if (!document_is_name(text)) {
        return yaml_refuse(file->tree, node, error, "'%s' must be 1 to 63 of a-z, 0-9 and -, not '%.80s'",
                           key, text);
    }
    (void)snprintf(name, SLO_NAME_BYTES, "%s", text);
    return 0;
}

static bool is_empty(const struct yaml_node *node)
{
    return node == NULL ||
           (node->kind == YAML_SCALAR ? !node->quoted && node->text[0] == '\0' : node->count == 0);
}

static int read_metadata(const struct slo_file *file, const struct yaml_node *document,
                         char name[SLO_NAME_BYTES], struct error *error)
{
    static const char *const keys[] = {"name", "displayName", "labels", "annotations", NULL};
    const struct yaml_node *metadata = need(file, document, "metadata", error);
    if (metadata == NULL || yaml_check_keys(file->tree, metadata, keys, error) != 0) {
        return -1;
    }
    return read_name(file, metadata, "name", name, error);
}

/* --- the time window ---- */

static int read_days(const struct slo_file *file, const struct yaml_node *node, int *days,
                     struct error *error)
{
    const char *text = NULL;
    if (yaml_read_text(file->tree, node, "duration", &text, error) != 0) {
        return -1;
    }
    char *end = NULL;
    const long number = strtol(text, &end, 10);
    const bool is_counted = end != text && text[0] >= '0' && text[0] <= '9' && number <= 1000;
    if (!is_counted || (strcmp(end, "d") != 0 && strcmp(end, "w") != 0)) {
        return yaml_refuse(file->tree, node, error,
                           "the window's duration must be in days or weeks (30d, 4w), not '%.40s'", text);
    }
    *days = (int)number * (*end == 'w' ? 7 : 1);
    if (*days < MIN_WINDOW_DAYS || *days > MAX_WINDOW_DAYS) {
        return yaml_refuse(file->tree, node, error,
                           "the window's duration must be from %d to %d days, not '%.40s'", MIN_WINDOW_DAYS,
                           MAX_WINDOW_DAYS, text);
    }
    return 0;
}

static int read_window(const struct slo_file *file, const struct yaml_node *spec, int *days,
                       struct error *error)
{
    static const char *const keys[] = {"duration", "isRolling", "calendar", NULL};
    const struct yaml_node *windows = need(file, spec, "timeWindow", error);
    if (windows == NULL) {
        return -1;
    }
    if (windows->kind != YAML_SEQUENCE || windows->count != 1) {
        return yaml_refuse(file->tree, windows, error, "'timeWindow' must be a list of exactly one window");
    }
    const struct yaml_node *window = windows->items[0];
    if (yaml_check_keys(file->tree, window, keys, error) != 0) {
        return -1;
    }
    const struct yaml_node *calendar = yaml_get_key(window, "calendar");
    if (calendar != NULL) {
        return yaml_refuse(file->tree, calendar, error,
                           "windows aligned with the calendar aren't supported; use a rolling one");
    }
    bool is_rolling = false;
    const struct yaml_node *rolling = need(file, window, "isRolling", error);
    if (rolling == NULL || yaml_read_boolean(file->tree, rolling, "isRolling", &is_rolling, error) != 0) {
        return -1;
    }
    if (!is_rolling) {
        return yaml_refuse(file->tree, rolling, error,
                           "'isRolling' must be true; other windows aren't supported");
    }
    const struct yaml_node *duration = need(file, window, "duration", error);
    return duration == NULL ? -1 : read_days(file, duration, days, error);
}

/* --- objectives ---- */

static int read_target(const struct slo_file *file, const struct yaml_node *objective, double *target,
                       struct error *error)
{
    const struct yaml_node *share = yaml_get(objective, "target");
    const struct yaml_node *percent = yaml_get(objective, "targetPercent");
    if ((share == NULL) == (percent == NULL)) {
        return yaml_refuse(file->tree, objective, error,
                           "an objective needs either 'target' or 'targetPercent'");
    }
    const struct yaml_node *node = share != NULL ? share : percent;
    const char *key = share != NULL ? "target" : "targetPercent";
    if (yaml_read_real(file->tree, node, key, target, error) != 0) {
        return -1;
    }
    *target /= share != NULL ? 1 : 100;
    if (!(*target > 0 && *target < 1)) {
        return yaml_refuse(file->tree, node, error,
                           "'%s' must be between 0 and %d, neither of them, not '%.40s'", key,
                           share != NULL ? 1 : 100, node->text);
    }
    return 0;
}

static int check_objective(const struct slo_file *file, const struct yaml_node *objective,
                           struct error *error)
{
    static const char *const keys[] = {"displayName",
                                       "op",
                                       "value",
                                       "target",
                                       "targetPercent",
                                       "timeSliceTarget",
                                       "timeSliceWindow",
                                       "indicator",
                                       "indicatorRef",
                                       "compositeWeight",
                                       NULL};
    static const struct {
        const char *key, *why;
    } refused[] = {
        {"indicator", "composite SLOs (an objective with an indicator of its own) aren't supported"},
        {"indicatorRef", "composite SLOs (an objective with an indicator of its own) aren't supported"},
        {"compositeWeight", "composite SLOs ('compositeWeight') aren't supported"},
        {"op", "'op' belongs to a thresholdMetric, which isn't supported"},
        {"value", "'value' belongs to a thresholdMetric, which isn't supported"},
        {"timeSliceTarget", "time slices ('timeSliceTarget') aren't supported"},
        {"timeSliceWindow", "time slices ('timeSliceWindow') aren't supported"},
    };
    if (yaml_check_keys(file->tree, objective, keys, error) != 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        const struct yaml_node *node = yaml_get_key(objective, refused[i].key);
        if (node != NULL) {
            return yaml_refuse(file->tree, node, error, "%s", refused[i].why);
        }
    }
    return 0;
}

static void name_objective(struct slo *slo, size_t count, size_t index)
{
    if (count > 1) { /* as Sloth numbers them */
        const size_t size = strlen(slo->name);
        (void)snprintf(slo->name + size, sizeof slo->name - size, "-%zu", index);
    }
    struct buffer id;
    buffer_init_fixed(&id, slo->id, sizeof slo->id); /* holds both names and more */
    buffer_append_format(&id, "%s-%s", slo->service, slo->name);
    (void)buffer_text(&id);
}

static int add_objective(struct slo_file *file, const struct slo *slo, const struct yaml_node *objectives,
                         size_t index, struct error *error)
{
    const struct yaml_node *objective = objectives->items[index];
    if (file->count == SLO_FILE_MAX) {
        return yaml_refuse(file->tree, objective, error, "more than %d objectives", SLO_FILE_MAX);
    }
    struct slo *added = &file->slos[file->count];
    *added = *slo;
    if (check_objective(file, objective, error) != 0 ||
        read_target(file, objective, &added->objective, error) != 0) {
        return -1;
    }
    name_objective(added, objectives->count, index);
    file->count++;
    return 0;
}

static int read_objectives(struct slo_file *file, const struct slo *slo, const struct yaml_node *spec,
                           struct error *error)
{
    const struct yaml_node *objectives = need(file, spec, "objectives", error);
    if (objectives == NULL) {
        return -1;
    }
    if (objectives->kind != YAML_SEQUENCE || objectives->count == 0) {
        return yaml_refuse(file->tree, objectives, error, "'objectives' must be a list of one or more");
    }
    for (size_t i = 0; i < objectives->count; i++) {
        if (add_objective(file, slo, objectives, i, error) != 0) {
            return -1;
        }
    }
    return 0;
}

/* --- the document ---- */

static int read_method(const struct slo_file *file, const struct yaml_node *spec, struct error *error)
{
    const char *method = NULL;
    const struct yaml_node *node = need(file, spec, "budgetingMethod", error);
    if (node == NULL || yaml_read_text(file->tree, node, "budgetingMethod", &method, error) != 0) {
        return -1;
    }
    if (strcmp(method, "Occurrences") != 0) {
        return yaml_refuse(file->tree, node, error,
                           "'budgetingMethod' must be Occurrences; '%.40s' isn't supported", method);
    }
    return 0;
}

static int read_spec(struct slo_file *file, struct slo *slo, const struct yaml_node *spec,
                     struct error *error)
{
    static const char *const keys[] = {"description",  "service",       "indicator",
                                       "indicatorRef", "timeWindow",    "budgetingMethod",
                                       "objectives",   "alertPolicies", NULL};
    if (yaml_check_keys(file->tree, spec, keys, error) != 0 ||
        read_name(file, spec, "service", slo->service, error) != 0) {
        return -1;
    }
    const struct yaml_node *reference = yaml_get_key(spec, "indicatorRef");
    if (reference != NULL) {
        return yaml_refuse(file->tree, reference, error,
                           "'indicatorRef' isn't supported; write the indicator here, as 'indicator'");
    }
    if (!is_empty(yaml_get(spec, "alertPolicies"))) {
        return yaml_refuse(file->tree, yaml_get_key(spec, "alertPolicies"), error,
                           "'alertPolicies' aren't supported; every SLO gets the same burn-rate alerts");
    }
    /* What an SLO is first, how it is measured last: whoever wants time slices should hear that they aren't
     * here. */
    if (read_method(file, spec, error) != 0 || read_window(file, spec, &slo->window_days, error) != 0) {
        return -1;
    }
    const struct yaml_node *indicator = need(file, spec, "indicator", error);
    if (indicator == NULL || indicator_read(file->tree, indicator, slo, error) != 0) {
        return -1;
    }
    return read_objectives(file, slo, spec, error);
}

/* 1: an SLO; 0: nothing to do. */
static int read_kind(const struct slo_file *file, const struct yaml_node *document, struct error *error)
{
    static const char *const keys[] = {"apiVersion", "kind", "metadata", "spec", NULL};
    const char *version = NULL;
    const char *kind = NULL;
    if (yaml_check_keys(file->tree, document, keys, error) != 0) {
        return -1;
    }
    const struct yaml_node *version_node = need(file, document, "apiVersion", error);
    if (version_node == NULL ||
        yaml_read_text(file->tree, version_node, "apiVersion", &version, error) != 0) {
        return -1;
    }
    if (strcmp(version, "openslo/v1") != 0) {
        return yaml_refuse(file->tree, version_node, error,
                           "'apiVersion' must be openslo/v1; '%.40s' isn't supported", version);
    }
    const struct yaml_node *kind_node = need(file, document, "kind", error);
    if (kind_node == NULL || yaml_read_text(file->tree, kind_node, "kind", &kind, error) != 0) {
        return -1;
    }
    if (strcmp(kind, "SLO") == 0) {
        return 1;
    }
    if (strcmp(kind, "Service") != 0 && strcmp(kind, "DataSource") != 0) {
        return yaml_refuse(file->tree, kind_node, error,
                           "'kind' must be SLO, Service or DataSource; '%.40s' isn't supported", kind);
    }
    return 0;
}

int document_read(struct slo_file *file, const struct yaml_node *document, struct error *error)
{
    struct slo slo = {.line = document->line};
    const int kind = read_kind(file, document, error);
    if (kind <= 0) {
        return kind;
    }
    if (read_metadata(file, document, slo.name, error) != 0) {
        return -1;
    }
    const struct yaml_node *spec = need(file, document, "spec", error);
    return spec == NULL ? -1 : read_spec(file, &slo, spec, error);
}
