#include "plan.h"

#include "catalog.h"
#include "random/random.h"
#include "slow_share.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(array)  (sizeof(array) / sizeof(array)[0])
#define SECOND_MS     INT64_C(1000)
#define MINUTE_MS     (60 * SECOND_MS)
#define HOUR_MS       (60 * MINUTE_MS)
#define CLEARLY_OVER  1.2 /* a share between the limit and so many times it may be found or not */
#define DROP_LEFT     0.2 /* TrafficLost: what is left of the expected traffic is below this … */
#define DROP_MIN_RATE 1.0 /* … which is at least this */
#define LEARNING_MS   (70 * MINUTE_MS) /* references and baselines look an hour back */
#define CLEAR_MS      (11 * MINUTE_MS) /* between faults: the longest window forgets */

static const struct scenario scenarios[] = {
    {"mix-250", "spikes, bursts, drops; 7-50 requests/s", PLAN_MIX, 250, 12, -1, 0, 0, 0, 120, 480, 0, false},
    {"mix-50", "the same at 1.4-10 requests/s", PLAN_MIX, 50, 24, -1, 0, 0, 0, 120, 480, 0, false},
    {"mix-10", "the same at 0.3-2 requests/s", PLAN_MIX, 10, 48, -1, 0, 0, 0, 180, 900, 0, false},
    {"mix-2", "the same at 0.06-0.4 requests/s", PLAN_MIX, 2.5, 48, -1, 0, 0, 0, 300, 1800, 0, false},
    {"fast-clock", "clocks 20 s ahead of the bus", PLAN_MIX, 50, 8, -1, 20000, 0, 0, 120, 480, 0, false},
    {"slow-clock", "clocks 10 s behind the bus", PLAN_MIX, 50, 8, -1, -10000, 0, 0, 120, 480, 0, false},
    {"late", "5 % up to 20 s late, 5 % sent twice", PLAN_MIX, 50, 8, -1, 0, 0.05, 0.05, 120, 480, 0, false},
    {"slow-services", "durations half as long again: 2 x is a fault", PLAN_MIX, 100, 12, -1, 0, 0, 0, 120,
     480, 1.5, false},
    {"blips-250", "1-3 s and 3-8 s at 7-50 requests/s", PLAN_BLIPS, 250, 4, -1, 0, 0, 0, 0, 0, 0, false},
    {"blips-50", "the same at 1.4-10 requests/s", PLAN_BLIPS, 50, 12, -1, 0, 0, 0, 0, 0, 0, false},
    {"flaps", "20 s on, 20 s off, ten minutes long", PLAN_FLAPS, 100, 12, -1, 0, 0, 0, 0, 0, 0, false},
    {"drifts", "an hour up, ten minutes there", PLAN_DRIFTS, 50, 24, -1, 0, 0, 0, 0, 0, 0, false},
    {"outages", "a region or everything is gone", PLAN_OUTAGES, 50, 24, -1, 0, 0, 0, 0, 0, 0, false},
    {"night-failures", "0.1-1.1 requests a minute, half an hour fails", PLAN_FAILURES, 0.2, 240, -1, 0, 0, 0,
     0, 0, 0, false},
    {"surges", "healthy, three times the traffic now and then", PLAN_SURGES, 50, 12, -1, 0, 0, 0, 0, 0, 0,
     true},
    {"healthy-100", "the shipped twelve series at 100 requests/s", PLAN_HEALTHY, 100, 48, -1, 0, 0, 0, 0, 0,
     0, true},
    {"healthy-10", "the same at 10 requests/s", PLAN_HEALTHY, 10, 168, -1, 0, 0, 0, 0, 0, 0, true},
    {"quiet", "1 request a minute in each series", PLAN_HEALTHY, 0.2, 240, -1, 0, 0, 0, 0, 0, 0, true},
    {"quiet-errors", "the same, 2 % fail", PLAN_HEALTHY, 0.2, 240, 0.02, 0, 0, 0, 0, 0, 0, true},
    {"day", "a day to look at", PLAN_DAY, 50, 24, -1, 0, 0, 0, 120, 900, 0, false},
};

