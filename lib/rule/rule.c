#include "rule/rule.h"

const char *rule_signal_name(enum rule_signal signal)
{
    static const char *const names[] = {"latency_p50",  "latency_p95", "latency_p99", "error_rate",
                                        "request_rate", "cpu",         "memory"};
    return names[signal];
}

const char *rule_severity_name(enum rule_severity severity)
{
    static const char *const names[] = {"info", "warning", "critical"};
    return names[severity];
}

bool rule_is_latency(const struct rule *rule)
{
    return rule->signal <= RULE_LATENCY_P99;
}

uint32_t rule_percentile(const struct rule *rule)
{
    return rule->signal == RULE_LATENCY_P50 ? 50 : rule->signal == RULE_LATENCY_P95 ? 95 : 99;
}

bool rule_is_share(const struct rule *rule)
{
    return !rule->is_baseline && (rule_is_latency(rule) || rule->signal == RULE_ERROR_RATE);
}

double rule_bad_share(const struct rule *rule)
{
    return rule->signal == RULE_ERROR_RATE ? rule->threshold : (100 - rule_percentile(rule)) / 100.0;
}
