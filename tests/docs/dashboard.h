/* tests/docs/dashboard: the queries of dashboards/, as Grafana would send them. Functions fail the running
 * test themselves. */
#ifndef OBS_TESTS_DOCS_DASHBOARD_H
#define OBS_TESTS_DOCS_DASHBOARD_H

#include <stdbool.h>

struct buffer;

struct dashboard_query {
    const char *file;       /* "dashboards/golden-signals.json" */
    const char *panel;      /* its title; a variable's or an annotation's name */
    const char *expression; /* variables replaced: $service and all others by .+, $__rate_interval by 1m … */
    bool rare; /* may be empty: an annotation's, kubernetes-platform.json's, a panel's with noValue */
    bool has_exemplars; /* shows single requests beside it */
};

/* The query as Grafana would send it: "$service", "${service:regex}", "[[service]]" -> ".+",
 * "$__rate_interval" -> "1m", "$__interval" -> "15s", "$__range" -> "5m". */
void dashboard_replace_variables(struct buffer *out, const char *expression);

/* What panels, variables (the series of label_values) and annotations ask. Borrowed for the call. */
void dashboard_each_query(void (*take)(void *context, const struct dashboard_query *query), void *context);

#endif
