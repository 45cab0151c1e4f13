#include "rule/rule_load.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#define BASELINE "rules:\n  - {name: B, type: baseline, signal: request_rate, min_expected: 1, severity: info"
#define RULE     "rules:\n  - {name: R, signal: error_rate, above: 0.05, severity: info"

static void the_shipped_rules_are_what_the_contract_names(void **state)
{
    (void)state;
    struct rule_set *set = NULL;
    struct error error;
    assert_int_equal(rule_set_load(&set, OBS_SOURCE_DIR "/config/anomaly-rules.yaml", &error), 0);
    assert_int_equal(set->count, 3);
    const struct rule *latency = &set->rules[0];
    const struct rule *errors = &set->rules[1];
    assert_string_equal(latency->name, "HighLatencyP99");
    assert_true(latency->signal == RULE_LATENCY_P99 && latency->threshold == 0.5 && !latency->below);
    assert_int_equal(latency->severity, RULE_WARNING);
    assert_string_equal(errors->name, "HighErrorRate");
    assert_true(errors->signal == RULE_ERROR_RATE && errors->threshold == 0.05);
    assert_int_equal(errors->severity, RULE_CRITICAL);
    for (size_t i = 0; i < 2; i++) {
        const struct rule *rule = &set->rules[i];
        assert_int_equal(rule->window_count, 3);
        assert_int_equal(set->layout.lengths_s[rule->windows[0]], 10);
        assert_int_equal(set->layout.lengths_s[rule->windows[1]], 60);
        assert_int_equal(set->layout.lengths_s[rule->windows[2]], 600);
        assert_true(rule->min_bad == 4 && rule->confidence == 0.999 && rule->clear_odds == 100);
        assert_true(rule->for_violations == 1 && rule->for_clear == 20 && rule->on_no_data == RULE_HOLD);
    }
    const struct rule *traffic = &set->rules[2];
    assert_string_equal(traffic->name, "TrafficLost");
    assert_true(traffic->is_baseline && traffic->below && traffic->signal == RULE_REQUEST_RATE);
    assert_true(traffic->threshold == 0.2 && traffic->min_expected == 1 && traffic->deviations == 0);
    assert_int_equal(traffic->history_slots, 168);
    assert_int_equal(traffic->min_history_minutes, 60);
    assert_int_equal(traffic->window_count, 1);
    assert_int_equal(set->layout.lengths_s[traffic->windows[0]], 60);
    assert_true(traffic->for_violations == 3 && traffic->for_clear == 20);
    assert_true(traffic->on_no_data == RULE_FIRE && traffic->no_data_learned);
    assert_int_equal(traffic->severity, RULE_CRITICAL);
    assert_string_equal(traffic->runbook, "runbooks/traffic-lost.md");
    rule_set_destroy(set);
}

static void everything_that_can_be_said_is_read(void **state)
{
    (void)state;
    static const char yaml[] = "rules:\n"
                               "  - name: Routes_1\n"
                               "    type: static\n"
                               "    signal: latency_p95\n"
                               "    above: 0.25\n"
                               "    window: [5s, 1m]\n"
                               "    min_bad: 7\n"
                               "    min_samples: 30\n"
                               "    confidence: off\n"
                               "    for_violations: 3\n"
                               "    clear_odds: 50\n"
                               "    for_clear: 10\n"
                               "    on_no_data: {resolve: 5m}\n"
                               "    severity: warning\n"
                               "    group_by: [service.name, cloud.region, http.route]\n"
                               "    match: {service.name: api-service, http.route: /a}\n"
                               "    runbook: runbooks/x.md\n"
                               "  - {name: Cpu, signal: cpu, above: 0.9, severity: info}\n";
    struct rule_set *set = NULL;
    struct error error;
    assert_int_equal(rule_set_parse(&set, "x.yaml", yaml, strlen(yaml), &error), 0);
    const struct rule *rule = &set->rules[0];
    assert_int_equal(set->layout.lengths_s[rule->windows[0]], 5);
    assert_int_equal(set->layout.lengths_s[rule->windows[1]], 60);
    assert_true(set->layout.thresholds_s[rule->slow_index] == 0.25);
    assert_true(rule->min_bad == 7 && rule->min_samples == 30 && rule->confidence == 0);
    assert_true(rule->for_violations == 3 && rule->clear_odds == 50 && rule->for_clear == 10);
    assert_true(rule->on_no_data == RULE_RESOLVE && rule->no_data_after_s == 300);
    assert_true(rule->by_route && set->any_by_route && set->layout.gauges);
    assert_string_equal(rule->match_service, "api-service");
    assert_string_equal(rule->match_route, "/a");
    assert_string_equal(rule->runbook, "runbooks/x.md");
    rule_set_destroy(set);
}

