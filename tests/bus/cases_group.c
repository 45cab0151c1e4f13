#include "cases.h"
#include "reader.h"

#include "clock/clock.h"
#include "support/process.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Polls two readers in turn, on one thread, until both hold what they should. */
static void run_both_until(struct reader *a, int64_t a_number, struct reader *b, int64_t b_number)
{
    struct error error;
    error_clear(&error);
    int64_t deadline_ms = clock_steady_ms(clock_system()) + WORLD_PATIENCE_MS;
    while (!has_partitions(a, a_number) || !has_partitions(b, b_number)) {
        check(reader_poll(a, 20, &error), &error);
        check(reader_poll(b, 20, &error), &error);
        if (clock_steady_ms(clock_system()) > deadline_ms) {
            fail_msg("waited in vain: %zu and %zu partitions", a->holding_count, b->holding_count);
        }
    }
}

static void partitions_are_shared_and_come_back(void **state)
{
    struct world *world = *state;
    const char *in = world_topic(world, "in", 5, false);
    const char *group = world_name(world, "group");
    struct reader a, b;
    reader_join(&a, world->bus, group, "a", in, NULL, NULL);
    reader_run_until(&a, has_partitions, 5);
    reader_join(&b, world->bus, group, "b", in, NULL, NULL);
    run_both_until(&a, 3, &b, 2);
    for (int32_t p = 0; p < 5; p++) { /* by range, in the order of the members' names */
        assert_true((reader_holding(&a, in, p) != NULL) == (p < 3));
        assert_true((reader_holding(&b, in, p) != NULL) == (p >= 3));
    }
    reader_leave(&b);
    reader_run_until(&a, has_partitions, 5);
    reader_leave(&a);
}

static void equal_topics_are_shared_alike(void **state)
{
    struct world *world = *state;
    const char *in = world_topic(world, "in", 4, false);
    const char *in2 = world_topic(world, "in2", 4, false);
    const char *group = world_name(world, "group");
    struct reader a, b;
    reader_join(&a, world->bus, group, "a", in, in2, NULL);
    reader_join(&b, world->bus, group, "b", in, in2, NULL);
    run_both_until(&a, 4, &b, 4);
    for (int32_t p = 0; p < 4; p++) {
        assert_true((reader_holding(&a, in, p) != NULL) == (reader_holding(&a, in2, p) != NULL));
    }
    reader_leave(&a);
    reader_leave(&b);
}

static void a_fenced_member_goes_on_where_the_newer_one_stopped(void **state)
{
    struct world *world = *state;
    const char *in = world_topic(world, "in", 1, false);
    const char *out = world_topic(world, "out", 1, false);
    const char *group = world_name(world, "group");
    produce_many(world, in, 0, "v", 10);
    struct bus *other = world_open_bus(world->url, 0);
    struct error error;
    struct reader older, newer, outputs;
    reader_join(&older, world->bus, group, "same", in, NULL, NULL);
    reader_run_until(&older, has_records, 10);
    const struct bus_record output = {.topic = out, .partition = 0, .value = bytes_of("of the older")};
    check(bus_put(older.member, &output, &error), &error);
    check(bus_advance(older.member, in, 0, 1, NULL, &error), &error);
    reader_join(&newer, other, group, "same", in, NULL, NULL);
    reader_run_until(&newer, has_records, 10);
    assert_int_equal(newer.holdings[0].committed, -1);
    assert_int_equal(bus_commit(older.member, &error), BUS_RESET);
    assert_int_equal(bus_put(older.member, &output, &error), BUS_RESET);
    check(bus_advance(newer.member, in, 0, 2, NULL, &error), &error);
    check(bus_commit(newer.member, &error), &error);
    check(reader_poll(&older, 1000, &error), &error);
    assert_int_equal(older.last_kind, BUS_LOST);
    reader_leave(&newer);
    bus_close(other);
    reader_run_until(&older, has_records, 18); /* the older goes on where the newer stopped */
    assert_int_equal(older.holdings[0].committed, 2);
    reader_leave(&older);
    reader_join(&outputs, world->bus, NULL, NULL, out, NULL, NULL);
    reader_run_until(&outputs, has_ended, 1);
    assert_int_equal(outputs.records.count, 0); /* what the older had put is nowhere */
    reader_leave(&outputs);
}

/* --- members on threads, as programs have them ---- */

struct worker {
    const struct world *world;
    const char *group, *in, *out;
    char id[8];
    _Atomic bool stop;
    pthread_t thread;
};

/* Puts what was read and commits it; after a reset the polls say LOST and the records come again. */
static void forward(struct reader *reader, const struct worker *worker, size_t *next)
{
    struct error error;
    error_clear(&error);
    int result = BUS_OK;
    for (; *next < reader->records.count && result == BUS_OK; ++*next) {
        const struct bus_record record = {
            .topic = worker->out, .partition = 0, .value = bytes_of(reader->records.records[*next].value)};
        result = bus_put(reader->member, &record, &error);
    }
    *next = reader->records.count;
    result = result == BUS_OK ? reader_commit(reader, NULL, &error) : result;
    if (result != BUS_RESET) {
        check(result, &error);
    }
}

