/* What lib/bus/bus.h promises, on either kind of bus: the same cases, told apart only by the URL.
 *   test_bus            on an embedded bus
 *   test_bus kafka      on a broker of its own */
#include "bus/bus.h"
#include "clock/clock.h"
#include "random/random.h"
#include "support/files.h"
#include "support/kafka.h"
#include "support/process.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 40000

static char url[TEST_PATH_BYTES + 64];
static struct bus *bus;

/* --- talking to the bus ---- */

static void check(int result, const struct error *error)
{
    if (result != BUS_OK) {
        fail_msg("%d: %s", result, error->message);
    }
}

static struct bus *open_bus(size_t queue_limit_bytes)
{
    struct bus *opened = NULL;
    struct error error;
    const struct bus_settings settings = {
        .url = url, .client_id = "test", .clock = clock_system(), .queue_limit_bytes = queue_limit_bytes};
    check(bus_open(&opened, &settings, &error), &error);
    return opened;
}

/* A new topic with a name nobody else has. */
static void make_topic(char name[64], const char *what, int32_t partitions, bool compacted)
{
    struct error error;
    (void)snprintf(name, 64, "%s-%016llx", what, (unsigned long long)random_seed_from_system());
    const struct bus_topic topic = {
        .name = name, .partitions = partitions, .compacted = compacted, .retention_ms = 86400000};
    check(bus_create_topics(bus, &topic, 1, &error), &error);
}

static struct bus_bytes bytes(const char *text)
{
    return (struct bus_bytes){text, text == NULL ? 0 : strlen(text)};
}

static void wait_for_acks(struct bus_producer *producer, enum bus_status status)
{
    struct bus_ack acks[256];
    int64_t deadline_ms = clock_steady_ms(clock_system()) + PATIENCE_MS;
    while (bus_producer_pending(producer) > 0) {
        size_t count = bus_producer_poll(producer, 1000, acks, 256);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(acks[i].status, status);
        }
        assert_true(clock_steady_ms(clock_system()) < deadline_ms);
    }
}

static void produce_record(struct bus_producer *producer, const struct bus_record *record, uint64_t tag)
{
    struct error error;
    struct bus_ack acks[256];
    int result;
    while ((result = bus_produce(producer, record, tag, &error)) == BUS_FULL) {
        (void)bus_producer_poll(producer, 100, acks, 256);
    }
    check(result, &error);
}

/* "first", "first+1", … as values, keyed k0 … k9 or, in one partition, in order. */
static void produce_numbers(const char *topic, int32_t partition, int first, int count)
{
    struct bus_producer *producer = NULL;
    struct error error;
    check(bus_producer_create(bus, &producer, &error), &error);
    for (int i = first; i < first + count; i++) {
        char key[16];
        char value[16];
        (void)snprintf(key, sizeof key, "k%d", i % 10);
        (void)snprintf(value, sizeof value, "%d", i);
        const struct bus_record record = {
            .topic = topic, .partition = partition, .key = bytes(key), .value = bytes(value)};
        produce_record(producer, &record, (uint64_t)i);
    }
    wait_for_acks(producer, BUS_OK);
    bus_producer_destroy(producer);
}

/* A reader that remembers what came: sums and counts are enough to see loss and repetition. */
struct reader {
    struct bus_member *member;
    int64_t from;
    size_t records, replayed, states, ends, assigned, lost;
    int64_t sum;
    int64_t positions[16], committed[16];
    char last_state[64], note[64], last_value[64];
    bool auto_release, saw_revoking;
    int64_t seen_ms;
};

static void join_as(struct reader *reader, struct bus *of, const char *topic, const char *group,
                    const char *member_id, const char *state_topic)
{
    struct error error;
    const char *const topics[] = {topic, NULL};
    const struct bus_member_settings settings = {.group = group,
                                                 .member_id = member_id,
                                                 .topics = topics,
                                                 .state_topic = state_topic,
                                                 .session_timeout_ms = 6000};
    *reader = (struct reader){.from = BUS_FROM_COMMITTED, .auto_release = true};
    check(bus_join(of, &settings, &reader->member, &error), &error);
}

