/* lib/rule/rule: an anomaly rule as data, and a set of them with the window layout they need.
 *
 * Loaded once (rule_load.h), then read by any thread. What a rule decides is rule_state.h; the page for
 * people is docs/detection.md. */
#ifndef OBS_RULE_RULE_H
#define OBS_RULE_RULE_H

#include "window/window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULE_NAME_BYTES    65
#define RULE_LABEL_BYTES   257
#define RULE_RUNBOOK_BYTES 256
#define RULE_MAX           64

enum rule_signal {
    RULE_LATENCY_P50,
    RULE_LATENCY_P95,
    RULE_LATENCY_P99,
    RULE_ERROR_RATE,
    RULE_REQUEST_RATE,
    RULE_CPU,
    RULE_MEMORY
};
enum rule_severity { RULE_INFO, RULE_WARNING, RULE_CRITICAL };
enum rule_no_data { RULE_HOLD, RULE_RESOLVE, RULE_FIRE };

struct rule {
    char name[RULE_NAME_BYTES];
    enum rule_signal signal;
    bool below;       /* otherwise above */
    bool is_baseline; /* compared with what the series' own history expects */
    double threshold; /* seconds, a share, requests a second; of a baseline rule: times what is expected */
    uint32_t windows[WINDOW_LENGTHS]; /* indices into the layout, ascending */
    uint32_t window_count;
    uint32_t slow_index;                /* latency: which of the layout's thresholds */
    uint64_t min_samples;               /* without confidence: fewer records decide nothing */
    uint64_t min_bad;                   /* with confidence: fewer violating records decide nothing */
    double confidence;                  /* 0: off, the plain comparison */
    uint32_t for_violations, for_clear; /* evaluations in a row, one a second */
    double clear_odds;
    enum rule_no_data on_no_data;
    int64_t no_data_after_s;
    bool no_data_learned; /* a baseline rule without a time: as soon as its history rules such silence out */
    double deviations;    /* of a baseline rule: so many robust standard deviations further */
    double min_expected;  /* less is too little to judge by */
    uint32_t history_slots; /* hours of the week or of the day; see baseline.h */
    uint32_t min_history_minutes;
    enum rule_severity severity;
    bool by_route; /* group_by has http.route */
    char match_service[RULE_LABEL_BYTES], match_region[RULE_LABEL_BYTES],
        match_route[RULE_LABEL_BYTES]; /* "": any */
    char runbook[RULE_RUNBOOK_BYTES];
};

struct rule_set {
    struct rule rules[RULE_MAX];
    size_t count;
    bool any_by_route;
    struct window_layout layout;
};

const char *rule_signal_name(enum rule_signal signal);
const char *rule_severity_name(enum rule_severity severity);
bool rule_is_latency(const struct rule *rule);
uint32_t rule_percentile(const struct rule *rule); /* 50, 95, 99; of latency rules */
bool rule_is_share(const struct rule *rule); /* static rules on latency and error rate: a share of bad records
                                                against a limit */
double rule_bad_share(const struct rule *rule); /* that limit: p */

#endif
