/* The real forwarder between a real bus and Debian's real Alertmanager, looked at from both ends.
 * test_alert_forwarder          on the embedded bus
 * test_alert_forwarder kafka    on a broker of its own; a second argument names the cases */
#include "alert/transition.h"
#include "buffer/buffer.h"
#include "bus/bus.h"
#include "clock/clock.h"
#include "random/random.h"
#include "support/alertmanager.h"
#include "support/exposition.h"
#include "support/files.h"
#include "support/http_sink.h"
#include "support/kafka.h"
#include "support/net.h"
#include "support/outside.h"
#include "support/process.h"
#include "support/tcp_proxy.h"
#include "support/transition_writer.h"
#include "topics/topics.h"

#include "cmocka_all.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 30000

static const char *kafka_url; /* NULL: each test has an embedded bus of its own */
static struct kafka_broker broker;
static unsigned tests_begun;

struct world {
    char directory[TEST_PATH_BYTES], log[TEST_PATH_BYTES], url[TEST_PATH_BYTES + 64];
    char service[32]; /* of this test: on one broker all tests share the topics */
    struct bus *bus;
    struct bus_producer *producer;
    struct transition_writer *writer;
    struct alertmanager_server am;
    struct http_sink *sink; /* where am posts to */
    uint16_t sink_port, port;
    struct process *forwarder;
    uint32_t sequences[16]; /* of service 0 … 15 */
    struct buffer page;
};

/* --- the world ---- */

/* Every alert is a group of its own, told within a second and told when it is over. */
static void configure(struct world *world)
{
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "route:\n"
                   "  receiver: sink\n"
                   "  group_by: ['...']\n"
                   "  group_wait: 0s\n"
                   "  group_interval: 1s\n"
                   "  repeat_interval: 4h\n"
                   "receivers:\n"
                   "  - name: sink\n"
                   "    webhook_configs:\n"
                   "      - url: http://127.0.0.1:%u/hook\n",
                   (unsigned)world->sink_port);
    alertmanager_server_create(&world->am, world->directory, text);
}

static int begin(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    *state = world;
    temp_directory_create(world->directory, "forwarder");
    path_join(world->log, world->directory, "forwarder.log");
    (void)snprintf(world->service, sizeof world->service, "test%u", tests_begun++);
    if (kafka_url != NULL) {
        (void)snprintf(world->url, sizeof world->url, "%s", kafka_url);
    } else {
        (void)snprintf(world->url, sizeof world->url, "embedded:%s/bus?durability=process", world->directory);
    }
    outside_open(world->url, &world->bus, &world->producer);
    world->writer = transition_writer_open(world->bus);
    world->sink_port = net_free_port();
    world->sink = http_sink_start(world->sink_port);
    world->port = net_free_port();
    buffer_init(&world->page, 0);
    configure(world);
    return 0;
}

static int end(void **state)
{
    struct world *world = *state;
    process_free(world->forwarder);
    alertmanager_server_kill(&world->am);
    http_sink_stop(world->sink);
    transition_writer_close(world->writer);
    outside_close(world->bus, world->producer);
    buffer_free(&world->page);
    temp_directory_remove(world->directory);
    free(world);
    return 0;
}

/* arguments: beside those of every test, NULL-ended; NULL: the one Alertmanager of the world. */
static void start_forwarder(struct world *world, const char *const *arguments)
{
    char listen[64];
    const char *argv[32] = {process_program("alert-forwarder"),
                            "--bus-url",
                            world->url,
                            "--listen",
                            listen,
                            "--member-id=test",
                            "--commit-interval=100ms",
                            "--resend-interval=500ms",
                            "--log-format=text"};
    size_t count = 9;
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)world->port);
    for (; arguments != NULL && *arguments != NULL; arguments++) {
        assert_true(count < 29);
        argv[count++] = *arguments;
    }
    if (arguments == NULL) {
        argv[count++] = "--alertmanager-url";
        argv[count++] = world->am.url;
    }
    const struct process_options options = {.log_path = world->log};
    process_free(world->forwarder);
    world->forwarder = process_start(argv, &options);
}

static void wait_until_ready(struct world *world)
{
    char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/readyz", (unsigned)world->port);
    net_wait_for(url, 200, PATIENCE_MS);
}

