#include "bus/embedded/embedded_member.h"

#include <stdlib.h>
#include <string.h>

static bool reserve_arena(struct embedded_member *member, size_t size)
{
    if (member->arena_used + size <= member->arena_capacity) {
        return true;
    }
    /* Only before the first copy of a turn may the arena move: records point into it. */
    size_t capacity = member->arena_capacity == 0 ? 65536 : member->arena_capacity;
    while (capacity < member->arena_used + size) {
        capacity *= 2;
    }
    char *arena = realloc(member->arena, capacity);
    if (arena == NULL) {
        return false;
    }
    member->arena = arena;
    member->arena_capacity = capacity;
    return true;
}

/* One batch that was copied, to be taken apart when all copies of the turn are there and nothing moves any
 * more. */
struct copied {
    const struct topic *topic;
    int32_t partition;
    int64_t committed, base_offset, appended_ms;
    size_t at, bytes;
    uint32_t count;
};

#define MAX_COPIED 64

struct turn_copies {
    struct copied items[MAX_COPIED];
    size_t count, records;
};

static int damaged(const struct topic *topic, int32_t partition, int64_t offset, struct error *error)
{
    return error_set(error, BUS_FATAL, "topic %s partition %d: the record at offset %lld is damaged",
                     topic->name, partition, (long long)offset);
}

/* Of the batch the records from an offset on, as many as the turn has room for; *next: the offset after them.
 * A batch may be far larger than a turn. */
static int copy_batch(struct embedded_member *member, const struct batch *batch, const struct topic *topic,
                      int32_t partition, int64_t from, int64_t committed, struct turn_copies *copies,
                      int64_t *next, struct error *error)
{
    const int64_t end = batch->base_offset + batch->record_count;
    const int64_t first = from > batch->base_offset ? from : batch->base_offset;
    const char *at = batch->records;
    const char *begin = at;
    size_t left = batch->records_bytes;
    size_t room = member->batch_records - copies->records;
    int64_t offset = batch->base_offset;
    while (offset < end && room > 0 && member->arena_used + (size_t)(at - begin) < member->batch_bytes) {
        size_t size = 0;
        size_t headers = 0;
        if (!record_frame_measure(at, left, &size, &headers)) {
            return damaged(topic, partition, offset, error);
        }
        room -= offset >= first;
        begin = offset < first ? at + size : begin;
        at += size;
        left -= size;
        offset++;
    }
    const size_t bytes = (size_t)(at - begin);
    if (!reserve_arena(member, bytes)) {
        return error_set(error, BUS_FATAL, "no memory for %zu bytes of records", bytes);
    }
    memcpy(member->arena + member->arena_used, begin, bytes);
    copies->items[copies->count++] = (struct copied){.topic = topic,
                                                     .partition = partition,
                                                     .committed = committed,
                                                     .base_offset = first,
                                                     .appended_ms = batch->appended_ms,
                                                     .at = member->arena_used,
                                                     .bytes = bytes,
                                                     .count = (uint32_t)(offset - first)};
    member->arena_used += bytes;
    copies->records += (size_t)(offset - first);
    *next = offset;
    return BUS_OK;
}

/* --- taking apart ---- */

static bool reserve_records(struct embedded_member *member, size_t count)
{
    if (count > member->record_capacity) {
        struct bus_record *records = realloc(member->records, count * sizeof *records);
        if (records == NULL) {
            return false;
        }
        member->records = records;
        member->record_capacity = count;
    }
    return true;
}

/* Headers of all copies, counted first: records point into the array. */
static size_t count_headers(const struct embedded_member *member, const struct turn_copies *copies)
{
    size_t sum = 0;
    for (size_t i = 0; i < copies->count; i++) {
        const char *at = member->arena + copies->items[i].at;
        size_t left = copies->items[i].bytes;
        size_t size = 0;
        size_t headers = 0;
        while (left > 0 && record_frame_measure(at, left, &size, &headers)) {
            sum += headers;
            at += size;
            left -= size;
        }
    }
    return sum;
}

static bool reserve_headers(struct embedded_member *member, size_t count)
{
    if (count > member->header_capacity) {
        struct bus_header *headers = realloc(member->headers, count * sizeof *headers);
        if (headers == NULL) {
            return false;
        }
        member->headers = headers;
        member->header_capacity = count;
    }
    return true;
}