static void what_is_wrong_is_refused_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *where, *says;
    } cases[] = {
        {"rules: 5", "r.yaml:1", "list"},
        {"alerts: []", "r.yaml:1", "alerts"},
        {RULE ", colour: red}", "r.yaml:2", "colour"},
        {RULE "}\n  - {name: R, signal: cpu, above: 0.5, severity: info}", "r.yaml:3", "'R'"},
        {RULE ", below: 0.1}", "r.yaml:2", "either"},
        {RULE ", window: 2h}", "r.yaml:2", "window"},
        {RULE ", window: 1500ms}", "r.yaml:2", "window"},
        {RULE ", window: [60s, 10s]}", "r.yaml:2", "ascending"},
        {RULE ", confidence: 1}", "r.yaml:2", "confidence"},
        {RULE ", confidence: maybe}", "r.yaml:2", "confidence"},
        {RULE ", clear_odds: 1}", "r.yaml:2", "clear_odds"},
        {RULE ", for_violations: 0}", "r.yaml:2", "for_violations"},
        {RULE ", min_bad: -1}", "r.yaml:2", "min_bad"},
        {RULE ", on_no_data: panic}", "r.yaml:2", "on_no_data"},
        {RULE ", group_by: [service.name]}", "r.yaml:2", "Prometheus"},
        {RULE ", group_by: [service.name, cloud.region, pod]}", "r.yaml:2", "pod"},
        {RULE ", match: {http.route: /a}}", "r.yaml:2", "group_by"},
        {RULE ", type: seasonal}", "r.yaml:2", "baseline"},
        {RULE ", history: 7d}", "r.yaml:2", "'history' is for rules of type: baseline"},
        {RULE ", min_expected: 1}", "r.yaml:2", "'min_expected' is for rules of type: baseline"},
        {BASELINE ", below: 2}", "r.yaml:2", "between 0 and 1"},
        {BASELINE ", above: 0.5}", "r.yaml:2", "more than 1"},
        {BASELINE ", below: 1}", "r.yaml:2", "1 with 'deviations'"},
        {BASELINE "}", "r.yaml:2", "either"},
        {BASELINE ", below: 0.2, deviations: 0}", "r.yaml:2", "deviations"},
        {BASELINE ", below: 0.2, history: 3d}", "r.yaml:2", "7d (hour of the week) or 1d"},
        {BASELINE ", below: 0.2, min_history: 5m}", "r.yaml:2", "min_history"},
        {BASELINE ", below: 0.2, clear_odds: 10}", "r.yaml:2", "clear_odds"},
        {BASELINE ", below: 0.2, window: [10s, 60s]}", "r.yaml:2", "one time"},
        {"rules:\n  - {name: B, type: baseline, signal: request_rate, below: 0.2, severity: info}",
         "r.yaml:2", "'min_expected' is missing"},
        {"rules:\n  - {name: B, type: baseline, signal: error_rate, above: 3, severity: info}", "r.yaml:2",
         "'min_expected' is missing"},
        {"rules:\n  - {name: B, type: baseline, signal: latency_p99, below: 0.5, severity: info}", "r.yaml:2",
         "only be 'above'"},
        {"rules:\n  - {name: B, type: baseline, signal: latency_p99, above: 3, severity: info, window: 5m}",
         "r.yaml:2", "durations are kept for a minute"},
        {"rules:\n  - {name: R, signal: error_rate, above: 1, severity: info}", "r.yaml:2", "share"},
        {"rules:\n  - {name: R, signal: error_rate, above: .nan, severity: info}", "r.yaml:2", "above"},
        {"rules:\n  - {name: R, signal: error_rate, below: 0.1, severity: info}", "r.yaml:2", "above"},
        {"rules:\n  - {name: '', signal: cpu, above: 0.5, severity: info}", "r.yaml:2", "name"},
        {"rules:\n  - {name: a b, signal: cpu, above: 0.5, severity: info}", "r.yaml:2", "a b"},
        {"rules:\n  - {name: R, signal: disk, above: 0.5, severity: info}", "r.yaml:2", "disk"},
        {"rules:\n  - {name: R, signal: cpu, above: 0.5, severity: loud}", "r.yaml:2", "loud"},
        {"rules:\n  - {name: R, signal: cpu, above: 0.5}", "r.yaml:2", "severity"},
        {"rules:\n  - {signal: cpu, above: 0.5, severity: info}", "r.yaml:2", "name"},
        {"rules:\n  - {name: R, signal: cpu, above: 0.5, severity: info, window: [10s, 60s]}", "r.yaml:2",
         "one time"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rule_set *set = NULL;
        struct error error;
        error_clear(&error);
        if (rule_set_parse(&set, "r.yaml", cases[i].yaml, strlen(cases[i].yaml), &error) == 0) {
            fail_msg("taken: %s", cases[i].yaml);
        }
        assert_null(set);
        if (strstr(error.message, cases[i].where) == NULL || strstr(error.message, cases[i].says) == NULL) {
            fail_msg("'%s' is said of: %s", error.message, cases[i].yaml);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shipped_rules_are_what_the_contract_names),
        cmocka_unit_test(everything_that_can_be_said_is_read),
        cmocka_unit_test(what_is_wrong_is_refused_with_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
