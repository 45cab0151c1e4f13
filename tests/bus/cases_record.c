#include "cases.h"
#include "reader.h"

#include "bus/partitioner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void bytes_of_any_kind_and_size_go_through(void **state)
{
    struct world *world = *state;
    const char *topic = world_topic(world, "in", 1, false);
    size_t size = 900000;
    unsigned char *data = malloc(size);
    assert_non_null(data);
    for (size_t i = 0; i < size; i++) {
        data[i] = (unsigned char)(i * 7 + i / 251);
    }
    produce_text(world, topic, 0, NULL, "before");
    produce(world, &(struct bus_record){.topic = topic, .partition = 0, .value = {data, size}});
    produce_text(world, topic, 0, NULL, "behind");
    struct reader reader;
    reader_join(&reader, world->bus, NULL, NULL, topic, NULL, NULL);
    reader_run_until(&reader, has_records, 3);
    assert_int_equal(reader.records.records[1].value_bytes, size);
    assert_memory_equal(reader.records.records[1].value, data, size);
    assert_string_equal(reader.records.records[2].value, "behind");
    reader_leave(&reader);
    free(data);
}

static void records_of_a_partition_keep_their_order_and_their_time_never_goes_back(void **state)
{
    struct world *world = *state;
    const char *topic = world_topic(world, "in", 1, false);
    produce_many(world, topic, 0, "a", 2500);
    produce_many(world, topic, 0, "b", 10);
    struct reader reader;
    reader_join(&reader, world->bus, NULL, NULL, topic, NULL, NULL);
    reader_run_until(&reader, has_records, 2510);
    int64_t time_ms = 0;
    for (int i = 0; i < 2510; i++) {
        char expected[32];
        (void)snprintf(expected, sizeof expected, "%c%d", i < 2500 ? 'a' : 'b', i < 2500 ? i : i - 2500);
        const struct seen_record *seen = &reader.records.records[i];
        assert_string_equal(seen->value, expected);
        assert_int_equal(seen->offset, i);
        assert_true(seen->appended_ms >= time_ms);
        time_ms = seen->appended_ms;
    }
    reader_leave(&reader);
}

int run_record_cases(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_of_any_kind_and_size_go_through, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(
            records_of_a_partition_keep_their_order_and_their_time_never_goes_back, world_set_up,
            world_tear_down),
    };
    return cmocka_run_group_tests_name("records", tests, NULL, NULL);
}
