/* A leader dies, in librdkafka's mock cluster of three brokers: who asks for offsets gets an answer in time,
 * and asks the successor as soon as there is one. With rd_kafka_query_watermark_offsets a member that had
 * just been given its partitions asked the dead one for ever. */
#include "bus/bus.h"
#include "clock/clock.h"

#include "cmocka_all.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <time.h>

#define BROKERS     3
#define DEAD        2
#define TOPIC       "in"
#define PATIENCE_MS 30000

static rd_kafka_t *host; /* of the mock cluster */
static rd_kafka_mock_cluster_t *cluster;
static struct bus *bus;

static void set_leader(int32_t broker)
{
    assert_int_equal(rd_kafka_mock_partition_set_leader(cluster, TOPIC, 0, broker),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
}

static int ask(int64_t *took_ms)
{
    struct error error;
    int64_t begin = -1;
    int64_t end = -1;
    int64_t begin_ms = clock_steady_ms(clock_system());
    int result = bus_read_offsets(bus, TOPIC, 0, &begin, &end, &error);
    *took_ms = clock_steady_ms(clock_system()) - begin_ms;
    if (result == BUS_OK) {
        assert_int_equal(begin, 0);
        assert_int_equal(end, 0);
    } else if (result != BUS_AWAY) {
        fail_msg("%d: %s", result, error.message);
    }
    return result;
}

static void a_dead_leader_holds_up_no_question_and_its_successor_is_found(void **state)
{
    (void)state;
    int64_t took_ms = 0;
    set_leader(DEAD);
    assert_int_equal(ask(&took_ms), BUS_OK);
    assert_int_equal(rd_kafka_mock_broker_set_down(cluster, DEAD), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(ask(&took_ms), BUS_AWAY);
    assert_true(took_ms < PATIENCE_MS); /* without an end, before */
    set_leader(1);
    int result = BUS_AWAY;
    for (int i = 0; i < 5 && result != BUS_OK; i++) {
        result = ask(&took_ms);
    }
    assert_int_equal(result, BUS_OK);
    assert_int_equal(rd_kafka_mock_broker_set_up(cluster, DEAD), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void a_partition_without_a_leader_is_away_and_not_an_error(void **state)
{
    (void)state;
    int64_t took_ms = 0;
    set_leader(-1);
    assert_int_equal(ask(&took_ms), BUS_AWAY);
    set_leader(1);
    assert_int_equal(ask(&took_ms), BUS_OK);
}

/* A new leader may not know its end yet: it says so (KIP-207). */
static void a_leader_that_does_not_know_its_end_yet_is_asked_again(void **state)
{
    (void)state;
    enum { LIST_OFFSETS = 2 };
    static const rd_kafka_resp_err_t errors[] = {RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
                                                 RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION};
    int64_t took_ms = 0;
    rd_kafka_mock_push_request_errors_array(cluster, LIST_OFFSETS, sizeof errors / sizeof errors[0], errors);
    assert_int_equal(ask(&took_ms), BUS_OK);
}

static int begin_cluster(void **state)
{
    (void)state;
    char reason[256];
    char url[256];
    struct error error;
    host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), reason, sizeof reason);
    cluster = host == NULL ? NULL : rd_kafka_mock_cluster_new(host, BROKERS);
    if (cluster == NULL ||
        rd_kafka_mock_topic_create(cluster, TOPIC, 1, BROKERS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return -1;
    }
    (void)snprintf(url, sizeof url, "kafka://%s", rd_kafka_mock_cluster_bootstraps(cluster));
    const struct bus_settings settings = {.url = url, .client_id = "test", .clock = clock_system()};
    return bus_open(&bus, &settings, &error);
}

static int end_cluster(void **state)
{
    (void)state;
    bus_close(bus);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1) { /* one case: its name, or with * */
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dead_leader_holds_up_no_question_and_its_successor_is_found),
        cmocka_unit_test(a_partition_without_a_leader_is_away_and_not_an_error),
        cmocka_unit_test(a_leader_that_does_not_know_its_end_yet_is_asked_again),
    };
    return cmocka_run_group_tests(tests, begin_cluster, end_cluster);
}