static void *work(void *context)
{
    struct worker *worker = context;
    struct error error;
    error_clear(&error);
    struct bus *bus = world_open_bus(worker->world->url, 0);
    struct reader reader;
    reader_join(&reader, bus, worker->group, worker->id, worker->in, NULL, NULL);
    size_t next = 0;
    while (!atomic_load(&worker->stop)) {
        check(reader_poll(&reader, 20, &error), &error);
        forward(&reader, worker,
                &next); /* all that is read is committed before the next poll may say REVOKING */
    }
    reader_leave(&reader);
    bus_close(bus);
    return NULL;
}

static int64_t end_of(struct world *world, const char *topic)
{
    struct error error;
    int64_t begin, end;
    check(bus_read_offsets(world->bus, topic, 0, &begin, &end, &error), &error);
    return end;
}

static void start_worker(struct worker *worker, struct world *world, const char *group, const char *in,
                         const char *out, int number)
{
    *worker = (struct worker){.world = world, .group = group, .in = in, .out = out};
    (void)snprintf(worker->id, sizeof worker->id, "m%d", number);
    assert_int_equal(pthread_create(&worker->thread, NULL, work, worker), 0);
}

static void stop_worker(struct worker *worker)
{
    atomic_store(&worker->stop, true);
    assert_int_equal(pthread_join(worker->thread, NULL), 0);
}

/* Reads the outputs from another reader; a broker's offsets count its markers too. */
static void collect_outputs(struct world *world, const char *out, size_t count, struct reader *reader)
{
    reader_join(reader, world->bus, NULL, NULL, out, NULL, NULL);
    reader_run_until(reader, has_records, (int64_t)count);
    reader_run_for(reader, 300);
}

#define EVENTS_A_PARTITION 500
#define PARTITIONS         4

static void members_come_and_go_and_each_record_is_done_once(void **state)
{
    struct world *world = *state;
    const char *in = world_topic(world, "in", PARTITIONS, false);
    const char *out = world_topic(world, "out", 1, false);
    const char *group = world_name(world, "group");
    struct worker workers[3];
    start_worker(&workers[0], world, group, in, out, 0);
    for (int round = 0; round < 5; round++) {
        for (int32_t p = 0; p < PARTITIONS; p++) {
            char prefix[16];
            (void)snprintf(prefix, sizeof prefix, "%d/%d/", p, round);
            produce_many(world, in, p, prefix, EVENTS_A_PARTITION / 5);
        }
        if (round == 0 || round == 1) {
            start_worker(&workers[round + 1], world, group, in, out, round + 1);
        } else if (round == 3) {
            stop_worker(&workers[0]);
        }
    }
    struct reader reader;
    collect_outputs(world, out, (size_t)EVENTS_A_PARTITION * PARTITIONS, &reader);
    stop_worker(&workers[1]);
    stop_worker(&workers[2]);
    assert_int_equal(reader.records.count, EVENTS_A_PARTITION * PARTITIONS);
    int next[PARTITIONS][5] = {{0}};
    for (size_t i = 0; i < reader.records.count; i++) {
        int partition, round, number;
        assert_int_equal(sscanf(reader.records.records[i].value, "%d/%d/%d", &partition, &round, &number), 3);
        assert_int_equal(number, next[partition][round]); /* each once, and in the order of its partition */
        next[partition][round]++;
    }
    assert_true(end_of(world, out) >= (int64_t)reader.records.count);
    reader_leave(&reader);
}

static void a_killed_members_partitions_go_to_the_others(void **state)
{
    struct world *world = *state;
    const char *in = world_topic(world, "in", 4, false);
    const char *group = world_name(world, "group");
    const char *const argv[] = {world_program(), "--child", "hold", world->url, in, group, "b", NULL};
    struct reader reader;
    reader_join(&reader, world->bus, group, "a", in, NULL, NULL);
    reader_run_until(&reader, has_partitions, 4);
    struct process *child = process_start(argv, NULL);
    reader_run_until(&reader, has_partitions, 2);
    process_kill(child);
    process_free(child);
    reader_run_until(&reader, has_partitions, 4);
    assert_int_equal(reader.lost, 0);
    reader_leave(&reader);
}

int run_group_cases(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(partitions_are_shared_and_come_back, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(equal_topics_are_shared_alike, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(a_fenced_member_goes_on_where_the_newer_one_stopped, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(members_come_and_go_and_each_record_is_done_once, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(a_killed_members_partitions_go_to_the_others, world_set_up,
                                        world_tear_down),
    };
    return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
