/* Reading: whole batches are copied out of the store, the read transaction ends, then they are checked and
 * taken apart. So no page is held while the caller works, and a turn's memory is the member's own. */
#include "bus/embedded/embedded_member.h"

#include "bus/embedded/byte_order.h"
#include "bus/embedded/partition_log.h"

#include <stdlib.h>

void turn_memory_free(struct turn_memory *turn)
{
    buffer_free(&turn->bytes);
    free(turn->slices);
    free(turn->records);
    free(turn->headers);
    free(turn->partitions);
    free(turn->notes);
}

/* --- copying out ---- */

struct budget {
    size_t records, bytes; /* left for this turn */
};

static bool add_slice(struct turn_memory *turn, const struct slice *slice, const MDB_val *value)
{
    if (turn->slice_count == turn->slice_capacity) {
        size_t capacity = turn->slice_capacity * 2 + 64;
        struct slice *slices = realloc(turn->slices, capacity * sizeof *slices);
        if (slices == NULL) {
            return false;
        }
        turn->slices = slices;
        turn->slice_capacity = capacity;
    }
    struct slice *added = &turn->slices[turn->slice_count++];
    *added = *slice;
    added->at = turn->bytes.size;
    added->size = value->mv_size;
    return buffer_append(&turn->bytes, value->mv_data, value->mv_size);
}

/* How many of the batch's records are at or behind position; by a count that is only checked later. */
static size_t records_behind(const MDB_val *value, int64_t base, int64_t position)
{
    int64_t behind = base + get_le32((const char *)value->mv_data + 12) - (position > base ? position : base);
    return behind < 1 ? 1 : (size_t)behind;
}

/* *found: at least one batch. */
static int copy_batches(struct embedded_member *member, const struct store_txn *txn, struct slice *slice,
                        struct budget *budget, bool *found, struct error *error)
{
    struct log_cursor cursor;
    *found = false;
    int64_t position = slice->held->position;
    int result = log_cursor_seek(&cursor, txn, slice->topic, slice->held->number, position, error);
    while (result == BUS_OK && budget->records > 0 && budget->bytes > 0) {
        MDB_val value;
        bool more;
        result = log_cursor_next(&cursor, &value, &slice->base, &more, error);
        if (result != BUS_OK || !more) {
            break;
        }
        if (!add_slice(&member->turn, slice, &value)) {
            result =
                error_set(error, BUS_FATAL, "no memory for a turn of %zu bytes", member->turn.bytes.size);
            break;
        }
        *found = true;
        size_t records = records_behind(&value, slice->base, position);
        budget->records -= records < budget->records ? records : budget->records;
        budget->bytes -= value.mv_size < budget->bytes ? value.mv_size : budget->bytes;
    }
    log_cursor_close(&cursor);
    return result;
}

/* --- taking apart ---- */

struct slice_view {
    const struct embedded_member *member;
    const struct slice *slice;
    struct batch batch;
    bool restoring;
};

static int broken(const struct slice_view *view, int64_t offset, struct error *error)
{
    return partition_log_damaged(view->member->store, view->slice->topic, view->slice->held->number, offset,
                                 "a record is broken", error);
}

/* The first pass finds the frames: until all headers are counted, their array may still move. */
static int find_frames(struct turn_memory *turn, const struct slice_view *view, size_t limit,
                       size_t *header_count, struct error *error)
{
    const struct batch *batch = &view->batch;
    struct held_partition *held = view->slice->held;
    size_t at = 0;
    int64_t offset = batch->base_offset;
    for (; at < batch->records_bytes && turn->record_count < limit; offset++) {
        size_t size, headers;
        const char *frame = batch->records + at;
        if (!record_frame_measure(frame, batch->records_bytes - at, &size, &headers)) {
            return broken(view, offset, error);
        }
        at += size;
        if (offset < held->position) {
            continue;
        }
        held->position = offset + 1;
        /* A deleted key isn't state. */
        if (view->restoring && get_le32(frame + 4) == 0) {
            continue;
        }
        *header_count += headers;
        turn->records[turn->record_count++] =
            (struct bus_record){.topic = view->slice->topic->name,
                                .partition = held->number,
                                .offset = offset,
                                .appended_ms = batch->appended_ms,
                                .value = {frame, size},
                                .replayed = !view->restoring && offset < held->committed};
    }
    bool whole = at == batch->records_bytes;
    return whole && offset != batch->base_offset + batch->record_count ? broken(view, offset, error) : BUS_OK;
}

