#include "bus/embedded/partition_log.h"

#include "bus/embedded/byte_order.h"
#include "bus/embedded/compaction.h"
#include "bus/embedded/wakeup.h"

#include <inttypes.h>
#include <string.h>

static void partition_key(struct store_key *key, char kind, const struct topic *topic, int32_t partition)
{
    store_key_init(key, kind);
    store_key_add_u32(key, topic->id);
    store_key_add_u32(key, (uint32_t)partition);
}

void partition_log_key(struct store_key *key, const struct topic *topic, int32_t partition, int64_t offset)
{
    partition_key(key, 'L', topic, partition);
    store_key_add_u64(key, (uint64_t)offset);
}

int partition_log_damaged(const struct store *store, const struct topic *topic, int32_t partition,
                          int64_t offset, const char *what, struct error *error)
{
    return error_set(error, BUS_FATAL,
                     "%s is damaged: topic %s partition %d, offset %" PRId64
                     ": %s; nothing was skipped: stop all programs and restore the directory, or begin anew",
                     store->directory, topic->name, partition, offset, what);
}

/* --- bounds ---- */

int partition_log_bounds(const struct store_txn *txn, const struct topic *topic, int32_t partition,
                         struct partition_bounds *out, struct error *error)
{
    struct store_key key;
    struct store_row row;
    bool found;
    partition_key(&key, 'P', topic, partition);
    *out = (struct partition_bounds){0};
    int result = store_get_row(txn, &key, &row, &found, error);
    if (result != BUS_OK || !found) {
        return result;
    }
    out->begin = store_row_i64(&row);
    out->end = store_row_i64(&row);
    out->begin_ms = store_row_i64(&row);
    out->last_ms = store_row_i64(&row);
    out->bytes = store_row_i64(&row);
    out->dropped = store_row_i64(&row);
    return row.ok ? BUS_OK
                  : partition_log_damaged(txn->store, topic, partition, 0, "its bounds are too short", error);
}

int partition_log_set_bounds(struct store_txn *txn, const struct topic *topic, int32_t partition,
                             const struct partition_bounds *bounds, struct error *error)
{
    struct store_key key;
    struct buffer row;
    char storage[64];
    partition_key(&key, 'P', topic, partition);
    buffer_init_fixed(&row, storage, sizeof storage);
    (void)store_row_add_i64(&row, bounds->begin);
    (void)store_row_add_i64(&row, bounds->end);
    (void)store_row_add_i64(&row, bounds->begin_ms);
    (void)store_row_add_i64(&row, bounds->last_ms);
    (void)store_row_add_i64(&row, bounds->bytes);
    (void)store_row_add_i64(&row, bounds->dropped);
    return store_put_row(txn, &key, &row, error);
}

/* --- appending ---- */

/* How many whole frames at the front fit a batch; at least one, however large. */
static bool measure_batch(const char *frames, size_t frames_bytes, bool one_only, size_t *size,
                          uint32_t *count)
{
    *size = 0;
    *count = 0;
    while (*size < frames_bytes) {
        size_t frame_size, header_count;
        if (!record_frame_measure(frames + *size, frames_bytes - *size, &frame_size, &header_count)) {
            return false;
        }
        if (*count > 0 && (one_only || *size + frame_size > BATCH_BYTES - BATCH_HEADER_BYTES)) {
            return true;
        }
        *size += frame_size;
        ++*count;
    }
    return true;
}

static int write_batch(struct store_txn *txn, const struct topic *topic, const struct batch *batch,
                       struct error *error)
{
    struct store_key key;
    partition_log_key(&key, topic, (int32_t)batch->partition, batch->base_offset);
    MDB_val name = store_key_value(&key);
    MDB_val value = {.mv_size = BATCH_HEADER_BYTES + batch->records_bytes};
    int result = mdb_put(txn->txn, txn->store->tree, &name, &value, MDB_RESERVE | MDB_NOOVERWRITE);
    if (result == MDB_KEYEXIST) {
        return partition_log_damaged(txn->store, topic, (int32_t)batch->partition, batch->base_offset,
                                     "a batch is there already, behind the partition's end", error);
    }
    if (result != 0) {
        return store_error(txn->store, result, "a batch can't be written", error);
    }
    memcpy((char *)value.mv_data + BATCH_HEADER_BYTES, batch->records, batch->records_bytes);
    batch_seal(value.mv_data, batch);
    return BUS_OK;
}

int partition_log_append(struct store_txn *txn, const struct topic *topic, int32_t partition,
                         const char *frames, size_t frames_bytes, int64_t now_ms, struct error *error)
{
    struct partition_bounds bounds;
    int result = partition_log_bounds(txn, topic, partition, &bounds, error);
    if (result != BUS_OK) {
        return result;
    }
    bounds.last_ms = now_ms > bounds.last_ms ? now_ms : bounds.last_ms;
    while (frames_bytes > 0 && result == BUS_OK) {
        struct batch batch = {.topic = topic->id,
                              .partition = (uint32_t)partition,
                              .base_offset = bounds.end,
                              .appended_ms = bounds.last_ms,
                              .records = frames};
        if (!measure_batch(frames, frames_bytes, topic->compacted, &batch.records_bytes,
                           &batch.record_count)) {
            return error_set(error, BUS_FATAL, "a record's frame is broken in memory");
        }
        result = write_batch(txn, topic, &batch, error);
        bounds.begin_ms = bounds.bytes == 0 ? bounds.last_ms : bounds.begin_ms;
        bounds.bytes += (int64_t)(BATCH_HEADER_BYTES + batch.records_bytes);
        bounds.end += batch.record_count;
        if (result == BUS_OK && topic->compacted) {
            result = compaction_note_append(txn, topic, &batch, &bounds, error);
        }
        frames += batch.records_bytes;
        frames_bytes -= batch.records_bytes;
    }
    txn->wake_mask |= wakeup_topic_mask(topic->id);
    return result == BUS_OK ? partition_log_set_bounds(txn, topic, partition, &bounds, error) : result;
}

