/* What bus.h promises, the same for every driver: test_bus_contract [URL | kafka]. Without an argument the
 * embedded bus in a directory of its own; "kafka" starts a real broker. Names are new in each run, waits are
 * polls. The cases of cases_*.c are of the same suite, by subject: odd records, reading, several processes,
 * members that come and go. */
#include "bus_reader.h"
#include "cases.h"

#include "clock/clock.h"
#include "random/random.h"
#include "support/kafka.h"

#include "cmocka_all.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char bus_url[TEST_PATH_BYTES + 64];
static unsigned scene_number;
static uint64_t run_number;

struct scene {
    struct bus *bus;
    char prefix[48];
    char topic[64], output[64], state[64], group[64]; /* only named; make_topic makes them */
    struct bus_reader a, b;
    struct bus_producer *producer;
    struct error error;
};

static struct bus *open_bus(size_t queue_limit_bytes)
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

static int make_scene(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    (void)snprintf(s->prefix, sizeof s->prefix, "t%016" PRIx64 "-%u", run_number, scene_number++);
    (void)snprintf(s->topic, sizeof s->topic, "%s.in", s->prefix);
    (void)snprintf(s->output, sizeof s->output, "%s.out", s->prefix);
    (void)snprintf(s->state, sizeof s->state, "%s.state", s->prefix);
    (void)snprintf(s->group, sizeof s->group, "%s-group", s->prefix);
    s->bus = open_bus(0);
    *state = s;
    return 0;
}

static int free_scene(void **state)
{
    struct scene *s = *state;
    bus_reader_leave(&s->a);
    bus_reader_leave(&s->b);
    bus_producer_destroy(s->producer);
    bus_close(s->bus);
    free(s);
    return 0;
}

static int create(struct scene *s, const struct bus_topic *topic)
{
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    int result = BUS_AWAY;
    while (result == BUS_AWAY && test_now_ms() < deadline_ms) {
        result = bus_create_topics(s->bus, topic, 1, &s->error);
    }
    return result;
}

static void make_topic(struct scene *s, const char *name, int32_t partitions, bool compacted)
{
    const struct bus_topic topic = {.name = name, .partitions = partitions, .compacted = compacted};
    if (create(s, &topic) != BUS_OK) {
        fail_msg("bus_create_topics: %s", s->error.message);
    }
}

/* --- producing ---- */

static struct bus_producer *producer_of(struct scene *s)
{
    if (s->producer == NULL && bus_producer_create(s->bus, &s->producer, &s->error) != BUS_OK) {
        fail_msg("bus_producer_create: %s", s->error.message);
    }
    return s->producer;
}

static size_t take_acks(struct bus_producer *producer, int timeout_ms)
{
    struct bus_ack acks[256];
    const size_t count = bus_producer_poll(producer, timeout_ms, acks, 256);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(acks[i].status, BUS_OK);
    }
    return count;
}

static void drain(struct bus_producer *producer)
{
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    while (bus_producer_pending(producer) > 0 && test_now_ms() < deadline_ms) {
        (void)take_acks(producer, 100);
    }
    assert_int_equal(bus_producer_pending(producer), 0);
}

/* Until it is taken; returns how often the queue was full. */
static size_t produce(struct scene *s, struct bus_producer *producer, const struct bus_record *record)
{
    size_t full = 0;
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    int result = bus_produce(producer, record, 0, &s->error);
    while ((result == BUS_FULL || result == BUS_AWAY) && test_now_ms() < deadline_ms) {
        full += result == BUS_FULL;
        (void)take_acks(producer, 20);
        result = bus_produce(producer, record, 0, &s->error);
    }
    if (result != BUS_OK) {
        fail_msg("bus_produce: %d %s", result, s->error.message);
    }
    return full;
}

static struct bus_bytes bytes_of(const char *text)
{
    return (struct bus_bytes){text, text == NULL ? 0 : strlen(text)};
}

static void produce_text(struct scene *s, const char *topic, int32_t partition, const char *key,
                         const char *value)
{
    const struct bus_record record = {
        .topic = topic, .partition = partition, .key = bytes_of(key), .value = bytes_of(value)};
    (void)produce(s, producer_of(s), &record);
}

