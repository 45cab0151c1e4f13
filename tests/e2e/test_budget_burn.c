/* An hour of trouble in a minute: the real local stack, Prometheus and Alertmanager, the platform's own rules
 * with every duration divided by FACTOR (support/accelerated). A third of a service's requests fail; the
 * fast-burn alert pages, the budget falls by what the counters give by hand, and the page is resolved. */
#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "e2e/alert_watch.h"
#include "support/accelerated.h"
#include "support/http_sink.h"
#include "support/net.h"
#include "support/process.h"
#include "support/production_alertmanager.h"
#include "support/prometheus.h"
#include "support/stack.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FACTOR = 30, START_TIMEOUT_MS = 30000, WARM_UP_TIMEOUT_MS = 60000 };

#define SLO            "sloth_id=\"api-service-availability\""
#define FAST_BURN      "alertname=\"ErrorBudgetBurnRateFast\"," SLO
#define OBJECTIVE      0.999
#define COUNTS_OF_30_D 8640.0 /* one each 5 minutes */
#define REQUESTS       "http_server_requests_total{service_name=\"api-service\"}"
#define FAILED         "http_server_requests_total{service_name=\"api-service\",status_class=\"5xx\"}"
#define BURST          "{\"type\":\"error_burst\",\"service\":\"api-service\",\"duration\":\"20s\",\"magnitude\":0.3}"

static struct stack stack;
static uint16_t sink_port;
static struct http_sink *sink; /* PagerDuty's endpoint */

/* Production's Alertmanager in the same fast motion, its PagerDuty standing here. */
static const char *write_alertmanager_config(void)
{
    static char path[TEST_PATH_BYTES];
    struct buffer text, divided;
    buffer_init(&text, 0);
    buffer_init(&divided, 0);
    production_alertmanager_text(stack.directory, sink_port, &text);
    accelerated_text(buffer_text(&text), FACTOR, &divided);
    path_join(path, stack.directory, "alertmanager.yml");
    file_write(path, divided.data, divided.size);
    buffer_free(&divided);
    buffer_free(&text);
    return path;
}

static int start(void **state)
{
    (void)state;
    stack_create(&stack);
    sink_port = net_free_port();
    sink = http_sink_start(sink_port);
    stack_start(&stack, (const char *const[]){"--source", accelerated_source(&stack, FACTOR),
                                              accelerated_scrape_interval(FACTOR), "--alertmanager-config",
                                              write_alertmanager_config(), NULL});
    stack_wait_until_up(&stack, START_TIMEOUT_MS);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    stack_destroy(&stack);
    http_sink_stop(sink);
    return 0;
}

static double value(const char *query)
{
    return prometheus_value(stack_url(&stack, STACK_PROMETHEUS, ""), query);
}

static bool budget_is_known(void *context)
{
    (void)context;
    return value("count_over_time(slo:sli_total:increase5m{" SLO "}[1h])") >= 2 &&
           !isnan(value("slo:period_error_budget_remaining:ratio{" SLO "}"));
}

/* The page that names the alert: PagerDuty's key of its incident. */
static void wait_for_page(char *incident, size_t bytes)
{
    static const char key[] = "\"dedup_key\":\"";
    struct sink_request page;
    http_sink_wait(sink, "/pagerduty", "ErrorBudgetBurnRateFast", 1, 30000);
    assert_true(http_sink_get(sink, "/pagerduty", "ErrorBudgetBurnRateFast", 0, &page));
    assert_non_null(strstr(page.body, "\"event_action\":\"trigger\""));
    assert_non_null(strstr(page.body, "runbooks/error-budget-burn.md"));
    const char *at = strstr(page.body, key);
    assert_non_null(at);
    at += sizeof key - 1;
    snprintf(incident, bytes, "%.*s", (int)strcspn(at, "\""), at);
}

struct incident {
    char key[160];
};

static bool is_resolved(void *context)
{
    const struct incident *incident = context;
    struct sink_request page;
    for (size_t i = 0; http_sink_get(sink, "/pagerduty", incident->key, i, &page); i++) {
        if (strstr(page.body, "\"event_action\":\"resolve\"") != NULL) {
            return true;
        }
    }
    return false;
}

