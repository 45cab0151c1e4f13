/* What bus.h promises of positions, and of what a commit makes visible. */
#include "cases.h"
#include "scene.h"

#include <stdio.h>
#include <string.h>
/* --- positions ---- */

static void a_group_resumes_where_it_committed_with_its_note(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 1, false);
    scene_produce_numbers(s, 0, 0, 10);
    scene_join(s, &s->a);
    bus_reader_wait_records(&s->a, 10);
    assert_int_equal(s->a.partitions[0].committed, -1);
    assert_string_equal(s->a.partitions[0].note, "");
    scene_advance(&s->a, 0, 4, "half way, {\"x\":1}");
    scene_commit(&s->a);
    bus_reader_leave(&s->a);
    scene_join(s, &s->a);
    bus_reader_wait_records(&s->a, 6);
    assert_int_equal(s->a.partitions[0].committed, 4);
    assert_string_equal(s->a.partitions[0].note, "half way, {\"x\":1}");
    scene_assert_numbers(&s->a, 0, 4, 6);
    assert_false(s->a.records[0].replayed);
}

static void records_below_the_committed_offset_come_as_replayed(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 1, false);
    scene_produce_numbers(s, 0, 0, 10);
    scene_join(s, &s->a);
    bus_reader_wait_records(&s->a, 10);
    scene_advance(&s->a, 0, 6, NULL);
    scene_commit(&s->a);
    bus_reader_leave(&s->a);
    scene_join_as(s, &s->a, s->group, NULL, false, 2);
    bus_reader_wait_records(&s->a, 8);
    scene_assert_numbers(&s->a, 0, 2, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(s->a.records[i].replayed, s->a.records[i].offset < 6);
    }
}

static void reading_starts_where_it_is_told(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 1, false);
    scene_produce_numbers(s, 0, 0, 10);
    const struct {
        int64_t from;
        int first, count;
    } cases[] = {{BUS_FROM_BEGINNING, 0, 10},
                 {BUS_FROM_COMMITTED, 0, 10},
                 {BUS_FROM_END, 10, 0},
                 {7, 7, 3},
                 {0, 0, 10},
                 {10, 10, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        scene_join_as(s, &s->a, NULL, NULL, false, cases[i].from);
        bus_reader_wait_ends(&s->a, 1);
        scene_assert_numbers(&s->a, 0, cases[i].first, cases[i].count);
        assert_true(s->a.partitions[0].position >= 10);
        bus_reader_leave(&s->a);
    }
}

static void an_offset_out_of_range_is_refused_and_another_start_possible(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 1, false);
    scene_produce_numbers(s, 0, 0, 10);
    scene_join(s, &s->a);
    s->a.start_by_hand = true;
    bus_reader_wait_kind(&s->a, BUS_RESTORED);
    assert_int_equal(bus_start(s->a.member, s->topic, 0, 5000, &s->error), BUS_REFUSED);
    assert_non_null(strstr(s->error.message, "5000"));
    assert_int_equal(bus_start(s->a.member, s->topic, 1, 0, &s->error), BUS_REFUSED);
    assert_int_equal(bus_start(s->a.member, s->topic, 0, 5, &s->error), BUS_OK);
    bus_reader_wait_records(&s->a, 5);
    scene_assert_numbers(&s->a, 0, 5, 5);
}

static void nothing_is_read_before_the_start(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 1, false);
    scene_produce_numbers(s, 0, 0, 3);
    scene_join(s, &s->a);
    s->a.start_by_hand = true;
    bus_reader_wait_kind(&s->a, BUS_RESTORED);
    const int64_t until_ms = test_now_ms() + 300;
    while (test_now_ms() < until_ms) {
        assert_int_equal(bus_reader_pump(&s->a, 50), BUS_IDLE);
    }
}

static void a_reader_without_a_group_has_every_partition(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 4, false);
    for (int p = 0; p < 4; p++) {
        scene_produce_numbers(s, p, p * 10, 5);
    }
    scene_join_as(s, &s->a, NULL, NULL, false, BUS_FROM_BEGINNING);
    scene_join_as(s, &s->b, NULL, NULL, false, BUS_FROM_BEGINNING);
    bus_reader_wait_records(&s->a, 20);
    bus_reader_wait_records(&s->b, 20);
    assert_int_equal(bus_reader_owned(&s->a), 4);
    assert_int_equal(bus_reader_owned(&s->b), 4);
    scene_produce_numbers(s, 2, 100, 1); /* and follows */
    bus_reader_wait_records(&s->a, 21);
    assert_string_equal(s->a.records[20].value, "100");
}