/* Records "first" … as numbers, to one partition, acknowledged. */
static void produce_numbers(struct scene *s, int32_t partition, int first, int count)
{
    for (int i = first; i < first + count; i++) {
        char value[16];
        (void)snprintf(value, sizeof value, "%d", i);
        produce_text(s, s->topic, partition, "key", value);
    }
    drain(s->producer);
}

static void assert_numbers(const struct bus_reader *reader, size_t from, int first, int count)
{
    assert_int_equal(reader->record_count, from + (size_t)count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(atoi(reader->records[from + (size_t)i].value), first + i);
    }
}

/* --- joining ---- */

static void join_as(struct scene *s, struct bus_reader *reader, const char *group, const char *member_id,
                    bool with_state, int64_t from)
{
    const char *const topics[] = {s->topic, NULL};
    const struct bus_member_settings settings = {.group = group,
                                                 .member_id = member_id,
                                                 .topics = topics,
                                                 .state_topic = with_state ? s->state : NULL};
    bus_reader_join(reader, s->bus, &settings, from);
}

static void join(struct scene *s, struct bus_reader *reader)
{
    join_as(s, reader, s->group, NULL, false, BUS_FROM_COMMITTED);
}

/* Everything that is in a topic, by a reader without a group on a bus handle of its own. */
static void read_topic(const char *topic, size_t partitions, struct bus_reader *reader, struct bus *other)
{
    const char *const topics[] = {topic, NULL};
    const struct bus_member_settings settings = {.topics = topics};
    bus_reader_join(reader, other, &settings, BUS_FROM_BEGINNING);
    bus_reader_wait_ends(reader, partitions);
}

static void advance(struct bus_reader *reader, int32_t partition, int64_t next, const char *note)
{
    if (bus_advance(reader->member, reader->topic, partition, next, note, &reader->error) != BUS_OK) {
        fail_msg("bus_advance: %s", reader->error.message);
    }
}

static void put_text(struct bus_reader *reader, const char *topic, int32_t partition, const char *value)
{
    const struct bus_record record = {.topic = topic, .partition = partition, .value = bytes_of(value)};
    if (bus_put(reader->member, &record, &reader->error) != BUS_OK) {
        fail_msg("bus_put: %s", reader->error.message);
    }
}

static void put_state(struct bus_reader *reader, int32_t partition, const char *key, const char *value)
{
    if (bus_put_state(reader->member, partition, bytes_of(key), bytes_of(value), &reader->error) != BUS_OK) {
        fail_msg("bus_put_state: %s", reader->error.message);
    }
}

static void commit(struct bus_reader *reader)
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

static struct bus_lag lag_of(struct scene *s, const char *topic, int32_t partition)
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

/* --- records ---- */

static void records_come_back_in_order_with_all_they_had(void **state)
{
    struct scene *s = *state;
    make_topic(s, s->topic, 1, false);
    const struct bus_header headers[] = {{"trace", bytes_of("abc")}, {"empty", bytes_of("")}};
    const struct bus_record first = {.topic = s->topic,
                                     .key = bytes_of("k"),
                                     .value = bytes_of("v0"),
                                     .headers = headers,
                                     .header_count = 2};
    (void)produce(s, producer_of(s), &first);
    produce_text(s, s->topic, 0, "k", NULL);
    produce_text(s, s->topic, 0, NULL, "v2");
    produce_text(s, s->topic, 0, "k", "");
    produce_text(s, s->topic, 0, "", "v4");
    drain(s->producer);
    join_as(s, &s->a, NULL, NULL, false, BUS_FROM_BEGINNING);
    bus_reader_wait_records(&s->a, 5);
    const struct seen_record *r = s->a.records;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(r[i].offset, i);
        assert_true(r[i].appended_ms > clock_wall_ms(clock_system()) - 60000);
        assert_false(r[i].replayed);
    }
    assert_string_equal(r[0].key, "k");
    assert_string_equal(r[0].value, "v0");
    assert_string_equal(r[0].headers, "trace=abc;empty=;");
    assert_false(r[1].has_value);
    assert_false(r[2].has_key);
    assert_string_equal(r[2].value, "v2");
    assert_true(r[3].has_value);
    assert_string_equal(r[3].value, "");
    assert_string_equal(r[3].headers, "");
    assert_true(r[4].has_key);
    assert_string_equal(r[4].key, "");
}