static double metric(struct world *world, const char *name, const char *labels)
{
    char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/metrics", (unsigned)world->port);
    buffer_clear(&world->page);
    return net_get(url, &world->page) == 200 ? exposition_sum(buffer_text(&world->page), name, labels, NULL)
                                             : -1;
}

/* --- transitions ---- */

static void put(struct world *world, unsigned number, enum alert_state state, enum rule_severity severity)
{
    char service[RULE_LABEL_BYTES];
    (void)snprintf(service, sizeof service, "%s-%u", world->service, number);
    struct alert_transition t = transition_of_errors("HighErrorRate", service, "us-east-1", state, severity);
    t.sequence = ++world->sequences[number];
    transition_writer_put(world->writer, &t);
}

static void fire(struct world *world, unsigned number)
{
    put(world, number, ALERT_FIRING, RULE_WARNING);
}

static void resolve(struct world *world, unsigned number)
{
    put(world, number, ALERT_RESOLVED, RULE_WARNING);
}

/* The labels of an alert as Alertmanager writes them: an identity to the letter. */
static const char *identity(const struct world *world, unsigned number, const char *severity,
                            const char *page)
{
    static char text[256];
    (void)snprintf(
        text, sizeof text,
        "{\"alertname\":\"HighErrorRate\",\"cloud_region\":\"us-east-1\",\"detector\":\"stream\"%s,"
        "\"service_name\":\"%s-%u\",\"severity\":\"%s\"}",
        page, world->service, number, severity);
    return text;
}

static const char *name_service(const struct world *world, unsigned number)
{
    static char text[64];
    (void)snprintf(text, sizeof text, "\"service_name\":\"%s-%u\"", world->service, number);
    return text;
}

static void expect_active(struct world *world, unsigned number, size_t count)
{
    alertmanager_server_wait(&world->am, name_service(world, number), count, PATIENCE_MS);
}

/* How many notifications said so of this service. */
static size_t count_told(struct world *world, unsigned number, const char *status)
{
    size_t count = 0;
    struct sink_request request;
    char text[64];
    (void)snprintf(text, sizeof text, "\"status\":\"%s\"", status);
    for (size_t i = 0; http_sink_get(world->sink, "/hook", name_service(world, number), i, &request); i++) {
        count += strstr(request.body, text) != NULL;
    }
    return count;
}

struct awaited {
    struct world *world;
    unsigned number;
    const char *status;
    size_t count;
    int64_t lag;
};

static bool is_told(void *context)
{
    const struct awaited *a = context;
    return count_told(a->world, a->number, a->status) >= a->count;
}

static void expect_told(struct world *world, unsigned number, const char *status, size_t count)
{
    struct awaited awaited = {.world = world, .number = number, .status = status, .count = count};
    if (!process_wait_until(is_told, &awaited, PATIENCE_MS)) {
        fail_msg("%s-%u is told %s %zu times, not %zu", world->service, number, status,
                 count_told(world, number, status), count);
    }
}

static int64_t read_lag(struct world *world)
{
    static const char *const groups[] = {"alert-forwarder"};
    static const char *const topics[] = {TOPIC_ALERTS_FIRED};
    struct bus_lag rows[8];
    size_t count = 0;
    int64_t lag = 0;
    struct error error;
    if (bus_read_lag(world->bus, groups, 1, topics, 1, rows, 8, &count, &error) != BUS_OK) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        lag += rows[i].lag;
    }
    return lag;
}

static bool has_lag(void *context)
{
    const struct awaited *a = context;
    return a->lag == 0 ? read_lag(a->world) == 0 : read_lag(a->world) >= a->lag;
}

/* 0: all is committed; otherwise: at least so many records aren't. */
static void expect_lag(struct world *world, int64_t lag)
{
    struct awaited awaited = {.world = world, .lag = lag};
    if (!process_wait_until(has_lag, &awaited, PATIENCE_MS)) {
        fail_msg("the lag is %lld, not %lld", (long long)read_lag(world), (long long)lag);
    }
}

/* --- what it tells ---- */

