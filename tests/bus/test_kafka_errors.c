/* Every answer that can go wrong in a commit on Kafka, injected by librdkafka's mock cluster: it is repeated
 * until it holds, or everything is lost and begins anew, and nothing in between. (The mock shows aborted
 * records to committed readers: what is visible is asked of a real broker, in test_kafka_broker.) */
#include "bus/bus.h"
#include "clock/clock.h"

#include "cmocka_all.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 30000
#define INPUT       "in"
#define OUTPUT      "out"

enum api { PRODUCE = 0, INIT_PRODUCER = 22, ADD_PARTITIONS = 24, ADD_OFFSETS = 25, END = 26, OFFSETS = 28 };

struct fault {
    const char *name;
    enum api api;
    rd_kafka_resp_err_t errors[2]; /* ended by NO_ERROR */
    int answer;                    /* what bus_commit says */
};

static const struct fault faults[] = {
    {"the coordinator is loading", END, {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS}, BUS_OK},
    {"the coordinator has moved", END, {RD_KAFKA_RESP_ERR_NOT_COORDINATOR}, BUS_OK},
    {"a newer producer has the name", END, {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH}, BUS_RESET},
    {"the transaction has timed out", END, {RD_KAFKA_RESP_ERR_INVALID_TXN_STATE}, BUS_RESET},
    {"another transaction is ending", ADD_PARTITIONS, {RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS}, BUS_OK},
    {"the output is forbidden", ADD_PARTITIONS, {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED}, BUS_RESET},
    {"offsets find no coordinator", ADD_OFFSETS, {RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE}, BUS_OK},
    {"the group is forbidden", ADD_OFFSETS, {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED}, BUS_RESET},
    {"the group has another generation", OFFSETS, {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION}, BUS_RESET},
    {"the group doesn't know the member", OFFSETS, {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID}, BUS_RESET},
    {"the group's coordinator is loading", OFFSETS, {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS}, BUS_OK},
    {"the output's leader has moved", PRODUCE, {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION}, BUS_OK},
    {"the output is too large", PRODUCE, {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE}, BUS_RESET},
};

static rd_kafka_t *host; /* of the mock cluster */
static rd_kafka_mock_cluster_t *cluster;
static struct bus *bus;
static struct bus_member *member;

static void check(int result, const struct error *error)
{
    if (result != BUS_OK) {
        fail_msg("%d: %s", result, error->message);
    }
}

static bool is_late(int64_t since_ms)
{
    return clock_steady_ms(clock_system()) - since_ms > PATIENCE_MS;
}

/* Polls until the partition is read from; says whether it was lost before. */
static bool poll_until_reading(void)
{
    struct error error;
    struct bus_turn turn;
    bool lost = false;
    int64_t begin_ms = clock_steady_ms(clock_system());
    do {
        check(bus_poll(member, 100, &turn, &error), &error);
        lost = lost || turn.kind == BUS_LOST;
        if (turn.kind == BUS_RESTORED) {
            check(bus_start(member, INPUT, 0, BUS_FROM_BEGINNING, &error), &error);
        }
        if (is_late(begin_ms)) {
            fail_msg("nothing was read in %d s", PATIENCE_MS / 1000);
        }
    } while (turn.kind != BUS_END);
    return lost;
}

static int commit_something(struct error *error)
{
    const struct bus_record output = {.topic = OUTPUT, .partition = 0, .value = {"x", 1}};
    int result = bus_put(member, &output, error);
    if (result == BUS_OK) {
        result = bus_advance(member, INPUT, 0, 0, "", error);
    }
    return result == BUS_OK ? bus_commit(member, error) : result;
}

static void begin_anew_and_commit(void)
{
    struct error error;
    assert_true(poll_until_reading());
    check(commit_something(&error), &error);
}

/* --- the cases ---- */

static void a_commit_holds_or_everything_begins_anew(void **state)
{
    (void)state;
    struct error error;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        const struct fault *fault = &faults[i];
        print_message("           %s\n", fault->name);
        rd_kafka_mock_push_request_errors_array(cluster, (int16_t)fault->api, 1, fault->errors);
        int result = commit_something(&error);
        rd_kafka_mock_clear_request_errors(cluster, (int16_t)fault->api);
        if (result != fault->answer) {
            fail_msg("%s: %d (%s) instead of %d", fault->name, result, error.message, fault->answer);
        }
        if (result == BUS_RESET) {
            assert_int_equal(commit_something(&error), BUS_RESET); /* until the polls have said so */
            begin_anew_and_commit();
        }
    }
}

static void a_commit_without_an_answer_is_given_up_in_time(void **state)
{
    (void)state;
    struct error error;
    int64_t begin_ms = clock_steady_ms(clock_system());
    check(rd_kafka_mock_broker_push_request_error_rtts(cluster, 1, END, 1, RD_KAFKA_RESP_ERR_NO_ERROR, 60000),
          &error);
    assert_int_equal(commit_something(&error), BUS_RESET);
    assert_true(clock_steady_ms(clock_system()) - begin_ms < 8000);
    begin_anew_and_commit();
}

static void a_member_whose_broker_is_gone_leaves_in_time(void **state)
{
    (void)state;
    struct error error;
    const struct bus_record output = {.topic = OUTPUT, .partition = 0, .value = {"x", 1}};
    check(bus_put(member, &output, &error), &error);
    assert_int_equal(rd_kafka_mock_broker_set_down(cluster, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
    int64_t begin_ms = clock_steady_ms(clock_system());
    (void)bus_leave(member, &error);
    member = NULL;
    assert_true(clock_steady_ms(clock_system()) - begin_ms < 8000); /* of the 10 s that a program has */
    assert_int_equal(rd_kafka_mock_broker_set_up(cluster, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
}

/* --- the cluster ---- */

static int begin_cluster(void **state)
{
    (void)state;
    char reason[256];
    host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), reason, sizeof reason);
    cluster = host == NULL ? NULL : rd_kafka_mock_cluster_new(host, 1);
    return cluster != NULL &&
                   rd_kafka_mock_topic_create(cluster, INPUT, 1, 1) == RD_KAFKA_RESP_ERR_NO_ERROR &&
                   rd_kafka_mock_topic_create(cluster, OUTPUT, 1, 1) == RD_KAFKA_RESP_ERR_NO_ERROR
               ? 0
               : -1;
}

static int end_cluster(void **state)
{
    (void)state;
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
    return 0;
}

static int join(void **state)
{
    (void)state;
    struct error error;
    char url[256];
    static const char *const topics[] = {INPUT, NULL};
    const struct bus_member_settings wanted = {.group = "g", .topics = topics};
    (void)snprintf(url, sizeof url, "kafka://%s", rd_kafka_mock_cluster_bootstraps(cluster));
    const struct bus_settings settings = {.url = url, .client_id = "test", .clock = clock_system()};
    check(bus_open(&bus, &settings, &error), &error);
    check(bus_join(bus, &wanted, &member, &error), &error);
    assert_false(poll_until_reading());
    check(commit_something(&error), &error);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    struct error error;
    (void)bus_leave(member, &error);
    bus_close(bus);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1) { /* one case: its name, or with * */
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_commit_holds_or_everything_begins_anew, join, leave),
        cmocka_unit_test_setup_teardown(a_commit_without_an_answer_is_given_up_in_time, join, leave),
        cmocka_unit_test_setup_teardown(a_member_whose_broker_is_gone_leaves_in_time, join, leave),
    };
    return cmocka_run_group_tests(tests, begin_cluster, end_cluster);
}
