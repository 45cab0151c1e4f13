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

/* What was read of one partition: its keys by hash. */
struct part {
    int32_t number;
    int64_t until; /* the high watermark at the start */
    bool done;
    struct entry *slots;
    size_t slot_count, count, taken;
};

struct kafka_restore {
    struct kafka_client opaque;
    rd_kafka_t *reader;
    const char *topic;
    struct part *parts;
    size_t part_count;
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

static bool grow(struct part *part)
{
    size_t slot_count = part->slot_count == 0 ? FIRST_SLOTS : part->slot_count * 2;
    struct entry *slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < part->slot_count; i++) {
        const struct entry *old = &part->slots[i];
        if (old->bytes != NULL) {
            *find_slot(slots, slot_count, old->hash, old->bytes, old->key_bytes) = *old;
        }
    }
    free(part->slots);
    part->slots = slots;
    part->slot_count = slot_count;
    return true;
}

static int keep(struct part *part, const rd_kafka_message_t *message, struct error *error)
{
    if (message->key == NULL) {
        return BUS_OK;
    }
    bool full = (part->count + 1) * 2 > part->slot_count;
    char *bytes = malloc(message->key_len + message->len + 1);
    if (bytes == NULL || (full && !grow(part))) {
        free(bytes);
        return error_set(error, BUS_FATAL, "no memory for the state of partition %d", part->number);
    }
    uint64_t hash = XXH3_64bits(message->key, message->key_len);
    struct entry *slot = find_slot(part->slots, part->slot_count, hash, message->key, message->key_len);
    part->count += slot->bytes == NULL;
    free(slot->bytes);
    memcpy(bytes, message->key, message->key_len);
    if (message->len > 0) {
        memcpy(bytes + message->key_len, message->payload, message->len);
    }
    *slot = (struct entry){bytes, message->key_len, message->len, hash, message->payload != NULL};
    return BUS_OK;
}

static struct part *find_part(const struct kafka_restore *restore, int32_t number)
{
    for (size_t i = 0; i < restore->part_count; i++) {
        if (restore->parts[i].number == number) {
            return &restore->parts[i];
        }
    }
    return NULL;
}

/* --- beginning ---- */

static rd_kafka_topic_partition_list_t *list_parts(const struct kafka_restore *restore)
{
    rd_kafka_topic_partition_list_t *places = rd_kafka_topic_partition_list_new((int)restore->part_count);
    for (size_t i = 0; i < restore->part_count; i++) {
        rd_kafka_topic_partition_list_add(places, restore->topic, restore->parts[i].number);
    }
    return places;
}

/* The end of everything written, committed or not: asked by a client that reads uncommitted. */
static int ask_high_watermarks(struct kafka_restore *restore, struct error *error)
{
    static const char *const settings[] = {"group.id", "obs-restore", "isolation.level", "read_uncommitted",
                                           NULL};
    rd_kafka_t *asker = NULL;
    struct kafka_bus *bus = restore->opaque.bus;
    int result = kafka_client_create(bus, RD_KAFKA_CONSUMER, settings, NULL, &restore->opaque, &asker, error);
    if (result != BUS_OK) {
        return result;
    }
    rd_kafka_topic_partition_list_t *begins = list_parts(restore);
    rd_kafka_topic_partition_list_t *ends = list_parts(restore);
    result = kafka_ask_offsets(bus, asker, begins, RD_KAFKA_OFFSET_BEGINNING, error);
    if (result == BUS_OK) {
        result = kafka_ask_offsets(bus, asker, ends, RD_KAFKA_OFFSET_END, error);
    }
    for (size_t i = 0; i < restore->part_count && result == BUS_OK; i++) {
        restore->parts[i].until = ends->elems[i].offset;
        restore->parts[i].done = begins->elems[i].offset == ends->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(begins);
    rd_kafka_topic_partition_list_destroy(ends);
    rd_kafka_destroy(asker);
    return result;
}

/* The client of librdkafka 2.0 rests for a second whenever its queue is full, so this one's never is; the
 * broker gives large answers, which cost it no more than small ones. */
static int open_reader(struct kafka_restore *restore, struct error *error)
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
                                           "queued.min.messages",
                                           "10000000",
                                           "queued.max.messages.kbytes",
                                           "2097151",
                                           "fetch.message.max.bytes",
                                           "4194304",
                                           "fetch.max.bytes",
                                           "52428800",
                                           NULL};
    struct kafka_bus *bus = restore->opaque.bus;
    rd_kafka_topic_partition_list_t *places = rd_kafka_topic_partition_list_new((int)restore->part_count);
    for (size_t i = 0; i < restore->part_count; i++) {
        if (!restore->parts[i].done) {
            rd_kafka_topic_partition_list_add(places, restore->topic, restore->parts[i].number)->offset =
                RD_KAFKA_OFFSET_BEGINNING;
        }
    }
    int result = BUS_OK;
    if (places->cnt > 0) {
        result = kafka_client_create(bus, RD_KAFKA_CONSUMER, settings, NULL, &restore->opaque,
                                     &restore->reader, error);
        if (result == BUS_OK) {
            (void)rd_kafka_poll_set_consumer(restore->reader);
            result = kafka_result(bus, rd_kafka_assign(restore->reader, places), "reading state", error);
        }
    }
    rd_kafka_topic_partition_list_destroy(places);
    return result;
}