static void an_alert_is_told_with_its_identity_links_and_evidence_until_it_resolves(void **state)
{
    struct world *world = *state;
    alertmanager_server_start(&world->am);
    start_forwarder(world, NULL);
    wait_until_ready(world);
    fire(world, 0);
    alertmanager_server_wait(&world->am, identity(world, 0, "warning", ""), 1, PATIENCE_MS);
    buffer_clear(&world->page);
    alertmanager_server_read(&world->am, &world->page);
    const char *page = buffer_text(&world->page);
    assert_non_null(strstr(page, "\"runbook_url\":\"http://127.0.0.1:3000/runbooks/high-error-rate.md\""));
    assert_non_null(strstr(page, "\"console_url\":\"http://127.0.0.1:3000/alerts/"));
    assert_non_null(strstr(page, "\"generatorURL\":\"http://127.0.0.1:3000/alerts/"));
    assert_non_null(strstr(page, "/d/golden-signals?var-service=test"));
    assert_non_null(strstr(page, "\"value\":\"0.31\""));
    assert_non_null(strstr(page, "\"threshold\":\"0.05\""));
    assert_non_null(strstr(page, "\"samples\":\"200\""));
    assert_non_null(strstr(page, "\"bad\":\"62\""));
    assert_non_null(strstr(page, " is 31.0 %, over 5.0 % (62 of 200 requests in 10 s)"));
    assert_non_null(strstr(page, "\"event_starts_at\":"));
    resolve(world, 0);
    expect_active(world, 0, 0);
    expect_told(world, 0, "resolved", 1);
    assert_int_equal(count_told(world, 0, "firing"), 1);
    expect_lag(world, 0);
    assert_true(metric(world, "alert_forwarder_notifications_total", "result=\"sent\"") >= 2);
    assert_true(metric(world, "alert_forwarder_notifications_total", "result=\"failed\"") == 0);
    /* The resolution's at least: the firing may have come before the reader had caught up with the log. */
    assert_true(metric(world, "alert_forwarder_delay_seconds_count", "") >= 1);
    assert_true(metric(world, "alert_forwarder_last_success_timestamp_seconds", world->am.url) > 1e9);
    assert_int_equal(process_stop(world->forwarder), 0);
}

static void a_firing_alert_is_kept_alive_past_its_end(void **state)
{
    struct world *world = *state;
    const char *const arguments[] = {"--alertmanager-url", world->am.url, "--ends-after=1500ms", NULL};
    alertmanager_server_start(&world->am);
    start_forwarder(world, arguments);
    fire(world, 0);
    expect_active(world, 0, 1);
    process_sleep_ms(4000);
    expect_active(world, 0, 1);
    assert_int_equal(count_told(world, 0, "resolved"), 0);
    process_kill(world->forwarder); /* the proof that it was kept alive: without it, it ends */
    expect_told(world, 0, "resolved", 1);
}

static void a_critical_alert_that_lasts_is_told_a_second_time_as_a_page(void **state)
{
    struct world *world = *state;
    const char *const arguments[] = {"--alertmanager-url", world->am.url, "--page-after=1500ms", NULL};
    static const char page[] = ",\"page\":\"true\"";
    alertmanager_server_start(&world->am);
    start_forwarder(world, arguments);
    put(world, 0, ALERT_FIRING, RULE_CRITICAL);
    put(world, 1, ALERT_FIRING, RULE_CRITICAL);
    put(world, 2, ALERT_FIRING, RULE_WARNING);
    alertmanager_server_wait(&world->am, identity(world, 0, "critical", ""), 1, PATIENCE_MS);
    put(world, 1, ALERT_RESOLVED, RULE_CRITICAL); /* a blip */
    alertmanager_server_wait(&world->am, identity(world, 0, "critical", page), 1, PATIENCE_MS);
    expect_active(world, 0, 2);
    expect_active(world, 1, 0);
    expect_active(world, 2, 1);
    put(world, 0, ALERT_RESOLVED, RULE_CRITICAL);
    expect_active(world, 0, 0);
    expect_told(world, 0, "resolved", 2);
    assert_int_equal(count_told(world, 0, "resolved"), 2);
    assert_int_equal(count_told(world, 0, "firing"), 2);
    assert_int_equal(count_told(world, 1, "firing"), 1);
    assert_int_equal(count_told(world, 1, "resolved"), 1);
}

/* --- faults ---- */

