/* tests/docs/dashboard: the queries of dashboards/, as Grafana would send them. Functions fail the running
 * test themselves. */
#ifndef OBS_TESTS_DOCS_DASHBOARD_H
#define OBS_TESTS_DOCS_DASHBOARD_H

#include <stdbool.h>

struct buffer;

struct dashboard_query {
    const char *file;       /* "dashboards/golden-signals.json" */
    const char *panel;      /* its title; "" for an annotation's */
    const char *expression; /* variables replaced: $service and all others by .+, $__rate_interval by 1m … */
    bool rare; /* an annotation's, kubernetes-platform.json's, or the panel says what no value means (noValue)
                */
};

/* The query as Grafana would send it: "$service", "${service:regex}", "[[service]]" -> ".+",
 * "$__rate_interval" -> "1m", "$__interval" -> "15s", "$__range" -> "5m". */
void dashboard_replace_variables(struct buffer *out, const char *expression);

/* Every "expr" of every dashboard. Borrowed for the call. */
void dashboard_each_query(void (*take)(void *context, const struct dashboard_query *query), void *context);

#endif