int kafka_restore_begin(struct kafka_restore **out, struct kafka_bus *bus, const char *topic,
                        const int32_t *partitions, size_t count, struct error *error)
{
    struct kafka_restore *restore = calloc(1, sizeof *restore);
    *out = restore;
    if (restore != NULL) {
        restore->parts = calloc(count, sizeof *restore->parts);
    }
    if (restore == NULL || restore->parts == NULL) {
        free(restore);
        *out = NULL;
        return error_set(error, BUS_FATAL, "no memory to restore state");
    }
    restore->opaque.bus = bus;
    restore->topic = topic;
    for (size_t i = 0; i < count; i++) {
        if (find_part(restore, partitions[i]) == NULL) { /* one of each topic may want it */
            restore->parts[restore->part_count++].number = partitions[i];
        }
    }
    int result = ask_high_watermarks(restore, error);
    if (result == BUS_OK) {
        result = open_reader(restore, error);
    }
    if (result != BUS_OK) {
        kafka_restore_end(restore);
        *out = NULL;
    }
    return result;
}

bool kafka_restore_has(const struct kafka_restore *restore, int32_t partition)
{
    return find_part(restore, partition) != NULL;
}

/* --- reading ---- */

/* *done: its partition is, by this message. */
static int take_message(struct kafka_restore *restore, const rd_kafka_message_t *message, bool *done,
                        struct error *error)
{
    struct part *part = find_part(restore, message->partition);
    if (part == NULL || part->done) {
        return BUS_OK; /* what was written since */
    }
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        part->done = message->offset >= part->until;
        *done = part->done;
        return BUS_OK;
    }
    return message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? keep(part, message, error) : BUS_OK;
}

bool kafka_restore_is_done(const struct kafka_restore *restore, int32_t partition)
{
    return find_part(restore, partition)->done;
}

int kafka_restore_read(struct kafka_restore *restore, int timeout_ms, struct error *error)
{
    int64_t deadline_ms = clock_steady_ms(clock_system()) + timeout_ms;
    bool done = false;
    int result = BUS_OK;
    while (!done && result == BUS_OK && clock_steady_ms(clock_system()) <= deadline_ms) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(restore->reader, timeout_ms);
        if (message != NULL) {
            result = take_message(restore, message, &done, error);
            rd_kafka_message_destroy(message);
        }
    }
    return result;
}

size_t kafka_restore_take(struct kafka_restore *restore, int32_t partition, struct bus_record *records,
                          size_t limit)
{
    size_t count = 0;
    struct part *part = find_part(restore, partition);
    for (; part->taken < part->slot_count && count < limit; part->taken++) {
        const struct entry *entry = &part->slots[part->taken];
        if (entry->bytes != NULL && entry->has_value) {
            records[count++] =
                (struct bus_record){.topic = restore->topic,
                                    .partition = partition,
                                    .key = {entry->bytes, entry->key_bytes},
                                    .value = {entry->bytes + entry->key_bytes, entry->value_bytes}};
        }
    }
    return count;
}

static void free_part(struct part *part)
{
    for (size_t i = 0; i < part->slot_count; i++) {
        free(part->slots[i].bytes);
    }
    free(part->slots);
    part->slots = NULL;
    part->slot_count = 0;
}

void kafka_restore_done_with(struct kafka_restore *restore, int32_t partition)
{
    free_part(find_part(restore, partition));
}

void kafka_restore_rewind(struct kafka_restore *restore, int32_t partition)
{
    find_part(restore, partition)->taken = 0;
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
    for (size_t i = 0; i < restore->part_count; i++) {
        free_part(&restore->parts[i]);
    }
    free(restore->parts);
    free(restore);
}