/* --- the commit ---- */

static void outputs_state_and_positions_become_visible_together(void **state)
{
    struct scene *s = *state;
    struct bus *other = scene_open_bus(0);
    scene_make_topic(s, s->topic, 2, false);
    scene_make_topic(s, s->output, 2, false);
    scene_make_topic(s, s->state, 2, true);
    scene_produce_numbers(s, 0, 0, 5);
    scene_join_as(s, &s->a, s->group, "worker-1", true, BUS_FROM_COMMITTED);
    bus_reader_wait_records(&s->a, 5);
    for (int i = 0; i < 5; i++) {
        char value[16];
        (void)snprintf(value, sizeof value, "%d", i);
        scene_put_text(&s->a, s->output, i % 2, value);
    }
    scene_put_state(&s->a, 0, "sum", "10");
    scene_advance(&s->a, 0, 5, "five");
    scene_read_topic(s->output, 2, &s->b, other);
    assert_int_equal(s->b.record_count, 0);
    assert_int_equal(scene_lag(s, s->topic, 0).committed, -1);
    scene_commit(&s->a);
    bus_reader_wait_records(&s->b, 5); /* the same reader: it is woken */
    bus_reader_leave(&s->b);
    const struct bus_lag lag = scene_lag(s, s->topic, 0);
    assert_int_equal(lag.committed, 5);
    assert_int_equal(lag.lag, 0);
    assert_int_equal(lag.lag_ms, 0);
    scene_read_topic(s->state, 2, &s->b, other);
    assert_int_equal(s->b.record_count, 1);
    assert_string_equal(s->b.records[0].value, "10");
    assert_int_equal(s->b.records[0].partition, 0);
    assert_int_equal(bus_commit(s->a.member, &s->error), BUS_OK); /* nothing collected */
    bus_reader_leave(&s->b);
    bus_close(other);
}

static void uncommitted_work_is_never_seen(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 1, false);
    scene_make_topic(s, s->output, 1, false);
    scene_make_topic(s, s->state, 1, true);
    scene_produce_numbers(s, 0, 0, 3);
    scene_join_as(s, &s->a, s->group, "worker-1", true, BUS_FROM_COMMITTED);
    bus_reader_wait_records(&s->a, 3);
    scene_put_text(&s->a, s->output, 0, "never");
    scene_put_state(&s->a, 0, "never", "x");
    scene_advance(&s->a, 0, 3, "never");
    bus_reader_leave(&s->a);
    scene_read_topic(s->output, 1, &s->b, s->bus);
    assert_int_equal(s->b.record_count, 0);
    bus_reader_leave(&s->b);
    scene_join_as(s, &s->a, s->group, "worker-1", true, BUS_FROM_COMMITTED);
    bus_reader_wait_records(&s->a, 3);
    assert_int_equal(s->a.state_count, 0);
    assert_int_equal(s->a.partitions[0].committed, -1);
    scene_put_text(&s->a, s->output, 0, "now");
    scene_advance(&s->a, 0, 3, NULL);
    scene_commit(&s->a);
    scene_read_topic(s->output, 1, &s->b, s->bus);
    assert_int_equal(s->b.record_count, 1);
    assert_string_equal(s->b.records[0].value, "now");
}

