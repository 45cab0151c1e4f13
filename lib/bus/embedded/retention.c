#include "bus/embedded/retention.h"

#include "bus/embedded/byte_order.h"
#include "bus/embedded/compaction.h"
#include "bus/embedded/group_rows.h"
#include "bus/embedded/partition_log.h"
#include "clock/clock.h"

#include <inttypes.h>

#define SWEEP_EVERY_MS     10000
#define SWEEP_SOON_MS      20
#define STEP_BATCHES       256 /* deleted in one commit of a sweep */
#define SMALL_STEP_BATCHES 16
#define SPARE_BATCHES      4 /* an append may delete so many more than its own size asks for */
#define SMALL_BATCH_BYTES  256

/* What a deletion may take: everything before `floor`, while the partition is older or larger than it should
 * be. */
struct trim {
    int64_t floor;      /* the first offset that must stay */
    int64_t before_ms;  /* older than that goes */
    int64_t over_bytes; /* larger than that goes */
    size_t limit;       /* batches */
};

/* Its checksum isn't asked for: it is to be deleted, and damage must not keep the disk full for ever. */
static int read_oldest(const struct store_txn *txn, const struct topic *topic, int32_t partition,
                       const struct partition_bounds *bounds, struct batch *oldest, struct error *error)
{
    struct log_cursor cursor;
    MDB_val value;
    int64_t base;
    bool found = false;
    int result = log_cursor_seek(&cursor, txn, topic, partition, bounds->begin, error);
    if (result == BUS_OK) {
        result = log_cursor_next(&cursor, &value, &base, &found, error);
    }
    if (result == BUS_OK && !found) {
        result =
            partition_log_damaged(txn->store, topic, partition, bounds->begin, "a batch is missing", error);
    }
    if (result == BUS_OK) {
        const char *bytes = value.mv_data;
        *oldest = (struct batch){.record_count = get_le32(bytes + 12),
                                 .base_offset = base,
                                 .appended_ms = (int64_t)get_le64(bytes + 24),
                                 .records_bytes = value.mv_size - BATCH_HEADER_BYTES};
    }
    log_cursor_close(&cursor);
    return result;
}

static int trim_batches(struct store_txn *txn, const struct topic *topic, int32_t partition,
                        struct partition_bounds *bounds, const struct trim *trim, size_t *deleted,
                        struct error *error)
{
    *deleted = 0;
    while (*deleted < trim->limit && bounds->begin < bounds->end) {
        struct batch oldest;
        int result = read_oldest(txn, topic, partition, bounds, &oldest, error);
        if (result != BUS_OK) {
            return result;
        }
        bounds->begin_ms = oldest.appended_ms;
        int64_t next = oldest.base_offset + oldest.record_count;
        bool due = oldest.appended_ms < trim->before_ms || bounds->bytes > trim->over_bytes;
        if (!due || next > trim->floor || oldest.record_count == 0) {
            return BUS_OK;
        }
        struct store_key key;
        partition_log_key(&key, topic, partition, oldest.base_offset);
        result = store_delete(txn, &key, error);
        if (result != BUS_OK) {
            return result;
        }
        bounds->begin = next;
        bounds->bytes -= (int64_t)(BATCH_HEADER_BYTES + oldest.records_bytes);
        ++*deleted;
    }
    return BUS_OK;
}

/* The floor is looked up only when something is due. needed: also what groups need, counted. */
static int trim_partition(struct store_txn *txn, const struct topic *topic, int32_t partition,
                          struct trim trim, bool needed, int64_t *freed_bytes, size_t *deleted,
                          struct error *error)
{
    struct partition_bounds bounds;
    *freed_bytes = 0;
    *deleted = 0;
    int result = partition_log_bounds(txn, topic, partition, &bounds, error);
    bool due =
        bounds.begin < bounds.end && (bounds.begin_ms < trim.before_ms || bounds.bytes > trim.over_bytes);
    if (result != BUS_OK || !due) {
        return result;
    }
    result = group_rows_floor(txn, topic, partition, &trim.floor, error);
    int64_t floor = trim.floor, bytes = bounds.bytes, begin = bounds.begin;
    trim.floor = needed ? bounds.end : floor;
    if (result == BUS_OK) {
        result = trim_batches(txn, topic, partition, &bounds, &trim, deleted, error);
    }
    *freed_bytes = bytes - bounds.bytes;
    if (result != BUS_OK || *deleted == 0) {
        return result;
    }
    int64_t dropped = bounds.begin - (begin > floor ? begin : floor);
    if (dropped > 0) {
        bounds.dropped += dropped;
        txn->dropped += dropped;
    }
    return partition_log_set_bounds(txn, topic, partition, &bounds, error);
}

static struct trim normal_trim(const struct topic *topic, int64_t now_ms, size_t limit)
{
    return (struct trim){.before_ms = topic->retention_ms > 0 ? now_ms - topic->retention_ms : INT64_MIN,
                         .over_bytes = topic->retention_bytes > 0 ? topic->retention_bytes : INT64_MAX,
                         .limit = limit};
}

/* --- at an append ---- */

int retention_room_init(struct retention_room *room, const struct store_txn *txn,
                        const struct retention_policy *policy, const struct topic *topic, int64_t now_ms,
                        struct error *error)
{
    *room = (struct retention_room){.policy = policy, .topic = topic, .now_ms = now_ms};
    int result = BUS_OK;
    for (int32_t p = 0; p < topic->partitions && result == BUS_OK && !topic->compacted; p++) {
        struct partition_bounds bounds;
        result = partition_log_bounds(txn, topic, p, &bounds, error);
        room->total_bytes += bounds.bytes;
    }
    return result;
}

