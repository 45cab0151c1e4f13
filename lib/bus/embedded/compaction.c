#include "bus/embedded/compaction.h"

#include "bus/embedded/byte_order.h"

#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#define HASH_BYTES 16

static void index_key(struct store_key *key, const struct topic *topic, int32_t partition,
                      struct bus_bytes name)
{
    store_key_init(key, 'K');
    store_key_add_u32(key, topic->id);
    store_key_add_u32(key, (uint32_t)partition);
    size_t room = STORE_KEY_BYTES - key->size;
    if (name.size_bytes < room) { /* a whole key is always shorter than a shortened one: the two can't meet */
        store_key_add_bytes(key, name.data, name.size_bytes);
        return;
    }
    XXH128_hash_t hash = XXH3_128bits(name.data, name.size_bytes);
    store_key_add_bytes(key, name.data, room - HASH_BYTES);
    store_key_add_u64(key, hash.high64);
    store_key_add_u64(key, hash.low64);
}

static void tombstone_key(struct store_key *key, const struct topic *topic, int32_t partition, int64_t offset)
{
    store_key_init(key, 'X');
    store_key_add_u32(key, topic->id);
    store_key_add_u32(key, (uint32_t)partition);
    store_key_add_u64(key, (uint64_t)offset);
}

static bool read_only_record(const struct batch *batch, struct bus_record *record)
{
    size_t frame_size, header_count;
    if (!record_frame_measure(batch->records, batch->records_bytes, &frame_size, &header_count)) {
        return false;
    }
    struct bus_header headers[1];
    if (header_count > 0) {
        /* Only key and value are looked at; they lie at the end. */
        uint32_t key_size = get_le32(batch->records), value_size = get_le32(batch->records + 4);
        size_t key_bytes = key_size == 0 ? 0 : key_size - 1,
               value_bytes = value_size == 0 ? 0 : value_size - 1;
        const char *end = batch->records + frame_size;
        record->key = (struct bus_bytes){key_size == 0 ? NULL : end - value_bytes - key_bytes, key_bytes};
        record->value = (struct bus_bytes){value_size == 0 ? NULL : end - value_bytes, value_bytes};
        return true;
    }
    return record_frame_read(batch->records, frame_size, record, headers);
}

/* Opens the record at offset, which an index row named. */
static int open_named(const struct store_txn *txn, const struct topic *topic, int32_t partition,
                      int64_t offset, struct batch *batch, struct bus_record *record, struct error *error)
{
    struct store_key key;
    partition_log_key(&key, topic, partition, offset);
    MDB_val name = store_key_value(&key);
    MDB_val value;
    *batch = (struct batch){0};
    *record = (struct bus_record){0};
    int result = mdb_get(txn->txn, txn->store->tree, &name, &value);
    if (result == MDB_NOTFOUND) {
        return partition_log_damaged(txn->store, topic, partition, offset, "the record of a key is missing",
                                     error);
    }
    if (result != 0) {
        return store_error(txn->store, result, "a record can't be read", error);
    }
    result = log_batch_open(txn->store, topic, partition, offset, value.mv_data, value.mv_size, batch, error);
    if (result == BUS_OK && !read_only_record(batch, record)) {
        result = partition_log_damaged(txn->store, topic, partition, offset, "its record is broken", error);
    }
    return result;
}

static int delete_record(struct store_txn *txn, const struct topic *topic, const struct batch *batch,
                         struct partition_bounds *bounds, struct error *error)
{
    struct store_key key;
    bounds->bytes -= (int64_t)(BATCH_HEADER_BYTES + batch->records_bytes);
    partition_log_key(&key, topic, (int32_t)batch->partition, batch->base_offset);
    int result = store_delete(txn, &key, error);
    tombstone_key(&key, topic, (int32_t)batch->partition, batch->base_offset);
    return result == BUS_OK ? store_delete(txn, &key, error) : result;
}