static void take_records(struct reader *reader, const struct bus_turn *turn)
{
    for (size_t i = 0; i < turn->record_count; i++) {
        const struct bus_record *record = &turn->records[i];
        (void)snprintf(reader->last_value, sizeof reader->last_value, "%.*s", (int)record->value.size_bytes,
                       record->value.data == NULL ? "" : (const char *)record->value.data);
        reader->records++;
        reader->replayed += record->replayed;
        reader->sum += atoll(reader->last_value);
        reader->positions[record->partition] = record->offset + 1;
    }
}

static void poll_once(struct reader *reader)
{
    struct error error;
    struct bus_turn turn;
    check(bus_poll(reader->member, 100, &turn, &error), &error);
    for (size_t i = 0; i < turn.partition_count && turn.kind == BUS_ASSIGNED; i++) {
        reader->assigned++;
        reader->committed[turn.partitions[i].partition] = turn.partitions[i].committed;
        reader->positions[turn.partitions[i].partition] = turn.partitions[i].committed;
        (void)snprintf(reader->note, sizeof reader->note, "%s", turn.partitions[i].note);
    }
    if (turn.kind == BUS_STATE) {
        reader->states += turn.record_count;
        const struct bus_record *last = &turn.records[turn.record_count - 1];
        (void)snprintf(reader->last_state, sizeof reader->last_state, "%.*s=%.*s", (int)last->key.size_bytes,
                       (const char *)last->key.data, (int)last->value.size_bytes,
                       (const char *)last->value.data);
    } else if (turn.kind == BUS_RESTORED) {
        int result = bus_start(reader->member, turn.partitions[0].topic, turn.partitions[0].partition,
                               reader->from, &error);
        assert_true(result == BUS_OK || result == BUS_RESET);
    } else if (turn.kind == BUS_RECORDS) {
        take_records(reader, &turn);
    } else if (turn.kind == BUS_END) {
        for (size_t i = 0; i < turn.partition_count; i++) {
            reader->ends++;
            reader->positions[turn.partitions[i].partition] = turn.partitions[i].position;
        }
    } else if (turn.kind == BUS_REVOKING && reader->auto_release) {
        reader->saw_revoking = true;
        reader->assigned -= turn.partition_count;
        (void)bus_commit(reader->member, &error);
        (void)bus_release(reader->member, &error);
    } else if (turn.kind == BUS_LOST) {
        reader->lost += turn.partition_count;
        reader->assigned -= turn.partition_count;
    }
}