static void killed_at_random_moments_it_ends_with_exactly_what_is_active(void **state)
{
    struct world *world = *state;
    struct random random;
    const uint64_t seed = random_seed_from_system();
    bool is_firing[12] = {false};
    size_t fired[12] = {0};
    print_message("seed %llu\n", (unsigned long long)seed);
    random_init(&random, seed);
    alertmanager_server_start(&world->am);
    start_forwarder(world, NULL);
    fire(world, 15); /* never resolves, whatever happens */
    for (int kill_number = 0; kill_number < (kafka_url == NULL ? 25 : 6); kill_number++) {
        for (unsigned changes = 0; changes < 4; changes++) {
            const unsigned number = (unsigned)random_below(&random, 12);
            is_firing[number] ? resolve(world, number) : fire(world, number);
            is_firing[number] = !is_firing[number];
            fired[number] += is_firing[number];
            process_sleep_ms((int)random_below(&random, kafka_url == NULL ? 60 : 1500));
        }
        process_kill(world->forwarder);
        start_forwarder(world, NULL);
    }
    wait_until_ready(world);
    expect_lag(world, 0);
    for (unsigned number = 0; number < 12; number++) {
        expect_active(world, number, is_firing[number] ? 1 : 0);
        /* Told no more often than it was true: changes that were over before anybody heard are left out. */
        assert_true(count_told(world, number, "firing") <= fired[number]);
        assert_true(count_told(world, number, "resolved") <= fired[number]);
        if (fired[number] == 0) {
            assert_int_equal(count_told(world, number, "firing"), 0);
        }
    }
    expect_active(world, 15, 1);
    assert_int_equal(count_told(world, 15, "firing"), 1);
    assert_int_equal(count_told(world, 15, "resolved"), 0);
}

static void an_alertmanager_that_is_away_at_the_start_hears_what_still_holds(void **state)
{
    struct world *world = *state;
    fire(world, 0);
    fire(world, 1);
    resolve(world, 1); /* over before anybody could hear */
    start_forwarder(world, NULL);
    wait_until_ready(world);
    expect_lag(world, 1);
    fire(world, 2);
    alertmanager_server_start(&world->am);
    expect_active(world, 0, 1);
    expect_active(world, 2, 1);
    expect_lag(world, 0);
    expect_told(world, 0, "firing", 1);
    expect_told(world, 2, "firing", 1);
    assert_int_equal(count_told(world, 1, "firing"), 0);
    assert_int_equal(count_told(world, 1, "resolved"), 0);
    assert_true(metric(world, "alert_forwarder_notifications_total", "result=\"failed\"") >= 1);
}

static void a_restarted_alertmanager_is_told_again_without_a_second_notification(void **state)
{
    struct world *world = *state;
    alertmanager_server_start(&world->am);
    start_forwarder(world, NULL);
    fire(world, 0);
    expect_told(world, 0, "firing", 1);
    alertmanager_server_stop(&world->am); /* it keeps what it notified of, and loses its alerts */
    alertmanager_server_start(&world->am);
    expect_active(world, 0, 1);
    process_sleep_ms(3000);
    assert_int_equal(count_told(world, 0, "firing"), 1);
    assert_int_equal(count_told(world, 0, "resolved"), 0);
    resolve(world, 0);
    expect_told(world, 0, "resolved", 1);
}

/* A machine that reboots at the wrong moment: the resolution was accepted and committed, but notified of by
 * nobody. */
static void a_resolution_is_told_again_after_both_have_restarted(void **state)
{
    struct world *world = *state;
    alertmanager_server_start(&world->am);
    start_forwarder(world, NULL);
    fire(world, 0);
    expect_told(world, 0, "firing", 1);
    http_sink_answer(world->sink, 503, NULL); /* the receiver is away, too */
    resolve(world, 0);
    expect_active(world, 0, 0);
    expect_lag(world, 0);
    process_kill(world->forwarder);
    alertmanager_server_stop(&world->am);
    http_sink_answer(world->sink, 200, NULL);
    const size_t told = count_told(world, 0, "resolved");
    alertmanager_server_start(&world->am);
    start_forwarder(world, NULL);
    expect_told(world, 0, "resolved", told + 1);
}