static void state_comes_back_as_the_last_value_of_each_live_key(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 2, false);
    scene_make_topic(s, s->state, 2, true);
    scene_produce_numbers(s, 0, 0, 1);
    scene_join_as(s, &s->a, s->group, "worker-1", true, BUS_FROM_COMMITTED);
    bus_reader_wait_owned(&s->a, 2);
    bus_reader_wait_ends(&s->a, 2);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++) {
            char key[16];
            char value[24];
            (void)snprintf(key, sizeof key, "k%d", i);
            (void)snprintf(value, sizeof value, "%d of %d", round, i);
            scene_put_state(&s->a, i % 2, key, value);
        }
        scene_commit(&s->a);
    }
    scene_put_state(&s->a, 0, "k10", NULL);
    scene_put_state(&s->a, 1, "k11", NULL);
    scene_put_state(&s->a, 1, "k13", NULL);
    scene_put_state(&s->a, 1, "k13", "again"); /* in one commit the last one holds */
    scene_advance(&s->a, 0, 1, NULL);
    scene_commit(&s->a);
    bus_reader_leave(&s->a);
    scene_join_as(s, &s->a, s->group, "worker-1", true, BUS_FROM_COMMITTED);
    bus_reader_wait_ends(&s->a, 2);
    assert_int_equal(s->a.state_count, 198);
    assert_null(bus_reader_last_of_key(s->a.states, s->a.state_count, "k10"));
    assert_null(bus_reader_last_of_key(s->a.states, s->a.state_count, "k11"));
    for (int i = 0; i < 200; i++) {
        char key[16];
        char value[24];
        (void)snprintf(key, sizeof key, "k%d", i);
        (void)snprintf(value, sizeof value, "2 of %d", i);
        const struct seen_record *last = bus_reader_last_of_key(s->a.states, s->a.state_count, key);
        if (i != 10 && i != 11) {
            assert_non_null(last);
            assert_string_equal(last->value, i == 13 ? "again" : value);
            assert_int_equal(last->partition, i % 2);
        }
    }
}

static void an_idle_group_commits_the_end_and_has_no_lag(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 1, false);
    scene_make_topic(s, s->output, 1, false);
    scene_produce_numbers(s, 0, 0, 3);
    scene_join(s, &s->a);
    s->a.echo_to = s->output; /* written by commits, which may leave markers in the log */
    bus_reader_wait_records(&s->a, 3);
    bus_reader_leave(&s->a);
    const char *const topics[] = {s->output, NULL};
    const struct bus_member_settings settings = {.group = s->group, .topics = topics};
    bus_reader_join(&s->b, s->bus, &settings, BUS_FROM_COMMITTED);
    bus_reader_wait_records(&s->b, 3);
    bus_reader_wait_ends(&s->b, 1);
    scene_advance(&s->b, 0, s->b.partitions[0].position, NULL);
    scene_commit(&s->b);
    const struct bus_lag lag = scene_lag(s, s->output, 0);
    assert_int_equal(lag.lag, 0);
    assert_int_equal(lag.lag_ms, 0);
    assert_int_equal(lag.committed, lag.end);
}

static void the_lag_of_a_dead_reader_is_told(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 2, false);
    scene_produce_numbers(s, 1, 0, 10);
    scene_join(s, &s->a);
    bus_reader_wait_records(&s->a, 10);
    scene_advance(&s->a, 1, 3, NULL);
    scene_commit(&s->a);
    bus_reader_leave(&s->a);
    const struct bus_lag behind = scene_lag(s, s->topic, 1);
    assert_int_equal(behind.committed, 3);
    assert_int_equal(behind.end, 10);
    assert_int_equal(behind.lag, 7);
    assert_in_range(behind.lag_ms, 0, 120000);
    const struct bus_lag never = scene_lag(s, s->topic, 0);
    assert_int_equal(never.committed, -1);
    assert_int_equal(never.lag, 0);
    const char *const groups[] = {s->group};
    const char *const topics[] = {s->topic};
    struct bus_lag row;
    size_t count = 0;
    assert_int_equal(bus_read_lag(s->bus, groups, 1, topics, 1, &row, 1, &count, &s->error), BUS_OK);
    assert_int_equal(count, 2);
}

int run_contract_positions(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_CASE(a_group_resumes_where_it_committed_with_its_note),
        SCENE_CASE(records_below_the_committed_offset_come_as_replayed),
        SCENE_CASE(reading_starts_where_it_is_told),
        SCENE_CASE(an_offset_out_of_range_is_refused_and_another_start_possible),
        SCENE_CASE(nothing_is_read_before_the_start),
        SCENE_CASE(a_reader_without_a_group_has_every_partition),
        SCENE_CASE(outputs_state_and_positions_become_visible_together),
        SCENE_CASE(uncommitted_work_is_never_seen),
        SCENE_CASE(state_comes_back_as_the_last_value_of_each_live_key),
        SCENE_CASE(an_idle_group_commits_the_end_and_has_no_lag),
        SCENE_CASE(the_lag_of_a_dead_reader_is_told),
    };
    return cmocka_run_group_tests_name("positions and commits", tests, NULL, NULL);
}
