#include "proxies.h"

#include <stddef.h>

/* Prometheus' HTTP API, the part that reads. POST: the same queries with a longer text; also only read. */
static const struct proxy_rule prometheus_rules[] = {
    {"GET", "query"},        {"POST", "query"},           {"GET", "query_range"},
    {"POST", "query_range"}, {"GET", "query_exemplars"},  {"GET", "series"},
    {"GET", "labels"},       {"GET", "label/*/values"},   {"GET", "rules"},
    {"GET", "alerts"},       {"GET", "targets"},          {"GET", "metadata"},
    {"GET", "format_query"}, {"GET", "status/buildinfo"},
};
static const char *const prometheus_parameters[] = {"query",   "time",  "start", "end",   "step",   "timeout",
                                                    "match[]", "limit", "type",  "state", "metric", NULL};

static const struct proxy_rule alertmanager_rules[] = {
    {"GET", "alerts"},    {"GET", "alerts/groups"}, {"GET", "silences"},     {"GET", "silence/*"},
    {"POST", "silences"}, {"GET", "status"},        {"DELETE", "silence/*"},
};
static const char *const alertmanager_parameters[] = {"filter",    "active",      "silenced",
                                                      "inhibited", "unprocessed", NULL};

static const struct proxy_rule simulator_rules[] = {
    {"GET", "faults"},
    {"POST", "faults"},
    {"DELETE", "faults/*"},
};

void proxies_init(struct proxies *proxies, struct program *program, const char *prometheus,
                  const char *alertmanager, const char *simulator)
{
    *proxies = (struct proxies){
        .prometheus = {.base = prometheus,
                       .name = "Prometheus",
                       .prefix = "/api/v1/",
                       .rules = prometheus_rules,
                       .rule_count = sizeof prometheus_rules / sizeof prometheus_rules[0],
                       .parameters = prometheus_parameters,
                       .timeout_ms = 30000,
                       .program = program},
        .alertmanager = {.base = alertmanager,
                         .name = "Alertmanager",
                         .prefix = "/api/v2/",
                         .rules = alertmanager_rules,
                         .rule_count = sizeof alertmanager_rules / sizeof alertmanager_rules[0],
                         .parameters = alertmanager_parameters,
                         .timeout_ms = 10000,
                         .program = program},
        .simulator = {.base = simulator,
                      .name = "simulator",
                      .prefix = "/",
                      .rules = simulator_rules,
                      .rule_count = sizeof simulator_rules / sizeof simulator_rules[0],
                      .timeout_ms = 5000,
                      .program = program},
    };
}
