#include "matcher.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct incident *incident_of(struct plan *plan, const struct firing *firing)
{
    struct incident *last = NULL;
    for (size_t i = 0; i < plan->incident_count; i++) {
        struct incident *incident = &plan->incidents[i];
        if (incident->begin_ms > firing->fired_ms) {
            break;
        }
        if (incident->watch == firing->watch && incident->series == firing->series &&
            firing->fired_ms <= incident->end_ms + MATCHER_GRACE_MS) {
            last = incident;
        }
    }
    return last;
}

static void demand_plain_ones(struct plan *plan)
{
    for (size_t i = 0; i < plan->incident_count; i++) {
        struct incident *incident = &plan->incidents[i];
        if (incident->kind == INCIDENT_BURST && incident->duty == INCIDENT_ALLOWED &&
            incident->first_bad >= MATCHER_MANY) {
            incident->duty = INCIDENT_REQUIRED;
        }
    }
}

void matcher_match(struct result *result)
{
    demand_plain_ones(&result->plan);
    for (size_t i = 0; i < result->firings.count; i++) {
        struct firing *firing = &result->firings.list[i];
        struct incident *incident = incident_of(&result->plan, firing);
        firing->is_false = incident == NULL || incident->duty == INCIDENT_FORBIDDEN;
        if (incident != NULL) {
            firing->is_repeat = !firing->is_false && incident->firings[firing->side] > 0;
            if (incident->firings[firing->side]++ == 0) {
                incident->found_ms[firing->side] = firing->fired_ms;
            }
        }
    }
}

static bool is_selected(const struct selection *selection, const struct scenario *scenario,
                        const struct incident *incident)
{
    const struct selection *s = selection;
    return (s->watch < 0 || s->watch == (int)incident->watch) &&
           (s->kind < 0 || s->kind == (int)incident->kind) && incident->size >= s->min_size &&
           (s->max_size == 0 || incident->size <= s->max_size) && incident->rate >= s->min_rate &&
           (s->max_rate == 0 || incident->rate < s->max_rate) && incident->first_bad >= s->min_first_bad &&
           (s->max_first_bad == 0 || incident->first_bad < s->max_first_bad) &&
           (s->scenario == NULL || s->scenario == scenario);
}

/* --- sums ---- */

struct times {
    double *seconds;
    size_t count, capacity;
};

static void add_time(struct times *times, double seconds)
{
    if (times->count == times->capacity) {
        times->capacity = times->capacity == 0 ? 256 : times->capacity * 2;
        times->seconds = realloc(times->seconds, times->capacity * sizeof *times->seconds);
        if (times->seconds == NULL) {
            perror("score");
            exit(1);
        }
    }
    times->seconds[times->count++] = seconds;
}

static int compare_seconds(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static double sort_for_median(struct times *times)
{
    if (times->count == 0) {
        return NAN;
    }
    qsort(times->seconds, times->count, sizeof times->seconds[0], compare_seconds);
    return (times->seconds[(times->count - 1) / 2] + times->seconds[times->count / 2]) / 2;
}

static void sum_incidents(struct tally *tally, struct times *times, struct times *earliest,
                          const struct result *result, int side, const struct selection *selection)
{
    for (size_t i = 0; i < result->plan.incident_count; i++) {
        const struct incident *incident = &result->plan.incidents[i];
        if (!is_selected(selection, result->scenario, incident)) {
            continue;
        }
        if (incident->duty == INCIDENT_FORBIDDEN) {
            continue;
        }
        tally->repeats += incident->firings[side] > 1 ? incident->firings[side] - 1 : 0;
        if (incident->duty != INCIDENT_REQUIRED) {
            continue;
        }
        tally->faults++;
        if (incident->earliest_ms >= 0) {
            add_time(earliest, (double)incident->earliest_ms / 1000);
        }
        if (incident->firings[side] > 0) {
            tally->found++;
            add_time(times, (double)(incident->found_ms[side] - incident->begin_ms) / 1000);
        }
    }
}

static void sum_false(struct tally *tally, const struct result *result, int side,
                      const struct selection *selection)
{
    if (selection->scenario != NULL && selection->scenario != result->scenario) {
        return;
    }
    for (size_t i = 0; i < result->firings.count; i++) {
        const struct firing *firing = &result->firings.list[i];
        tally->wrong += firing->side == side && firing->is_false &&
                        (selection->watch < 0 || selection->watch == (int)firing->watch);
    }
}

void matcher_sum(struct tally *tally, const struct result *results, size_t count, int side,
                 const struct selection *selection)
{
    struct times times = {0};
    struct times earliest = {0};
    *tally = (struct tally){0};
    for (size_t i = 0; i < count; i++) {
        sum_incidents(tally, &times, &earliest, &results[i], side, selection);
        sum_false(tally, &results[i], side, selection);
    }
    tally->median_s = sort_for_median(&times);
    tally->worst_s = times.count == 0 ? NAN : times.seconds[times.count - 1];
    tally->earliest_s = sort_for_median(&earliest);
    free(earliest.seconds);
    free(times.seconds);
}

double tally_precision(const struct tally *tally)
{
    uint32_t fired = tally->found + tally->wrong + tally->repeats;
    return fired == 0 ? NAN : (double)tally->found / fired;
}

double tally_recall(const struct tally *tally)
{
    return tally->faults == 0 ? NAN : (double)tally->found / tally->faults;
}

double tally_f1(const struct tally *tally)
{
    uint32_t missed = tally->faults - tally->found;
    double all = 2.0 * tally->found + tally->wrong + tally->repeats + missed;
    return all == 0 ? NAN : 2.0 * tally->found / all;
}