static void a_key_goes_to_the_partition_of_javas_murmur2(void **state)
{
    struct scene *s = *state;
    make_topic(s, s->topic, 8, false);
    for (int i = 0; i < 100; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "key-%d", i);
        produce_text(s, s->topic, BUS_PARTITION_BY_KEY, key, "v");
    }
    drain(s->producer);
    join_as(s, &s->a, NULL, NULL, false, BUS_FROM_BEGINNING);
    bus_reader_wait_records(&s->a, 100);
    for (int i = 0; i < 100; i++) {
        const struct seen_record *r = &s->a.records[i];
        assert_int_equal(r->partition, bus_partition_for_key(r->key, strlen(r->key), 8));
    }
}

static void every_acknowledgement_carries_its_tag_once(void **state)
{
    struct scene *s = *state;
    make_topic(s, s->topic, 2, false);
    unsigned seen[500] = {0};
    size_t got = 0;
    for (uint64_t tag = 0; tag < 500; tag++) {
        const struct bus_record record = {
            .topic = s->topic, .partition = BUS_PARTITION_BY_KEY, .value = bytes_of("v")};
        assert_int_equal(bus_produce(producer_of(s), &record, tag, &s->error), BUS_OK);
    }
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    while (got < 500 && test_now_ms() < deadline_ms) {
        struct bus_ack acks[7];
        const size_t count = bus_producer_poll(s->producer, 100, acks, 7);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(acks[i].status, BUS_OK);
            assert_in_range(acks[i].tag, 0, 499);
            assert_int_equal(seen[acks[i].tag]++, 0);
        }
        got += count;
    }
    assert_int_equal(got, 500);
    assert_int_equal(bus_producer_pending(s->producer), 0);
}

static void a_turn_brings_no_more_records_than_asked_for(void **state)
{
    struct scene *s = *state;
    make_topic(s, s->topic, 2, false);
    produce_numbers(s, 0, 0, 300);
    produce_numbers(s, 1, 300, 300);
    const char *const topics[] = {s->topic, NULL};
    const struct bus_member_settings settings = {.topics = topics, .batch_records = 7};
    bus_reader_join(&s->a, s->bus, &settings, BUS_FROM_BEGINNING);
    bus_reader_wait_records(&s->a, 600);
    assert_in_range(s->a.largest_turn, 1, 7);
    int next[2] = {0, 300};
    for (size_t i = 0; i < 600; i++) {
        assert_int_equal(atoi(s->a.records[i].value), next[s->a.records[i].partition]++);
    }
}

static void a_full_queue_loses_nothing(void **state)
{
    struct scene *s = *state;
    make_topic(s, s->topic, 1, false);
    struct bus *small = open_bus(16384);
    struct bus_producer *producer = NULL;
    assert_int_equal(bus_producer_create(small, &producer, &s->error), BUS_OK);
    size_t full = 0;
    for (int i = 0; i < 2000; i++) {
        char value[200];
        (void)snprintf(value, sizeof value, "%d %150s", i, "");
        const struct bus_record record = {.topic = s->topic, .value = bytes_of(value)};
        full += produce(s, producer, &record);
    }
    drain(producer);
    bus_producer_destroy(producer);
    bus_close(small);
    assert_true(full > 0);
    join_as(s, &s->a, NULL, NULL, false, BUS_FROM_BEGINNING);
    bus_reader_wait_records(&s->a, 2000);
    bus_reader_wait_ends(&s->a, 1);
    assert_numbers(&s->a, 0, 0, 2000);
}

static void a_record_too_large_for_its_topic_is_refused(void **state)
{
    struct scene *s = *state;
    const struct bus_topic topic = {.name = s->topic, .partitions = 1, .max_message_bytes = 4096};
    assert_int_equal(create(s, &topic), BUS_OK);
    char *large = calloc(1, 20000);
    assert_non_null(large);
    for (int i = 0; i < 19999; i++) { /* hard to compress */
        large[i] = (char)('!' + (i * 7919 + i / 89) % 90);
    }
    const struct bus_record record = {.topic = s->topic, .value = {large, 20000}};
    int result = bus_produce(producer_of(s), &record, 1, &s->error);
    if (result == BUS_OK) {
        struct bus_ack ack = {.status = BUS_OK};
        assert_int_equal(bus_producer_poll(s->producer, PATIENCE_MS, &ack, 1), 1);
        result = ack.status;
    }
    free(large);
    assert_int_equal(result, BUS_REFUSED);
    produce_numbers(s, 0, 0, 1); /* the producer goes on */
    join_as(s, &s->a, NULL, NULL, false, BUS_FROM_BEGINNING);
    bus_reader_wait_ends(&s->a, 1);
    assert_numbers(&s->a, 0, 0, 1);
}

