/* What bus.h promises of members that share a group, of waking, compaction and offsets. */
#include "cases.h"
#include "scene.h"
#include "world.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* --- the group ---- */

static void pump_both(struct scene *s)
{
    (void)bus_reader_pump(&s->a, 20);
    (void)bus_reader_pump(&s->b, 20);
}

static void wait_shares(struct scene *s, size_t a, size_t b)
{
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    while ((bus_reader_owned(&s->a) != a || bus_reader_owned(&s->b) != b) && test_now_ms() < deadline_ms) {
        pump_both(s);
        for (size_t p = 0; p < READER_PARTITIONS; p++) { /* never both */
            assert_false(s->a.partitions[p].owned && s->b.partitions[p].owned);
        }
    }
    assert_int_equal(bus_reader_owned(&s->a), a);
    assert_int_equal(bus_reader_owned(&s->b), b);
}

static void assert_every_number_once(const struct bus_reader *reader, size_t count, int32_t partitions)
{
    assert_int_equal(reader->record_count, count);
    int *last = calloc((size_t)partitions, sizeof *last);
    assert_non_null(last);
    for (int32_t p = 0; p < partitions; p++) {
        last[p] = -1;
    }
    for (size_t i = 0; i < count; i++) { /* as many as there are, and growing: none is missing, none twice */
        const int number = atoi(reader->records[i].value);
        assert_true(number > last[reader->records[i].partition]);
        last[reader->records[i].partition] = number;
    }
    free(last);
}

static void a_hand_over_loses_nothing_and_repeats_nothing(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 4, false);
    scene_make_topic(s, s->output, 4, false);
    scene_join(s, &s->a);
    s->a.echo_to = s->output;
    bus_reader_wait_owned(&s->a, 4);
    int next = 0;
    for (int i = 0; i < 100; i++, next++) {
        scene_produce_numbers(s, next % 4, next, 1);
    }
    scene_join(s, &s->b);
    s->b.echo_to = s->output;
    for (int i = 0; i < 50; i++, next++) { /* while it changes hands */
        scene_produce_numbers(s, next % 4, next, 1);
        pump_both(s);
    }
    wait_shares(s, 2, 2);
    assert_int_equal(s->a.lost, 0);
    for (int i = 0; i < 50; i++, next++) {
        scene_produce_numbers(s, next % 4, next, 1);
        pump_both(s);
    }
    bus_reader_leave(&s->a);
    for (int i = 0; i < 50; i++, next++) {
        scene_produce_numbers(s, next % 4, next, 1);
        (void)bus_reader_pump(&s->b, 20);
    }
    bus_reader_wait_owned(&s->b, 4);
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    struct bus_reader *all = &s->a;
    scene_read_topic(s->output, 4, all, s->bus);
    while (all->record_count < (size_t)next && test_now_ms() < deadline_ms) {
        pump_both(s);
    }
    bus_reader_wait_ends(all, 4);
    assert_every_number_once(all, (size_t)next, 4);
}

static void a_partition_stays_its_owners_until_released(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 2, false);
    scene_produce_numbers(s, 0, 0, 2);
    scene_produce_numbers(s, 1, 10, 2);
    scene_join(s, &s->a);
    bus_reader_wait_records(&s->a, 4);
    s->a.release_by_hand = true;
    scene_join(s, &s->b);
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    while (s->a.last != BUS_REVOKING && test_now_ms() < deadline_ms) {
        (void)bus_reader_pump(&s->b, 20);
        (void)bus_reader_pump(&s->a, 20);
    }
    assert_int_equal(s->a.last, BUS_REVOKING);
    for (int i = 0; i < 10; i++) {
        (void)bus_reader_pump(&s->b, 20);
    }
    assert_int_equal(bus_reader_owned(&s->b), 0);
    for (int32_t p = 0; p < 2; p++) { /* the last commit before the release still counts */
        scene_advance(&s->a, p, 2, "last");
    }
    scene_commit(&s->a);
    assert_int_equal(bus_release(s->a.member, &s->error), BUS_OK);
    s->a.release_by_hand = false;
    memset(s->a.partitions, 0, sizeof s->a.partitions); /* what stays isn't told again: only b is looked at */
    while (bus_reader_owned(&s->b) < 1 && test_now_ms() < deadline_ms) {
        struct bus_turn turn;
        (void)bus_reader_pump(&s->b, 20);
        assert_int_equal(bus_poll(s->a.member, 20, &turn, &s->error), BUS_OK);
        for (size_t i = 0; turn.kind == BUS_RESTORED && i < turn.partition_count; i++) {
            assert_int_equal(
                bus_start(s->a.member, s->topic, turn.partitions[i].partition, BUS_FROM_COMMITTED, &s->error),
                BUS_OK);
        }
    }
    assert_int_equal(bus_reader_owned(&s->b), 1);
    const int32_t got = s->b.partitions[0].owned ? 0 : 1;
    assert_int_equal(s->b.partitions[got].committed, 2);
    assert_string_equal(s->b.partitions[got].note, "last");
}

