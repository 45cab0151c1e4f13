/* What only a real Kafka broker can be asked: how batches are stored, whether other clients agree, and what a
 * restart costs. */
#include "bus/bus.h"
#include "clock/clock.h"
#include "random/random.h"
#include "support/files.h"
#include "support/kafka.h"
#include "support/process.h"

#include "buffer/buffer.h"
#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 60000
#define RECORDS     2000

static struct kafka_broker broker;

static void check(int result, const struct error *error)
{
    if (result != BUS_OK) {
        fail_msg("%d: %s", result, error->message);
    }
}

static struct bus *open_with_topic(char topic[64], int32_t partitions)
{
    struct bus *bus = NULL;
    struct error error;
    const struct bus_settings settings = {.url = broker.url, .client_id = "test", .clock = clock_system()};
    (void)snprintf(topic, 64, "stored-%016llx", (unsigned long long)random_seed_from_system());
    const struct bus_topic wanted = {.name = topic, .partitions = partitions, .retention_ms = 86400000};
    check(bus_open(&bus, &settings, &error), &error);
    check(bus_create_topics(bus, &wanted, 1, &error), &error);
    return bus;
}

static void produce(struct bus_producer *producer, const char *topic, int32_t partition, const char *key)
{
    static const char value[] =
        "a value that says the same again and again, again and again, again and again";
    const struct bus_record record = {
        .topic = topic, .partition = partition, .key = {key, strlen(key)}, .value = {value, strlen(value)}};
    struct error error;
    struct bus_ack acks[64];
    int result;
    while ((result = bus_produce(producer, &record, 0, &error)) == BUS_FULL) {
        (void)bus_producer_poll(producer, 100, acks, 64);
    }
    check(result, &error);
}

static void wait_for_acks(struct bus_producer *producer)
{
    struct bus_ack acks[64];
    int64_t deadline_ms = clock_steady_ms(clock_system()) + PATIENCE_MS;
    while (bus_producer_pending(producer) > 0) {
        size_t count = bus_producer_poll(producer, 1000, acks, 64);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(acks[i].status, BUS_OK);
        }
        assert_true(clock_steady_ms(clock_system()) < deadline_ms);
    }
}

static int64_t records_of(struct bus *bus, const char *topic, int32_t partition)
{
    int64_t begin = 0;
    int64_t end = 0;
    struct error error;
    int result;
    int64_t deadline_ms = clock_steady_ms(clock_system()) + PATIENCE_MS;
    while ((result = bus_read_offsets(bus, topic, partition, &begin, &end, &error)) == BUS_AWAY &&
           clock_steady_ms(clock_system()) < deadline_ms) {
        process_sleep_ms(200);
    }
    check(result, &error);
    return end - begin;
}

static void batches_are_stored_with_lz4(void **state)
{
    (void)state;
    char topic[64];
    char segment[2 * TEST_PATH_BYTES];
    struct error error;
    struct bus_producer *producer = NULL;
    struct buffer output;
    struct bus *bus = open_with_topic(topic, 1);
    check(bus_producer_create(bus, &producer, &error), &error);
    for (int i = 0; i < RECORDS; i++) {
        produce(producer, topic, 0, "key");
    }
    wait_for_acks(producer);
    (void)snprintf(segment, sizeof segment, "%s/data/%s-0/00000000000000000000.log", broker.directory, topic);
    const char *const argv[] = {OBS_SOURCE_DIR "/scripts/kafka-tool", "kafka.tools.DumpLogSegments",
                                "--files", segment, NULL};
    buffer_init(&output, 0);
    assert_int_equal(process_run(argv, PATIENCE_MS, &output), 0);
    assert_non_null(strstr(buffer_text(&output), "compresscodec: lz4"));
    assert_null(strstr(buffer_text(&output), "compresscodec: none"));
    buffer_free(&output);
    bus_producer_destroy(producer);
    bus_close(bus);
}

/* kcat is librdkafka with another partitioner by default; with Java's it must choose as we do. */
static void kcat_with_javas_partitioner_puts_keys_where_we_put_them(void **state)
{
    (void)state;
    char topic[64];
    char path[TEST_PATH_BYTES];
    char brokers[64];
    struct bus *bus = open_with_topic(topic, 5);
    process_require_command("kcat");
    path_join(path, broker.directory, "keys.txt");
    (void)snprintf(brokers, sizeof brokers, "127.0.0.1:%u", (unsigned)broker.port);
    for (int i = 0; i < 20; i++) {
        char key[32];
        char line[64];
        (void)snprintf(key, sizeof key, "service-%d|region-%d", i, i % 3);
        (void)snprintf(line, sizeof line, "%s;x\n", key);
        int32_t expected = bus_partition_for_key(key, strlen(key), 5);
        int64_t before = records_of(bus, topic, expected);
        file_write_text(path, line);
        const char *const argv[] = {"kcat", "-P", "-b", brokers, "-t",
                                    topic,  "-K", ";",  "-X",    "partitioner=murmur2_random",
                                    "-l",   path, NULL};
        assert_int_equal(process_run(argv, PATIENCE_MS, NULL), 0);
        assert_int_equal(records_of(bus, topic, expected), before + 1);
    }
    bus_close(bus);
}

static void a_restart_of_the_broker_loses_and_repeats_no_record(void **state)
{
    (void)state;
    char topic[64];
    struct error error;
    struct bus_producer *producer = NULL;
    struct bus *bus = open_with_topic(topic, 1);
    check(bus_producer_create(bus, &producer, &error), &error);
    for (int i = 0; i < RECORDS; i++) {
        produce(producer, topic, 0, "before");
    }
    kafka_broker_stop(&broker, true);
    for (int i = 0; i < RECORDS; i++) { /* taken into the queue while nobody is there */
        produce(producer, topic, 0, "meanwhile");
    }
    assert_int_equal(kafka_broker_start_again(&broker), 0);
    wait_for_acks(producer);
    assert_int_equal(records_of(bus, topic, 0), 2 * RECORDS);
    bus_producer_destroy(producer);
    bus_close(bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_are_stored_with_lz4),
        cmocka_unit_test(kcat_with_javas_partitioner_puts_keys_where_we_put_them),
        cmocka_unit_test(a_restart_of_the_broker_loses_and_repeats_no_record),
    };
    int code = kafka_broker_require(&broker);
    if (code != 0) {
        return code;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kafka_broker_stop(&broker, false);
    return failed;
}