const struct scenario *plan_scenarios(size_t *count)
{
    *count = COUNT(scenarios);
    return scenarios;
}

/* --- lists ---- */

static void *grown(void *items, size_t count, size_t *capacity, size_t item_bytes)
{
    if (count < *capacity) {
        return items;
    }
    *capacity = *capacity == 0 ? 256 : *capacity * 2;
    void *more = realloc(items, *capacity * item_bytes);
    if (more == NULL) {
        perror("score");
        exit(1);
    }
    return more;
}

static struct incident *add_incident(struct plan *plan, const struct incident *incident)
{
    plan->incidents =
        grown(plan->incidents, plan->incident_count, &plan->incident_capacity, sizeof *plan->incidents);
    struct incident *added = &plan->incidents[plan->incident_count++];
    *added = *incident;
    added->first_bad_ms = -1;
    added->earliest_ms = -1;
    for (int side = 0; side < SIDE_COUNT; side++) {
        added->found_ms[side] = -1;
    }
    return added;
}

static void add_change(struct plan *plan, int64_t at_ms, int series, const struct fault_effect *effect)
{
    plan->changes = grown(plan->changes, plan->change_count, &plan->change_capacity, sizeof *plan->changes);
    plan->changes[plan->change_count++] = (struct change){at_ms, series, *effect};
}

static int compare_changes(const void *a, const void *b)
{
    const struct change *left = a;
    const struct change *right = b;
    if (left->at_ms != right->at_ms) {
        return left->at_ms < right->at_ms ? -1 : 1;
    }
    return left->series - right->series;
}

static int compare_incidents(const void *a, const void *b)
{
    const struct incident *left = a;
    const struct incident *right = b;
    return left->begin_ms < right->begin_ms ? -1 : left->begin_ms > right->begin_ms;
}

void plan_free(struct plan *plan)
{
    free(plan->incidents);
    free(plan->changes);
    *plan = (struct plan){0};
}

/* --- what is true ---- */

double plan_rate(const struct scenario *scenario, int series, int64_t at_ms)
{
    double sum = 0;
    double own = 0;
    for (size_t region = 0; region < REGION_COUNT; region++) {
        double share = catalog_region(region)->weight * catalog_day_curve(region, PLAN_START_UNIX_MS + at_ms);
        own = (int)region == series % REGION_COUNT ? share : own;
        sum += share;
    }
    return scenario->target_rps * catalog_service((size_t)(series / REGION_COUNT))->weight * own / sum;
}

static enum incident_duty duty_of_share(double share, double limit)
{
    return share <= limit                  ? INCIDENT_FORBIDDEN
           : share <= CLEARLY_OVER * limit ? INCIDENT_ALLOWED
                                           : INCIDENT_REQUIRED;
}

struct planner {
    struct plan *plan;
    const struct scenario *scenario;
    const struct plan_limits *limits;
    struct random random;
    int64_t end_ms;
};

static double usual_factor(const struct scenario *scenario)
{
    return scenario->usual_factor == 0 ? 1 : scenario->usual_factor;
}

static double slow_share_at(const struct planner *p, int series, double factor, int64_t at_ms)
{
    double load = catalog_day_curve((size_t)(series % REGION_COUNT), PLAN_START_UNIX_MS + at_ms);
    return slow_share(series / REGION_COUNT, factor * usual_factor(p->scenario), load, p->limits->slow_s);
}

static enum incident_duty duty_of(const struct planner *p, const struct incident *incident)
{
    switch (incident->watch) {
    case WATCH_LATENCY:
        return duty_of_share(slow_share_at(p, incident->series, incident->size, incident->begin_ms), 0.01);
    case WATCH_ERRORS:
        return duty_of_share(incident->size, p->limits->errors);
    default:
        return 1 - incident->size >= DROP_LEFT   ? INCIDENT_FORBIDDEN
               : incident->rate >= DROP_MIN_RATE ? INCIDENT_REQUIRED
                                                 : INCIDENT_ALLOWED;
    }
}