static void a_stalled_alertmanager_blocks_nobody_elses_delivery(void **state)
{
    struct world *world = *state;
    char stalled[64];
    const uint16_t port = net_free_port();
    (void)snprintf(stalled, sizeof stalled, "http://127.0.0.1:%u", (unsigned)port);
    struct tcp_proxy *proxy = tcp_proxy_start(port, world->sink_port);
    tcp_proxy_stall(proxy, true);
    alertmanager_server_start(&world->am);
    const char *const arguments[] = {"--alertmanager-url", stalled, "--alertmanager-url", world->am.url,
                                     NULL};
    start_forwarder(world, arguments);
    wait_until_ready(world);
    for (unsigned number = 0; number < 5; number++) {
        fire(world, number);
        const int64_t begin_ms = clock_steady_ms(clock_system());
        expect_active(world, number, 1);
        assert_true(clock_steady_ms(clock_system()) - begin_ms < 5000);
    }
    expect_lag(world, 5); /* the other one still owes its answer */
    process_signal(world->forwarder, SIGTERM);
    assert_int_equal(process_wait(world->forwarder, 10000), 0);
    tcp_proxy_stall(proxy, false);
    http_sink_answer(world->sink, 200, NULL);
    start_forwarder(world, arguments);
    http_sink_wait(world->sink, "/api/v2/alerts", name_service(world, 4), 1, PATIENCE_MS);
    expect_lag(world, 0);
    tcp_proxy_stop(proxy);
}

static void a_refused_alert_stands_alone_and_is_not_tried_for_ever(void **state)
{
    struct world *world = *state;
    char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)world->sink_port);
    const char *const arguments[] = {"--alertmanager-url", url, NULL};
    http_sink_answer(world->sink, 400, name_service(world, 7)); /* an Alertmanager that refuses the seventh */
    for (unsigned number = 0; number < 12; number++) {
        fire(world, number);
    }
    start_forwarder(world, arguments);
    wait_until_ready(world);
    expect_lag(world, 0); /* nothing is owed: eleven were accepted, one was refused */
    process_sleep_ms(2000);
    assert_true(metric(world, "alert_forwarder_notifications_total", "result=\"refused\"") == 1);
    assert_true(metric(world, "alert_forwarder_notifications_total", "result=\"sent\"") >= 11);
    assert_true(metric(world, "alert_forwarder_notifications_total", "result=\"failed\"") == 0);
    const size_t tried = http_sink_count(world->sink, "/api/v2/alerts", name_service(world, 7));
    assert_in_range(tried, 1, 5); /* 12, 6, 3, 2, 1 in a request */
    assert_int_equal(file_count_lines(world->log, "Alertmanager refused an alert"), 1);
    process_sleep_ms(1500);
    assert_int_equal(http_sink_count(world->sink, "/api/v2/alerts", name_service(world, 7)), tried);
}

static void an_alert_that_fires_again_is_the_same_one_anew(void **state)
{
    struct world *world = *state;
    alertmanager_server_start(&world->am);
    start_forwarder(world, NULL);
    for (size_t times = 1; times <= 3; times++) {
        fire(world, 0);
        expect_told(world, 0, "firing", times);
        resolve(world, 0);
        expect_told(world, 0, "resolved", times);
    }
    fire(world, 0);
    expect_told(world, 0, "firing", 4);
    process_sleep_ms(2500); /* no resolution of before is repeated into it */
    expect_active(world, 0, 1);
    assert_int_equal(count_told(world, 0, "resolved"), 3);
}

/* Each partition's alerts are told by who has it; a move is heard by nobody. */
static void two_forwarders_share_the_work_and_one_takes_over_what_the_other_leaves(void **state)
{
    struct world *world = *state;
    const char *const second[] = {"--alertmanager-url", world->am.url, "--member-id=second",
                                  "--ends-after=20s", NULL};
    const char *const first[] = {"--alertmanager-url", world->am.url, "--ends-after=20s", NULL};
    alertmanager_server_start(&world->am);
    start_forwarder(world, first);
    for (unsigned number = 0; number < 6; number++) {
        fire(world, number);
        expect_told(world, number, "firing", 1);
    }
    struct process *other = world->forwarder;
    world->forwarder = NULL;
    world->port = net_free_port();
    start_forwarder(world, second);
    wait_until_ready(world);
    for (unsigned number = 6; number < 12; number++) {
        fire(world, number);
        expect_told(world, number, "firing", 1);
    }
    process_kill(other);
    process_free(other);
    resolve(world, 0);
    resolve(world, 11);
    expect_told(world, 0, "resolved", 1);
    expect_told(world, 11, "resolved", 1);
    process_sleep_ms(21000); /* what nobody repeats any more would end by now */
    for (unsigned number = 1; number < 11; number++) {
        expect_active(world, number, 1);
        assert_int_equal(count_told(world, number, "firing"), 1);
        assert_int_equal(count_told(world, number, "resolved"), 0);
    }
    expect_lag(world, 0);
}