static void an_unknown_topic_is_refused(void **state)
{
    struct scene *s = *state;
    make_topic(s, s->topic, 1, false);
    const struct bus_record record = {.topic = s->output, .value = bytes_of("v")};
    assert_int_equal(bus_produce(producer_of(s), &record, 1, &s->error), BUS_REFUSED);
    assert_non_null(strstr(s->error.message, s->output));
    int32_t count = 0;
    assert_int_equal(bus_partition_count(s->bus, s->output, &count, &s->error), BUS_REFUSED);
    int64_t begin = 0;
    int64_t end = 0;
    assert_int_equal(bus_read_offsets(s->bus, s->output, 0, &begin, &end, &s->error), BUS_REFUSED);
    const struct bus_record no_partition = {.topic = s->topic, .partition = 1, .value = bytes_of("v")};
    assert_int_equal(bus_produce(s->producer, &no_partition, 1, &s->error), BUS_REFUSED);
    join(s, &s->a);
    bus_reader_wait_owned(&s->a, 1);
    assert_int_equal(bus_put(s->a.member, &record, &s->error), BUS_REFUSED);
}

/* --- topics ---- */

static void assert_refused_with_repair(struct scene *s, const struct bus_topic *topic)
{
    assert_int_equal(create(s, topic), BUS_REFUSED);
    assert_non_null(strstr(s->error.message, topic->name));
    assert_true(strstr(s->error.message, "'mv ") != NULL || strstr(s->error.message, "kafka-") != NULL);
}

static void an_existing_topic_is_fine_and_a_wrong_one_refused_with_its_repair(void **state)
{
    struct scene *s = *state;
    const struct bus_topic right = {
        .name = s->topic, .partitions = 3, .retention_ms = 3600000, .max_message_bytes = 65536};
    assert_int_equal(create(s, &right), BUS_OK);
    assert_int_equal(create(s, &right), BUS_OK);
    struct bus_topic wrong = right;
    wrong.partitions = 4;
    assert_refused_with_repair(s, &wrong);
    wrong = right;
    wrong.compacted = true;
    wrong.retention_ms = 0;
    assert_refused_with_repair(s, &wrong);
    wrong = right;
    wrong.max_message_bytes = 131072;
    assert_refused_with_repair(s, &wrong);
    int32_t count = 0;
    assert_int_equal(bus_partition_count(s->bus, s->topic, &count, &s->error), BUS_OK);
    assert_int_equal(count, 3);
    assert_int_equal(create(s, &right), BUS_OK);
}

static void topics_are_listed_by_name(void **state)
{
    struct scene *s = *state;
    make_topic(s, s->topic, 2, false);
    make_topic(s, s->output, 3, false);
    struct bus_topic_info *infos = calloc(1000, sizeof *infos);
    assert_non_null(infos);
    size_t count = 0;
    assert_int_equal(bus_list_topics(s->bus, infos, 1000, &count, &s->error), BUS_OK);
    int found = 0;
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || strcmp(infos[i - 1].name, infos[i].name) < 0);
        found += strcmp(infos[i].name, s->topic) == 0 && infos[i].partitions == 2;
        found += strcmp(infos[i].name, s->output) == 0 && infos[i].partitions == 3;
    }
    assert_int_equal(found, 2);
    size_t few = 0;
    assert_int_equal(bus_list_topics(s->bus, infos, 1, &few, &s->error), BUS_OK);
    assert_int_equal(few, count);
    free(infos);
}

/* --- positions ---- */

