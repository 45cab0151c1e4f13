/* The calls of bus.h: what is the same on every bus is checked here, the rest is the driver's. */
#include "bus/bus.h"

#include "bus/bus_url.h"
#include "bus/driver.h"
#include "bus/partitioner.h"
#include "clock/clock.h"

#include <ctype.h>
#include <string.h>

static const struct bus_driver *const drivers[] = {
    [BUS_URL_KAFKA] = &bus_driver_kafka,
    [BUS_URL_EMBEDDED] = &bus_driver_embedded,
};

int bus_open(struct bus **out, const struct bus_settings *settings, struct error *error)
{
    *out = NULL;
    struct bus_url url;
    int result = bus_url_parse(&url, settings->url == NULL ? "" : settings->url, error);
    if (result != BUS_OK) {
        return result;
    }
    struct bus_settings whole = *settings;
    whole.clock = whole.clock == NULL ? clock_system() : whole.clock;
    whole.client_id = whole.client_id == NULL ? "obs" : whole.client_id;
    whole.queue_limit_bytes =
        whole.queue_limit_bytes == 0 ? BUS_DEFAULT_QUEUE_BYTES : whole.queue_limit_bytes;
    result = drivers[url.kind]->open(out, &url, &whole, error);
    bus_url_free(&url);
    return result;
}

bool bus_is_connected(const struct bus *bus)
{
    return bus->driver->is_connected(bus);
}

void bus_close(struct bus *bus)
{
    if (bus != NULL) {
        bus->driver->close(bus);
    }
}

/* --- topics ---- */

/* Kafka's own rule, so that a topic of one bus can be one of the other. */
static bool is_topic_name(const char *name)
{
    size_t size = strnlen(name, BUS_TOPIC_BYTES);
    if (size == 0 || size >= BUS_TOPIC_BYTES || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)name[i];
        if (!isalnum(c) && c != '.' && c != '_' && c != '-') {
            return false;
        }
    }
    return true;
}

static int check_topic_name(const char *name, struct error *error)
{
    if (name == NULL || !is_topic_name(name)) {
        return error_set(error, BUS_REFUSED,
                         "\"%.60s\" is no topic name: 1 to %d letters, digits, dots, underscores, hyphens",
                         name == NULL ? "" : name, BUS_TOPIC_BYTES - 1);
    }
    return BUS_OK;
}

int bus_create_topics(struct bus *bus, const struct bus_topic *topics, size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (check_topic_name(topics[i].name, error) != BUS_OK) {
            return BUS_REFUSED;
        }
        if (topics[i].partitions < 1) {
            return error_set(error, BUS_REFUSED, "topic %s: %d partitions; at least 1 is needed",
                             topics[i].name, topics[i].partitions);
        }
    }
    return bus->driver->create_topics(bus, topics, count, error);
}

int bus_partition_count(struct bus *bus, const char *topic, int32_t *count, struct error *error)
{
    *count = 0;
    return bus->driver->partition_count(bus, topic, count, error);
}

int bus_read_offsets(struct bus *bus, const char *topic, int32_t partition, int64_t *begin, int64_t *end,
                     struct error *error)
{
    return bus->driver->read_offsets(bus, topic, partition, begin, end, error);
}

int bus_list_topics(struct bus *bus, struct bus_topic_info *topics, size_t limit, size_t *count,
                    struct error *error)
{
    *count = 0;
    return bus->driver->list_topics(bus, topics, limit, count, error);
}

int32_t bus_partition_for_key(const void *key, size_t key_bytes, int32_t partition_count)
{
    return partitioner_partition(key, key_bytes, partition_count);
}

int bus_read_lag(struct bus *bus, const char *const *groups, size_t group_count, const char *const *topics,
                 size_t topic_count, struct bus_lag *rows, size_t limit, size_t *count, struct error *error)
{
    *count = 0;
    return bus->driver->read_lag(bus, groups, group_count, topics, topic_count, rows, limit, count, error);
}

/* --- producing ---- */

int bus_producer_create(struct bus *bus, struct bus_producer **out, struct error *error)
{
    *out = NULL;
    return bus->driver->producer_create(bus, out, error);
}

int bus_produce(struct bus_producer *producer, const struct bus_record *record, uint64_t tag,
                struct error *error)
{
    return producer->driver->produce(producer, record, tag, error);
}

size_t bus_producer_poll(struct bus_producer *producer, int timeout_ms, struct bus_ack *acks, size_t limit)
{
    return producer->driver->producer_poll(producer, timeout_ms, acks, limit);
}

size_t bus_producer_pending(const struct bus_producer *producer)
{
    return producer->driver->producer_pending(producer);
}

void bus_producer_destroy(struct bus_producer *producer)
{
    if (producer != NULL) {
        producer->driver->producer_destroy(producer);
    }
}

/* --- reading and the commit ---- */

