#include "replay_batch.h"

#include "dlq_marks.h"
#include "sender.h"

#include <stdlib.h>

struct replay_batch {
    struct sender *records, *marks;
    struct dlq_marks places; /* published, not marked yet */
};

int replay_batch_create(struct replay_batch **out, struct program *program, struct bus *bus,
                        struct error *error)
{
    *out = NULL;
    struct replay_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) {
        return error_set(error, BUS_FATAL, "no memory for a batch");
    }
    int result = sender_create(&batch->records, program, bus, error);
    if (result == BUS_OK) {
        result = sender_create(&batch->marks, program, bus, error);
    }
    if (result != BUS_OK) {
        replay_batch_destroy(batch);
        return result;
    }
    *out = batch;
    return BUS_OK;
}

void replay_batch_destroy(struct replay_batch *batch)
{
    if (batch != NULL) {
        sender_destroy(batch->marks);
        sender_destroy(batch->records);
        dlq_marks_free(&batch->places);
        free(batch);
    }
}

static bool has_all(const struct sender *sender)
{
    const struct sender_totals *totals = sender_read_totals(sender);
    return totals->acknowledged == totals->taken;
}

/* Which of a batch has failed isn't known; then none of it is marked, and the run ends. */
static int finish(struct replay_batch *batch, struct error *error)
{
    sender_drain(batch->records);
    if (!has_all(batch->records)) {
        return error_set(error, BUS_AWAY,
                         "the bus hasn't acknowledged all; the last %zu letters have no mark",
                         batch->places.count);
    }
    for (size_t i = 0; i < batch->places.count; i++) {
        struct dlq_mark mark;
        dlq_mark_build(&mark, &batch->places.places[i]);
        int result = sender_put(batch->marks, &mark.record, i, error);
        if (result != BUS_OK) {
            error_add_context(error, "published, but not marked");
            return result;
        }
    }
    sender_drain(batch->marks);
    if (!has_all(batch->marks)) {
        return error_set(error, BUS_AWAY, "published, but not all of the last %zu letters are marked",
                         batch->places.count);
    }
    batch->places.count = 0;
    return BUS_OK;
}

int replay_batch_put(struct replay_batch *batch, const struct bus_record *record,
                     const struct bus_record *letter, struct error *error)
{
    int result = batch->places.count == REPLAY_BATCH ? finish(batch, error) : BUS_OK;
    if (result == BUS_OK) {
        result = sender_put(batch->records, record, batch->places.count, error);
    }
    if (result == BUS_OK &&
        !dlq_marks_add(&batch->places, letter->topic, letter->partition, letter->offset)) {
        return error_set(error, BUS_FATAL, "no memory for a mark");
    }
    return result;
}

int replay_batch_end(struct replay_batch *batch, struct replay_totals *totals, struct error *error)
{
    int result = finish(batch, error);
    const struct sender_totals *sent = sender_read_totals(batch->records);
    *totals = (struct replay_totals){.taken = sent->taken, .acknowledged = sent->acknowledged};
    return result;
}