/* The topic is at its hard limit: the partition gives what it can, then the others. */
static int trim_hard(struct retention_room *room, struct store_txn *txn, int32_t partition, int64_t over,
                     size_t limit, bool needed, struct error *error)
{
    const struct topic *topic = room->topic;
    for (int32_t i = 0; i < topic->partitions && over > 0; i++) {
        int32_t p = (partition + i) % topic->partitions;
        struct partition_bounds bounds;
        int64_t freed_bytes;
        size_t deleted;
        int result = partition_log_bounds(txn, topic, p, &bounds, error);
        if (result != BUS_OK) {
            return result;
        }
        struct trim trim = {.before_ms = INT64_MIN, .over_bytes = bounds.bytes - over, .limit = limit};
        result = trim_partition(txn, topic, p, trim, needed, &freed_bytes, &deleted, error);
        if (result != BUS_OK) {
            return result;
        }
        over -= freed_bytes;
        room->total_bytes -= freed_bytes;
    }
    return BUS_OK;
}

static int64_t bytes_over(const struct retention_room *room, size_t bytes)
{
    return room->total_bytes + (int64_t)bytes - room->policy->hard_bytes;
}

int retention_make_room(struct retention_room *room, struct store_txn *txn, int32_t partition, size_t bytes,
                        struct error *error)
{
    if (room->topic->compacted) {
        return BUS_OK;
    }
    int64_t freed_bytes;
    size_t deleted, limit = bytes / SMALL_BATCH_BYTES + SPARE_BATCHES;
    int result = trim_partition(txn, room->topic, partition, normal_trim(room->topic, room->now_ms, limit),
                                false, &freed_bytes, &deleted, error);
    room->total_bytes -= freed_bytes;
    if (result == BUS_OK && bytes_over(room, bytes) > 0) {
        result = trim_hard(room, txn, partition, bytes_over(room, bytes), limit, false, error);
    }
    if (result == BUS_OK && bytes_over(room, bytes) > 0) {
        if (!room->policy->drop_oldest) {
            return error_set(error, BUS_FULL,
                             "topic %s holds retention_hard_bytes (%" PRId64
                             ") and a group hasn't committed the oldest of its records",
                             room->topic->name, room->policy->hard_bytes);
        }
        result = trim_hard(room, txn, partition, bytes_over(room, bytes), limit, true, error);
    }
    room->total_bytes += (int64_t)bytes;
    return result;
}

/* --- the sweep ---- */

static int sweep_partition(struct store_txn *txn, const struct topic *topic, int32_t partition,
                           int64_t now_ms, size_t limit, size_t *deleted, struct error *error)
{
    if (topic->compacted) {
        return compaction_drop_tombstones(txn, topic, partition, now_ms - TOMBSTONE_MS, limit, deleted,
                                          error);
    }
    int64_t freed_bytes;
    return trim_partition(txn, topic, partition, normal_trim(topic, now_ms, limit), false, &freed_bytes,
                          deleted, error);
}

static int sweep_topics(struct store_txn *txn, int64_t now_ms, size_t limit, size_t *deleted,
                        struct error *error)
{
    *deleted = 0;
    for (uint32_t id = 1;; id++) {
        const struct topic *topic;
        int result = topic_table_find_id(txn, id, &topic, error);
        if (result != BUS_OK || topic == NULL) {
            return result;
        }
        for (int32_t p = 0; p < topic->partitions && *deleted < limit; p++) {
            size_t count;
            result = sweep_partition(txn, topic, p, now_ms, limit - *deleted, &count, error);
            if (result != BUS_OK) {
                return result;
            }
            *deleted += count;
        }
    }
}

static int sweep(struct store *store, bool survive_power_cut, int64_t now_ms, size_t limit, size_t *deleted,
                 struct error *error)
{
    struct store_txn txn;
    int result = store_begin_write(store, survive_power_cut, &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    result = sweep_topics(&txn, now_ms, limit, deleted, error);
    if (result != BUS_OK || *deleted == 0) {
        store_abort(&txn);
        return result;
    }
    return store_commit(&txn, error);
}

int retention_sweep_if_due(struct store *store, bool survive_power_cut, int64_t now_ms, struct error *error)
{
    int64_t steady_ms = clock_steady_ms(clock_system());
    int64_t due_ms = atomic_load(&store->page->next_sweep_ms);
    if (steady_ms < due_ms ||
        !atomic_compare_exchange_strong(&store->page->next_sweep_ms, &due_ms, steady_ms + SWEEP_EVERY_MS)) {
        return BUS_OK;
    }
    size_t deleted = 0;
    int result = sweep(store, survive_power_cut, now_ms, STEP_BATCHES, &deleted, error);
    if (deleted >= STEP_BATCHES) {
        atomic_store(&store->page->next_sweep_ms, steady_ms + SWEEP_SOON_MS);
    }
    return result;
}

int retention_sweep_now(struct store *store, bool survive_power_cut, int64_t now_ms, bool *freed,
                        struct error *error)
{
    size_t deleted = 0;
    int result = sweep(store, survive_power_cut, now_ms, SMALL_STEP_BATCHES, &deleted, error);
    *freed = result == BUS_OK && deleted > 0;
    return result;
}