static void what_fires_is_kept_alive_while_the_bus_is_away(void **state)
{
    struct world *world = *state;
    const char *const arguments[] = {"--alertmanager-url", world->am.url, "--ends-after=3s", NULL};
    if (kafka_url == NULL) {
        skip(); /* the embedded bus is never away */
    }
    alertmanager_server_start(&world->am);
    start_forwarder(world, arguments);
    fire(world, 0);
    expect_told(world, 0, "firing", 1);
    transition_writer_close(world->writer);
    kafka_broker_kill(&broker);
    process_sleep_ms(25000); /* the session is lost after 10 s */
    expect_active(world, 0, 1);
    assert_int_equal(count_told(world, 0, "resolved"), 0);
    assert_int_equal(kafka_broker_start_again(&broker), 0);
    world->writer = transition_writer_open(world->bus);
    wait_until_ready(world);
    resolve(world, 0);
    expect_told(world, 0, "resolved", 1);
    assert_int_equal(count_told(world, 0, "firing"), 1);
    expect_lag(world, 0);
}

static void records_that_are_no_transition_are_counted_and_skipped(void **state)
{
    struct world *world = *state;
    const struct bus_record record = {.topic = TOPIC_ALERTS_FIRED,
                                      .partition = BUS_PARTITION_BY_KEY,
                                      .key = {"k", 1},
                                      .value = {"{\"v\":1}", 7}};
    outside_put(world->producer, &record);
    outside_wait_for_acks(world->producer);
    fire(world, 0);
    alertmanager_server_start(&world->am);
    start_forwarder(world, NULL);
    expect_active(world, 0, 1);
    expect_lag(world, 0);
    assert_true(metric(world, "alert_forwarder_unreadable_total", "") >= 1);
}

static void wrong_settings_are_refused_by_name(void **state)
{
    struct world *world = *state;
    start_forwarder(world, (const char *const[]){"--alertmanager-url=ftp://127.0.0.1", NULL});
    assert_int_equal(process_wait(world->forwarder, 10000), 2);
    start_forwarder(world, (const char *const[]){"--resend-interval=1m", "--ends-after=90s", NULL});
    assert_int_equal(process_wait(world->forwarder, 10000), 2);
    assert_int_equal(file_count_lines(world->log, "--alertmanager-url"), 1);
    assert_int_equal(file_count_lines(world->log, "--ends-after must be at least twice"), 1);
}

#define FORWARDER_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(int argc, char **argv)
{
    if (argc > 2) {
        cmocka_set_test_filter(argv[2]); /* one case: its name, or with * */
    }
    if (argc > 1 && strcmp(argv[1], "kafka") == 0) {
        const int code = kafka_broker_require(&broker);
        if (code != 0) {
            return code;
        }
        kafka_url = broker.url;
    }
    const struct CMUnitTest tests[] = {
        FORWARDER_TEST(an_alert_is_told_with_its_identity_links_and_evidence_until_it_resolves),
        FORWARDER_TEST(a_firing_alert_is_kept_alive_past_its_end),
        FORWARDER_TEST(a_critical_alert_that_lasts_is_told_a_second_time_as_a_page),
        FORWARDER_TEST(killed_at_random_moments_it_ends_with_exactly_what_is_active),
        FORWARDER_TEST(an_alertmanager_that_is_away_at_the_start_hears_what_still_holds),
        FORWARDER_TEST(a_restarted_alertmanager_is_told_again_without_a_second_notification),
        FORWARDER_TEST(a_resolution_is_told_again_after_both_have_restarted),
        FORWARDER_TEST(a_stalled_alertmanager_blocks_nobody_elses_delivery),
        FORWARDER_TEST(a_refused_alert_stands_alone_and_is_not_tried_for_ever),
        FORWARDER_TEST(an_alert_that_fires_again_is_the_same_one_anew),
        FORWARDER_TEST(two_forwarders_share_the_work_and_one_takes_over_what_the_other_leaves),
        FORWARDER_TEST(what_fires_is_kept_alive_while_the_bus_is_away),
        FORWARDER_TEST(records_that_are_no_transition_are_counted_and_skipped),
        FORWARDER_TEST(wrong_settings_are_refused_by_name),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (kafka_url != NULL) {
        kafka_broker_stop(&broker, false);
    }
    return failed;
}
