/* Event time goes on while nothing comes: the only way that wall time enters, and it is committed as a tick.
 */
#include "partition.h"

#include "topics/topics.h"

#include <string.h>

#define SILENT_MS  5000    /* an exhausted partition without records for so long gets ticks */
#define ABSENT_MS  3000    /* who hasn't looked for so long (once a second is usual) was stopped itself */
#define PRUNING_MS 3600000 /* ticks of records that retention has taken are forgotten now and then */

/* The partition's clock, as long after its last record as it is now. Whole seconds: so it doesn't matter how
 * many ticks there were. */
static int64_t tick_clock(const struct detection_worker *worker, const struct partition_clock *clock)
{
    int64_t waited_ms = worker_wall_ms(worker) - clock->last_appended_ms;
    int64_t now_ms = clock->last_effective_ms + (waited_ms > 0 ? waited_ms : 0);
    return now_ms - now_ms % 1000;
}

static int pass_time(struct detection_worker *worker, struct partition *partition, struct error *error)
{
    struct feed_place *place = &partition->place;
    int64_t clock_ms = tick_clock(worker, &place->clock);
    if (clock_ms <= partition_clock_now_ms(&place->clock)) {
        return 0;
    }
    if (!tick_log_put(&place->ticks, partition->next_offset, clock_ms)) {
        return error_set(error, -1, "no memory for a tick");
    }
    place->next_tick = place->ticks.count; /* passed here and now */
    partition->tick_changed = true;
    partition->clock_changed = true;
    return record_feed_tick(worker->feed, place, clock_ms, worker_wall_ms(worker), error);
}

static int prune(struct detection_worker *worker, struct partition *partition, struct error *error)
{
    struct tick_log *ticks = &partition->place.ticks;
    int64_t begin = 0;
    int64_t end = 0;
    partition->next_pruning_ms = worker_steady_ms(worker) + PRUNING_MS;
    if (ticks->count == 0 || bus_read_offsets(worker->bus, TOPIC_METRICS_RAW, partition->place.partition,
                                              &begin, &end, NULL) != BUS_OK) {
        return 0;
    }
    for (size_t i = 0; i < ticks->count && ticks->ticks[i].offset < begin; i++) {
        char key[TICK_KEY_BYTES + 1];
        tick_key_write(key, ticks->ticks[i].offset);
        if (group_worker_put_state(worker->loop, partition->place.partition,
                                   (struct bus_bytes){key, TICK_KEY_BYTES}, (struct bus_bytes){NULL, 0},
                                   error) != BUS_OK) {
            return -1;
        }
    }
    partition->place.next_tick -= tick_log_drop_before(ticks, begin);
    return 0;
}

/* A process that was stopped wakes up with an old notion of the end of the log, and it is its own silence
 * that it would take for the partition's. */
static bool is_silent(struct partition *partition, int64_t now_ms)
{
    bool was_absent = now_ms - partition->looked_ms > ABSENT_MS;
    partition->looked_ms = now_ms;
    partition->silent_since_ms = was_absent ? now_ms : partition->silent_since_ms;
    return partition->at_end && now_ms - partition->silent_since_ms >= SILENT_MS;
}

int silence_tick(struct detection_worker *worker, struct partition *partition, struct error *error)
{
    struct detector_totals totals;
    int64_t now_ms = worker_steady_ms(worker);
    if (!partition->is_started || !partition->place.is_settled) {
        return 0;
    }
    if (now_ms >= partition->next_pruning_ms && prune(worker, partition, error) != 0) {
        return -1;
    }
    detector_read_totals(partition->place.detector, &totals);
    bool silent = is_silent(partition, now_ms);
    /* Without series there is nothing that time could change, and an idle platform commits nothing. */
    if (!worker->settings.ticks || !silent || totals.series == 0 ||
        partition->place.clock.last_effective_ms == INT64_MIN) {
        return 0;
    }
    return pass_time(worker, partition, error);
}
