#include "cases.h"
#include "reader.h"

#include "buffer/buffer.h"
#include "support/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many records another process sees on the topic (partition 0 … all, to the end). */
static int count_in_another_process(const struct world *world, const char *topic)
{
    const char *const argv[] = {world_program(), "--child", "count", world->url, topic, NULL};
    struct buffer output;
    buffer_init(&output, 0);
    assert_int_equal(process_run(argv, WORLD_PATIENCE_MS, &output), 0);
    int count = atoi(buffer_text(&output));
    buffer_free(&output);
    return count;
}

static void put_text(struct reader *reader, const char *topic, const char *key, const char *value)
{
    struct error error;
    error_clear(&error);
    const struct bus_record record = {
        .topic = topic, .partition = BUS_PARTITION_BY_KEY, .key = bytes_of(key), .value = bytes_of(value)};
    check(bus_put(reader->member, &record, &error), &error);
}

static void outputs_state_and_positions_become_visible_together_and_to_all(void **state)
{
    struct world *world = *state;
    const char *in = world_topic(world, "in", 1, false);
    const char *out = world_topic(world, "out", 2, false);
    const char *other = world_topic(world, "other", 1, false);
    const char *memory = world_topic(world, "state", 1, true);
    const char *group = world_name(world, "group");
    produce_many(world, in, 0, "v", 10);
    struct error error;
    struct reader reader;
    reader_join(&reader, world->bus, group, "m0", in, NULL, memory);
    reader_run_until(&reader, has_records, 10);
    put_text(&reader, out, "a", "1");
    put_text(&reader, out, "b", "2");
    put_text(&reader, other, "c", "3");
    check(bus_put_state(reader.member, 0, bytes_of("k"), bytes_of("s"), &error), &error);
    check(bus_advance(reader.member, in, 0, 10, "note", &error), &error);
    assert_int_equal(count_in_another_process(world, out), 0);
    assert_int_equal(count_in_another_process(world, other), 0);
    assert_int_equal(count_in_another_process(world, memory), 0);
    check(bus_commit(reader.member, &error), &error);
    assert_int_equal(count_in_another_process(world, out), 2);
    assert_int_equal(count_in_another_process(world, other), 1);
    assert_int_equal(count_in_another_process(world, memory), 1);
    reader_leave(&reader);
}

static void long_keys_and_empty_values_of_state_come_back_by_partition(void **state)
{
    struct world *world = *state;
    const char *in = world_topic(world, "in", 2, false);
    const char *memory = world_topic(world, "state", 2, true);
    const char *group = world_name(world, "group");
    char long_key[900];
    memset(long_key, 'k', sizeof long_key - 1);
    long_key[sizeof long_key - 1] = '\0';
    struct error error;
    struct reader reader;
    reader_join(&reader, world->bus, group, "m0", in, NULL, memory);
    reader_run_until(&reader, has_partitions, 2);
    for (int round = 0; round < 3; round++) {
        char value[16];
        (void)snprintf(value, sizeof value, "%d", round);
        check(bus_put_state(reader.member, 0, bytes_of("same"), bytes_of(value), &error), &error);
        check(bus_put_state(reader.member, 1, bytes_of("same"), bytes_of("one"), &error), &error);
        check(bus_put_state(reader.member, 0, bytes_of(long_key), bytes_of(value), &error), &error);
        check(bus_put_state(reader.member, 0, bytes_of("gone"), bytes_of(value), &error), &error);
        check(bus_put_state(reader.member, 0, bytes_of("empty"), bytes_of(""), &error), &error);
        check(bus_commit(reader.member, &error), &error);
    }
    check(bus_put_state(reader.member, 0, bytes_of("gone"), (struct bus_bytes){0}, &error), &error);
    check(bus_put_state(reader.member, 0, bytes_of("never"), (struct bus_bytes){0}, &error), &error);
    check(bus_commit(reader.member, &error), &error);
    reader_leave(&reader);

    reader_join(&reader, world->bus, group, "m0", in, NULL, memory);
    reader.start_by_hand = true;
    reader_run_until(&reader, has_restored, 2);
    assert_int_equal(reader.records.count, 0);
    const struct seen_record *same_of_0 = NULL, *same_of_1 = NULL;
    for (size_t i = 0; i < reader.state.count; i++) {
        const struct seen_record *seen = &reader.state.records[i];
        assert_true(seen->value != NULL || world_is_embedded() == false);
        if (strcmp(seen->key, "same") == 0) {
            same_of_0 = seen->partition == 0 ? seen : same_of_0;
            same_of_1 = seen->partition == 1 ? seen : same_of_1;
        }
    }
    assert_string_equal(same_of_0->value, "2");
    assert_string_equal(same_of_1->value, "one");
    assert_string_equal(find_record(&reader.state, long_key)->value, "2");
    assert_string_equal(find_record(&reader.state, "empty")->value, "");
    const struct seen_record *gone = find_record(&reader.state, "gone");
    assert_true(gone == NULL || gone->value == NULL);
    if (world_is_embedded()) {
        assert_int_equal(reader.state.count, 4);
    }
    reader_leave(&reader);
}