static void a_group_resumes_where_it_committed_with_its_note(void **state)
{
    struct scene *s = *state;
    make_topic(s, s->topic, 1, false);
    produce_numbers(s, 0, 0, 10);
    join(s, &s->a);
    bus_reader_wait_records(&s->a, 10);
    assert_int_equal(s->a.partitions[0].committed, -1);
    assert_string_equal(s->a.partitions[0].note, "");
    advance(&s->a, 0, 4, "half way, {\"x\":1}");
    commit(&s->a);
    bus_reader_leave(&s->a);
    join(s, &s->a);
    bus_reader_wait_records(&s->a, 6);
    assert_int_equal(s->a.partitions[0].committed, 4);
    assert_string_equal(s->a.partitions[0].note, "half way, {\"x\":1}");
    assert_numbers(&s->a, 0, 4, 6);
    assert_false(s->a.records[0].replayed);
}

static void records_below_the_committed_offset_come_as_replayed(void **state)
{
    struct scene *s = *state;
    make_topic(s, s->topic, 1, false);
    produce_numbers(s, 0, 0, 10);
    join(s, &s->a);
    bus_reader_wait_records(&s->a, 10);
    advance(&s->a, 0, 6, NULL);
    commit(&s->a);
    bus_reader_leave(&s->a);
    join_as(s, &s->a, s->group, NULL, false, 2);
    bus_reader_wait_records(&s->a, 8);
    assert_numbers(&s->a, 0, 2, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(s->a.records[i].replayed, s->a.records[i].offset < 6);
    }
}

static void reading_starts_where_it_is_told(void **state)
{
    struct scene *s = *state;
    make_topic(s, s->topic, 1, false);
    produce_numbers(s, 0, 0, 10);
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
        join_as(s, &s->a, NULL, NULL, false, cases[i].from);
        bus_reader_wait_ends(&s->a, 1);
        assert_numbers(&s->a, 0, cases[i].first, cases[i].count);
        assert_true(s->a.partitions[0].position >= 10);
        bus_reader_leave(&s->a);
    }
}

static void an_offset_out_of_range_is_refused_and_another_start_possible(void **state)
{
    struct scene *s = *state;
    make_topic(s, s->topic, 1, false);
    produce_numbers(s, 0, 0, 10);
    join(s, &s->a);
    s->a.start_by_hand = true;
    bus_reader_wait_kind(&s->a, BUS_RESTORED);
    assert_int_equal(bus_start(s->a.member, s->topic, 0, 5000, &s->error), BUS_REFUSED);
    assert_non_null(strstr(s->error.message, "5000"));
    assert_int_equal(bus_start(s->a.member, s->topic, 1, 0, &s->error), BUS_REFUSED);
    assert_int_equal(bus_start(s->a.member, s->topic, 0, 5, &s->error), BUS_OK);
    bus_reader_wait_records(&s->a, 5);
    assert_numbers(&s->a, 0, 5, 5);
}

static void nothing_is_read_before_the_start(void **state)
{
    struct scene *s = *state;
    make_topic(s, s->topic, 1, false);
    produce_numbers(s, 0, 0, 3);
    join(s, &s->a);
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
    make_topic(s, s->topic, 4, false);
    for (int p = 0; p < 4; p++) {
        produce_numbers(s, p, p * 10, 5);
    }
    join_as(s, &s->a, NULL, NULL, false, BUS_FROM_BEGINNING);
    join_as(s, &s->b, NULL, NULL, false, BUS_FROM_BEGINNING);
    bus_reader_wait_records(&s->a, 20);
    bus_reader_wait_records(&s->b, 20);
    assert_int_equal(bus_reader_owned(&s->a), 4);
    assert_int_equal(bus_reader_owned(&s->b), 4);
    produce_numbers(s, 2, 100, 1); /* and follows */
    bus_reader_wait_records(&s->a, 21);
    assert_string_equal(s->a.records[20].value, "100");
}

/* --- the commit ---- */