#define POLL_UNTIL(reader, condition)                                                                        \
    do {                                                                                                     \
        int64_t deadline_ms_ = clock_steady_ms(clock_system()) + PATIENCE_MS;                                \
        while (!(condition)) {                                                                               \
            poll_once(reader);                                                                               \
            if (clock_steady_ms(clock_system()) > deadline_ms_) {                                            \
                fail_msg("not within %d s: %s", PATIENCE_MS / 1000, #condition);                             \
            }                                                                                                \
        }                                                                                                    \
    } while (0)

static void advance(struct reader *reader, const char *topic, int32_t partitions)
{
    struct error error;
    for (int32_t p = 0; p < partitions; p++) {
        if (reader->positions[p] >= 0) {
            check(bus_advance(reader->member, topic, p, reader->positions[p], "a note", &error), &error);
        }
    }
}

static void leave(struct reader *reader)
{
    struct error error;
    check(bus_leave(reader->member, &error), &error);
    reader->member = NULL;
}

static int64_t lag_of(const char *group, const char *topic)
{
    const char *const groups[] = {group};
    const char *const topics[] = {topic};
    struct bus_lag rows[16];
    size_t count = 0;
    int64_t lag = 0;
    struct error error;
    check(bus_read_lag(bus, groups, 1, topics, 1, rows, 16, &count, &error), &error);
    for (size_t i = 0; i < count; i++) {
        assert_true(rows[i].lag >= 0);
        lag += rows[i].lag;
    }
    return lag;
}

/* --- the cases ---- */

static void what_is_acknowledged_is_read_back_in_order_with_key_and_headers(void **state)
{
    (void)state;
    char topic[64];
    struct error error;
    struct bus_producer *producer = NULL;
    make_topic(topic, "order", 1, false);
    check(bus_producer_create(bus, &producer, &error), &error);
    const struct bus_header headers[] = {{"one", bytes("1")}, {"empty", {"", 0}}};
    const struct bus_record with_headers = {.topic = topic,
                                            .partition = 0,
                                            .key = bytes("key"),
                                            .value = bytes("7"),
                                            .headers = headers,
                                            .header_count = 2};
    const struct bus_record tombstone = {.topic = topic, .partition = 0, .key = bytes("key")};
    produce_record(producer, &with_headers, 1);
    produce_record(producer, &tombstone, 2);
    wait_for_acks(producer, BUS_OK);
    bus_producer_destroy(producer);
    produce_numbers(topic, 0, 100, 1000);

    const char *const topics[] = {topic, NULL};
    const struct bus_member_settings settings = {.topics = topics};
    struct bus_member *member = NULL;
    struct bus_turn turn;
    int64_t next = 0;
    int64_t last_ms = 0;
    check(bus_join(bus, &settings, &member, &error), &error);
    while (next < 1002) {
        check(bus_poll(member, 1000, &turn, &error), &error);
        if (turn.kind == BUS_RESTORED) {
            check(bus_start(member, topic, 0, BUS_FROM_BEGINNING, &error), &error);
        }
        for (size_t i = 0; turn.kind == BUS_RECORDS && i < turn.record_count; i++) {
            const struct bus_record *record = &turn.records[i];
            assert_int_equal(record->offset, next++);
            assert_true(record->appended_ms >= last_ms);
            last_ms = record->appended_ms;
            if (record->offset == 0) {
                assert_int_equal(record->header_count, 2);
                assert_string_equal(record->headers[0].name, "one");
                assert_memory_equal(record->headers[0].value.data, "1", 1);
                assert_memory_equal(record->key.data, "key", 3);
            } else if (record->offset == 1) {
                assert_null(record->value.data);
            }
        }
    }
    assert_true(last_ms > 0);
    check(bus_leave(member, &error), &error);
}

static void a_key_goes_to_the_partition_that_java_gives_it(void **state)
{
    (void)state;
    char topic[64];
    make_topic(topic, "keys", 12, false);
    produce_numbers(topic, BUS_PARTITION_BY_KEY, 0, 10);
    for (int i = 0; i < 10; i++) {
        char key[16];
        int64_t begin = 0;
        int64_t end = 0;
        struct error error;
        (void)snprintf(key, sizeof key, "k%d", i);
        check(bus_read_offsets(bus, topic, bus_partition_for_key(key, strlen(key), 12), &begin, &end, &error),
              &error);
        assert_true(end > 0);
    }
}

static void a_group_goes_on_where_it_committed(void **state)
{
    (void)state;
    char topic[64];
    struct reader reader;
    struct error error;
    make_topic(topic, "resume", 3, false);
    produce_numbers(topic, BUS_PARTITION_BY_KEY, 1, 1000);
    join_as(&reader, bus, topic, topic, NULL, NULL);
    POLL_UNTIL(&reader, reader.records == 1000 && reader.ends >= 3);
    assert_int_equal(reader.sum, 1000 * 1001 / 2);
    advance(&reader, topic, 3);
    check(bus_commit(reader.member, &error), &error);
    assert_int_equal(lag_of(topic, topic), 0);
    leave(&reader);
    produce_numbers(topic, BUS_PARTITION_BY_KEY, 1, 10);
    assert_int_equal(lag_of(topic, topic), 10); /* also when nobody reads */
    join_as(&reader, bus, topic, topic, NULL, NULL);
    POLL_UNTIL(&reader, reader.records == 10);
    assert_string_equal(reader.note, "a note");
    assert_int_equal(reader.sum, 55);
    leave(&reader);
    /* Uncommitted, so once more; and from further back on request, marked as replayed. */
    join_as(&reader, bus, topic, topic, NULL, NULL);
    reader.from = BUS_FROM_BEGINNING;
    POLL_UNTIL(&reader, reader.records == 1010);
    assert_int_equal(reader.replayed, 1000);
    leave(&reader);
}

static void a_commit_shows_outputs_state_and_positions_together_or_nothing(void **state)
{
    (void)state;
    char topic[64];
    char out[64];
    char states[64];
    struct reader reader;
    struct reader watcher;
    struct error error;
    struct bus *other = open_bus(0);
    make_topic(topic, "in", 1, false);
    make_topic(out, "out", 1, false);
    make_topic(states, "state", 1, true);
    produce_numbers(topic, 0, 1, 10);
    join_as(&watcher, other, out, NULL, NULL, NULL);
    watcher.from = BUS_FROM_BEGINNING;
    POLL_UNTIL(&watcher, watcher.assigned == 1);
    join_as(&reader, bus, topic, topic, "m", states);
    POLL_UNTIL(&reader, reader.records == 10);
    const struct bus_record output = {
        .topic = out, .partition = BUS_PARTITION_BY_KEY, .key = bytes("k"), .value = bytes("77")};
    for (int i = 0; i < 50; i++) {
        check(bus_put(reader.member, &output, &error), &error);
    }
    check(bus_put_state(reader.member, 0, bytes("gone"), bytes("x"), &error), &error);
    check(bus_put_state(reader.member, 0, bytes("kept"), bytes("old"), &error), &error);
    advance(&reader, topic, 1);
    for (int i = 0; i < 5; i++) { /* nothing is to be seen before the commit */
        poll_once(&watcher);
    }
    assert_int_equal(watcher.records, 0);
    check(bus_commit(reader.member, &error), &error);
    POLL_UNTIL(&watcher, watcher.records == 50);
    assert_int_equal(lag_of(topic, topic), 0);

    check(bus_put_state(reader.member, 0, bytes("gone"), (struct bus_bytes){NULL, 0}, &error), &error);
    check(bus_put_state(reader.member, 0, bytes("kept"), bytes("new"), &error), &error);
    check(bus_commit(reader.member, &error), &error);
    check(bus_put(reader.member, &output, &error), &error); /* never committed */
    check(bus_put_state(reader.member, 0, bytes("kept"), bytes("never"), &error), &error);
    leave(&reader);
    join_as(&reader, bus, topic, topic, "m", states);
    POLL_UNTIL(&reader, reader.ends > 0);
    assert_int_equal(reader.states, 1);
    assert_string_equal(reader.last_state, "kept=new");
    leave(&reader);
    for (int i = 0; i < 5; i++) {
        poll_once(&watcher);
    }
    assert_int_equal(watcher.records, 50);
    leave(&watcher);
    bus_close(other);
}

static void two_members_share_and_hand_over_without_loss_or_repetition(void **state)
{
    (void)state;
    char topic[64];
    struct reader a;
    struct reader b;
    struct error error;
    struct bus *other = open_bus(0);
    make_topic(topic, "share", 4, false);
    for (int32_t p = 0; p < 4; p++) {
        produce_numbers(topic, p, 1, 100);
    }
    join_as(&a, bus, topic, topic, NULL, NULL);
    POLL_UNTIL(&a, a.records == 400);
    advance(&a, topic, 4);
    check(bus_commit(a.member, &error), &error);
    join_as(&b, other, topic, topic, NULL, NULL);
    int64_t deadline_ms = clock_steady_ms(clock_system()) + PATIENCE_MS;
    while (a.assigned != 2 || b.assigned != 2) {
        poll_once(&a);
        poll_once(&b);
        assert_true(clock_steady_ms(clock_system()) < deadline_ms);
    }
    assert_true(a.saw_revoking);
    for (int32_t p = 0; p < 4; p++) {
        produce_numbers(topic, p, 1, 100);
    }
    while (a.records + b.records < 800) {
        poll_once(&a);
        poll_once(&b);
        assert_true(clock_steady_ms(clock_system()) < deadline_ms);
    }
    assert_int_equal(a.records + b.records, 800);
    assert_int_equal(a.sum + b.sum, 8 * 5050);
    leave(&b);
    POLL_UNTIL(&a, a.assigned == 4);
    leave(&a);
    bus_close(other);
}

static void a_newer_member_of_the_same_name_fences_the_older(void **state)
{
    (void)state;
    char topic[64];
    char out[64];
    struct reader older;
    struct reader newer;
    struct error error;
    struct bus *other = open_bus(0);
    make_topic(topic, "fence", 1, false);
    make_topic(out, "fenced", 1, false);
    produce_numbers(topic, 0, 1, 10);
    join_as(&older, bus, topic, topic, "same", NULL);
    POLL_UNTIL(&older, older.records == 10);
    const struct bus_record output = {.topic = out, .partition = 0, .value = bytes("1")};
    check(bus_put(older.member, &output, &error), &error);
    advance(&older, topic, 1);
    join_as(&newer, other, topic, topic, "same", NULL);
    POLL_UNTIL(&newer, newer.records == 10);
    assert_int_equal(bus_commit(older.member, &error), BUS_RESET);
    advance(&newer, topic, 1);
    check(bus_commit(newer.member, &error), &error);
    leave(&newer);
    struct bus_turn turn;
    check(bus_poll(older.member, 1000, &turn, &error), &error);
    assert_int_equal(turn.kind, BUS_LOST);
    int64_t begin = 0;
    int64_t end = 0;
    check(bus_read_offsets(bus, out, 0, &begin, &end, &error), &error);
    (void)bus_leave(older.member, &error);
    join_as(&newer, bus, out, NULL, NULL, NULL);
    newer.from = BUS_FROM_BEGINNING;
    POLL_UNTIL(&newer, newer.ends > 0);
    assert_int_equal(newer.records, 0); /* what the older had put is nowhere */
    leave(&newer);
    bus_close(other);
}

static void a_full_queue_pushes_back_and_loses_nothing(void **state)
{
    (void)state;
    char topic[64];
    struct error error;
    struct bus_ack acks[256];
    struct bus *small = open_bus(65536);
    struct bus_producer *producer = NULL;
    static char large[8000];
    size_t full = 0;
    memset(large, 'x', sizeof large);
    make_topic(topic, "full", 1, false);
    check(bus_producer_create(small, &producer, &error), &error);
    const struct bus_record record = {.topic = topic, .partition = 0, .value = {large, sizeof large}};
    for (int i = 0; i < 300;) {
        int result = bus_produce(producer, &record, (uint64_t)i, &error);
        assert_true(result == BUS_OK || result == BUS_FULL);
        if (result == BUS_FULL) {
            full++;
            (void)bus_producer_poll(producer, 10, acks, 256);
        } else {
            i++;
        }
    }
    wait_for_acks(producer, BUS_OK);
    assert_true(full > 0);
    bus_producer_destroy(producer);
    int64_t begin = 0;
    int64_t end = 0;
    check(bus_read_offsets(bus, topic, 0, &begin, &end, &error), &error);
    assert_int_equal(end, 300);
    bus_close(small);
}

static void a_held_member_gets_no_records_and_a_woken_poll_returns(void **state)
{
    (void)state;
    char topic[64];
    struct reader reader;
    struct error error;
    make_topic(topic, "hold", 1, false);
    join_as(&reader, bus, topic, topic, NULL, NULL);
    POLL_UNTIL(&reader, reader.ends > 0);
    bus_hold(reader.member, true);
    produce_numbers(topic, 0, 1, 10);
    for (int i = 0; i < 5; i++) {
        poll_once(&reader);
    }
    assert_int_equal(reader.records, 0);
    bus_hold(reader.member, false);
    POLL_UNTIL(&reader, reader.records == 10);
    POLL_UNTIL(&reader, reader.ends > 1);
    bus_wake(reader.member);
    struct bus_turn turn;
    int64_t begin_ms = clock_steady_ms(clock_system());
    check(bus_poll(reader.member, PATIENCE_MS, &turn, &error), &error);
    assert_true(clock_steady_ms(clock_system()) - begin_ms < PATIENCE_MS / 2);
    leave(&reader);
}

static void wrong_topics_offsets_and_sizes_are_refused(void **state)
{
    (void)state;
    char topic[64];
    struct error error;
    struct bus_producer *producer = NULL;
    make_topic(topic, "refuse", 2, false);
    struct bus_topic same = {.name = topic, .partitions = 2, .retention_ms = 86400000};
    check(bus_create_topics(bus, &same, 1, &error), &error);
    same.partitions = 3;
    assert_int_equal(bus_create_topics(bus, &same, 1, &error), BUS_REFUSED);
    assert_non_null(strstr(error.message, topic));
    same.partitions = 2;
    same.compacted = true;
    assert_int_equal(bus_create_topics(bus, &same, 1, &error), BUS_REFUSED);
    same.compacted = false;
    same.max_message_bytes = 2 * 1048576;
    assert_int_equal(bus_create_topics(bus, &same, 1, &error), BUS_REFUSED);

    static char large[1200000];
    check(bus_producer_create(bus, &producer, &error), &error);
    struct bus_record record = {.topic = topic, .partition = 0, .value = {large, sizeof large}};
    assert_int_equal(bus_produce(producer, &record, 1, &error), BUS_REFUSED);
    record = (struct bus_record){.topic = topic, .partition = 7, .value = bytes("x")};
    assert_int_equal(bus_produce(producer, &record, 1, &error), BUS_REFUSED);
    record = (struct bus_record){.topic = "no-such-topic", .partition = 0, .value = bytes("x")};
    assert_int_equal(bus_produce(producer, &record, 1, &error), BUS_REFUSED);
    bus_producer_destroy(producer);

    int32_t count = 0;
    assert_int_equal(bus_partition_count(bus, "no-such-topic", &count, &error), BUS_REFUSED);
    check(bus_partition_count(bus, topic, &count, &error), &error);
    assert_int_equal(count, 2);
    struct bus_topic_info infos[200];
    size_t listed = 0;
    size_t found = 0;
    check(bus_list_topics(bus, infos, 200, &listed, &error), &error);
    for (size_t i = 0; i < listed; i++) {
        found += strcmp(infos[i].name, topic) == 0 && infos[i].partitions == 2;
    }
    assert_int_equal(found, 1);

    const char *const topics[] = {topic, NULL};
    const struct bus_member_settings settings = {.topics = topics};
    struct bus_member *member = NULL;
    struct bus_turn turn = {.kind = BUS_IDLE};
    check(bus_join(bus, &settings, &member, &error), &error);
    while (turn.kind != BUS_RESTORED) {
        check(bus_poll(member, 1000, &turn, &error), &error);
    }
    assert_int_equal(bus_start(member, topic, turn.partitions[0].partition, 999, &error), BUS_REFUSED);
    check(bus_leave(member, &error), &error);
    const char *const absent[] = {"no-such-topic", NULL};
    const struct bus_member_settings wrong = {.topics = absent, .group = "g"};
    assert_int_equal(bus_join(bus, &wrong, &member, &error), BUS_REFUSED);
}

static void a_reader_from_the_end_sees_only_what_comes(void **state)
{
    (void)state;
    char topic[64];
    struct reader reader;
    make_topic(topic, "end", 2, false);
    produce_numbers(topic, BUS_PARTITION_BY_KEY, 1, 100);
    join_as(&reader, bus, topic, NULL, NULL, NULL);
    reader.from = BUS_FROM_END;
    POLL_UNTIL(&reader, reader.ends >= 2);
    produce_numbers(topic, BUS_PARTITION_BY_KEY, 500, 1);
    POLL_UNTIL(&reader, reader.records > 0);
    assert_int_equal(reader.sum, 500);
    leave(&reader);
}

/* --- the bus they run on ---- */

static int begin_bus(void **state)
{
    (void)state;
    bus = open_bus(0);
    return 0;
}

static int end_bus(void **state)
{
    (void)state;
    bus_close(bus);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_acknowledged_is_read_back_in_order_with_key_and_headers),
        cmocka_unit_test(a_key_goes_to_the_partition_that_java_gives_it),
        cmocka_unit_test(a_group_goes_on_where_it_committed),
        cmocka_unit_test(a_commit_shows_outputs_state_and_positions_together_or_nothing),
        cmocka_unit_test(two_members_share_and_hand_over_without_loss_or_repetition),
        cmocka_unit_test(a_newer_member_of_the_same_name_fences_the_older),
        cmocka_unit_test(a_full_queue_pushes_back_and_loses_nothing),
        cmocka_unit_test(a_held_member_gets_no_records_and_a_woken_poll_returns),
        cmocka_unit_test(wrong_topics_offsets_and_sizes_are_refused),
        cmocka_unit_test(a_reader_from_the_end_sees_only_what_comes),
    };
    bool on_kafka = argc > 1 && strcmp(argv[1], "kafka") == 0;
    struct kafka_broker broker;
    char directory[TEST_PATH_BYTES];
    if (on_kafka) {
        int code = kafka_broker_require(&broker);
        if (code != 0) {
            return code;
        }
        (void)snprintf(url, sizeof url, "%s", broker.url);
    } else {
        temp_directory_create(directory, "bus");
        (void)snprintf(url, sizeof url, "embedded:%s/bus", directory);
    }
    int failed = cmocka_run_group_tests(tests, begin_bus, end_bus);
    if (on_kafka) {
        kafka_broker_stop(&broker, false);
    } else {
        temp_directory_remove(directory);
    }
    return failed;
}