static void much_state_comes_in_turns(void **state)
{
    struct world *world = *state;
    const char *in = world_topic(world, "in", 1, false);
    const char *memory = world_topic(world, "state", 1, true);
    const char *group = world_name(world, "group");
    struct error error;
    struct reader reader;
    reader_join(&reader, world->bus, group, "m0", in, NULL, memory);
    reader_run_until(&reader, has_partitions, 1);
    for (int i = 0; i < 5000; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "key%d", i);
        check(bus_put_state(reader.member, 0, bytes_of(key), bytes_of(key), &error), &error);
    }
    check(bus_commit(reader.member, &error), &error);
    reader_leave(&reader);
    reader_join(&reader, world->bus, group, "m0", in, NULL, memory);
    reader_run_until(&reader, has_partitions, 1);
    assert_int_equal(reader.state.count, 5000);
    assert_string_equal(find_record(&reader.state, "key4999")->value, "key4999");
    reader_leave(&reader);
}

/* metrics-bridge reads two topics, and its restart was refused on Kafka as soon as it had state. */
static void partitions_of_two_topics_share_the_state_of_their_number(void **state)
{
    struct world *world = *state;
    const char *in = world_topic(world, "in", 2, false);
    const char *more = world_topic(world, "more", 1, false);
    const char *memory = world_topic(world, "state", 2, true);
    const char *group = world_name(world, "group");
    struct error error;
    struct reader reader;
    reader_join(&reader, world->bus, group, "m0", in, more, memory);
    reader_run_until(&reader, has_partitions, 3);
    check(bus_put_state(reader.member, 0, bytes_of("zero"), bytes_of("0"), &error), &error);
    check(bus_put_state(reader.member, 1, bytes_of("one"), bytes_of("1"), &error), &error);
    check(bus_commit(reader.member, &error), &error);
    reader_leave(&reader);
    reader_join(&reader, world->bus, group, "m0", in, more, memory);
    reader_run_until(&reader, has_partitions, 3);
    assert_int_equal(reader.state.count, 3); /* partition 0 of each topic gets its own look */
    assert_string_equal(find_record(&reader.state, "zero")->value, "0");
    assert_string_equal(find_record(&reader.state, "one")->value, "1");
    reader_leave(&reader);
}

static void a_member_cannot_speak_for_what_it_does_not_hold(void **state)
{
    struct world *world = *state;
    const char *in = world_topic(world, "in", 1, false);
    const char *elsewhere = world_topic(world, "elsewhere", 1, false);
    const char *memory = world_topic(world, "state", 1, true);
    struct error error;
    struct reader reader;
    reader_join(&reader, world->bus, world_name(world, "group"), "m0", in, NULL, memory);
    reader_run_until(&reader, has_partitions, 1);
    assert_int_equal(bus_advance(reader.member, elsewhere, 0, 0, NULL, &error), BUS_REFUSED);
    assert_int_equal(bus_advance(reader.member, in, 1, 0, NULL, &error), BUS_REFUSED);
    assert_int_equal(bus_put_state(reader.member, 1, bytes_of("k"), bytes_of("v"), &error), BUS_REFUSED);
    char note[1026];
    memset(note, 'n', sizeof note - 1);
    note[1025] = '\0';
    assert_int_equal(bus_advance(reader.member, in, 0, 0, note, &error), BUS_REFUSED);
    const struct bus_record nowhere = {.topic = world_name(world, "none"), .value = bytes_of("v")};
    assert_int_equal(bus_put(reader.member, &nowhere, &error), BUS_REFUSED);
    check(bus_commit(reader.member, &error), &error); /* of nothing */
    reader_leave(&reader);
}

static void two_members_commit_in_turn_and_nothing_is_counted_twice(void **state)
{
    struct world *world = *state;
    const char *in = world_topic(world, "in", 4, false);
    const char *out = world_topic(world, "out", 1, false);
    const char *group = world_name(world, "group");
    struct error error;
    struct reader reader;
    for (int round = 0; round < 4;
         round++) { /* each time another member goes on where the last one stopped */
        for (int32_t p = 0; p < 4; p++) {
            produce_many(world, in, p, "v", 25);
        }
        reader_join(&reader, world->bus, group, round % 2 == 0 ? "m0" : "m1", in, NULL, NULL);
        reader_run_until(&reader, has_records, 100);
        for (size_t i = 0; i < reader.records.count; i++) {
            put_text(&reader, out, NULL, reader.records.records[i].value);
        }
        check(reader_commit(&reader, NULL, &error), &error);
        reader_leave(&reader);
    }
    assert_int_equal(count_in_another_process(world, out), 400);
}

int run_commit_cases(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(outputs_state_and_positions_become_visible_together_and_to_all,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(long_keys_and_empty_values_of_state_come_back_by_partition,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(much_state_comes_in_turns, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(partitions_of_two_topics_share_the_state_of_their_number,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(a_member_cannot_speak_for_what_it_does_not_hold, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(two_members_commit_in_turn_and_nothing_is_counted_twice, world_set_up,
                                        world_tear_down),
    };
    return cmocka_run_group_tests_name("commit", tests, NULL, NULL);
}
