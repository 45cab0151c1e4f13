/* fault: what goes wrong on purpose, when, where and how much; and what that does to a series' traffic.
 *
 *   type            magnitude               what changes
 *   latency_spike   factor 1-1000           durations × factor
 *   error_burst     share 0-1               that share of the responses is 5xx (the largest one counts)
 *   traffic_surge   factor 0-1000           requests × factor; CPU and memory follow
 *   saturation      utilisation 0-1         CPU and memory at least that; durations grow as a queue's, at
 * most × 10 region_outage   share lost 0-1 (or 1)   that share of the requests never arrives
 *
 * A fault concerns one service or all, one region or all. Several at once multiply. */
#ifndef SIMULATOR_FAULT_H
#define SIMULATOR_FAULT_H

#include "error/error.h"

#include <stdint.h>

struct yaml_node;
struct yaml_tree;

enum fault_type {
    FAULT_LATENCY_SPIKE,
    FAULT_ERROR_BURST,
    FAULT_TRAFFIC_SURGE,
    FAULT_SATURATION,
    FAULT_REGION_OUTAGE,
    FAULT_TYPE_COUNT
};

enum { FAULT_EVERYWHERE = -1 };

#define FAULT_MAX_MS INT64_C(31622400000) /* start and duration: at most 366 days */

struct fault_spec {
    enum fault_type type;
    int service, region; /* of the catalog, or FAULT_EVERYWHERE */
    int64_t start_ms;    /* after the moment when the fault is handed in */
    int64_t at_unix_ms;  /* instead of start_ms: a time of the day; -1: not given */
    int64_t duration_ms; /* 0: until it is ended, or the run ends */
    double magnitude;
};

const char *fault_type_name(enum fault_type type);

/* One fault as it stands in a scenario's list or in the body of POST /faults. -1: error names the line, the
 * field, the value and what is allowed. */
int fault_parse(struct fault_spec *spec, const struct yaml_tree *tree, const struct yaml_node *node,
                struct error *error);

/* What the active faults do to one series. */
struct fault_effect {
    double latency_factor; /* 1: none */
    double error_share;    /* 0: none */
    double traffic_factor; /* 1: none */
    double saturation;     /* 0: none */
};

void fault_effect_init(struct fault_effect *effect);
/* Adds the fault to the effect, if the series is among those it concerns. */
void fault_effect_add(struct fault_effect *effect, const struct fault_spec *spec, int service, int region);

#endif
