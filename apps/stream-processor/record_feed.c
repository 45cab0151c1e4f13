#include "record_feed.h"

#include "alert/transition.h"
#include "event/decode.h"
#include "event/event.h"
#include "intake/intake.h"

#include <stdlib.h>

#define BATCH 128

struct record_feed {
    const struct record_feed_calls *calls;
    void *context;
    int32_t partition_count;
    pthread_mutex_t *lock;
    struct event_decoder *decoder;
    struct event events[BATCH];
    struct detector_input inputs[BATCH];
    size_t batch;
    enum detector_mode mode; /* of the batch */
};

int record_feed_create(struct record_feed **out, const struct record_feed_calls *calls, void *context,
                       int32_t partition_count, pthread_mutex_t *lock, struct error *error)
{
    *out = NULL;
    struct record_feed *feed = calloc(1, sizeof *feed);
    if (feed == NULL) {
        return error_set(error, -1, "no memory for a batch of records");
    }
    feed->calls = calls;
    feed->context = context;
    feed->partition_count = partition_count;
    feed->lock = lock;
    if (event_decoder_create(&feed->decoder, error) != 0) {
        free(feed);
        return -1;
    }
    *out = feed;
    return 0;
}

void record_feed_destroy(struct record_feed *feed)
{
    if (feed != NULL) {
        event_decoder_destroy(feed->decoder);
        free(feed);
    }
}

static void lock_detectors(struct record_feed *feed)
{
    if (feed->lock != NULL) {
        (void)pthread_mutex_lock(feed->lock);
    }
}

static void unlock_detectors(struct record_feed *feed)
{
    if (feed->lock != NULL) {
        (void)pthread_mutex_unlock(feed->lock);
    }
}

static int tell_decisions(struct record_feed *feed, struct feed_place *place, int64_t appended_ms,
                          struct error *error)
{
    struct alert_transition transition;
    while (detector_next_transition(place->detector, &transition)) {
        if (feed->calls->decided(feed->context, place, &transition, appended_ms, error) != 0) {
            return -1;
        }
    }
    return 0;
}

/* --- ticks ---- */

static int pass_time(struct record_feed *feed, struct feed_place *place, enum detector_mode mode,
                     int64_t clock_ms, int64_t appended_ms, struct error *error)
{
    lock_detectors(feed);
    detector_pass_time(place->detector, mode, clock_ms);
    unlock_detectors(feed);
    return tell_decisions(feed, place, appended_ms, error);
}

int record_feed_tick(struct record_feed *feed, struct feed_place *place, int64_t clock_ms,
                     int64_t appended_ms, struct error *error)
{
    place->clock.tick_clock_ms = clock_ms;
    return pass_time(feed, place, DETECTOR_DECIDE, clock_ms, appended_ms, error);
}

/* The recorded ticks that stand at or before the offset. */
static int pass_recorded_ticks(struct record_feed *feed, struct feed_place *place, enum detector_mode mode,
                               int64_t offset, struct error *error)
{
    int result = 0;
    while (result == 0 && place->next_tick < place->ticks.count &&
           place->ticks.ticks[place->next_tick].offset <= offset) {
        int64_t clock_ms = place->ticks.ticks[place->next_tick++].clock_ms;
        result = mode == DETECTOR_REBUILD ? pass_time(feed, place, mode, clock_ms, clock_ms, error)
                                          : record_feed_tick(feed, place, clock_ms, clock_ms, error);
    }
    return result;
}

/* A tick at decide_from may have gone on after what was saved there: up to the saved clock it is rebuilt,
 * beyond it is judged. */
int record_feed_settle(struct record_feed *feed, struct feed_place *place, struct error *error)
{
    if (place->is_settled) {
        return 0;
    }
    place->is_settled = true;
    int64_t saved_ms = place->clock.tick_clock_ms;
    if (pass_recorded_ticks(feed, place, DETECTOR_REBUILD, place->decide_from - 1, error) != 0) {
        return -1;
    }
    if (saved_ms != INT64_MIN && pass_time(feed, place, DETECTOR_REBUILD, saved_ms, saved_ms, error) != 0) {
        return -1;
    }
    int64_t now_ms = partition_clock_now_ms(&place->clock);
    return pass_time(feed, place, DETECTOR_DECIDE, now_ms, now_ms, error);
}

int record_feed_pass_ticks(struct record_feed *feed, struct feed_place *place, int64_t offset,
                           struct error *error)
{
    return pass_recorded_ticks(feed, place, DETECTOR_DECIDE, offset, error);
}