static int delete_older(struct store_txn *txn, const struct topic *topic, int32_t partition, int64_t offset,
                        struct bus_bytes name, struct partition_bounds *bounds, struct error *error)
{
    struct batch batch;
    struct bus_record record;
    int result = open_named(txn, topic, partition, offset, &batch, &record, error);
    if (result != BUS_OK) {
        return result;
    }
    if (record.key.data == NULL || record.key.size_bytes != name.size_bytes ||
        memcmp(record.key.data, name.data, name.size_bytes) != 0) {
        return partition_log_damaged(txn->store, topic, partition, offset,
                                     "it has another key than its index says", error);
    }
    return delete_record(txn, topic, &batch, bounds, error);
}

static int put_offset(struct store_txn *txn, struct store_key *key, int64_t offset, struct error *error)
{
    struct buffer row;
    char storage[16];
    buffer_init_fixed(&row, storage, sizeof storage);
    (void)store_row_add_i64(&row, offset);
    return store_put_row(txn, key, &row, error);
}

int compaction_note_append(struct store_txn *txn, const struct topic *topic, const struct batch *batch,
                           struct partition_bounds *bounds, struct error *error)
{
    struct bus_record record;
    struct store_key key;
    struct store_row row;
    bool found;
    int32_t partition = (int32_t)batch->partition;
    if (!read_only_record(batch, &record) || record.key.data == NULL) {
        return error_set(error, BUS_FATAL, "a record of the compacted topic %s has no key", topic->name);
    }
    index_key(&key, topic, partition, record.key);
    int result = store_get_row(txn, &key, &row, &found, error);
    if (result == BUS_OK && found) {
        result = delete_older(txn, topic, partition, store_row_i64(&row), record.key, bounds, error);
    }
    if (result == BUS_OK) {
        result = put_offset(txn, &key, batch->base_offset, error);
    }
    if (result == BUS_OK && record.value.data == NULL) {
        tombstone_key(&key, topic, partition, batch->base_offset);
        result = put_offset(txn, &key, batch->base_offset, error);
    }
    return result;
}

/* --- tombstones that are old enough ---- */

static int drop_tombstone(struct store_txn *txn, const struct topic *topic, int32_t partition, int64_t offset,
                          int64_t before_ms, struct partition_bounds *bounds, bool *dropped,
                          struct error *error)
{
    struct batch batch;
    struct bus_record record;
    struct store_key key;
    *dropped = false;
    int result = open_named(txn, topic, partition, offset, &batch, &record, error);
    if (result != BUS_OK || batch.appended_ms >= before_ms) {
        return result;
    }
    index_key(&key, topic, partition, record.key);
    result = store_delete(txn, &key, error);
    *dropped = result == BUS_OK;
    return *dropped ? delete_record(txn, topic, &batch, bounds, error) : result;
}

static int first_tombstone(const struct store_txn *txn, const struct topic *topic, int32_t partition,
                           int64_t *offset, bool *found, struct error *error)
{
    struct store_key prefix;
    MDB_cursor *cursor;
    tombstone_key(&prefix, topic, partition, 0);
    prefix.size -= 8;
    int result = store_open_cursor(txn, &cursor, error);
    if (result != BUS_OK) {
        return result;
    }
    MDB_val key = store_key_value(&prefix), value;
    result = store_seek(txn, cursor, MDB_SET_RANGE, &prefix, &key, &value, found, error);
    if (result == BUS_OK && *found) {
        *offset = (int64_t)get_be64((const char *)key.mv_data + key.mv_size - 8);
    }
    mdb_cursor_close(cursor);
    return result;
}

int compaction_drop_tombstones(struct store_txn *txn, const struct topic *topic, int32_t partition,
                               int64_t before_ms, size_t limit, size_t *deleted, struct error *error)
{
    struct partition_bounds bounds;
    int result = partition_log_bounds(txn, topic, partition, &bounds, error);
    bool more = true;
    *deleted = 0;
    while (result == BUS_OK && more && *deleted < limit) {
        int64_t offset = 0;
        result = first_tombstone(txn, topic, partition, &offset, &more, error);
        if (result == BUS_OK && more) {
            result = drop_tombstone(txn, topic, partition, offset, before_ms, &bounds, &more, error);
            *deleted += more;
        }
    }
    return result == BUS_OK && *deleted > 0 ? partition_log_set_bounds(txn, topic, partition, &bounds, error)
                                            : result;
}