static void outputs_state_and_positions_become_visible_together(void **state)
{
    struct scene *s = *state;
    struct bus *other = open_bus(0);
    make_topic(s, s->topic, 2, false);
    make_topic(s, s->output, 2, false);
    make_topic(s, s->state, 2, true);
    produce_numbers(s, 0, 0, 5);
    join_as(s, &s->a, s->group, "worker-1", true, BUS_FROM_COMMITTED);
    bus_reader_wait_records(&s->a, 5);
    for (int i = 0; i < 5; i++) {
        char value[16];
        (void)snprintf(value, sizeof value, "%d", i);
        put_text(&s->a, s->output, i % 2, value);
    }
    put_state(&s->a, 0, "sum", "10");
    advance(&s->a, 0, 5, "five");
    read_topic(s->output, 2, &s->b, other);
    assert_int_equal(s->b.record_count, 0);
    assert_int_equal(lag_of(s, s->topic, 0).committed, -1);
    commit(&s->a);
    bus_reader_wait_records(&s->b, 5); /* the same reader: it is woken */
    bus_reader_leave(&s->b);
    const struct bus_lag lag = lag_of(s, s->topic, 0);
    assert_int_equal(lag.committed, 5);
    assert_int_equal(lag.lag, 0);
    assert_int_equal(lag.lag_ms, 0);
    read_topic(s->state, 2, &s->b, other);
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
    make_topic(s, s->topic, 1, false);
    make_topic(s, s->output, 1, false);
    make_topic(s, s->state, 1, true);
    produce_numbers(s, 0, 0, 3);
    join_as(s, &s->a, s->group, "worker-1", true, BUS_FROM_COMMITTED);
    bus_reader_wait_records(&s->a, 3);
    put_text(&s->a, s->output, 0, "never");
    put_state(&s->a, 0, "never", "x");
    advance(&s->a, 0, 3, "never");
    bus_reader_leave(&s->a);
    read_topic(s->output, 1, &s->b, s->bus);
    assert_int_equal(s->b.record_count, 0);
    bus_reader_leave(&s->b);
    join_as(s, &s->a, s->group, "worker-1", true, BUS_FROM_COMMITTED);
    bus_reader_wait_records(&s->a, 3);
    assert_int_equal(s->a.state_count, 0);
    assert_int_equal(s->a.partitions[0].committed, -1);
    put_text(&s->a, s->output, 0, "now");
    advance(&s->a, 0, 3, NULL);
    commit(&s->a);
    read_topic(s->output, 1, &s->b, s->bus);
    assert_int_equal(s->b.record_count, 1);
    assert_string_equal(s->b.records[0].value, "now");
}

static void state_comes_back_as_the_last_value_of_each_live_key(void **state)
{
    struct scene *s = *state;
    make_topic(s, s->topic, 2, false);
    make_topic(s, s->state, 2, true);
    produce_numbers(s, 0, 0, 1);
    join_as(s, &s->a, s->group, "worker-1", true, BUS_FROM_COMMITTED);
    bus_reader_wait_owned(&s->a, 2);
    bus_reader_wait_ends(&s->a, 2);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++) {
            char key[16];
            char value[24];
            (void)snprintf(key, sizeof key, "k%d", i);
            (void)snprintf(value, sizeof value, "%d of %d", round, i);
            put_state(&s->a, i % 2, key, value);
        }
        commit(&s->a);
    }
    put_state(&s->a, 0, "k10", NULL);
    put_state(&s->a, 1, "k11", NULL);
    put_state(&s->a, 1, "k13", NULL);
    put_state(&s->a, 1, "k13", "again"); /* in one commit the last one holds */
    advance(&s->a, 0, 1, NULL);
    commit(&s->a);
    bus_reader_leave(&s->a);
    join_as(s, &s->a, s->group, "worker-1", true, BUS_FROM_COMMITTED);
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
    make_topic(s, s->topic, 1, false);
    make_topic(s, s->output, 1, false);
    produce_numbers(s, 0, 0, 3);
    join(s, &s->a);
    s->a.echo_to = s->output; /* written by commits, which may leave markers in the log */
    bus_reader_wait_records(&s->a, 3);
    bus_reader_leave(&s->a);
    const char *const topics[] = {s->output, NULL};
    const struct bus_member_settings settings = {.group = s->group, .topics = topics};
    bus_reader_join(&s->b, s->bus, &settings, BUS_FROM_COMMITTED);
    bus_reader_wait_records(&s->b, 3);
    bus_reader_wait_ends(&s->b, 1);
    advance(&s->b, 0, s->b.partitions[0].position, NULL);
    commit(&s->b);
    const struct bus_lag lag = lag_of(s, s->output, 0);
    assert_int_equal(lag.lag, 0);
    assert_int_equal(lag.lag_ms, 0);
    assert_int_equal(lag.committed, lag.end);
}

