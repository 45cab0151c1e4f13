#include "support/topic_reader.h"

#include "buffer/buffer.h"
#include "bus/bus.h"
#include "clock/clock.h"
#include "cmocka_all.h"

#define PARTITIONS  64
#define PATIENCE_MS 20000

struct reading {
    int64_t ends[PARTITIONS];
    int32_t open;
    size_t count;
    void (*take)(void *context, const struct bus_record *record);
    void *context;
};

static void check(int result, const struct error *error)
{
    if (result != BUS_OK) {
        fail_msg("%s", error->message);
    }
}

static void read_ends(struct bus *bus, const char *topic, struct reading *reading)
{
    struct error error;
    int32_t partitions = 0;
    check(bus_partition_count(bus, topic, &partitions, &error), &error);
    assert_in_range(partitions, 1, PARTITIONS);
    for (int32_t i = 0; i < partitions; i++) {
        int64_t begin = 0, end = 0;
        check(bus_read_offsets(bus, topic, i, &begin, &end, &error), &error);
        reading->ends[i] = end > begin ? end : 0;
        reading->open += end > begin ? 1 : 0;
    }
}

static void close_partition(struct reading *reading, int32_t partition)
{
    if (reading->ends[partition] > 0) {
        reading->ends[partition] = 0;
        reading->open--;
    }
}

static void take_turn(struct bus_member *member, const struct bus_turn *turn, struct reading *reading)
{
    struct error error;
    if (turn->kind == BUS_RESTORED) {
        const struct bus_partition *p = &turn->partitions[0];
        check(bus_start(member, p->topic, p->partition, BUS_FROM_BEGINNING, &error), &error);
    }
    for (size_t i = 0; turn->kind == BUS_RECORDS && i < turn->record_count; i++) {
        const struct bus_record *record = &turn->records[i];
        if (record->offset < reading->ends[record->partition]) {
            reading->count++;
            reading->take(reading->context, record);
        }
        if (record->offset + 1 >= reading->ends[record->partition]) {
            close_partition(reading, record->partition);
        }
    }
    for (size_t i = 0; turn->kind == BUS_END && i < turn->partition_count; i++) {
        close_partition(reading, turn->partitions[i].partition);
    }
}

size_t topic_read(const char *bus_url, const char *topic,
                  void (*take)(void *context, const struct bus_record *record), void *context)
{
    const struct bus_settings settings = {.url = bus_url, .client_id = "test", .clock = clock_system()};
    const char *const topics[] = {topic, NULL};
    const struct bus_member_settings member_settings = {.topics = topics};
    struct reading reading = {.take = take, .context = context};
    struct bus *bus = NULL;
    struct bus_member *member = NULL;
    struct error error;
    check(bus_open(&bus, &settings, &error), &error);
    read_ends(bus, topic, &reading);
    check(bus_join(bus, &member_settings, &member, &error), &error);
    int64_t deadline_ms = clock_steady_ms(clock_system()) + PATIENCE_MS;
    while (reading.open > 0 && clock_steady_ms(clock_system()) < deadline_ms) {
        struct bus_turn turn;
        check(bus_poll(member, 100, &turn, &error), &error);
        if (turn.kind != BUS_IDLE) {
            deadline_ms = clock_steady_ms(clock_system()) + PATIENCE_MS;
        }
        take_turn(member, &turn, &reading);
    }
    (void)bus_leave(member, NULL);
    bus_close(bus);
    if (reading.open > 0) {
        fail_msg("%s wasn't read to its end: nothing more came for %d s", topic, PATIENCE_MS / 1000);
    }
    return reading.count;
}

static void append_line(void *context, const struct bus_record *record)
{
    struct buffer *lines = context;
    buffer_append(lines, record->value.data, record->value.size_bytes);
    buffer_append_char(lines, '\n');
}

size_t topic_read_lines(const char *bus_url, const char *topic, struct buffer *lines)
{
    return topic_read(bus_url, topic, append_line, lines);
}