static struct fault_effect usual_effect(const struct planner *p)
{
    struct fault_effect effect;
    fault_effect_init(&effect);
    effect.latency_factor = usual_factor(p->scenario);
    return effect;
}

static struct fault_effect effect_of(const struct planner *p, enum watch watch, double size)
{
    struct fault_effect effect = usual_effect(p);
    if (watch == WATCH_LATENCY) {
        effect.latency_factor *= size;
    } else if (watch == WATCH_ERRORS) {
        effect.error_share = size;
    } else {
        effect.traffic_factor = 1 - size;
    }
    return effect;
}

static void switch_effect(struct planner *p, const struct incident *incident, int64_t on_ms, int64_t off_ms)
{
    struct fault_effect effect = effect_of(p, incident->watch, incident->size);
    add_change(p->plan, on_ms, incident->series, &effect);
    effect = usual_effect(p);
    add_change(p->plan, off_ms, incident->series, &effect);
}

/* A fault from begin to end, judged by what it does. */
static struct incident *put_fault(struct planner *p, struct incident *incident)
{
    incident->rate = plan_rate(p->scenario, incident->series, incident->begin_ms);
    incident->duty = duty_of(p, incident);
    switch_effect(p, incident, incident->begin_ms, incident->end_ms);
    return add_incident(p->plan, incident);
}

/* --- shapes ---- */

static int64_t between(struct planner *p, int64_t low, int64_t high)
{
    return low + (int64_t)random_below(&p->random, (uint64_t)(high - low + 1));
}

static double one_of(struct planner *p, const double *values, size_t count)
{
    return values[random_below(&p->random, count)];
}

static const double spikes[] = {1.5, 2, 3, 5, 10};
static const double bursts[] = {0.02, 0.06, 0.10, 0.20, 0.50};
static const double drops[] = {0.5, 0.9, 1};

static void choose_fault(struct planner *p, struct incident *incident)
{
    uint64_t kind = random_below(&p->random, 10);
    if (kind < 4) {
        incident->watch = WATCH_LATENCY;
        incident->kind = INCIDENT_SPIKE;
        incident->size = one_of(p, spikes, COUNT(spikes));
    } else if (kind < 8) {
        incident->watch = WATCH_ERRORS;
        incident->kind = INCIDENT_BURST;
        incident->size = one_of(p, bursts, COUNT(bursts));
    } else {
        incident->watch = WATCH_TRAFFIC;
        incident->kind = INCIDENT_DROP;
        incident->size = one_of(p, drops, COUNT(drops));
    }
}

static void plan_mix(struct planner *p, int series, int64_t pause_ms)
{
    const struct scenario *s = p->scenario;
    int64_t at_ms = LEARNING_MS + between(p, 0, pause_ms);
    while (at_ms + s->longest_s * SECOND_MS + CLEAR_MS < p->end_ms) {
        struct incident incident = {.series = series, .begin_ms = at_ms};
        choose_fault(p, &incident);
        incident.end_ms = at_ms + between(p, s->shortest_s * SECOND_MS, s->longest_s * SECOND_MS);
        (void)put_fault(p, &incident);
        at_ms = incident.end_ms + CLEAR_MS + between(p, 0, pause_ms);
    }
}

static void plan_failures(struct planner *p, int series)
{
    int64_t at_ms = between(p, HOUR_MS, 6 * HOUR_MS);
    while (at_ms + HOUR_MS < p->end_ms) {
        struct incident incident = {.series = series,
                                    .watch = WATCH_ERRORS,
                                    .kind = INCIDENT_BURST,
                                    .size = 1,
                                    .begin_ms = at_ms,
                                    .end_ms = at_ms + 30 * MINUTE_MS};
        (void)put_fault(p, &incident);
        at_ms = incident.end_ms + between(p, 2 * HOUR_MS, 6 * HOUR_MS);
    }
}

