/* There is no cluster here, but there is what one would have scraped: series as kube-state-metrics and the
 * kubelet name them, an hour of them, in a real Prometheus. Every query of kubernetes-platform.json returns
 * data of them, and what can be worked out by hand is what it says. */
#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "docs/dashboard.h"
#include "support/files.h"
#include "support/net.h"
#include "support/process.h"
#include "support/prometheus.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { STEP_S = 15, SAMPLES = 240, START_TIMEOUT_MS = 20000 };

/* value + number × growth at each step. Series of a family stand together. */
struct series {
    const char *type, *name, *labels;
    double value, growth;
};

/* Two pods of one container: each uses 0.2 cores of 0.4 (0.1 asked for) and 64 MiB of 256 (128); the first
 * one crashes. Seen by two kube-state-metrics, of which each pod counts once. */
#define STATE(ksm, pod, container)                                                                           \
    "instance=\"" ksm "\",namespace=\"observability\",pod=\"" pod "\",container=\"" container "\""
#define BOTH(type, name, labels_end, value, growth)                                                          \
    {type, name, STATE("a", "sp-1", "sp") labels_end, value, growth},                                        \
        {type, name, STATE("b", "sp-1", "sp") labels_end, value, growth},                                    \
    {                                                                                                        \
        type, name, STATE("a", "sp-2", "sp") labels_end, value, 0                                            \
    }
#define USED(pod, container)          "namespace=\"observability\",pod=\"" pod "\",container=\"" container "\""
#define PHASE(pod, phase)             "namespace=\"observability\",pod=\"" pod "\",phase=\"" phase "\""
#define SCALER                        "namespace=\"observability\",horizontalpodautoscaler=\"sp\""
#define BUDGET                        "namespace=\"observability\",poddisruptionbudget=\"sp\""
#define NODE(node, condition, status) "node=\"" node "\",condition=\"" condition "\",status=\"" status "\""

static const struct series all[] = {
    {"gauge", "kube_pod_info", "namespace=\"observability\",pod=\"sp-1\"", 1, 0},
    BOTH("gauge", "kube_pod_container_info", "", 1, 0),
    {"gauge", "kube_pod_status_phase", PHASE("sp-1", "Running"), 1, 0},
    {"gauge", "kube_pod_status_phase", PHASE("sp-1", "Pending"), 0, 0},
    {"gauge", "kube_pod_status_phase", PHASE("sp-2", "Pending"), 1, 0},
    BOTH("counter", "kube_pod_container_status_restarts_total", "", 0, 0.1), /* 6 in 15 minutes */
    {"gauge", "kube_pod_container_status_waiting_reason",
     STATE("a", "sp-1", "sp") ",reason=\"CrashLoopBackOff\"", 1, 0},
    BOTH("gauge", "kube_pod_container_resource_limits", ",resource=\"cpu\"", 0.4, 0),
    BOTH("gauge", "kube_pod_container_resource_limits", ",resource=\"memory\"", 268435456, 0),
    BOTH("gauge", "kube_pod_container_resource_requests", ",resource=\"cpu\"", 0.1, 0),
    BOTH("gauge", "kube_pod_container_resource_requests", ",resource=\"memory\"", 134217728, 0),
    {"counter", "container_cpu_usage_seconds_total", USED("sp-1", "sp"), 0, 0.2 * STEP_S},
    {"counter", "container_cpu_usage_seconds_total", USED("sp-2", "sp"), 0, 0.2 * STEP_S},
    {"counter", "container_cpu_usage_seconds_total", USED("sp-1", ""), 0, 0.2 * STEP_S}, /* the pod's sum */
    {"gauge", "container_memory_working_set_bytes", USED("sp-1", "sp"), 67108864, 0},
    {"gauge", "container_memory_working_set_bytes", USED("sp-2", "sp"), 67108864, 0},
    {"gauge", "container_memory_working_set_bytes", USED("sp-1", ""), 67108864, 0},
    {"counter", "container_cpu_cfs_throttled_periods_total", USED("sp-1", "sp"), 0, 30},
    {"counter", "container_cpu_cfs_periods_total", USED("sp-1", "sp"), 0, 150},
    {"gauge", "kube_horizontalpodautoscaler_status_current_replicas", SCALER, 2, 0},
    {"gauge", "kube_horizontalpodautoscaler_status_desired_replicas", SCALER, 3, 0},
    {"gauge", "kube_horizontalpodautoscaler_spec_min_replicas", SCALER, 1, 0},
    {"gauge", "kube_horizontalpodautoscaler_spec_max_replicas", SCALER, 2, 0},
    {"gauge", "kube_poddisruptionbudget_status_pod_disruptions_allowed", BUDGET, 1, 0},
    {"gauge", "kube_poddisruptionbudget_status_current_healthy", BUDGET, 2, 0},
    {"gauge", "kube_poddisruptionbudget_status_desired_healthy", BUDGET, 1, 0},
    {"gauge", "kube_node_status_condition", NODE("n1", "Ready", "true"), 1, 0},
    {"gauge", "kube_node_status_condition", NODE("n1", "Ready", "false"), 0, 0},
    {"gauge", "kube_node_status_condition", NODE("n1", "MemoryPressure", "true"), 0, 0},
    {"gauge", "kube_node_status_condition", NODE("n2", "Ready", "true"), 0, 0},
    {"gauge", "kube_node_status_condition", NODE("n2", "Ready", "false"), 1, 0},
    {"gauge", "kube_node_status_condition", NODE("n2", "MemoryPressure", "true"), 1, 0},
};