static int take_apart(struct embedded_member *member, const struct copied *copy, struct error *error)
{
    const char *at = member->arena + copy->at;
    size_t left = copy->bytes;
    for (uint32_t i = 0; i < copy->count; i++) {
        size_t size = 0;
        size_t headers = 0;
        struct bus_record record = {.topic = copy->topic->name,
                                    .partition = copy->partition,
                                    .offset = copy->base_offset + i,
                                    .appended_ms = copy->appended_ms,
                                    .replayed = copy->base_offset + i < copy->committed};
        if (!record_frame_measure(at, left, &size, &headers) ||
            !record_frame_read(at, size, &record, member->headers + member->header_count)) {
            return damaged(copy->topic, copy->partition, record.offset, error);
        }
        at += size;
        left -= size;
        member->header_count += headers;
        member->records[member->record_count++] = record;
    }
    return BUS_OK;
}

static int take_all_apart(struct embedded_member *member, const struct turn_copies *copies,
                          struct error *error)
{
    if (!reserve_records(member, copies->records) ||
        !reserve_headers(member, count_headers(member, copies))) {
        return error_set(error, BUS_FATAL, "no memory for %zu records", copies->records);
    }
    for (size_t i = 0; i < copies->count; i++) {
        int result = take_apart(member, &copies->items[i], error);
        if (result != BUS_OK) {
            return result;
        }
    }
    return BUS_OK;
}

static void begin_turn(struct embedded_member *member)
{
    member->arena_used = 0;
    member->record_count = 0;
    member->header_count = 0;
}

/* --- records ---- */

static int copy_partition(struct embedded_member *member, MDB_txn *txn, struct member_partition *partition,
                          struct turn_copies *copies, struct error *error)
{
    while (copies->count < MAX_COPIED && copies->records < member->batch_records &&
           member->arena_used < member->batch_bytes) {
        struct batch batch;
        bool found = false;
        int result = log_find(member->bus->store, txn, partition->topic, partition->number, partition->next,
                              &batch, &found, error);
        if (result != BUS_OK || !found) {
            return result;
        }
        result = copy_batch(member, &batch, partition->topic, partition->number, partition->next,
                            partition->committed, copies, &partition->next, error);
        if (result != BUS_OK) {
            return result;
        }
        partition->end_said = false;
    }
    return BUS_OK;
}

int member_read_records(struct embedded_member *member, struct bus_turn *turn, bool *any, struct error *error)
{
    MDB_txn *txn = NULL;
    struct turn_copies copies;
    copies.count = 0;
    copies.records = 0;
    begin_turn(member);
    int result = store_begin_read(member->bus->store, &txn, error);
    for (size_t i = 0; i < member->partition_count && result == BUS_OK; i++) {
        struct member_partition *partition =
            &member->partitions[(member->read_next + i) % member->partition_count];
        if (partition->phase == PHASE_RUNNING) {
            result = copy_partition(member, txn, partition, &copies, error);
        }
    }
    if (txn != NULL) {
        mdb_txn_abort(txn);
    }
    member->read_next++;
    if (result == BUS_OK) {
        result = take_all_apart(member, &copies, error);
    }
    *any = result == BUS_OK && member->record_count > 0;
    if (*any) {
        *turn = (struct bus_turn){
            .kind = BUS_RECORDS, .records = member->records, .record_count = member->record_count};
    }
    return result;
}

/* --- state ---- */

static void drop_tombstones(struct embedded_member *member)
{
    size_t kept = 0;
    for (size_t i = 0; i < member->record_count; i++) {
        if (member->records[i].value.data != NULL && member->records[i].key.data != NULL) {
            member->records[kept++] = member->records[i];
        }
    }
    member->record_count = kept;
}

/* The state topic is always compacted: what is in it is the last record of each key. */
int member_read_state(struct embedded_member *member, struct member_partition *partition,
                      struct bus_turn *turn, bool *any, struct error *error)
{
    MDB_txn *txn = NULL;
    struct turn_copies copies;
    bool found = true;
    *any = false;
    int result = BUS_OK;
    while (result == BUS_OK && found && !*any) {
        copies.count = 0;
        copies.records = 0;
        begin_turn(member);
        result = store_begin_read(member->bus->store, &txn, error);
        while (result == BUS_OK && found && copies.count < MAX_COPIED &&
               copies.records < member->batch_records && member->arena_used < member->batch_bytes) {
            struct batch batch;
            result = log_find(member->bus->store, txn, &member->state_topic, partition->number,
                              partition->state_next, &batch, &found, error);
            if (result == BUS_OK && found) {
                result = copy_batch(member, &batch, &member->state_topic, partition->number,
                                    partition->state_next, 0, &copies, &partition->state_next, error);
            }
        }
        if (txn != NULL) {
            mdb_txn_abort(txn);
            txn = NULL;
        }
        if (result == BUS_OK) {
            result = take_all_apart(member, &copies, error);
            drop_tombstones(member);
            *any = result == BUS_OK && member->record_count > 0;
        }
    }
    if (*any) {
        *turn = (struct bus_turn){
            .kind = BUS_STATE, .records = member->records, .record_count = member->record_count};
    }
    return result;
}