static void plan_blips(struct planner *p, int series)
{
    static const double strengths[][2] = {{5, 10}, {0.5, 1}};
    int64_t at_ms = between(p, 15 * MINUTE_MS, 25 * MINUTE_MS);
    while (at_ms + CLEAR_MS < p->end_ms) {
        struct incident incident = {.series = series, .kind = INCIDENT_BLIP, .begin_ms = at_ms};
        incident.watch = random_below(&p->random, 2) == 0 ? WATCH_LATENCY : WATCH_ERRORS;
        incident.size = one_of(p, strengths[incident.watch], 2);
        bool is_short = random_below(&p->random, 3) > 0;
        incident.end_ms =
            at_ms + (is_short ? between(p, 1, 3) * SECOND_MS : between(p, PLAN_BLIP_MS + 1, 8000));
        struct incident *put = put_fault(p, &incident);
        put->duty = is_short ? INCIDENT_FORBIDDEN : INCIDENT_ALLOWED;
        at_ms = incident.end_ms + between(p, 4 * MINUTE_MS, 12 * MINUTE_MS);
    }
}

static void plan_flaps(struct planner *p, int series)
{
    static const double strengths[][2] = {{5, 10}, {0.2, 0.5}};
    int64_t at_ms = between(p, 15 * MINUTE_MS, 40 * MINUTE_MS);
    while (at_ms + 30 * MINUTE_MS < p->end_ms) {
        struct incident incident = {.series = series,
                                    .kind = INCIDENT_FLAP,
                                    .begin_ms = at_ms,
                                    .end_ms = at_ms + 10 * MINUTE_MS,
                                    .rate = plan_rate(p->scenario, series, at_ms)};
        incident.watch = random_below(&p->random, 2) == 0 ? WATCH_LATENCY : WATCH_ERRORS;
        incident.size = one_of(p, strengths[incident.watch], 2);
        incident.duty = duty_of(p, &incident);
        for (int64_t on_ms = at_ms; on_ms < incident.end_ms; on_ms += 40 * SECOND_MS) {
            switch_effect(p, &incident, on_ms, on_ms + 20 * SECOND_MS);
        }
        (void)add_incident(p->plan, &incident);
        at_ms = incident.end_ms + between(p, 20 * MINUTE_MS, 60 * MINUTE_MS);
    }
}

/* Up in steps of ten seconds: it is a fault from where the limit is passed, and may be found around there. */
static void put_drift(struct planner *p, int series, int64_t at_ms)
{
    struct incident fault = {.series = series, .kind = INCIDENT_DRIFT, .begin_ms = -1};
    fault.watch = random_below(&p->random, 2) == 0 ? WATCH_LATENCY : WATCH_ERRORS;
    fault.size = fault.watch == WATCH_LATENCY ? 5 : 0.2;
    fault.rate = plan_rate(p->scenario, series, at_ms);
    struct incident near = fault;
    int64_t top_ms = at_ms + HOUR_MS;
    fault.end_ms = near.end_ms = top_ms + 10 * MINUTE_MS;
    for (int64_t now_ms = at_ms; now_ms < top_ms; now_ms += 10 * SECOND_MS) {
        double part = (double)(now_ms - at_ms) / HOUR_MS;
        struct incident now = fault;
        now.begin_ms = now_ms;
        now.size = fault.watch == WATCH_LATENCY ? nearbyint(10 * (1 + 4 * part)) / 10 : fault.size * part;
        enum incident_duty duty = duty_of(p, &now);
        struct fault_effect effect = effect_of(p, now.watch, now.size);
        add_change(p->plan, now_ms, series, &effect);
        if (duty == INCIDENT_ALLOWED && near.begin_ms < 0) {
            near.begin_ms = now_ms;
        }
        if (duty == INCIDENT_REQUIRED && fault.begin_ms < 0) {
            fault.begin_ms = now_ms;
        }
    }
    struct fault_effect none;
    fault_effect_init(&none);
    add_change(p->plan, fault.end_ms, series, &none);
    if (near.begin_ms >= 0 && near.begin_ms < fault.begin_ms) {
        fault.begin_ms = near.begin_ms; /* one incident, which counts from where the limit is passed */
    }
    fault.duty = INCIDENT_REQUIRED;
    (void)add_incident(p->plan, &fault);
}