/* --- reading ---- */

static int64_t key_offset(const MDB_val *key)
{
    return (int64_t)get_be64((const char *)key->mv_data + key->mv_size - 8);
}

static bool is_batch_key(const struct log_cursor *cursor, const MDB_val *key)
{
    struct store_key prefix;
    partition_key(&prefix, 'L', cursor->topic, cursor->partition);
    return key->mv_size == prefix.size + 8 && store_key_begins(key, &prefix);
}

/* The batch that holds an offset has the last base at or before it: one step back from the first base behind
 * it. */
int log_cursor_seek(struct log_cursor *cursor, const struct store_txn *txn, const struct topic *topic,
                    int32_t partition, int64_t offset, struct error *error)
{
    struct store_key wanted;
    MDB_val value;
    *cursor = (struct log_cursor){.txn = txn,
                                  .topic = topic,
                                  .partition = partition,
                                  .expected = topic->compacted ? -1 : offset,
                                  .operation = MDB_GET_CURRENT};
    if (store_open_cursor(txn, &cursor->cursor, error) != BUS_OK) {
        return BUS_FATAL;
    }
    partition_log_key(&wanted, topic, partition, offset);
    cursor->key = store_key_value(&wanted);
    int result = mdb_cursor_get(cursor->cursor, &cursor->key, &value, MDB_SET_RANGE);
    if (result == 0 && is_batch_key(cursor, &cursor->key) && key_offset(&cursor->key) == offset) {
        return BUS_OK;
    }
    int back = mdb_cursor_get(cursor->cursor, &cursor->key, &value, result == 0 ? MDB_PREV : MDB_LAST);
    if (back == MDB_NOTFOUND) { /* nothing before it: at the front, then */
        cursor->operation = MDB_FIRST;
        return BUS_OK;
    }
    if (back != 0) {
        return store_error(txn->store, back, "can't be searched", error);
    }
    bool holds = is_batch_key(cursor, &cursor->key) && value.mv_size >= BATCH_HEADER_BYTES &&
                 key_offset(&cursor->key) + get_le32((const char *)value.mv_data + 12) > offset;
    cursor->operation = holds ? MDB_GET_CURRENT : MDB_NEXT;
    return BUS_OK;
}

int log_cursor_next(struct log_cursor *cursor, MDB_val *value, int64_t *base, bool *found,
                    struct error *error)
{
    int result = mdb_cursor_get(cursor->cursor, &cursor->key, value, cursor->operation);
    cursor->operation = MDB_NEXT;
    *found = result == 0 && is_batch_key(cursor, &cursor->key);
    if (result != 0 && result != MDB_NOTFOUND) {
        return store_error(cursor->txn->store, result, "can't be searched", error);
    }
    if (!*found) {
        return BUS_OK;
    }
    *base = key_offset(&cursor->key);
    if (value->mv_size < BATCH_HEADER_BYTES || (cursor->expected >= 0 && *base > cursor->expected)) {
        return partition_log_damaged(cursor->txn->store, cursor->topic, cursor->partition,
                                     cursor->expected >= 0 ? cursor->expected : *base, "a batch is missing",
                                     error);
    }
    if (cursor->expected >= 0) {
        cursor->expected = *base + get_le32((const char *)value->mv_data + 12);
    }
    return BUS_OK;
}

void log_cursor_close(struct log_cursor *cursor)
{
    if (cursor->cursor != NULL) {
        mdb_cursor_close(cursor->cursor);
        cursor->cursor = NULL;
    }
}

int log_batch_open(const struct store *store, const struct topic *topic, int32_t partition, int64_t base,
                   const void *data, size_t size, struct batch *out, struct error *error)
{
    if (!batch_open(data, size, out)) {
        return partition_log_damaged(store, topic, partition, base, "the checksum differs", error);
    }
    if (out->topic != topic->id || out->partition != (uint32_t)partition || out->base_offset != base) {
        return partition_log_damaged(store, topic, partition, base, "another batch stands in its place",
                                     error);
    }
    return BUS_OK;
}

int partition_log_time(const struct store_txn *txn, const struct topic *topic, int32_t partition,
                       int64_t offset, int64_t *appended_ms, bool *found, struct error *error)
{
    struct log_cursor cursor;
    MDB_val value;
    int64_t base;
    int result = log_cursor_seek(&cursor, txn, topic, partition, offset, error);
    if (result == BUS_OK) {
        result = log_cursor_next(&cursor, &value, &base, found, error);
    }
    if (result == BUS_OK && *found) {
        struct batch batch;
        result =
            log_batch_open(txn->store, topic, partition, base, value.mv_data, value.mv_size, &batch, error);
        *appended_ms = batch.appended_ms;
    }
    log_cursor_close(&cursor);
    return result;
}
