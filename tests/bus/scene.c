#include "scene.h"

#include "world.h"

#include "clock/clock.h"
#include "random/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char bus_url[TEST_PATH_BYTES + 64];
static unsigned scene_number;
static uint64_t run_number;

void scene_set_url(const char *url)
{
    run_number = random_seed_from_system();
    (void)snprintf(bus_url, sizeof bus_url, "%s", url);
}

struct bus *scene_open_bus(size_t queue_limit_bytes)
{
    struct bus *bus = NULL;
    struct error error;
    const struct bus_settings settings = {.url = bus_url,
                                          .client_id = "test_bus",
                                          .queue_limit_bytes = queue_limit_bytes,
                                          .clock = clock_system()};
    if (bus_open(&bus, &settings, &error) != BUS_OK) {
        fail_msg("bus_open: %s", error.message);
    }
    return bus;
}

int scene_make(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    (void)snprintf(s->prefix, sizeof s->prefix, "t%016" PRIx64 "-%u", run_number, scene_number++);
    (void)snprintf(s->topic, sizeof s->topic, "%s.in", s->prefix);
    (void)snprintf(s->output, sizeof s->output, "%s.out", s->prefix);
    (void)snprintf(s->state, sizeof s->state, "%s.state", s->prefix);
    (void)snprintf(s->group, sizeof s->group, "%s-group", s->prefix);
    s->bus = scene_open_bus(0);
    *state = s;
    return 0;
}

int scene_free(void **state)
{
    struct scene *s = *state;
    bus_reader_leave(&s->a);
    bus_reader_leave(&s->b);
    bus_producer_destroy(s->producer);
    bus_close(s->bus);
    free(s);
    return 0;
}

int scene_create(struct scene *s, const struct bus_topic *topic)
{
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    int result = BUS_AWAY;
    while (result == BUS_AWAY && test_now_ms() < deadline_ms) {
        result = bus_create_topics(s->bus, topic, 1, &s->error);
    }
    return result;
}

void scene_make_topic(struct scene *s, const char *name, int32_t partitions, bool compacted)
{
    const struct bus_topic topic = {.name = name, .partitions = partitions, .compacted = compacted};
    if (scene_create(s, &topic) != BUS_OK) {
        fail_msg("bus_create_topics: %s", s->error.message);
    }
}

/* --- producing ---- */

struct bus_producer *scene_producer(struct scene *s)
{
    if (s->producer == NULL && bus_producer_create(s->bus, &s->producer, &s->error) != BUS_OK) {
        fail_msg("bus_producer_create: %s", s->error.message);
    }
    return s->producer;
}

size_t scene_take_acks(struct bus_producer *producer, int timeout_ms)
{
    struct bus_ack acks[256];
    const size_t count = bus_producer_poll(producer, timeout_ms, acks, 256);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(acks[i].status, BUS_OK);
    }
    return count;
}

void scene_drain(struct bus_producer *producer)
{
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    while (bus_producer_pending(producer) > 0 && test_now_ms() < deadline_ms) {
        (void)scene_take_acks(producer, 100);
    }
    assert_int_equal(bus_producer_pending(producer), 0);
}

/* Until it is taken; returns how often the queue was full. */
size_t scene_produce(struct scene *s, struct bus_producer *producer, const struct bus_record *record)
{
    size_t full = 0;
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    int result = bus_produce(producer, record, 0, &s->error);
    while ((result == BUS_FULL || result == BUS_AWAY) && test_now_ms() < deadline_ms) {
        full += result == BUS_FULL;
        (void)scene_take_acks(producer, 20);
        result = bus_produce(producer, record, 0, &s->error);
    }
    if (result != BUS_OK) {
        fail_msg("bus_produce: %d %s", result, s->error.message);
    }
    return full;
}

void scene_produce_text(struct scene *s, const char *topic, int32_t partition, const char *key,
                        const char *value)
{
    const struct bus_record record = {
        .topic = topic, .partition = partition, .key = bytes_of(key), .value = bytes_of(value)};
    (void)scene_produce(s, scene_producer(s), &record);
}