static int check_member_settings(const struct bus_member_settings *settings, struct error *error)
{
    if (settings->topics == NULL || settings->topics[0] == NULL) {
        return error_set(error, BUS_REFUSED, "a member needs at least one topic");
    }
    if (settings->group != NULL &&
        (settings->group[0] == '\0' || strlen(settings->group) >= sizeof((struct bus_lag *)0)->group)) {
        return error_set(error, BUS_REFUSED, "\"%.140s\" is no group name: 1 to 127 bytes", settings->group);
    }
    if (settings->member_id != NULL &&
        (settings->member_id[0] == '\0' || strlen(settings->member_id) >= BUS_MEMBER_ID_BYTES)) {
        return error_set(error, BUS_REFUSED, "\"%.140s\" is no member id: 1 to %d bytes", settings->member_id,
                         BUS_MEMBER_ID_BYTES - 1);
    }
    return BUS_OK;
}

int bus_join(struct bus *bus, const struct bus_member_settings *settings, struct bus_member **out,
             struct error *error)
{
    *out = NULL;
    if (check_member_settings(settings, error) != BUS_OK) {
        return BUS_REFUSED;
    }
    struct bus_member_settings whole = *settings;
    whole.batch_records = whole.batch_records == 0 ? BUS_DEFAULT_BATCH_RECORDS : whole.batch_records;
    whole.batch_bytes = whole.batch_bytes == 0 ? BUS_DEFAULT_BATCH_BYTES : whole.batch_bytes;
    (void)FAILPOINT(BUS_JOIN_BEFORE);
    int result = bus->driver->join(bus, &whole, out, error);
    (void)FAILPOINT(BUS_JOIN_AFTER);
    return result;
}

int bus_poll(struct bus_member *member, int timeout_ms, struct bus_turn *turn, struct error *error)
{
    *turn = (struct bus_turn){.kind = BUS_IDLE};
    (void)FAILPOINT(BUS_POLL_BEFORE);
    int result = member->driver->poll(member, timeout_ms, turn, error);
    (void)FAILPOINT(BUS_POLL_AFTER);
    return result;
}

int bus_start(struct bus_member *member, const char *topic, int32_t partition, int64_t from,
              struct error *error)
{
    if (from < BUS_FROM_END) {
        return error_set(error, BUS_REFUSED, "%s/%d can't be read from offset %lld", topic, partition,
                         (long long)from);
    }
    (void)FAILPOINT(BUS_START_BEFORE);
    int result = member->driver->start(member, topic, partition, from, error);
    (void)FAILPOINT(BUS_START_AFTER);
    return result;
}

int bus_release(struct bus_member *member, struct error *error)
{
    (void)FAILPOINT(BUS_RELEASE_BEFORE);
    int result = member->driver->release(member, error);
    (void)FAILPOINT(BUS_RELEASE_AFTER);
    return result;
}

void bus_hold(struct bus_member *member, bool held)
{
    member->driver->hold(member, held);
}

void bus_wake(struct bus_member *member)
{
    member->driver->wake(member);
}

int bus_put(struct bus_member *member, const struct bus_record *output, struct error *error)
{
    int result = bus_answer_for_test(FAILPOINT(BUS_PUT_BEFORE), error);
    if (result == BUS_OK) {
        result = member->driver->put(member, output, error);
        (void)FAILPOINT(BUS_PUT_AFTER);
    }
    return result;
}

int bus_put_state(struct bus_member *member, int32_t partition, struct bus_bytes key, struct bus_bytes value,
                  struct error *error)
{
    if (key.data == NULL) {
        return error_set(error, BUS_REFUSED, "state of partition %d has no key", partition);
    }
    int result = bus_answer_for_test(FAILPOINT(BUS_PUT_STATE_BEFORE), error);
    if (result == BUS_OK) {
        result = member->driver->put_state(member, partition, key, value, error);
        (void)FAILPOINT(BUS_PUT_STATE_AFTER);
    }
    return result;
}

int bus_advance(struct bus_member *member, const char *topic, int32_t partition, int64_t next,
                const char *note, struct error *error)
{
    if (next < 0 || (note != NULL && strlen(note) > BUS_NOTE_BYTES)) {
        return error_set(error, BUS_REFUSED,
                         "%s/%d: offset %lld or a note of %zu bytes (at most %d) is wrong", topic, partition,
                         (long long)next, note == NULL ? 0 : strlen(note), BUS_NOTE_BYTES);
    }
    (void)FAILPOINT(BUS_ADVANCE_BEFORE);
    int result = member->driver->advance(member, topic, partition, next, note == NULL ? "" : note, error);
    (void)FAILPOINT(BUS_ADVANCE_AFTER);
    return result;
}

int bus_commit(struct bus_member *member, struct error *error)
{
    int result = bus_answer_for_test(FAILPOINT(BUS_COMMIT_BEFORE), error);
    if (result == BUS_OK) {
        result = member->driver->commit(member, error);
        (void)FAILPOINT(BUS_COMMIT_AFTER);
    }
    return result;
}

int bus_leave(struct bus_member *member, struct error *error)
{
    if (member == NULL) {
        return BUS_OK;
    }
    (void)FAILPOINT(BUS_LEAVE_BEFORE);
    int result = member->driver->leave(member, error);
    (void)FAILPOINT(BUS_LEAVE_AFTER);
    return result;
}
