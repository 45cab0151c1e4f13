#include "bus/embedded/topic_log.h"

#include "bus/embedded/byte_order.h"

#include <string.h>
#include <xxhash.h>

#define TOPIC_BYTES         (4 + 4 + 1 + 3 * 8)
#define HEAD_BYTES          (4 * 8)
#define LOG_KEY             16
#define LATEST_KEY          24
#define MAX_SKIPPED_HEADERS 64 /* records with more are not compacted */

/* --- topics ---- */

static void unpack_topic(struct topic *topic, const char *name, size_t name_bytes, const unsigned char *value)
{
    *topic = (struct topic){.id = get_le32(value),
                            .partitions = (int32_t)get_le32(value + 4),
                            .compacted = value[8] != 0,
                            .retention_ms = (int64_t)get_le64(value + 9),
                            .retention_bytes = (int64_t)get_le64(value + 17),
                            .max_message_bytes = (int64_t)get_le64(value + 25)};
    memcpy(topic->name, name, name_bytes);
}

int topic_find(struct store *store, MDB_txn *txn, const char *name, struct topic *topic, struct error *error)
{
    MDB_val key = {strlen(name), (void *)(uintptr_t)name};
    MDB_val value;
    int result = mdb_get(txn, store->tables.topics, &key, &value);
    if (result == MDB_NOTFOUND) {
        return error_set(error, BUS_REFUSED, "there is no topic '%s' in embedded:%s", name, store->directory);
    }
    if (result == MDB_SUCCESS && value.mv_size != TOPIC_BYTES) {
        result = MDB_CORRUPTED;
    }
    if (result == MDB_SUCCESS) {
        unpack_topic(topic, name, strlen(name), value.mv_data);
    }
    return store_result(result, "reading a topic", error);
}

int topic_put(struct store *store, MDB_txn *txn, const struct topic *topic, struct error *error)
{
    unsigned char bytes[TOPIC_BYTES];
    put_le32(bytes, topic->id);
    put_le32(bytes + 4, (uint32_t)topic->partitions);
    bytes[8] = topic->compacted;
    put_le64(bytes + 9, (uint64_t)topic->retention_ms);
    put_le64(bytes + 17, (uint64_t)topic->retention_bytes);
    put_le64(bytes + 25, (uint64_t)topic->max_message_bytes);
    MDB_val key = {strlen(topic->name), (void *)(uintptr_t)topic->name};
    MDB_val value = {sizeof bytes, bytes};
    return store_result(mdb_put(txn, store->tables.topics, &key, &value, 0), "writing a topic", error);
}

