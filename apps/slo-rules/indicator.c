#include "indicator.h"

#include "selector.h"

#include "yaml/yaml_tree.h"

#include <string.h>
#include <strings.h>

static int read_source(const struct yaml_tree *tree, const struct yaml_node *metric, const char *which,
                       struct slo_counter *counter, struct error *error)
{
    static const char *const metric_keys[] = {"metricSource", NULL};
    static const char *const source_keys[] = {"metricSourceRef", "type", "spec", NULL};
    static const char *const spec_keys[] = {"query", NULL};
    const char *type = NULL;
    const char *query = NULL;
    if (yaml_check_keys(tree, metric, metric_keys, error) != 0) {
        return -1;
    }
    const struct yaml_node *source = yaml_get(metric, "metricSource");
    if (source == NULL) {
        return yaml_refuse(tree, metric, error, "'%s' has no 'metricSource'", which);
    }
    if (yaml_check_keys(tree, source, source_keys, error) != 0) {
        return -1;
    }
    const struct yaml_node *type_node = yaml_get(source, "type");
    if (type_node == NULL) {
        return yaml_refuse(tree, source, error, "the metricSource of '%s' must say 'type: Prometheus'",
                           which);
    }
    if (yaml_read_text(tree, type_node, "type", &type, error) != 0) {
        return -1;
    }
    if (strcasecmp(type, "prometheus") != 0) {
        return yaml_refuse(tree, type_node, error,
                           "a metricSource's type must be Prometheus; '%.40s' isn't supported", type);
    }
    const struct yaml_node *spec = yaml_get(source, "spec");
    if (spec == NULL || yaml_get(spec, "query") == NULL) {
        return yaml_refuse(tree, source, error, "the metricSource of '%s' has no 'query' in its 'spec'",
                           which);
    }
    const struct yaml_node *query_node = yaml_get(spec, "query");
    if (yaml_check_keys(tree, spec, spec_keys, error) != 0 ||
        yaml_read_text(tree, query_node, "query", &query, error) != 0) {
        return -1;
    }
    const char *trouble = selector_read(query, counter);
    return trouble == NULL ? 0 : yaml_refuse(tree, query_node, error, "the query of '%s' %s", which, trouble);
}

static int read_counter(const struct yaml_tree *tree, const struct yaml_node *ratio, const char *which,
                        struct slo_counter *counter, struct error *error)
{
    const struct yaml_node *metric = yaml_get(ratio, which);
    return metric == NULL ? 0 : read_source(tree, metric, which, counter, error);
}

static int check_ratio(const struct yaml_tree *tree, const struct yaml_node *ratio, struct error *error)
{
    static const char *const keys[] = {"counter", "good", "bad", "total", "raw", "rawType", NULL};
    if (yaml_check_keys(tree, ratio, keys, error) != 0) {
        return -1;
    }
    const struct yaml_node *raw =
        yaml_get_key(ratio, "raw") != NULL ? yaml_get_key(ratio, "raw") : yaml_get_key(ratio, "rawType");
    if (raw != NULL) {
        return yaml_refuse(tree, raw, error, "'raw' ratios aren't supported; give good or bad, and total");
    }
    bool is_counter = false;
    const struct yaml_node *node = yaml_get(ratio, "counter");
    if (node == NULL) {
        return yaml_refuse(tree, ratio, error,
                           "a ratioMetric needs 'counter: true': rates are taken of counters");
    }
    if (yaml_read_boolean(tree, node, "counter", &is_counter, error) != 0) {
        return -1;
    }
    if (!is_counter) {
        return yaml_refuse(tree, node, error,
                           "'counter: false' isn't supported: rates are taken of counters");
    }
    if ((yaml_get(ratio, "good") == NULL) == (yaml_get(ratio, "bad") == NULL)) {
        return yaml_refuse(tree, ratio, error, "a ratioMetric needs either 'good' or 'bad'");
    }
    return yaml_get(ratio, "total") != NULL ? 0
                                            : yaml_refuse(tree, ratio, error, "a ratioMetric needs 'total'");
}

int indicator_read(const struct yaml_tree *tree, const struct yaml_node *indicator, struct slo *slo,
                   struct error *error)
{
    static const char *const indicator_keys[] = {"metadata", "spec", NULL};
    static const char *const spec_keys[] = {"description", "ratioMetric", "thresholdMetric", NULL};
    if (yaml_check_keys(tree, indicator, indicator_keys, error) != 0) {
        return -1;
    }
    const struct yaml_node *spec = yaml_get(indicator, "spec");
    if (spec == NULL) {
        return yaml_refuse(tree, indicator, error, "the indicator has no 'spec'");
    }
    if (yaml_check_keys(tree, spec, spec_keys, error) != 0) {
        return -1;
    }
    const struct yaml_node *threshold = yaml_get_key(spec, "thresholdMetric");
    if (threshold != NULL) {
        return yaml_refuse(
            tree, threshold, error,
            "'thresholdMetric' isn't supported; count what is good and all that there is (ratioMetric)");
    }
    const struct yaml_node *ratio = yaml_get(spec, "ratioMetric");
    if (ratio == NULL) {
        return yaml_refuse(tree, spec, error, "the indicator has no 'ratioMetric'");
    }
    if (check_ratio(tree, ratio, error) != 0 || read_counter(tree, ratio, "good", &slo->good, error) != 0 ||
        read_counter(tree, ratio, "bad", &slo->bad, error) != 0) {
        return -1;
    }
    return read_counter(tree, ratio, "total", &slo->total, error);
}