/* At a moment, in seconds since 1970; 0: nothing there. */
static double value_at(const char *function, const char *selector, const char *range, double time_s)
{
    char query[320];
    snprintf(query, sizeof query, "sum(%s(%s%s @ %.3f))", function, selector, range, time_s);
    const double sum = value(query);
    return isnan(sum) ? 0 : sum;
}

struct account {
    double counts, bad, total, left;   /* as recorded, all at the last 5-minute count */
    double counted_bad, counted_total; /* of the bridge's own counters, meanwhile */
};

static struct account read_account(void)
{
    struct account account;
    const double end_s = value("timestamp(slo:sli_total:increase5m{" SLO "})");
    account.counts = value_at("count_over_time", "slo:sli_total:increase5m{" SLO "}", "[1d]", end_s);
    account.bad = value_at("sum_over_time", "slo:sli_bad:increase5m{" SLO "}", "[1d]", end_s);
    account.total = value_at("sum_over_time", "slo:sli_total:increase5m{" SLO "}", "[1d]", end_s);
    account.left = value_at("", "slo:period_error_budget_remaining:ratio{" SLO "}", "", end_s);
    const double begin_s = end_s - account.counts * 300 / FACTOR; /* the counts leave no gap between them */
    account.counted_bad =
        value_at("max_over_time", FAILED, "[2s]", end_s) - value_at("max_over_time", FAILED, "[2s]", begin_s);
    account.counted_total = value_at("max_over_time", REQUESTS, "[2s]", end_s) -
                            value_at("max_over_time", REQUESTS, "[2s]", begin_s);
    return account;
}

static bool is_within(double value, double expected, double share)
{
    return fabs(value - expected) <= share * fabs(expected);
}

static void assert_only_api_service_was_paged(void)
{
    struct sink_request page;
    for (size_t i = 0; http_sink_get(sink, "/pagerduty", NULL, i, &page); i++) {
        if (strstr(page.body, "\"component\":\"api-service\"") == NULL) {
            fail_msg("a page for nothing: %s", page.body);
        }
    }
}

static void a_fast_burn_pages_spends_the_budget_and_resolves(void **state)
{
    (void)state;
    struct incident incident;
    assert_true(process_wait_until(budget_is_known, NULL, WARM_UP_TIMEOUT_MS));
    const double before = value("slo:period_error_budget_remaining:ratio{" SLO "}");
    assert_int_equal(alerts_firing(&stack, FAST_BURN), 0);

    assert_int_equal(
        net_send("POST", stack_url(&stack, STACK_SIMULATOR, "/faults"), "application/json", BURST, NULL),
        201);
    print_message("  fires %.1f s after the fault\n", alerts_wait_firing(&stack, FAST_BURN, 20000));
    wait_for_page(incident.key, sizeof incident.key);
    print_message("  resolved %.1f s later\n", alerts_wait_quiet(&stack, FAST_BURN, 60000));
    assert_true(process_wait_until(is_resolved, &incident, 30000));

    process_sleep_ms(300000 / FACTOR + 2000); /* the last count is in */
    const struct account account = read_account();
    const double by_hand =
        1 - account.bad / account.total * account.counts / COUNTS_OF_30_D / (1 - OBJECTIVE);
    print_message("  %.0f of %.0f requests failed (counters: %.0f of %.0f), %.0f counts of a month's %.0f\n",
                  account.bad, account.total, account.counted_bad, account.counted_total, account.counts,
                  COUNTS_OF_30_D);
    print_message("  left of the budget: %.4f before, %.4f after, %.4f by hand\n", before, account.left,
                  by_hand);
    assert_true(before > 0.98);
    assert_true(account.left < before - 0.05);
    assert_true(is_within(account.left, by_hand, 0.0001));
    /* increase() guesses at the edges of its window, the first count began before the counters, and on a busy
     * machine a scrape may come late. */
    assert_true(is_within(account.bad, account.counted_bad, 0.25));
    assert_true(is_within(account.total, account.counted_total, 0.25));
    assert_only_api_service_was_paged();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_fast_burn_pages_spends_the_budget_and_resolves)};
    return cmocka_run_group_tests(tests, start, stop);
}