int topic_visit(struct store *store, MDB_txn *txn, void (*visit)(void *context, const struct topic *topic),
                void *context, struct error *error)
{
    MDB_cursor *cursor = NULL;
    MDB_val key;
    MDB_val value;
    int result = mdb_cursor_open(txn, store->tables.topics, &cursor);
    while (result == MDB_SUCCESS &&
           (result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        struct topic topic;
        if (value.mv_size != TOPIC_BYTES || key.mv_size >= BUS_TOPIC_BYTES) {
            result = MDB_CORRUPTED;
            break;
        }
        unpack_topic(&topic, key.mv_data, key.mv_size, value.mv_data);
        visit(context, &topic);
    }
    mdb_cursor_close(cursor);
    return result == MDB_NOTFOUND ? BUS_OK : store_result(result, "reading topics", error);
}

static void note_highest_id(void *context, const struct topic *topic)
{
    uint32_t *highest = context;
    *highest = topic->id > *highest ? topic->id : *highest;
}

int topic_next_id(struct store *store, MDB_txn *txn, uint32_t *id, struct error *error)
{
    uint32_t highest = 0;
    int result = topic_visit(store, txn, note_highest_id, &highest, error);
    *id = highest + 1;
    return result;
}

/* --- heads ---- */

static void head_key(unsigned char key[8], uint32_t topic, int32_t partition)
{
    put_be32(key, topic);
    put_be32(key + 4, (uint32_t)partition);
}

int head_read(struct store *store, MDB_txn *txn, uint32_t topic, int32_t partition,
              struct partition_head *head, struct error *error)
{
    unsigned char bytes[8];
    head_key(bytes, topic, partition);
    MDB_val key = {sizeof bytes, bytes};
    MDB_val value;
    *head = (struct partition_head){0};
    int result = mdb_get(txn, store->tables.heads, &key, &value);
    if (result == MDB_NOTFOUND) {
        return BUS_OK; /* nothing was ever appended */
    }
    if (result == MDB_SUCCESS && value.mv_size != HEAD_BYTES) {
        result = MDB_CORRUPTED;
    }
    if (result == MDB_SUCCESS) {
        const unsigned char *at = value.mv_data;
        *head = (struct partition_head){(int64_t)get_le64(at), (int64_t)get_le64(at + 8),
                                        (int64_t)get_le64(at + 16), (int64_t)get_le64(at + 24)};
    }
    return store_result(result, "reading a partition's head", error);
}

static int head_write(struct store *store, MDB_txn *txn, uint32_t topic, int32_t partition,
                      const struct partition_head *head, struct error *error)
{
    unsigned char key_bytes[8];
    unsigned char bytes[HEAD_BYTES];
    head_key(key_bytes, topic, partition);
    put_le64(bytes, (uint64_t)head->begin);
    put_le64(bytes + 8, (uint64_t)head->end);
    put_le64(bytes + 16, (uint64_t)head->last_appended_ms);
    put_le64(bytes + 24, (uint64_t)head->bytes);
    MDB_val key = {sizeof key_bytes, key_bytes};
    MDB_val value = {sizeof bytes, bytes};
    return store_result(mdb_put(txn, store->tables.heads, &key, &value, 0), "writing a partition's head",
                        error);
}

/* --- the log ---- */

static void log_key(unsigned char key[LOG_KEY], uint32_t topic, int32_t partition, int64_t offset)
{
    head_key(key, topic, partition);
    put_be64(key + 8, (uint64_t)offset);
}

static int damaged(const struct topic *topic, int32_t partition, int64_t offset, struct error *error)
{
    return error_set(error, BUS_FATAL,
                     "topic %s partition %d: the batch at offset %lld is damaged (its checksum differs); "
                     "restore the store, or "
                     "move its directory away",
                     topic->name, partition, (long long)offset);
}

/* The batch under the cursor, if it is of the partition. */
static int read_at_cursor(const MDB_val *key, const MDB_val *value, const struct topic *topic,
                          int32_t partition, struct batch *batch, bool *found, struct error *error)
{
    unsigned char prefix[8];
    head_key(prefix, topic->id, partition);
    *found = key->mv_size == LOG_KEY && memcmp(key->mv_data, prefix, sizeof prefix) == 0;
    if (!*found) {
        return BUS_OK;
    }
    int64_t offset = (int64_t)get_be64((const unsigned char *)key->mv_data + 8);
    if (!batch_open(value->mv_data, value->mv_size, batch) || batch->topic != topic->id ||
        batch->partition != (uint32_t)partition || batch->base_offset != offset) {
        return damaged(topic, partition, offset, error);
    }
    return BUS_OK;
}

int log_find(struct store *store, MDB_txn *txn, const struct topic *topic, int32_t partition, int64_t offset,
             struct batch *batch, bool *found, struct error *error)
{
    unsigned char bytes[LOG_KEY];
    log_key(bytes, topic->id, partition, offset);
    MDB_val key = {sizeof bytes, bytes};
    MDB_val value;
    MDB_cursor *cursor = NULL;
    *found = false;
    int result = mdb_cursor_open(txn, store->tables.log, &cursor);
    if (result != MDB_SUCCESS) {
        return store_result(result, "reading the log", error);
    }
    result = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    bool exact = result == MDB_SUCCESS && key.mv_size == LOG_KEY && memcmp(key.mv_data, bytes, LOG_KEY) == 0;
    int outcome = BUS_OK;
    if (!exact && (result == MDB_SUCCESS || result == MDB_NOTFOUND)) {
        /* The batch before may reach over the offset. */
        MDB_val before_key;
        MDB_val before;
        int step = mdb_cursor_get(cursor, &before_key, &before, result == MDB_SUCCESS ? MDB_PREV : MDB_LAST);
        if (step == MDB_SUCCESS) {
            outcome = read_at_cursor(&before_key, &before, topic, partition, batch, found, error);
            *found = *found && batch->base_offset + batch->record_count > offset;
        }
    }
    if (outcome == BUS_OK && !*found && result == MDB_SUCCESS) {
        if (!exact) { /* the step back has moved the cursor */
            result = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
        }
        if (result == MDB_SUCCESS) {
            outcome = read_at_cursor(&key, &value, topic, partition, batch, found, error);
        }
    }
    mdb_cursor_close(cursor);
    return outcome != BUS_OK || result == MDB_NOTFOUND ? outcome
                                                       : store_result(result, "reading the log", error);
}

static int write_batch(struct store *store, MDB_txn *txn, const struct topic *topic, int32_t partition,
                       const struct partition_head *head, const char *frames, size_t frames_bytes,
                       uint32_t count, struct error *error)
{
    unsigned char bytes[LOG_KEY];
    log_key(bytes, topic->id, partition, head->end);
    MDB_val key = {sizeof bytes, bytes};
    MDB_val value = {BATCH_HEADER_BYTES + frames_bytes, NULL};
    int result = mdb_put(txn, store->tables.log, &key, &value, MDB_RESERVE);
    if (result != MDB_SUCCESS) {
        return store_result(result, "appending", error);
    }
    char *out = value.mv_data;
    memcpy(out + BATCH_HEADER_BYTES, frames, frames_bytes);
    const struct batch batch = {.topic = topic->id,
                                .partition = (uint32_t)partition,
                                .record_count = count,
                                .base_offset = head->end,
                                .appended_ms = head->last_appended_ms,
                                .records = out + BATCH_HEADER_BYTES,
                                .records_bytes = frames_bytes};
    batch_seal(out, &batch);
    return BUS_OK;
}

/* Remembers where the key's last record is and takes the one before away. */
static int replace_key(struct store *store, MDB_txn *txn, const struct topic *topic, int32_t partition,
                       const char *frame, size_t frame_bytes, struct partition_head *head,
                       struct error *error)
{
    struct bus_record record = {0};
    struct bus_header scratch[MAX_SKIPPED_HEADERS];
    size_t size = 0;
    size_t headers = 0;
    if (!record_frame_measure(frame, frame_bytes, &size, &headers) || headers > MAX_SKIPPED_HEADERS ||
        !record_frame_read(frame, size, &record, scratch) || record.key.data == NULL) {
        return BUS_OK; /* without a key there is nothing to compact by */
    }
    unsigned char bytes[LATEST_KEY];
    head_key(bytes, topic->id, partition);
    XXH128_hash_t hash = XXH3_128bits(record.key.data, record.key.size_bytes);
    put_be64(bytes + 8, hash.high64);
    put_be64(bytes + 16, hash.low64);
    MDB_val key = {sizeof bytes, bytes};
    MDB_val value;
    int result = mdb_get(txn, store->tables.latest, &key, &value);
    if (result == MDB_SUCCESS && value.mv_size == 8) {
        unsigned char old_bytes[LOG_KEY];
        log_key(old_bytes, topic->id, partition, (int64_t)get_le64(value.mv_data));
        MDB_val old_key = {sizeof old_bytes, old_bytes};
        MDB_val old;
        if (mdb_get(txn, store->tables.log, &old_key, &old) == MDB_SUCCESS) {
            head->bytes -= (int64_t)old.mv_size;
            result = mdb_del(txn, store->tables.log, &old_key, NULL);
        }
    }
    if (result == MDB_SUCCESS || result == MDB_NOTFOUND) {
        unsigned char offset[8];
        put_le64(offset, (uint64_t)head->end);
        value = (MDB_val){sizeof offset, offset};
        result = mdb_put(txn, store->tables.latest, &key, &value, 0);
    }
    return store_result(result, "compacting", error);
}

static int append_batch(struct store *store, MDB_txn *txn, const struct topic *topic, int32_t partition,
                        const char *frames, size_t frames_bytes, uint32_t count, struct partition_head *head,
                        struct error *error)
{
    int result = write_batch(store, txn, topic, partition, head, frames, frames_bytes, count, error);
    head->end += count;
    head->bytes += (int64_t)(BATCH_HEADER_BYTES + frames_bytes);
    return result;
}

static int append_compacted(struct store *store, MDB_txn *txn, const struct topic *topic, int32_t partition,
                            const char *frames, size_t frames_bytes, struct partition_head *head,
                            struct error *error)
{
    for (size_t at = 0; at < frames_bytes;) {
        size_t size = 0;
        size_t headers = 0;
        if (!record_frame_measure(frames + at, frames_bytes - at, &size, &headers)) {
            return error_set(error, BUS_FATAL, "a record was framed wrongly");
        }
        int result = replace_key(store, txn, topic, partition, frames + at, size, head, error);
        if (result == BUS_OK) {
            result = append_batch(store, txn, topic, partition, frames + at, size, 1, head, error);
        }
        if (result != BUS_OK) {
            return result;
        }
        at += size;
    }
    return BUS_OK;
}

int log_append(struct store *store, MDB_txn *txn, const struct topic *topic, int32_t partition,
               const char *frames, size_t frames_bytes, uint32_t count, int64_t now_ms, int64_t hard_bytes,
               struct error *error)
{
    struct partition_head head;
    int result = head_read(store, txn, topic->id, partition, &head, error);
    if (result != BUS_OK) {
        return result;
    }
    if (hard_bytes > 0 && head.bytes + (int64_t)frames_bytes > hard_bytes) {
        return error_set(error, BUS_FULL,
                         "topic %s partition %d holds %lld bytes that a group still needs "
                         "(retention_hard_bytes): let the group "
                         "catch up, or raise the limit",
                         topic->name, partition, (long long)head.bytes);
    }
    head.last_appended_ms = now_ms > head.last_appended_ms ? now_ms : head.last_appended_ms;
    result = topic->compacted
                 ? append_compacted(store, txn, topic, partition, frames, frames_bytes, &head, error)
                 : append_batch(store, txn, topic, partition, frames, frames_bytes, count, &head, error);
    return result != BUS_OK ? result : head_write(store, txn, topic->id, partition, &head, error);
}

int log_drop_batch(struct store *store, MDB_txn *txn, const struct topic *topic, int32_t partition,
                   const struct batch *batch, struct error *error)
{
    struct partition_head head;
    int64_t next = batch->base_offset + batch->record_count;
    int64_t bytes = (int64_t)(BATCH_HEADER_BYTES + batch->records_bytes);
    unsigned char key_bytes[LOG_KEY];
    log_key(key_bytes, topic->id, partition, batch->base_offset);
    MDB_val key = {sizeof key_bytes, key_bytes};
    int result = head_read(store, txn, topic->id, partition, &head, error);
    if (result == BUS_OK) {
        result = store_result(mdb_del(txn, store->tables.log, &key, NULL), "deleting old records", error);
    }
    if (result != BUS_OK) {
        return result;
    }
    head.begin = next > head.begin && !topic->compacted ? next : head.begin;
    head.bytes -= bytes;
    return head_write(store, txn, topic->id, partition, &head, error);
}