static const struct {
    const char *panel;
    double value; /* of its first query */
} expected[] = {
    {"Pods that don't run", 1},
    {"Most restarts in 15 minutes", 6},
    {"Autoscalers at their maximum", 1},
    {"Nodes in trouble", 1},
    {"CPU of the limit", 0.5},
    {"Memory of the limit", 0.25},
    {"Throttling", 0.2},
    {"Autoscalers: replicas against target", 2},
    {"Disruption budgets: headroom", 1},
};
enum { EXPECTED = sizeof expected / sizeof expected[0] };

static char directory[TEST_PATH_BYTES], base[64];
static struct process *prometheus;

/* The text that promtool makes blocks of: OpenMetrics with times. */
static void write_history(const char *path)
{
    struct buffer text;
    const long long end_s = (long long)time(NULL);
    buffer_init(&text, 0);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (i == 0 || strcmp(all[i].name, all[i - 1].name) != 0) {
            const size_t size = strlen(all[i].name);
            const bool total = strcmp(all[i].type, "counter") == 0;
            buffer_append_format(&text, "# TYPE %.*s %s\n", (int)(total ? size - 6 : size), all[i].name,
                                 all[i].type);
        }
        for (int n = 0; n < SAMPLES; n++) {
            buffer_append_format(&text, "%s{%s} %g %lld\n", all[i].name, all[i].labels,
                                 all[i].value + n * all[i].growth, end_s - (SAMPLES - 1 - n) * STEP_S);
        }
    }
    buffer_append_text(&text, "# EOF\n");
    file_write(path, text.data, text.size);
    buffer_free(&text);
}

static int start(void **state)
{
    (void)state;
    char history[TEST_PATH_BYTES], data[TEST_PATH_BYTES];
    if (!process_has_command("prometheus") || !process_has_command("promtool")) {
        return 0; /* the cases skip, or fail in CI */
    }
    temp_directory_create(directory, "kubernetes-dashboard");
    path_join(history, directory, "history.txt");
    path_join(data, directory, "data");
    write_history(history);
    struct buffer output;
    buffer_init(&output, 0);
    if (process_run((const char *const[]){"promtool", "tsdb", "create-blocks-from", "openmetrics", history,
                                          data, NULL},
                    START_TIMEOUT_MS, &output) != 0) {
        fail_msg("promtool made no blocks: %s", buffer_text(&output));
    }
    buffer_free(&output);
    prometheus = prometheus_start(directory, "scrape_configs: []\n", NULL, base);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    process_free(prometheus);
    if (*directory != '\0') {
        temp_directory_remove(directory);
    }
    return 0;
}

static size_t problems, asked, compared;

/* Of the services and of alerts there is nothing here; test_live_pages asks for these. */
static bool is_of_cluster(const struct dashboard_query *query)
{
    return strstr(query->file, "kubernetes-platform") != NULL &&
           (strstr(query->expression, "kube_") != NULL || strstr(query->expression, "container_") != NULL);
}

static void check_has_data(void *context, const struct dashboard_query *query)
{
    struct buffer *answer = context;
    if (!is_of_cluster(query)) {
        return;
    }
    asked++;
    if (prometheus_try(base, query->expression, answer) <= 0) {
        problems++;
        print_error("%s: no data: %s\n%s\n", query->panel, query->expression, buffer_text(answer));
    }
}

static void every_query_about_the_cluster_returns_data(void **state)
{
    (void)state;
    struct buffer answer;
    process_require_command("prometheus");
    buffer_init(&answer, 0);
    dashboard_each_query(check_has_data, &answer);
    buffer_free(&answer);
    print_message("  %zu queries\n", asked);
    assert_true(asked > 25);
    assert_int_equal(problems, 0);
}

static void check_value(void *context, const struct dashboard_query *query)
{
    bool *done = context;
    for (size_t i = 0; is_of_cluster(query) && i < EXPECTED; i++) {
        if (!done[i] && strcmp(query->panel, expected[i].panel) == 0) {
            const double value = prometheus_value(base, query->expression);
            done[i] = true;
            compared++;
            if (!(value > expected[i].value * 0.999 && value < expected[i].value * 1.001)) {
                problems++;
                print_error("%s: %g, not %g: %s\n", query->panel, value, expected[i].value,
                            query->expression);
            }
        }
    }
}

static void figures_are_those_worked_out_by_hand(void **state)
{
    (void)state;
    bool done[EXPECTED] = {false};
    process_require_command("prometheus");
    problems = 0;
    dashboard_each_query(check_value, done);
    assert_int_equal(compared, EXPECTED);
    assert_int_equal(problems, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_query_about_the_cluster_returns_data),
        cmocka_unit_test(figures_are_those_worked_out_by_hand),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
