#include "cases.h"
#include "reader.h"

#include "clock/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void a_reader_from_the_end_sees_only_what_comes(void **state)
{
    struct world *world = *state;
    const char *topic = world_topic(world, "in", 1, false);
    produce_many(world, topic, 0, "old", 5);
    struct reader reader;
    reader_join(&reader, world->bus, NULL, NULL, topic, NULL, NULL);
    reader.from = BUS_FROM_END;
    reader_run_until(&reader, has_ended, 1);
    produce_many(world, topic, 0, "new", 5);
    reader_run_until(&reader, has_records, 5);
    assert_string_equal(reader.records.records[0].value, "new0");
    reader_leave(&reader);
}

static void the_end_is_said_once_each_time_it_is_reached(void **state)
{
    struct world *world = *state;
    const char *topic = world_topic(world, "in", 2, false);
    produce_many(world, topic, 0, "v", 5);
    struct reader reader;
    reader_join(&reader, world->bus, NULL, NULL, topic, NULL, NULL);
    reader_run_until(&reader, has_ended, 2);
    reader_run_for(&reader, 300);
    const struct holding *full = reader_holding(&reader, topic, 0);
    const struct holding *empty = reader_holding(&reader, topic, 1);
    assert_int_equal(full->ends, 1);
    assert_int_equal(empty->ends, 1);
    assert_int_equal(full->end_position, 5);
    assert_int_equal(empty->end_position, 0);
    produce_many(world, topic, 1, "w", 3);
    reader_run_until(&reader, has_records, 8);
    reader_run_for(&reader, 1000);
    assert_int_equal(full->ends, 1);
    assert_in_range(empty->ends, 2, 4); /* once for each time that the reader caught up */
    assert_int_equal(empty->end_position, 3);
    reader_leave(&reader);
}

struct late_producer {
    struct world *world;
    const char *topic;
};

static void *produce_after_a_while(void *context)
{
    struct late_producer *late = context;
    usleep(200000);
    produce_many(late->world, late->topic, 0, "v", 1);
    return NULL;
}

static void a_waiting_reader_is_woken_by_a_record(void **state)
{
    struct world *world = *state;
    struct late_producer late = {world, world_topic(world, "in", 1, false)};
    struct reader reader;
    reader_join(&reader, world->bus, NULL, NULL, late.topic, NULL, NULL);
    reader_run_until(&reader, has_ended, 1);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, produce_after_a_while, &late), 0);
    struct error error;
    int64_t begin_ms = clock_steady_ms(clock_system());
    check(reader_poll(&reader, 30000, &error), &error);
    assert_int_equal(reader.last_kind, BUS_RECORDS);
    assert_true(clock_steady_ms(clock_system()) - begin_ms < 15000);
    assert_int_equal(pthread_join(thread, NULL), 0);
    reader_leave(&reader);
}

int run_reading_cases(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reader_from_the_end_sees_only_what_comes, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(the_end_is_said_once_each_time_it_is_reached, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(a_waiting_reader_is_woken_by_a_record, world_set_up, world_tear_down),
    };
    return cmocka_run_group_tests_name("reading", tests, NULL, NULL);
}
