#include "bus/embedded/append_set.h"

#include "bus/embedded/partition_log.h"
#include "bus/embedded/retention.h"
#include "bus/partitioner.h"

#include <stdlib.h>

void append_set_init(struct append_set *set, size_t limit_bytes)
{
    *set = (struct append_set){.limit_bytes = limit_bytes};
}

void append_set_free(struct append_set *set)
{
    for (size_t i = 0; i < set->topic_count; i++) {
        for (int32_t p = 0; p < set->topics[i].topic->partitions; p++) {
            buffer_free(&set->topics[i].runs[p].frames);
        }
        free(set->topics[i].runs);
    }
    free(set->topics);
    append_set_init(set, set->limit_bytes);
}

void append_set_clear(struct append_set *set)
{
    for (size_t i = 0; i < set->topic_count; i++) {
        for (int32_t p = 0; p < set->topics[i].topic->partitions; p++) {
            buffer_clear(&set->topics[i].runs[p].frames);
        }
    }
    set->bytes = 0;
    set->record_count = 0;
}

static struct append_topic *add_topic(struct append_set *set, const struct topic *topic)
{
    struct append_topic *topics = realloc(set->topics, (set->topic_count + 1) * sizeof *topics);
    if (topics == NULL) {
        return NULL;
    }
    set->topics = topics;
    struct append_run *runs = calloc((size_t)topic->partitions, sizeof *runs);
    if (runs == NULL) {
        return NULL;
    }
    for (int32_t p = 0; p < topic->partitions; p++) {
        runs[p] = (struct append_run){.topic = topic, .partition = p};
        buffer_init(&runs[p].frames, 0);
    }
    topics[set->topic_count] = (struct append_topic){.topic = topic, .runs = runs};
    return &topics[set->topic_count++];
}

static struct append_topic *find_topic(struct append_set *set, const struct topic *topic)
{
    for (size_t i = 0; i < set->topic_count; i++) {
        if (set->topics[i].topic == topic) {
            return &set->topics[i];
        }
    }
    return add_topic(set, topic);
}

static int check_record(const struct topic *topic, const struct bus_record *record, size_t frame_size,
                        struct error *error)
{
    if (frame_size - RECORD_HEADER_BYTES > (size_t)topic->max_message_bytes) {
        return error_set(error, BUS_REFUSED,
                         "a record of %zu bytes is too large for topic %s (max.message.bytes %lld)",
                         frame_size - RECORD_HEADER_BYTES, topic->name, (long long)topic->max_message_bytes);
    }
    if (topic->compacted && record->key.data == NULL) {
        return error_set(error, BUS_REFUSED, "a record of the compacted topic %s needs a key", topic->name);
    }
    if (record->partition >= topic->partitions || record->partition < BUS_PARTITION_BY_KEY) {
        return error_set(error, BUS_REFUSED, "topic %s has no partition %d (it has %d)", topic->name,
                         record->partition, topic->partitions);
    }
    return BUS_OK;
}

static int32_t choose_partition(struct append_set *set, const struct topic *topic,
                                const struct bus_record *record)
{
    if (record->partition != BUS_PARTITION_BY_KEY) {
        return record->partition;
    }
    if (record->key.data == NULL) {
        return (int32_t)(set->keyless++ % (uint32_t)topic->partitions);
    }
    return partitioner_partition(record->key.data, record->key.size_bytes, topic->partitions);
}

int append_set_add(struct append_set *set, const struct topic *topic, const struct bus_record *record,
                   struct error *error)
{
    size_t frame_size = record_frame_size(record);
    int result = check_record(topic, record, frame_size, error);
    if (result != BUS_OK) {
        return result;
    }
    /* One record always fits, however small the limit. */
    if (set->bytes > 0 && set->bytes + frame_size > set->limit_bytes) {
        return error_set(error, BUS_FULL, "%zu bytes wait for their commit already", set->bytes);
    }
    struct append_topic *slot = find_topic(set, topic);
    if (slot == NULL) {
        return error_set(error, BUS_FULL, "no memory for records of topic %s", topic->name);
    }
    struct buffer *frames = &slot->runs[choose_partition(set, topic, record)].frames;
    char *room = buffer_reserve(frames, frame_size);
    if (room == NULL) {
        frames->failed = false;
        return error_set(error, BUS_FULL, "no memory for a record of topic %s", topic->name);
    }
    frames->size += record_frame_write(room, record);
    set->bytes += frame_size;
    set->record_count++;
    return BUS_OK;
}

static int write_topic(const struct append_topic *slot, struct store_txn *txn,
                       const struct retention_policy *policy, int64_t now_ms, struct error *error)
{
    struct retention_room room;
    int result = retention_room_init(&room, txn, policy, slot->topic, now_ms, error);
    for (int32_t p = 0; p < slot->topic->partitions && result == BUS_OK; p++) {
        const struct buffer *frames = &slot->runs[p].frames;
        if (frames->size > 0) {
            result = retention_make_room(&room, txn, p, frames->size, error);
        }
        if (frames->size > 0 && result == BUS_OK) {
            result = partition_log_append(txn, slot->topic, p, frames->data, frames->size, now_ms, error);
        }
    }
    return result;
}

static bool is_empty(const struct append_topic *slot)
{
    for (int32_t p = 0; p < slot->topic->partitions; p++) {
        if (slot->runs[p].frames.size > 0) {
            return false;
        }
    }
    return true;
}

int append_set_write(const struct append_set *set, struct store_txn *txn,
                     const struct retention_policy *policy, enum store_claim claim, int64_t now_ms,
                     struct error *error)
{
    int result = set->record_count == 0 ? BUS_OK : store_check_room(txn, set->bytes, claim, error);
    for (size_t i = 0; i < set->topic_count && result == BUS_OK; i++) {
        if (!is_empty(&set->topics[i])) {
            result = write_topic(&set->topics[i], txn, policy, now_ms, error);
        }
    }
    return result;
}