static void the_lag_of_a_dead_reader_is_told(void **state)
{
    struct scene *s = *state;
    make_topic(s, s->topic, 2, false);
    produce_numbers(s, 1, 0, 10);
    join(s, &s->a);
    bus_reader_wait_records(&s->a, 10);
    advance(&s->a, 1, 3, NULL);
    commit(&s->a);
    bus_reader_leave(&s->a);
    const struct bus_lag behind = lag_of(s, s->topic, 1);
    assert_int_equal(behind.committed, 3);
    assert_int_equal(behind.end, 10);
    assert_int_equal(behind.lag, 7);
    assert_in_range(behind.lag_ms, 0, 120000);
    const struct bus_lag never = lag_of(s, s->topic, 0);
    assert_int_equal(never.committed, -1);
    assert_int_equal(never.lag, 0);
    const char *const groups[] = {s->group};
    const char *const topics[] = {s->topic};
    struct bus_lag row;
    size_t count = 0;
    assert_int_equal(bus_read_lag(s->bus, groups, 1, topics, 1, &row, 1, &count, &s->error), BUS_OK);
    assert_int_equal(count, 2);
}

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
    make_topic(s, s->topic, 4, false);
    make_topic(s, s->output, 4, false);
    join(s, &s->a);
    s->a.echo_to = s->output;
    bus_reader_wait_owned(&s->a, 4);
    int next = 0;
    for (int i = 0; i < 100; i++, next++) {
        produce_numbers(s, next % 4, next, 1);
    }
    join(s, &s->b);
    s->b.echo_to = s->output;
    for (int i = 0; i < 50; i++, next++) { /* while it changes hands */
        produce_numbers(s, next % 4, next, 1);
        pump_both(s);
    }
    wait_shares(s, 2, 2);
    assert_int_equal(s->a.lost, 0);
    for (int i = 0; i < 50; i++, next++) {
        produce_numbers(s, next % 4, next, 1);
        pump_both(s);
    }
    bus_reader_leave(&s->a);
    for (int i = 0; i < 50; i++, next++) {
        produce_numbers(s, next % 4, next, 1);
        (void)bus_reader_pump(&s->b, 20);
    }
    bus_reader_wait_owned(&s->b, 4);
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    struct bus_reader *all = &s->a;
    read_topic(s->output, 4, all, s->bus);
    while (all->record_count < (size_t)next && test_now_ms() < deadline_ms) {
        pump_both(s);
    }
    bus_reader_wait_ends(all, 4);
    assert_every_number_once(all, (size_t)next, 4);
}

static void a_partition_stays_its_owners_until_released(void **state)
{
    struct scene *s = *state;
    make_topic(s, s->topic, 2, false);
    produce_numbers(s, 0, 0, 2);
    produce_numbers(s, 1, 10, 2);
    join(s, &s->a);
    bus_reader_wait_records(&s->a, 4);
    s->a.release_by_hand = true;
    join(s, &s->b);
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
        advance(&s->a, p, 2, "last");
    }
    commit(&s->a);
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
    make_topic(s, s->topic, 1, false);
    make_topic(s, s->output, 1, false);
    produce_numbers(s, 0, 0, 5);
    join_as(s, &s->a, s->group, "the-one", false, BUS_FROM_COMMITTED);
    bus_reader_wait_records(&s->a, 5);
    join_as(s, &s->b, s->group, "the-one", false, BUS_FROM_COMMITTED);
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    int result = BUS_OK;
    size_t done = 0;
    while (result != BUS_RESET && test_now_ms() < deadline_ms) {
        (void)bus_reader_pump(&s->b, 50);
        put_text(&s->a, s->output, 0, "from the first");
        advance(&s->a, 0, 2, NULL);
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
    put_text(&s->b, s->output, 0, "from the second");
    advance(&s->b, 0, 5, NULL);
    commit(&s->b);
    read_topic(s->output, 1, &s->a, s->bus);
    assert_int_equal(s->a.record_count, done + 1);
    assert_string_equal(s->a.records[done].value, "from the second");
}

