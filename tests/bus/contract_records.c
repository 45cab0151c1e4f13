/* What bus.h promises of records and topics. */
#include "cases.h"
#include "scene.h"
#include "world.h"

#include "clock/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* --- records ---- */

static void records_come_back_in_order_with_all_they_had(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 1, false);
    const struct bus_header headers[] = {{"trace", bytes_of("abc")}, {"empty", bytes_of("")}};
    const struct bus_record first = {.topic = s->topic,
                                     .key = bytes_of("k"),
                                     .value = bytes_of("v0"),
                                     .headers = headers,
                                     .header_count = 2};
    (void)scene_produce(s, scene_producer(s), &first);
    scene_produce_text(s, s->topic, 0, "k", NULL);
    scene_produce_text(s, s->topic, 0, NULL, "v2");
    scene_produce_text(s, s->topic, 0, "k", "");
    scene_produce_text(s, s->topic, 0, "", "v4");
    scene_drain(s->producer);
    scene_join_as(s, &s->a, NULL, NULL, false, BUS_FROM_BEGINNING);
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
    scene_make_topic(s, s->topic, 8, false);
    for (int i = 0; i < 100; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "key-%d", i);
        scene_produce_text(s, s->topic, BUS_PARTITION_BY_KEY, key, "v");
    }
    scene_drain(s->producer);
    scene_join_as(s, &s->a, NULL, NULL, false, BUS_FROM_BEGINNING);
    bus_reader_wait_records(&s->a, 100);
    for (int i = 0; i < 100; i++) {
        const struct seen_record *r = &s->a.records[i];
        assert_int_equal(r->partition, bus_partition_for_key(r->key, strlen(r->key), 8));
    }
}

static void every_acknowledgement_carries_its_tag_once(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 2, false);
    unsigned seen[500] = {0};
    size_t got = 0;
    for (uint64_t tag = 0; tag < 500; tag++) {
        const struct bus_record record = {
            .topic = s->topic, .partition = BUS_PARTITION_BY_KEY, .value = bytes_of("v")};
        assert_int_equal(bus_produce(scene_producer(s), &record, tag, &s->error), BUS_OK);
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
    scene_make_topic(s, s->topic, 2, false);
    scene_produce_numbers(s, 0, 0, 300);
    scene_produce_numbers(s, 1, 300, 300);
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
    scene_make_topic(s, s->topic, 1, false);
    struct bus *small = scene_open_bus(16384);
    struct bus_producer *producer = NULL;
    assert_int_equal(bus_producer_create(small, &producer, &s->error), BUS_OK);
    size_t full = 0;
    for (int i = 0; i < 2000; i++) {
        char value[200];
        (void)snprintf(value, sizeof value, "%d %150s", i, "");
        const struct bus_record record = {.topic = s->topic, .value = bytes_of(value)};
        full += scene_produce(s, producer, &record);
    }
    scene_drain(producer);
    bus_producer_destroy(producer);
    bus_close(small);
    assert_true(full > 0);
    scene_join_as(s, &s->a, NULL, NULL, false, BUS_FROM_BEGINNING);
    bus_reader_wait_records(&s->a, 2000);
    bus_reader_wait_ends(&s->a, 1);
    scene_assert_numbers(&s->a, 0, 0, 2000);
}

static void a_record_too_large_for_its_topic_is_refused(void **state)
{
    struct scene *s = *state;
    const struct bus_topic topic = {.name = s->topic, .partitions = 1, .max_message_bytes = 4096};
    assert_int_equal(scene_create(s, &topic), BUS_OK);
    char *large = calloc(1, 20000);
    assert_non_null(large);
    for (int i = 0; i < 19999; i++) { /* hard to compress */
        large[i] = (char)('!' + (i * 7919 + i / 89) % 90);
    }
    const struct bus_record record = {.topic = s->topic, .value = {large, 20000}};
    int result = bus_produce(scene_producer(s), &record, 1, &s->error);
    if (result == BUS_OK) {
        struct bus_ack ack = {.status = BUS_OK};
        assert_int_equal(bus_producer_poll(s->producer, PATIENCE_MS, &ack, 1), 1);
        result = ack.status;
    }
    free(large);
    assert_int_equal(result, BUS_REFUSED);
    scene_produce_numbers(s, 0, 0, 1); /* the producer goes on */
    scene_join_as(s, &s->a, NULL, NULL, false, BUS_FROM_BEGINNING);
    bus_reader_wait_ends(&s->a, 1);
    scene_assert_numbers(&s->a, 0, 0, 1);
}

static void an_unknown_topic_is_refused(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 1, false);
    const struct bus_record record = {.topic = s->output, .value = bytes_of("v")};
    assert_int_equal(bus_produce(scene_producer(s), &record, 1, &s->error), BUS_REFUSED);
    assert_non_null(strstr(s->error.message, s->output));
    int32_t count = 0;
    assert_int_equal(bus_partition_count(s->bus, s->output, &count, &s->error), BUS_REFUSED);
    int64_t begin = 0;
    int64_t end = 0;
    assert_int_equal(bus_read_offsets(s->bus, s->output, 0, &begin, &end, &s->error), BUS_REFUSED);
    const struct bus_record no_partition = {.topic = s->topic, .partition = 1, .value = bytes_of("v")};
    assert_int_equal(bus_produce(s->producer, &no_partition, 1, &s->error), BUS_REFUSED);
    scene_join(s, &s->a);
    bus_reader_wait_owned(&s->a, 1);
    assert_int_equal(bus_put(s->a.member, &record, &s->error), BUS_REFUSED);
}

/* --- topics ---- */

static void assert_refused_with_repair(struct scene *s, const struct bus_topic *topic)
{
    assert_int_equal(scene_create(s, topic), BUS_REFUSED);
    assert_non_null(strstr(s->error.message, topic->name));
    assert_true(strstr(s->error.message, "'mv ") != NULL || strstr(s->error.message, "kafka-") != NULL);
}

static void an_existing_topic_is_fine_and_a_wrong_one_refused_with_its_repair(void **state)
{
    struct scene *s = *state;
    const struct bus_topic right = {
        .name = s->topic, .partitions = 3, .retention_ms = 3600000, .max_message_bytes = 65536};
    assert_int_equal(scene_create(s, &right), BUS_OK);
    assert_int_equal(scene_create(s, &right), BUS_OK);
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
    assert_int_equal(scene_create(s, &right), BUS_OK);
}

static void topics_are_listed_by_name(void **state)
{
    struct scene *s = *state;
    scene_make_topic(s, s->topic, 2, false);
    scene_make_topic(s, s->output, 3, false);
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

int run_contract_records(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_CASE(records_come_back_in_order_with_all_they_had),
        SCENE_CASE(a_key_goes_to_the_partition_of_javas_murmur2),
        SCENE_CASE(every_acknowledgement_carries_its_tag_once),
        SCENE_CASE(a_turn_brings_no_more_records_than_asked_for),
        SCENE_CASE(a_full_queue_loses_nothing),
        SCENE_CASE(a_record_too_large_for_its_topic_is_refused),
        SCENE_CASE(an_unknown_topic_is_refused),
        SCENE_CASE(an_existing_topic_is_fine_and_a_wrong_one_refused_with_its_repair),
        SCENE_CASE(topics_are_listed_by_name),
    };
    return cmocka_run_group_tests_name("records and topics", tests, NULL, NULL);
}