static void plan_drifts(struct planner *p, int series)
{
    int64_t at_ms = between(p, 15 * MINUTE_MS, 90 * MINUTE_MS);
    while (at_ms + 2 * HOUR_MS < p->end_ms) {
        put_drift(p, series, at_ms);
        at_ms += 70 * MINUTE_MS + between(p, 20 * MINUTE_MS, 90 * MINUTE_MS);
    }
}

static void plan_outages(struct planner *p)
{
    int64_t at_ms = 2 * HOUR_MS;
    while (at_ms + HOUR_MS < p->end_ms) {
        int region = (int)random_below(&p->random, REGION_COUNT + 1); /* one more: all of them */
        int64_t end_ms = at_ms + between(p, 3 * MINUTE_MS, 10 * MINUTE_MS);
        for (int series = 0; series < SERIES_COUNT; series++) {
            if (region == REGION_COUNT || series % REGION_COUNT == region) {
                struct incident incident = {.series = series,
                                            .watch = WATCH_TRAFFIC,
                                            .kind = INCIDENT_DROP,
                                            .size = 1,
                                            .begin_ms = at_ms,
                                            .end_ms = end_ms};
                (void)put_fault(p, &incident);
            }
        }
        at_ms = end_ms + between(p, 20 * MINUTE_MS, 60 * MINUTE_MS);
    }
}

static void plan_surges(struct planner *p, int series)
{
    int64_t at_ms = LEARNING_MS + between(p, 0, 60 * MINUTE_MS);
    while (at_ms + 30 * MINUTE_MS < p->end_ms) {
        struct fault_effect effect;
        fault_effect_init(&effect);
        effect.traffic_factor = 3;
        add_change(p->plan, at_ms, series, &effect);
        at_ms += between(p, 2 * MINUTE_MS, 15 * MINUTE_MS);
        effect.traffic_factor = 1;
        add_change(p->plan, at_ms, series, &effect);
        at_ms += between(p, 30 * MINUTE_MS, 90 * MINUTE_MS);
    }
}

static void plan_series(struct planner *p, int series)
{
    if (p->scenario->usual_factor != 0) {
        struct fault_effect usual = usual_effect(p);
        add_change(p->plan, 0, series, &usual);
    }
    switch (p->scenario->shape) {
    case PLAN_MIX:
        plan_mix(p, series, 10 * MINUTE_MS);
        break;
    case PLAN_DAY:
        plan_mix(p, series, 4 * HOUR_MS);
        break;
    case PLAN_FAILURES:
        plan_failures(p, series);
        break;
    case PLAN_BLIPS:
        plan_blips(p, series);
        break;
    case PLAN_FLAPS:
        plan_flaps(p, series);
        break;
    case PLAN_DRIFTS:
        plan_drifts(p, series);
        break;
    case PLAN_SURGES:
        plan_surges(p, series);
        break;
    case PLAN_HEALTHY:
    case PLAN_OUTAGES:
        break;
    }
}

void plan_make(struct plan *plan, const struct scenario *scenario, const struct plan_limits *limits,
               uint64_t seed)
{
    struct planner p = {.plan = plan,
                        .scenario = scenario,
                        .limits = limits,
                        .end_ms = (int64_t)(scenario->hours * (double)HOUR_MS)};
    *plan = (struct plan){0};
    random_init(&p.random, seed);
    for (int series = 0; series < SERIES_COUNT; series++) {
        plan_series(&p, series);
    }
    if (scenario->shape == PLAN_OUTAGES) {
        plan_outages(&p);
    }
    if (plan->change_count > 0) {
        qsort(plan->changes, plan->change_count, sizeof *plan->changes, compare_changes);
    }
    if (plan->incident_count > 0) {
        qsort(plan->incidents, plan->incident_count, sizeof *plan->incidents, compare_incidents);
    }
}
