#include "world.h"

#include "clock/clock.h"
#include "random/random.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *given_url;
static const char *program_path;
static char embedded_directory[TEST_PATH_BYTES];

void world_set_url(const char *url)
{
    given_url = url;
}

void world_set_program(const char *path)
{
    static char whole[PATH_MAX];
    program_path = realpath(path, whole) == NULL ? path : whole;
}

const char *world_program(void)
{
    return program_path;
}

bool world_is_embedded(void)
{
    return given_url == NULL || strncmp(given_url, "embedded:", 9) == 0;
}

void world_clean_up(void)
{
    if (embedded_directory[0] != '\0') {
        temp_directory_remove(embedded_directory);
        embedded_directory[0] = '\0';
    }
}

void check(int result, const struct error *error)
{
    if (result != BUS_OK) {
        fail_msg("result %d: %s", result, error->message);
    }
}

struct bus *world_open_bus(const char *url, size_t queue_limit_bytes)
{
    struct error error;
    error_clear(&error);
    struct bus *bus = NULL;
    const struct bus_settings settings = {
        .url = url, .client_id = "test", .queue_limit_bytes = queue_limit_bytes, .clock = clock_system()};
    check(bus_open(&bus, &settings, &error), &error);
    return bus;
}

int world_set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    if (given_url == NULL && embedded_directory[0] == '\0') {
        temp_directory_create(embedded_directory, "bus");
    }
    if (given_url != NULL) {
        (void)snprintf(world->url, sizeof world->url, "%s", given_url);
    } else {
        (void)snprintf(world->url, sizeof world->url, "embedded:%s?lease_ms=2000", embedded_directory);
    }
    (void)snprintf(world->run, sizeof world->run, "t%08" PRIx32, (uint32_t)random_seed_from_system());
    world->bus = world_open_bus(world->url, 0);
    *state = world;
    return 0;
}

int world_tear_down(void **state)
{
    struct world *world = *state;
    bus_close(world->bus);
    free(world);
    return 0;
}

const char *world_name(const struct world *world, const char *name)
{
    static char names[8][2 * NAME_BYTES];
    static size_t next;
    char *text = names[next++ % 8];
    (void)snprintf(text, sizeof names[0], "%s-%s", world->run, name);
    return text;
}

const char *world_topic(struct world *world, const char *name, int32_t partitions, bool compacted)
{
    struct error error;
    error_clear(&error);
    const char *whole = world_name(world, name);
    const struct bus_topic topic = {.name = whole,
                                    .partitions = partitions,
                                    .compacted = compacted,
                                    .retention_ms = compacted ? 0 : 3600000};
    check(bus_create_topics(world->bus, &topic, 1, &error), &error);
    return whole;
}

struct bus_bytes bytes_of(const char *text)
{
    return (struct bus_bytes){.data = text, .size_bytes = text == NULL ? 0 : strlen(text)};
}

void assert_bytes_are(struct bus_bytes bytes, const char *text)
{
    if (text == NULL) {
        assert_null(bytes.data);
        return;
    }
    assert_non_null(bytes.data);
    assert_int_equal(bytes.size_bytes, strlen(text));
    assert_memory_equal(bytes.data, text, bytes.size_bytes);
}

void drain(struct bus_producer *producer)
{
    int64_t deadline_ms = clock_steady_ms(clock_system()) + WORLD_PATIENCE_MS;
    while (bus_producer_pending(producer) > 0) {
        struct bus_ack acks[64];
        size_t count = bus_producer_poll(producer, 100, acks, 64);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(acks[i].status, BUS_OK);
        }
        assert_true(clock_steady_ms(clock_system()) < deadline_ms);
    }
}

void produce(struct world *world, const struct bus_record *record)
{
    struct error error;
    error_clear(&error);
    struct bus_producer *producer = NULL;
    check(bus_producer_create(world->bus, &producer, &error), &error);
    check(bus_produce(producer, record, 1, &error), &error);
    drain(producer);
    bus_producer_destroy(producer);
}

void produce_text(struct world *world, const char *topic, int32_t partition, const char *key,
                  const char *value)
{
    produce(world,
            &(struct bus_record){
                .topic = topic, .partition = partition, .key = bytes_of(key), .value = bytes_of(value)});
}

void produce_many(struct world *world, const char *topic, int32_t partition, const char *prefix, int count)
{
    struct error error;
    error_clear(&error);
    struct bus_producer *producer = NULL;
    check(bus_producer_create(world->bus, &producer, &error), &error);
    for (int i = 0; i < count; i++) {
        char text[NAME_BYTES];
        (void)snprintf(text, sizeof text, "%s%d", prefix, i);
        const struct bus_record record = {.topic = topic, .partition = partition, .value = bytes_of(text)};
        int result = bus_produce(producer, &record, (uint64_t)i, &error);
        while (result == BUS_FULL) {
            struct bus_ack acks[64];
            (void)bus_producer_poll(producer, 10, acks, 64);
            result = bus_produce(producer, &record, (uint64_t)i, &error);
        }
        check(result, &error);
    }
    drain(producer);
    bus_producer_destroy(producer);
}
