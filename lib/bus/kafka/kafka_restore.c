#include "bus/kafka/kafka_restore.h"

#include "clock/clock.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define FIRST_SLOTS 1024

struct entry {
    char *bytes; /* key, then value; NULL: free slot */
    size_t key_bytes, value_bytes;
    uint64_t hash;
    bool has_value;
};

struct kafka_restore {
    struct kafka_client opaque;
    rd_kafka_t *reader;
    const char *topic;
    int32_t partition;
    int64_t until; /* the high watermark at the start */
    bool done;
    struct entry *slots;
    size_t slot_count, count, taken;
};

static struct entry *find_slot(struct entry *slots, size_t slot_count, uint64_t hash, const void *key,
                               size_t key_bytes)
{
    size_t at = hash & (slot_count - 1);
    while (slots[at].bytes != NULL && !(slots[at].hash == hash && slots[at].key_bytes == key_bytes &&
                                        memcmp(slots[at].bytes, key, key_bytes) == 0)) {
        at = (at + 1) & (slot_count - 1);
    }
    return &slots[at];
}

static bool grow(struct kafka_restore *restore)
{
    size_t slot_count = restore->slot_count == 0 ? FIRST_SLOTS : restore->slot_count * 2;
    struct entry *slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < restore->slot_count; i++) {
        const struct entry *old = &restore->slots[i];
        if (old->bytes != NULL) {
            *find_slot(slots, slot_count, old->hash, old->bytes, old->key_bytes) = *old;
        }
    }
    free(restore->slots);
    restore->slots = slots;
    restore->slot_count = slot_count;
    return true;
}

static int keep(struct kafka_restore *restore, const rd_kafka_message_t *message, struct error *error)
{
    if (message->key == NULL) {
        return BUS_OK;
    }
    bool full = (restore->count + 1) * 2 > restore->slot_count;
    char *bytes = malloc(message->key_len + message->len + 1);
    if (bytes == NULL || (full && !grow(restore))) {
        free(bytes);
        return error_set(error, BUS_FATAL, "no memory for the state of %s", restore->topic);
    }
    uint64_t hash = XXH3_64bits(message->key, message->key_len);
    struct entry *slot = find_slot(restore->slots, restore->slot_count, hash, message->key, message->key_len);
    restore->count += slot->bytes == NULL;
    free(slot->bytes);
    memcpy(bytes, message->key, message->key_len);
    if (message->len > 0) {
        memcpy(bytes + message->key_len, message->payload, message->len);
    }
    *slot = (struct entry){bytes, message->key_len, message->len, hash, message->payload != NULL};
    return BUS_OK;
}

/* The end of everything written, committed or not: asked by a client that reads uncommitted. */
static int ask_high_watermark(struct kafka_restore *restore, struct error *error)
{
    static const char *const settings[] = {"group.id", "obs-restore", "isolation.level", "read_uncommitted",
                                           NULL};
    rd_kafka_t *asker = NULL;
    int64_t begin = 0;
    int result = kafka_client_create(restore->opaque.bus, RD_KAFKA_CONSUMER, settings, NULL, &restore->opaque,
                                     &asker, error);
    if (result != BUS_OK) {
        return result;
    }
    result =
        kafka_result(restore->opaque.bus,
                     rd_kafka_query_watermark_offsets(asker, restore->topic, restore->partition, &begin,
                                                      &restore->until, kafka_ask_ms(restore->opaque.bus)),
                     "asking for the end of the state", error);
    rd_kafka_destroy(asker);
    restore->done = result == BUS_OK && begin == restore->until;
    return result;
}

int kafka_restore_begin(struct kafka_restore **out, struct kafka_bus *bus, const char *topic,
                        int32_t partition, struct error *error)
{
    static const char *const settings[] = {"group.id",
                                           "obs-restore",
                                           "enable.auto.commit",
                                           "false",
                                           "enable.partition.eof",
                                           "true",
                                           "isolation.level",
                                           "read_committed",
                                           "auto.offset.reset",
                                           "earliest",
                                           NULL};
    struct kafka_restore *restore = calloc(1, sizeof *restore);
    *out = restore;
    if (restore == NULL) {
        return error_set(error, BUS_FATAL, "no memory to restore state");
    }
    restore->opaque.bus = bus;
    restore->topic = topic;
    restore->partition = partition;
    int result = ask_high_watermark(restore, error);
    if (result == BUS_OK && !restore->done) {
        result = kafka_client_create(bus, RD_KAFKA_CONSUMER, settings, NULL, &restore->opaque,
                                     &restore->reader, error);
    }
    if (result == BUS_OK && !restore->done) {
        rd_kafka_topic_partition_list_t *places = rd_kafka_topic_partition_list_new(1);
        (void)rd_kafka_poll_set_consumer(restore->reader);
        rd_kafka_topic_partition_list_add(places, topic, partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
        result = kafka_result(bus, rd_kafka_assign(restore->reader, places), "reading state", error);
        rd_kafka_topic_partition_list_destroy(places);
    }
    if (result != BUS_OK) {
        kafka_restore_end(restore);
        *out = NULL;
    }
    return result;
}

int kafka_restore_read(struct kafka_restore *restore, int timeout_ms, bool *done, struct error *error)
{
    int64_t deadline_ms = clock_steady_ms(clock_system()) + timeout_ms;
    int result = BUS_OK;
    while (!restore->done && result == BUS_OK && clock_steady_ms(clock_system()) <= deadline_ms) {
        rd_kafka_message_t *message =
            rd_kafka_consumer_poll(restore->reader, timeout_ms < 100 ? timeout_ms : 100);
        if (message == NULL) {
            continue;
        }
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            result = keep(restore, message, error);
        } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            restore->done = message->offset >= restore->until;
        }
        rd_kafka_message_destroy(message);
    }
    *done = restore->done;
    return result;
}

size_t kafka_restore_take(struct kafka_restore *restore, struct bus_record *records, size_t limit)
{
    size_t count = 0;
    for (; restore->taken < restore->slot_count && count < limit; restore->taken++) {
        const struct entry *entry = &restore->slots[restore->taken];
        if (entry->bytes != NULL && entry->has_value) {
            records[count++] =
                (struct bus_record){.topic = restore->topic,
                                    .partition = restore->partition,
                                    .key = {entry->bytes, entry->key_bytes},
                                    .value = {entry->bytes + entry->key_bytes, entry->value_bytes}};
        }
    }
    return count;
}

void kafka_restore_end(struct kafka_restore *restore)
{
    if (restore == NULL) {
        return;
    }
    if (restore->reader != NULL) {
        (void)rd_kafka_assign(restore->reader, NULL);
        rd_kafka_destroy(restore->reader);
    }
    for (size_t i = 0; i < restore->slot_count; i++) {
        free(restore->slots[i].bytes);
    }
    free(restore->slots);
    free(restore);
}