static void a_held_member_gets_no_records_until_let_go(void **state)
{
    struct scene *s = *state;
    make_topic(s, s->topic, 1, false);
    join(s, &s->a);
    bus_reader_wait_ends(&s->a, 1);
    bus_hold(s->a.member, true);
    produce_numbers(s, 0, 0, 5);
    const int64_t until_ms = test_now_ms() + 500;
    while (test_now_ms() < until_ms) {
        assert_int_not_equal(bus_reader_pump(&s->a, 50), BUS_RECORDS);
    }
    assert_int_equal(bus_reader_owned(&s->a), 1);
    bus_hold(s->a.member, false);
    bus_reader_wait_records(&s->a, 5);
    assert_numbers(&s->a, 0, 0, 5);
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
    make_topic(s, s->topic, 1, false);
    join(s, &s->a);
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
    make_topic(s, s->topic, 1, true);
    for (int i = 0; i < 90; i++) {
        char key[16];
        char value[16];
        (void)snprintf(key, sizeof key, "k%d", i % 9);
        (void)snprintf(value, sizeof value, "%d", i);
        produce_text(s, s->topic, 0, key, value);
    }
    drain(s->producer);
    join_as(s, &s->a, NULL, NULL, false, BUS_FROM_BEGINNING);
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
    make_topic(s, s->topic, 2, false);
    produce_numbers(s, 1, 0, 4);
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

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_scene, free_scene)

static int run_cases(void)
{
    const struct CMUnitTest tests[] = {
        CASE(records_come_back_in_order_with_all_they_had),
        CASE(a_key_goes_to_the_partition_of_javas_murmur2),
        CASE(every_acknowledgement_carries_its_tag_once),
        CASE(a_turn_brings_no_more_records_than_asked_for),
        CASE(a_full_queue_loses_nothing),
        CASE(a_record_too_large_for_its_topic_is_refused),
        CASE(an_unknown_topic_is_refused),
        CASE(an_existing_topic_is_fine_and_a_wrong_one_refused_with_its_repair),
        CASE(topics_are_listed_by_name),
        CASE(the_offsets_of_a_partition_are_told),
        CASE(a_group_resumes_where_it_committed_with_its_note),
        CASE(records_below_the_committed_offset_come_as_replayed),
        CASE(reading_starts_where_it_is_told),
        CASE(an_offset_out_of_range_is_refused_and_another_start_possible),
        CASE(nothing_is_read_before_the_start),
        CASE(a_reader_without_a_group_has_every_partition),
        CASE(outputs_state_and_positions_become_visible_together),
        CASE(uncommitted_work_is_never_seen),
        CASE(state_comes_back_as_the_last_value_of_each_live_key),
        CASE(an_idle_group_commits_the_end_and_has_no_lag),
        CASE(the_lag_of_a_dead_reader_is_told),
        CASE(a_hand_over_loses_nothing_and_repeats_nothing),
        CASE(a_partition_stays_its_owners_until_released),
        CASE(a_second_member_of_the_same_name_fences_the_first),
        CASE(a_held_member_gets_no_records_until_let_go),
        CASE(a_wake_ends_a_poll_at_once),
        CASE(a_compacted_topic_keeps_the_last_values),
    };
    return cmocka_run_group_tests_name(bus_url, tests, NULL, NULL);
}

/* The subjects, one after the other; how many cases failed. */
static int run_suite(const char *url)
{
    (void)snprintf(bus_url, sizeof bus_url, "%s", url);
    world_set_url(url);
    return run_cases() + run_record_cases() + run_reading_cases() + run_commit_cases() + run_group_cases();
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--child") == 0) {
        return run_child(argc, argv);
    }
    run_number = random_seed_from_system();
    world_set_program(argv[0]);
    if (argc > 2) { /* one case: its name, or with * */
        cmocka_set_test_filter(argv[2]);
    }
    if (argc > 1 && strcmp(argv[1], "kafka") == 0) {
        struct kafka_broker broker;
        const int code = kafka_broker_require(&broker);
        if (code != 0) {
            return code;
        }
        const int failed = run_suite(broker.url);
        kafka_broker_stop(&broker, false);
        return failed == 0 ? 0 : 1;
    }
    if (argc > 1) {
        return run_suite(argv[1]) == 0 ? 0 : 1;
    }
    char directory[TEST_PATH_BYTES];
    char url[TEST_PATH_BYTES + 64];
    temp_directory_create(directory, "bus");
    (void)snprintf(url, sizeof url, "embedded:%s/bus?lease_ms=2000", directory);
    const int failed = run_suite(url);
    temp_directory_remove(directory);
    return failed == 0 ? 0 : 1;
}
