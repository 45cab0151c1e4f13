/* plan: what goes wrong when, in a scenario: seeded, made before the first event. Incidents are what
 * detectors are held against; changes are what the simulator's traffic is told, in order of time.
 *
 * An incident concerns one series and one rule. How it is to be judged depends on what is true, not on what
 * was seen: docs/scored.md, "What counts". */
#ifndef SCORE_PLAN_H
#define SCORE_PLAN_H

#include "fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_START_UNIX_MS INT64_C(1795478400000) /* 2026-11-24, midnight UTC */

struct random;

/* The three shipped rules, by what they watch. */
enum watch { WATCH_LATENCY, WATCH_ERRORS, WATCH_TRAFFIC, WATCH_COUNT };

enum plan_shape {
    PLAN_HEALTHY,
    PLAN_MIX,      /* spikes, bursts and drops, each series by itself */
    PLAN_DAY,      /* a mix that leaves room to look at */
    PLAN_FAILURES, /* half an hour in which everything fails: quiet series */
    PLAN_BLIPS,    /* 1 to 8 s */
    PLAN_FLAPS,    /* 20 s on, 20 s off, for ten minutes */
    PLAN_DRIFTS,   /* an hour up, ten minutes there */
    PLAN_OUTAGES,  /* whole regions, and everything */
    PLAN_SURGES    /* healthy: three times the traffic */
};

struct scenario {
    const char *name, *title;
    enum plan_shape shape;
    double target_rps; /* of the twelve series together */
    double hours;
    double error_share;            /* as in traffic_settings; negative: the services' own */
    int64_t clock_ms;              /* what the services' clocks show beyond the bus's */
    double late, copied;           /* share of records that come up to 20 s late, that come again */
    int64_t shortest_s, longest_s; /* of the mix' faults */
    double usual_factor;           /* of durations, faults or not; 0: 1 */
    bool is_calm;                  /* healthy or quiet: its false firings count for the limit a day */
};

enum incident_kind {
    INCIDENT_SPIKE,
    INCIDENT_BURST,
    INCIDENT_DROP,
    INCIDENT_DRIFT,
    INCIDENT_FLAP,
    INCIDENT_BLIP,
    INCIDENT_KINDS
};
enum incident_duty {
    INCIDENT_REQUIRED, /* to be found */
    INCIDENT_ALLOWED,  /* may be found: so near the limit, or so short */
    INCIDENT_FORBIDDEN /* no fault for this rule: finding it is false */
};

enum { SIDE_OURS, SIDE_PLAIN, SIDE_PROMETHEUS, SIDE_COUNT };

struct incident {
    enum watch watch;
    enum incident_kind kind;
    enum incident_duty duty;
    double size; /* factor of durations, share of errors, share of traffic lost */
    int series;
    int64_t begin_ms, end_ms;          /* of the traffic's time */
    double rate;                       /* healthy requests a second when it begins */
    uint32_t first_records, first_bad; /* in its first minute */
    int64_t first_bad_ms, earliest_ms; /* of it; -1. Before the latter nobody can know that it is no blip:
                                          PLAN_FEW bad records, one of them over 3 s after the first */
    int64_t found_ms[SIDE_COUNT];      /* the first firing; -1: none */
    uint32_t firings[SIDE_COUNT];
};

#define PLAN_FEW     3
#define PLAN_BLIP_MS 3000 /* what lasts no longer must not fire */

struct change {
    int64_t at_ms;
    int series;
    struct fault_effect effect;
};

struct plan {
    struct incident *incidents;
    size_t incident_count, incident_capacity;
    struct change *changes; /* in order of time */
    size_t change_count, change_capacity;
};

/* Limits are the shipped rules' own: seconds of P99, share of errors. */
struct plan_limits {
    double slow_s, errors;
};

const struct scenario *plan_scenarios(size_t *count);
void plan_make(struct plan *plan, const struct scenario *scenario, const struct plan_limits *limits,
               uint64_t seed);
void plan_free(struct plan *plan);

/* The series' requests a second at that time, without faults. */
double plan_rate(const struct scenario *scenario, int series, int64_t at_ms);

#endif