/* Records "first" … as numbers, to one partition, acknowledged. */
void scene_produce_numbers(struct scene *s, int32_t partition, int first, int count)
{
    for (int i = first; i < first + count; i++) {
        char value[16];
        (void)snprintf(value, sizeof value, "%d", i);
        scene_produce_text(s, s->topic, partition, "key", value);
    }
    scene_drain(s->producer);
}

void scene_assert_numbers(const struct bus_reader *reader, size_t from, int first, int count)
{
    assert_int_equal(reader->record_count, from + (size_t)count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(atoi(reader->records[from + (size_t)i].value), first + i);
    }
}

/* --- joining ---- */

void scene_join_as(struct scene *s, struct bus_reader *reader, const char *group, const char *member_id,
                   bool with_state, int64_t from)
{
    const char *const topics[] = {s->topic, NULL};
    const struct bus_member_settings settings = {.group = group,
                                                 .member_id = member_id,
                                                 .topics = topics,
                                                 .state_topic = with_state ? s->state : NULL};
    bus_reader_join(reader, s->bus, &settings, from);
}

void scene_join(struct scene *s, struct bus_reader *reader)
{
    scene_join_as(s, reader, s->group, NULL, false, BUS_FROM_COMMITTED);
}

/* Everything that is in a topic, by a reader without a group on a bus handle of its own. */
void scene_read_topic(const char *topic, size_t partitions, struct bus_reader *reader, struct bus *other)
{
    const char *const topics[] = {topic, NULL};
    const struct bus_member_settings settings = {.topics = topics};
    bus_reader_join(reader, other, &settings, BUS_FROM_BEGINNING);
    bus_reader_wait_ends(reader, partitions);
}

void scene_advance(struct bus_reader *reader, int32_t partition, int64_t next, const char *note)
{
    if (bus_advance(reader->member, reader->topic, partition, next, note, &reader->error) != BUS_OK) {
        fail_msg("bus_advance: %s", reader->error.message);
    }
}

void scene_put_text(struct bus_reader *reader, const char *topic, int32_t partition, const char *value)
{
    const struct bus_record record = {.topic = topic, .partition = partition, .value = bytes_of(value)};
    if (bus_put(reader->member, &record, &reader->error) != BUS_OK) {
        fail_msg("bus_put: %s", reader->error.message);
    }
}

void scene_put_state(struct bus_reader *reader, int32_t partition, const char *key, const char *value)
{
    if (bus_put_state(reader->member, partition, bytes_of(key), bytes_of(value), &reader->error) != BUS_OK) {
        fail_msg("bus_put_state: %s", reader->error.message);
    }
}

void scene_commit(struct bus_reader *reader)
{
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    int result = bus_commit(reader->member, &reader->error);
    while ((result == BUS_AWAY || result == BUS_FULL) && test_now_ms() < deadline_ms) {
        result = bus_commit(reader->member, &reader->error);
    }
    if (result != BUS_OK) {
        fail_msg("bus_commit: %d %s", result, reader->error.message);
    }
}

struct bus_lag scene_lag(struct scene *s, const char *topic, int32_t partition)
{
    const char *const groups[] = {s->group};
    const char *const topics[] = {topic};
    struct bus_lag rows[READER_PARTITIONS];
    size_t count = 0;
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    int result = BUS_AWAY;
    while (result == BUS_AWAY && test_now_ms() < deadline_ms) {
        result = bus_read_lag(s->bus, groups, 1, topics, 1, rows, READER_PARTITIONS, &count, &s->error);
    }
    if (result != BUS_OK) {
        fail_msg("bus_read_lag: %s", s->error.message);
    }
    for (size_t i = 0; i < count; i++) {
        if (rows[i].partition == partition) {
            assert_string_equal(rows[i].topic, topic);
            assert_string_equal(rows[i].group, s->group);
            return rows[i];
        }
    }
    fail_msg("no row for partition %d", partition);
    return rows[0];
}