static void a_second_member_of_the_same_name_fences_the_first(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 1, false);
    scene_make_topic(s, s->output, 1, false);
    scene_produce_numbers(s, 0, 0, 5);
    scene_join_as(s, &s->a, s->group, "the-one", false, BUS_FROM_COMMITTED);
    bus_reader_wait_records(&s->a, 5);
    scene_join_as(s, &s->b, s->group, "the-one", false, BUS_FROM_COMMITTED);
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    int result = BUS_OK;
    size_t done = 0;
    while (result != BUS_RESET && test_now_ms() < deadline_ms) {
        (void)bus_reader_pump(&s->b, 50);
        scene_put_text(&s->a, s->output, 0, "from the first");
        scene_advance(&s->a, 0, 2, NULL);
        result = bus_commit(s->a.member, &s->error);
        done += result == BUS_OK;
    }
    assert_int_equal(result, BUS_RESET);
    const struct bus_record record = {.topic = s->output, .value = bytes_of("too late")};
    assert_int_equal(bus_put(s->a.member, &record, &s->error), BUS_RESET);
    assert_int_equal(bus_commit(s->a.member, &s->error), BUS_RESET);
    bus_reader_wait_kind(&s->a, BUS_LOST);
    assert_int_equal(s->a.lost, 1);
    bus_reader_leave(&s->a);
    bus_reader_wait_owned(&s->b, 1);
    bus_reader_wait_ends(&s->b, 1);
    assert_int_equal(s->b.partitions[0].committed, done > 0 ? 2 : -1);
    scene_put_text(&s->b, s->output, 0, "from the second");
    scene_advance(&s->b, 0, 5, NULL);
    scene_commit(&s->b);
    scene_read_topic(s->output, 1, &s->a, s->bus);
    assert_int_equal(s->a.record_count, done + 1);
    assert_string_equal(s->a.records[done].value, "from the second");
}

static void a_held_member_gets_no_records_until_let_go(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 1, false);
    scene_join(s, &s->a);
    bus_reader_wait_ends(&s->a, 1);
    bus_hold(s->a.member, true);
    scene_produce_numbers(s, 0, 0, 5);
    const int64_t until_ms = test_now_ms() + 500;
    while (test_now_ms() < until_ms) {
        assert_int_not_equal(bus_reader_pump(&s->a, 50), BUS_RECORDS);
    }
    assert_int_equal(bus_reader_owned(&s->a), 1);
    bus_hold(s->a.member, false);
    bus_reader_wait_records(&s->a, 5);
    scene_assert_numbers(&s->a, 0, 0, 5);
}

static void *wake_soon(void *member)
{
    const struct timespec pause = {.tv_nsec = 200000000};
    (void)nanosleep(&pause, NULL);
    bus_wake(member);
    return NULL;
}

static void a_wake_ends_a_poll_at_once(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 1, false);
    scene_join(s, &s->a);
    bus_reader_wait_ends(&s->a, 1);
    pthread_t thread;
    const int64_t begin_ms = test_now_ms();
    assert_int_equal(pthread_create(&thread, NULL, wake_soon, s->a.member), 0);
    assert_int_equal(bus_reader_pump(&s->a, 20000), BUS_IDLE);
    assert_in_range(test_now_ms() - begin_ms, 0, 10000);
    assert_int_equal(pthread_join(thread, NULL), 0);
    bus_wake(s->a.member); /* before the poll too */
    assert_int_equal(bus_reader_pump(&s->a, 20000), BUS_IDLE);
    assert_in_range(test_now_ms() - begin_ms, 0, 15000);
}

static void a_compacted_topic_keeps_the_last_values(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 1, true);
    for (int i = 0; i < 90; i++) {
        char key[16];
        char value[16];
        (void)snprintf(key, sizeof key, "k%d", i % 9);
        (void)snprintf(value, sizeof value, "%d", i);
        scene_produce_text(s, s->topic, 0, key, value);
    }
    scene_drain(s->producer);
    scene_join_as(s, &s->a, NULL, NULL, false, BUS_FROM_BEGINNING);
    bus_reader_wait_ends(&s->a, 1);
    for (int i = 81; i < 90; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i % 9);
        const struct seen_record *last = bus_reader_last_of_key(s->a.records, s->a.record_count, key);
        assert_non_null(last);
        assert_int_equal(atoi(last->value), i);
        assert_int_equal(last->offset, i); /* offsets stay what they were */
    }
}

static void the_offsets_of_a_partition_are_told(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 2, false);
    scene_produce_numbers(s, 1, 0, 4);
    int64_t begin = -1;
    int64_t end = -1;
    assert_int_equal(bus_read_offsets(s->bus, s->topic, 1, &begin, &end, &s->error), BUS_OK);
    assert_int_equal(begin, 0);
    assert_int_equal(end, 4);
    assert_int_equal(bus_read_offsets(s->bus, s->topic, 0, &begin, &end, &s->error), BUS_OK);
    assert_int_equal(begin, 0);
    assert_int_equal(end, 0);
    assert_int_equal(bus_read_offsets(s->bus, s->topic, 2, &begin, &end, &s->error), BUS_REFUSED);
    assert_true(bus_is_connected(s->bus));
}

int run_contract_group(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_CASE(the_offsets_of_a_partition_are_told),
        SCENE_CASE(a_hand_over_loses_nothing_and_repeats_nothing),
        SCENE_CASE(a_partition_stays_its_owners_until_released),
        SCENE_CASE(a_second_member_of_the_same_name_fences_the_first),
        SCENE_CASE(a_held_member_gets_no_records_until_let_go),
        SCENE_CASE(a_wake_ends_a_poll_at_once),
        SCENE_CASE(a_compacted_topic_keeps_the_last_values),
    };
    return cmocka_run_group_tests_name("groups", tests, NULL, NULL);
}
