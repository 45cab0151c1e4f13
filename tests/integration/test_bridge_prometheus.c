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

/* The scrape jobs of config/prometheus.yml, at this test's port and pace. */
static struct process *scrape_both_forms(const struct bridge_world *world, char base[PROMETHEUS_BASE_BYTES])
{
    char text[1024];
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
    return prometheus_start(world->directory, text, "native-histograms,exemplar-storage", base);
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

static void check_quantiles(const char *base, const double *durations)
{
    static const double quantiles[] = {0.5, 0.9, 0.95, 0.99, 0.999};
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        char query[160];
        double exact = durations[(size_t)ceil(quantiles[i] * EVENTS) - 1];
        (void)snprintf(query, sizeof query, "histogram_quantile(%g, " NATIVE ")", quantiles[i]);
        double native = prometheus_value(base, query);
        (void)snprintf(query, sizeof query,
                       "histogram_quantile(%g, " FAMILY "_bucket{job=\"metrics-bridge\"})", quantiles[i]);
        double classic = prometheus_value(base, query);
        print_message("quantile %g: exact %.5f s, native %.5f s (%+.2f %%), classic %.5f s (%+.2f %%)\n",
                      quantiles[i], exact, native, 100 * (native / exact - 1), classic,
                      100 * (classic / exact - 1));
        assert_true(native < exact * exp2(1.0 / 32) && native > exact / exp2(1.0 / 32));
    }
}

static void prometheus_holds_both_forms_and_the_native_one_is_within_a_bucket(void **state)
{
    struct bridge_world *world = *state;
    char base[PROMETHEUS_BASE_BYTES];
    process_require_command("prometheus");
    bridge_start(world, NULL);
    double *durations = produce_latencies(world);
    bridge_wait_until_all_is_counted(world);
    struct process *prometheus = scrape_both_forms(world, base);
    prometheus_wait_for(base, "sum(up)", 2);
    prometheus_wait_for(base, "histogram_count(" NATIVE ")", EVENTS);
    prometheus_wait_for(base, FAMILY "_count{job=\"metrics-bridge\"}", EVENTS);
    prometheus_wait_for(base, "count(" FAMILY "_bucket{job=\"metrics-bridge\"})", 15);
    prometheus_wait_for(base, FAMILY "_bucket{job=\"metrics-bridge\",le=\"1.0\"}", EVENTS);
    prometheus_wait_for(base, "count(" FAMILY "{job=\"metrics-bridge\"}) or vector(0)", 0);
    prometheus_wait_for(base, "count(" FAMILY "_bucket{job=\"metrics-bridge-native\"}) or vector(0)", 0);
    prometheus_wait_for(base, "sum(http_server_requests_total{job=\"metrics-bridge\"})", EVENTS);
    check_quantiles(base, durations);

    struct buffer answer;
    char url[256];
    buffer_init(&answer, 0);
    (void)snprintf(url, sizeof url,
                   "%s/api/v1/query_exemplars?query=" FAMILY "_bucket&start=0&end=9999999999", base);
    assert_int_equal(net_get(url, &answer), 200);
    assert_non_null(strstr(buffer_text(&answer), "\"trace_id\":\"0000"));
    buffer_free(&answer);
    free(durations);
    process_free(prometheus);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, bridge_world_begin, bridge_world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(prometheus_holds_both_forms_and_the_native_one_is_within_a_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
