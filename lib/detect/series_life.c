/* Series come with their first event or out of the saved state, are taken along by the partition's clock
 * while nothing comes for them, and go when they have been silent for long. */
#include "detect/detector_private.h"

#include "event/event.h"
#include "window/series_time.h"

#include <stdlib.h>

/* --- they come ---- */

int64_t detector_start_of_new_series(const struct detector *detector, int64_t effective_ms)
{
    int64_t idle_ms = series_time_idle(detector->clock_ms, detector->limits.idle_after_ms);
    return effective_ms > idle_ms ? effective_ms : idle_ms;
}

uint32_t detector_id_past_s(const struct detector *detector)
{
    /* Ids behind the lateness are late anyway. */
    return detector->limits.id_window_s > 0 ? detector->limits.id_window_s
                                            : (uint32_t)((detector->limits.lateness_ms + 999) / 1000);
}

struct series *detector_add_series(struct detector *detector, uint64_t hash, const struct event_text *service,
                                   const struct event_text *region, const struct event_text *route,
                                   int64_t start_ms)
{
    /* Ids ahead come from fast clocks. The event was judged already when it reaches the series of its route.
     */
    struct series *series =
        series_table_add(&detector->table, hash, service, region, route, detector->rules, start_ms,
                         route == NULL ? detector_id_past_s(detector) : 0, DETECTOR_ID_FUTURE_S);
    if (series == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < series->rule_count; i++) {
        detector_wake_rule(detector, &series->rules[i]);
    }
    series->ordinal = ++detector->last_ordinal;
    series->is_new = true;
    detector->any_changed = true;
    return series;
}

/* Loaded series begin where the clock lets an idle one be; what isn't known of them was before. */
static void place_loaded_series(struct detector *detector)
{
    int64_t start_ms = detector_start_of_new_series(detector, INT64_MIN);
    for (size_t i = 0; i < detector->table.count; i++) {
        struct series *series = detector->table.all[i];
        int64_t second = series_time_second(start_ms);
        series->newest_ms = start_ms;
        series->born_s = series->born_s == INT64_MIN ? second : series->born_s;
        window_advance(series->window, second);
        if (series->ids != NULL) {
            recent_ids_advance(series->ids, second);
        }
    }
    detector_wake_all(detector);
    detector->is_placed = true;
}

/* From here on the rules judge: alerts that no rule watches any more end. */
static void settle(struct detector *detector)
{
    detector->is_settled = true;
    for (size_t i = 0; i < detector->table.count; i++) {
        detector->table.all[i]->is_loaded = false;
    }
    for (size_t i = 0; i < detector->orphan_count; i++) {
        struct saved_alert *alert = &detector->orphans[i];
        detector_resolve_orphan(detector, alert);
        detector_save_orphan(detector, alert);
        (void)resting_table_put(&detector->resting, alert->fingerprint, &alert->state);
    }
    free(detector->orphans);
    detector->orphans = NULL;
    detector->orphan_count = 0;
}

/* --- they follow the clock, and go ---- */

/* An alert that fires, or may because nothing comes, needs its series. */
static bool is_needed(const struct detector *detector, const struct series *series)
{
    for (size_t i = 0; i < series->rule_count; i++) {
        const struct watched_rule *watched = &series->rules[i];
        if (rule_needs_series(&detector->rules->rules[watched->rule], &watched->state, watched->baseline)) {
            return true;
        }
    }
    return false;
}

static int64_t last_seen_s(const struct series *series)
{
    int64_t seen_s =
        series->last_record_s > series->last_gauge_s ? series->last_record_s : series->last_gauge_s;
    return seen_s == RULE_NEVER ? series->born_s : seen_s;
}

struct sweep {
    struct detector *detector;
    enum detector_mode mode;
    int64_t idle_ms, clock_s;
};

static bool follow_or_close(void *context, struct series *series)
{
    const struct sweep *sweep = context;
    struct detector *detector = sweep->detector;
    if (series->newest_ms < sweep->idle_ms) {
        detector_advance_series(detector, series, series_time_second(sweep->idle_ms), sweep->mode);
        series->newest_ms = sweep->idle_ms;
    }
    if (sweep->clock_s - last_seen_s(series) <= detector->close_after_s || series->is_loaded ||
        is_needed(detector, series)) {
        return true;
    }
    detector_save_closed(detector, series);
    detector->checkpoint.is_series_gone = true;
    return false;
}

/* Once for each second of the clock. */
static void sweep_series(struct detector *detector, enum detector_mode mode)
{
    struct sweep sweep = {.detector = detector,
                          .mode = mode,
                          .idle_ms = series_time_idle(detector->clock_ms, detector->limits.idle_after_ms),
                          .clock_s = series_time_second(detector->clock_ms)};
    if (sweep.clock_s > detector->swept_s) {
        detector->swept_s = sweep.clock_s;
        detector->swept_idle_ms = sweep.idle_ms;
        series_table_retain(&detector->table, follow_or_close, &sweep);
    }
}

void detector_follow_clock(struct detector *detector, enum detector_mode mode)
{
    if (detector->clock_ms == INT64_MIN) {
        return;
    }
    if (!detector->is_placed) {
        place_loaded_series(detector);
    }
    if (!detector->is_settled && mode != DETECTOR_REBUILD) {
        settle(detector);
    }
    sweep_series(detector, mode);
}