static int read_frames(struct turn_memory *turn, size_t header_count, struct error *error)
{
    if (header_count > turn->header_capacity) {
        struct bus_header *headers = realloc(turn->headers, header_count * sizeof *headers);
        if (headers == NULL) {
            return error_set(error, BUS_FATAL, "no memory for %zu headers", header_count);
        }
        turn->headers = headers;
        turn->header_capacity = header_count;
    }
    struct bus_header *headers = turn->headers;
    for (size_t i = 0; i < turn->record_count; i++) {
        struct bus_record *record = &turn->records[i];
        if (!record_frame_read(record->value.data, record->value.size_bytes, record, headers)) {
            return error_set(error, BUS_FATAL, "a record of topic %s is broken", record->topic);
        }
        headers += record->header_count;
    }
    return BUS_OK;
}

static int take_apart(struct embedded_member *member, bool restoring, struct error *error)
{
    struct turn_memory *turn = &member->turn;
    size_t header_count = 0;
    turn->record_count = 0;
    for (size_t i = 0; i < turn->slice_count && turn->record_count < member->batch_records; i++) {
        const struct slice *slice = &turn->slices[i];
        struct slice_view view = {.member = member, .slice = slice, .restoring = restoring};
        int result = log_batch_open(member->store, slice->topic, slice->held->number, slice->base,
                                    turn->bytes.data + slice->at, slice->size, &view.batch, error);
        if (result == BUS_OK) {
            result = find_frames(turn, &view, member->batch_records, &header_count, error);
        }
        if (result != BUS_OK) {
            return result;
        }
    }
    return read_frames(turn, header_count, error);
}

/* --- the two kinds of reading ---- */

static struct budget begin_turn(struct embedded_member *member)
{
    buffer_clear(&member->turn.bytes);
    member->turn.slice_count = 0;
    member->turn.record_count = 0;
    return (struct budget){.records = member->batch_records, .bytes = member->batch_bytes};
}

int member_read_state(struct embedded_member *member, struct held_partition *held, bool *found,
                      struct error *error)
{
    bool more = member->state_topic != NULL;
    *found = false;
    while (more && !*found) { /* a turn may be tombstones only */
        struct store_txn txn;
        struct slice slice = {.held = held, .topic = member->state_topic};
        struct budget budget = begin_turn(member);
        int result = store_begin_read_again(member->store, &member->reader, &txn, error);
        if (result != BUS_OK) {
            return result;
        }
        result = copy_batches(member, &txn, &slice, &budget, &more, error);
        store_end_read_again(&txn);
        if (result == BUS_OK) {
            result = take_apart(member, true, error);
        }
        if (result != BUS_OK) {
            return result;
        }
        *found = member->turn.record_count > 0;
    }
    return BUS_OK;
}

static int copy_partition(struct embedded_member *member, const struct store_txn *txn,
                          struct held_partition *held, struct budget *budget, struct error *error)
{
    struct partition_bounds bounds;
    int result = partition_log_bounds(txn, held->topic, held->number, &bounds, error);
    if (result != BUS_OK) {
        return result;
    }
    if (held->position < bounds.begin && !held->topic->compacted) {
        return error_set(
            error, BUS_FATAL,
            "retention has taken records of topic %s, partition %d that were still to be read: offset "
            "%lld was next, %lld is the oldest",
            held->topic->name, held->number, (long long)held->position, (long long)bounds.begin);
    }
    bool found = false;
    if (held->position < bounds.end) {
        struct slice slice = {.held = held, .topic = held->topic};
        result = copy_batches(member, txn, &slice, budget, &found, error);
        if (result == BUS_OK && !found && !held->topic->compacted) {
            return partition_log_damaged(member->store, held->topic, held->number, held->position,
                                         "a batch is missing", error);
        }
    }
    if (!found) {
        held->position = bounds.end > held->position ? bounds.end : held->position;
    }
    held->at_end = !found;
    held->end_said = held->end_said && !found;
    return result;
}

int member_read_records(struct embedded_member *member, bool *found, struct error *error)
{
    struct store_txn txn;
    struct budget budget = begin_turn(member);
    int result = store_begin_read_again(member->store, &member->reader, &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    size_t first = member->next_read;
    for (size_t i = 0;
         i < member->partition_count && result == BUS_OK && budget.records > 0 && budget.bytes > 0; i++) {
        size_t index = (first + i) % member->partition_count;
        struct held_partition *held = &member->partitions[index];
        if (held->phase == HELD_READING && !held->told) {
            result = copy_partition(member, &txn, held, &budget, error);
            member->next_read = index + 1;
        }
    }
    store_end_read_again(&txn);
    if (result == BUS_OK) {
        result = take_apart(member, false, error);
    }
    *found = result == BUS_OK && member->turn.record_count > 0;
    return result;
}