void feed_place_skip_ticks(struct feed_place *place, int64_t from)
{
    while (place->next_tick < place->ticks.count && place->ticks.ticks[place->next_tick].offset < from) {
        place->next_tick++;
    }
}

/* --- records ---- */

static bool is_inside(const struct event_text *text, const struct bus_record *record)
{
    const char *begin = record->value.data;
    return text->size == 0 || (text->data >= begin && text->data < begin + record->value.size_bytes);
}

/* Texts with escapes live in the decoder's scratch memory, which the next decoding overwrites. */
static bool outlives_decoder(const struct event *event, const struct bus_record *record)
{
    return is_inside(&event->id, record) && is_inside(&event->service, record) &&
           is_inside(&event->region, record) && is_inside(&event->route, record);
}

static enum detector_mode mode_of(const struct feed_place *place, const struct bus_record *record)
{
    return record->offset < place->decide_from                   ? DETECTOR_REBUILD
           : record->appended_ms < place->clock.history_until_ms ? DETECTOR_HISTORY
                                                                 : DETECTOR_DECIDE;
}

/* What was collected, through the detector. */
static int observe_batch(struct record_feed *feed, struct feed_place *place, struct error *error)
{
    size_t count = feed->batch;
    feed->batch = 0;
    if (count == 0) {
        return 0;
    }
    lock_detectors(feed);
    detector_observe(place->detector, feed->mode, feed->inputs, count);
    unlock_detectors(feed);
    const struct detector_input *last = &feed->inputs[count - 1];
    place->clock.last_appended_ms = last->appended_ms;
    place->clock.last_effective_ms =
        last->event->time_unix_ms < last->appended_ms ? last->event->time_unix_ms : last->appended_ms;
    if (feed->mode == DETECTOR_REBUILD) {
        return 0; /* counted and judged before the restart */
    }
    for (size_t i = 0; i < count && feed->calls->judged != NULL; i++) {
        feed->calls->judged(feed->context, place, &feed->inputs[i]);
    }
    /* Which of them decided isn't known: the first, so that the latency measured is never too small. */
    return tell_decisions(feed, place, feed->inputs[0].appended_ms, error);
}

/* The record begins a batch of its own when it is of another mode than those before, or a tick stands between
 * them. */
static int prepare_for(struct record_feed *feed, struct feed_place *place, const struct bus_record *record,
                       struct error *error)
{
    enum detector_mode mode = mode_of(place, record);
    bool has_tick = place->next_tick < place->ticks.count &&
                    place->ticks.ticks[place->next_tick].offset <= record->offset;
    bool settles = !place->is_settled && mode != DETECTOR_REBUILD;
    if (mode == feed->mode && !has_tick && !settles) {
        return 0;
    }
    if (observe_batch(feed, place, error) != 0 || (settles && record_feed_settle(feed, place, error) != 0) ||
        pass_recorded_ticks(feed, place, mode == DETECTOR_REBUILD ? mode : DETECTOR_DECIDE, record->offset,
                            error) != 0) {
        return -1;
    }
    feed->mode = mode;
    return 0;
}

static int take_record(struct record_feed *feed, struct feed_place *place, const struct bus_record *record,
                       struct error *error)
{
    struct event_fault fault;
    struct event *event = &feed->events[feed->batch];
    if (intake_check(feed->decoder, record, feed->partition_count, event, &fault) != EVENT_OK) {
        bool tells = feed->mode != DETECTOR_REBUILD && feed->calls->malformed != NULL;
        return tells ? feed->calls->malformed(feed->context, place, record, &fault, error) : 0;
    }
    feed->inputs[feed->batch++] =
        (struct detector_input){.event = event, .offset = record->offset, .appended_ms = record->appended_ms};
    return feed->batch == BATCH || !outlives_decoder(event, record) ? observe_batch(feed, place, error) : 0;
}

int record_feed_records(struct record_feed *feed, struct feed_place *place, const struct bus_record *records,
                        size_t count, struct error *error)
{
    int result = 0;
    feed->batch = 0;
    feed->mode = mode_of(place, &records[0]);
    for (size_t i = 0; i < count && result == 0; i++) {
        result = prepare_for(feed, place, &records[i], error);
        if (result == 0) {
            result = take_record(feed, place, &records[i], error);
        }
    }
    return result != 0 ? result : observe_batch(feed, place, error);
}
