/* Debian's Prometheus scrapes both forms of the bridge's histograms, as the local stack has it, and holds
 * what was counted. */
#include "bridge_world.h"

#include "random/random.h"
#include "support/net.h"
#include "support/outside.h"
#include "support/process.h"
#include "support/prometheus.h"

#include "cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS = 20000 };

#define FAMILY "http_server_request_duration_seconds"
#define NATIVE FAMILY "{job=\"metrics-bridge-native\"}"

struct scraped {
    struct process *prometheus;
    char base[64];
};

/* The scrape jobs of config/prometheus.yml, at this test's port and pace. */
static void start_prometheus(struct bridge_world *world, struct scraped *scraped)
{
    char config[TEST_PATH_BYTES];
    char text[1024];
    char arguments[4][TEST_PATH_BYTES + 64];
    uint16_t port = net_free_port();
    path_join(config, world->directory, "prometheus.yml");
    (void)snprintf(text, sizeof text,
                   "global: {scrape_interval: 500ms, scrape_timeout: 500ms}\n"
                   "scrape_configs:\n"
                   "  - job_name: metrics-bridge\n"
                   "    params: {histograms: [classic]}\n"
                   "    static_configs: [{targets: ['127.0.0.1:%u']}]\n"
                   "  - job_name: metrics-bridge-native\n"
                   "    params: {histograms: [native]}\n"
                   "    static_configs: [{targets: ['127.0.0.1:%u']}]\n",
                   (unsigned)world->port, (unsigned)world->port);
    file_write_text(config, text);
    (void)snprintf(scraped->base, sizeof scraped->base, "http://127.0.0.1:%u", (unsigned)port);
    (void)snprintf(arguments[0], sizeof arguments[0], "--config.file=%s", config);
    (void)snprintf(arguments[1], sizeof arguments[1], "--storage.tsdb.path=%s/tsdb", world->directory);
    (void)snprintf(arguments[2], sizeof arguments[2], "--web.listen-address=127.0.0.1:%u", (unsigned)port);
    const char *argv[] = {"prometheus",
                          arguments[0],
                          arguments[1],
                          arguments[2],
                          "--enable-feature=native-histograms,exemplar-storage",
                          NULL};
    char log_path[TEST_PATH_BYTES];
    path_join(log_path, world->directory, "prometheus.log");
    const struct process_options options = {.log_path = log_path};
    scraped->prometheus = process_start(argv, &options);
}

struct waiting {
    const char *base, *query;
    double value;
};

static bool has_value(void *context)
{
    const struct waiting *waiting = context;
    return prometheus_value(waiting->base, waiting->query) == waiting->value;
}

static void wait_for_answer(const struct scraped *scraped, const char *query, double value)
{
    struct waiting waiting = {scraped->base, query, value};
    if (!process_wait_until(has_value, &waiting, PATIENCE_MS)) {
        fail_msg("%s is %g instead of %g", query, prometheus_value(scraped->base, query), value);
    }
}

static int compare_reals(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One series, log-normal latencies that need no more than 160 buckets. */
static double *produce_latencies(struct bridge_world *world)
{
    struct random random;
    double *durations = calloc(EVENTS, sizeof *durations);
    assert_non_null(durations);
    random_init(&random, 42);
    for (uint64_t i = 0; i < EVENTS; i++) {
        char id[32];
        char trace_id[33];
        struct event event = bridge_make_event(0, id);
        durations[i] = exp(0.35 * random_normal(&random) - 2);
        (void)snprintf(id, sizeof id, "q%llu", (unsigned long long)i);
        (void)snprintf(trace_id, sizeof trace_id, "%032llx", (unsigned long long)i + 1);
        event.id = (struct event_text){id, strlen(id)};
        event.trace_id = (struct event_text){trace_id, 32};
        event.duration_s = durations[i];
        bridge_produce_event(world, &event);
    }
    outside_wait_for_acks(world->producer);
    qsort(durations, EVENTS, sizeof *durations, compare_reals);
    return durations;
}

static void check_quantiles(const struct scraped *scraped, const double *durations)
{
    static const double quantiles[] = {0.5, 0.9, 0.95, 0.99, 0.999};
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        char query[160];
        double exact = durations[(size_t)ceil(quantiles[i] * EVENTS) - 1];
        (void)snprintf(query, sizeof query, "histogram_quantile(%g, " NATIVE ")", quantiles[i]);
        double native = prometheus_value(scraped->base, query);
        (void)snprintf(query, sizeof query,
                       "histogram_quantile(%g, " FAMILY "_bucket{job=\"metrics-bridge\"})", quantiles[i]);
        double classic = prometheus_value(scraped->base, query);
        print_message("quantile %g: exact %.5f s, native %.5f s (%+.2f %%), classic %.5f s (%+.2f %%)\n",
                      quantiles[i], exact, native, 100 * (native / exact - 1), classic,
                      100 * (classic / exact - 1));
        assert_true(native < exact * exp2(1.0 / 32) && native > exact / exp2(1.0 / 32));
    }
}

static void prometheus_holds_both_forms_and_the_native_one_is_within_a_bucket(void **state)
{
    struct bridge_world *world = *state;
    struct scraped scraped;
    process_require_command("prometheus");
    bridge_start(world, NULL);
    double *durations = produce_latencies(world);
    bridge_wait_until_all_is_counted(world);
    start_prometheus(world, &scraped);
    char ready[80];
    (void)snprintf(ready, sizeof ready, "%s/-/ready", scraped.base);
    net_wait_for(ready, 200, PATIENCE_MS);
    wait_for_answer(&scraped, "sum(up)", 2);
    wait_for_answer(&scraped, "histogram_count(" NATIVE ")", EVENTS);
    wait_for_answer(&scraped, FAMILY "_count{job=\"metrics-bridge\"}", EVENTS);
    wait_for_answer(&scraped, "count(" FAMILY "_bucket{job=\"metrics-bridge\"})", 15);
    wait_for_answer(&scraped, FAMILY "_bucket{job=\"metrics-bridge\",le=\"1.0\"}", EVENTS);
    wait_for_answer(&scraped, "count(" FAMILY "{job=\"metrics-bridge\"}) or vector(0)", 0);
    wait_for_answer(&scraped, "count(" FAMILY "_bucket{job=\"metrics-bridge-native\"}) or vector(0)", 0);
    wait_for_answer(&scraped, "sum(http_server_requests_total{job=\"metrics-bridge\"})", EVENTS);
    check_quantiles(&scraped, durations);

    struct buffer answer;
    char url[256];
    buffer_init(&answer, 0);
    (void)snprintf(url, sizeof url,
                   "%s/api/v1/query_exemplars?query=" FAMILY "_bucket&start=0&end=9999999999", scraped.base);
    assert_int_equal(net_get(url, &answer), 200);
    assert_non_null(strstr(buffer_text(&answer), "\"trace_id\":\"0000"));
    buffer_free(&answer);
    free(durations);
    process_free(scraped.prometheus);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, bridge_world_begin, bridge_world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(prometheus_holds_both_forms_and_the_native_one_is_within_a_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
