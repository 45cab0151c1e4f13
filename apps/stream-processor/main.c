/* stream-processor: reads metrics.raw, finds latency and error anomalies and publishes each alert transition
 * exactly once. */
#include "backtest.h"
#include "detection_worker.h"
#include "explain_command.h"
#include "history_page.h"
#include "stream_feed.h"
#include "transition_page.h"
#include "verify.h"

#include "buffer/buffer.h"
#include "bus/bus.h"
#include "log/log.h"
#include "program/program.h"
#include "rule/baseline.h"
#include "rule/rule_load.h"
#include "topics/topics.h"
#include "json/json_write.h"

#include <stdio.h>
#include <stdlib.h>

#define GROUP "stream-processor"

struct values {
    const char *rules, *check_rules, *backtest, *explain, *address, *member_id, *runbook_base;
    int64_t lateness_ms, idle_after_ms, commit_interval_ms, max_series, since_ms;
    int ticks;
    bool announce_history, verify, json;
};

static void show_series(void *context, const struct http_request *request, struct http_response *response)
{
    (void)request;
    struct json_writer writer;
    json_writer_init(&writer, http_response_body(response));
    http_response_set_type(response, "application/json");
    json_object_begin(&writer);
    json_key(&writer, "series");
    json_array_begin(&writer);
    detection_worker_write(context, &writer, detector_write_series);
    json_array_end(&writer);
    json_object_end(&writer);
}

static void show_alerts(void *context, const struct http_request *request, struct http_response *response)
{
    (void)request;
    struct json_writer writer;
    json_writer_init(&writer, http_response_body(response));
    http_response_set_type(response, "application/json");
    json_object_begin(&writer);
    json_key(&writer, "alerts");
    json_array_begin(&writer);
    detection_worker_write(context, &writer, detector_write_alerts);
    json_array_end(&writer);
    json_object_end(&writer);
}

static void print_rule(const struct rule *rule)
{
    (void)printf("  %-24s %s %s %g", rule->name, rule_signal_name(rule->signal),
                 rule->below ? "below" : "above", rule->threshold);
    if (rule->is_baseline) {
        (void)printf(" times what the hour of the %s expects",
                     rule->history_slots == BASELINE_HOURS_OF_DAY ? "day" : "week");
    }
    if (rule->deviations > 0) {
        (void)printf(", %g deviations further", rule->deviations);
    }
    if (rule->min_expected > 0) {
        (void)printf(", where that is %g or more", rule->min_expected);
    }
    (void)printf(", %s\n", rule_severity_name(rule->severity));
}

static int check_rules(const char *path)
{
    struct rule_set *rules = NULL;
    struct error error;
    if (rule_set_load(&rules, path, &error) != 0) {
        (void)fprintf(stderr, "%s\n", error.message);
        return PROGRAM_USAGE;
    }
    (void)printf("%s: %zu rules are fine\n", path, rules->count);
    for (size_t i = 0; i < rules->count; i++) {
        print_rule(&rules->rules[i]);
    }
    rule_set_destroy(rules);
    return PROGRAM_DONE;
}

static int detect(struct program *program, struct bus *bus, const struct values *values,
                  struct detection_worker *worker)
{
    static const char *const topics[] = {TOPIC_METRICS_RAW, NULL};
    const struct group_worker_spec spec = {
        .program = program,
        .bus = bus,
        .group = GROUP,
        .member_id = values->member_id,
        .topics = topics,
        .state_topic = TOPIC_STREAM_PROCESSOR_STATE,
        .commit_interval_ms = values->commit_interval_ms,
        .calls = detection_worker_calls(),
        .context = worker,
    };
    int code = group_worker_run(&spec);
    while (code == GROUP_WORKER_AGAIN) {
        detection_worker_take_rules(worker);
        code = group_worker_run(&spec);
    }
    return code;
}

static int run_on_bus(struct program *program, struct bus *bus, const struct values *values,
                      struct detection_settings *settings, struct error *error)
{
    static const char *const names[] = {TOPIC_METRICS_RAW,   TOPIC_METRICS_RAW_DLQ,        TOPIC_ALERTS_FIRED,
                                        TOPIC_ALERTS_ACTIVE, TOPIC_STREAM_PROCESSOR_STATE, NULL};
    settings->partition_count = topics_find(TOPIC_METRICS_RAW)->partitions;
    struct detection_worker *worker = NULL;
    if (detection_worker_create(&worker, program, bus, settings, error) != 0) {
        return program_refuse(program, "the rules cannot be used (--rules)", error);
    }
    program_add_route(program, "GET", "/series", show_series, worker);
    program_add_route(program, "GET", "/series/history", history_page_show, worker);
    program_add_route(program, "GET", "/alerts", show_alerts, worker);
    program_add_route(program, "GET", "/alerts/*", transition_page_show, worker);
    program_add_route(program, "GET", "/stream", stream_feed_show, worker);
    int code = PROGRAM_DONE;
    if (topics_serve(program, bus, names, &code, error)) {
        code = detect(program, bus, values, worker);
    }
    detection_worker_end_streams(worker);
    program_end_serving(program);
    detection_worker_destroy(worker);
    return code;
}

static struct detector_limits limits_of(const struct values *values)
{
    return (struct detector_limits){.series = (uint32_t)values->max_series,
                                    .lateness_ms = values->lateness_ms,
                                    .idle_after_ms = values->idle_after_ms};
}

static int run(struct program *program, void *context)
{
    const struct values *values = context;
    if (values->check_rules != NULL) {
        return check_rules(values->check_rules);
    }
    if (values->explain != NULL) {
        return explain_command_run(values->explain, values->address);
    }
    struct error error;
    error_clear(&error);
    struct bus *bus = program_bus(program, &error);
    if (bus == NULL) {
        return program_refuse(program, "the bus cannot be used (--bus-url)", &error);
    }
    if (values->verify) {
        return verify_run(program, bus, values->json);
    }
    if (values->backtest != NULL) {
        const struct backtest_settings backtest = {.rules_path = values->backtest,
                                                   .limits = limits_of(values),
                                                   .since_ms = values->since_ms,
                                                   .as_json = values->json};
        return backtest_run(program, bus, &backtest);
    }
    struct detection_settings settings = {
        .rules_path = values->rules,
        .limits = limits_of(values),
        .ticks = values->ticks == 0,
        .announce_history = values->announce_history,
        .runbook_base = values->runbook_base,
    };
    return run_on_bus(program, bus, values, &settings, &error);
}

int main(int argc, char **argv)
{
    struct values values = {0};
    const struct setting settings[] = {
        {.name = "rules",
         .type = SETTING_TEXT,
         .target = &values.rules,
         .default_text = "config/anomaly-rules.yaml",
         .value_name = "FILE",
         .help = "the anomaly rules"},
        {.name = "check-rules",
         .type = SETTING_TEXT,
         .target = &values.check_rules,
         .value_name = "FILE",
         .help = "check a rule file and exit"},
        {.name = "explain",
         .type = SETTING_TEXT,
         .target = &values.explain,
         .value_name = "SERIES",
         .help = "say what the running processor sees of a series (service/region) and why, and exit"},
        {.name = "address",
         .type = SETTING_TEXT,
         .target = &values.address,
         .default_text = "127.0.0.1:8082",
         .value_name = "HOST:PORT",
         .help = "with --explain: where the processor listens"},
        {.name = "backtest",
         .type = SETTING_TEXT,
         .target = &values.backtest,
         .value_name = "FILE",
         .help = "say what these rules would have fired on the retained log, beside what fired, and exit"},
        {.name = "since",
         .type = SETTING_DURATION,
         .target = &values.since_ms,
         .default_text = "24h",
         .value_name = "TIME",
         .minimum = 60000,
         .maximum = INT64_C(366) * 86400000,
         .help = "with --backtest: how far back incidents are told"},
        {.name = "verify",
         .type = SETTING_BOOLEAN,
         .target = &values.verify,
         .help = "decide the retained log again, compare with alerts.fired, and exit: 0 equal, 1 not"},
        {.name = "json",
         .type = SETTING_BOOLEAN,
         .target = &values.json,
         .help = "with --backtest and --verify: answer in JSON"},
        {.name = "allowed-lateness",
         .type = SETTING_DURATION,
         .target = &values.lateness_ms,
         .default_text = "15s",
         .value_name = "TIME",
         .minimum = 1000,
         .maximum = 600000,
         .help = "how far behind its series a record still counts"},
        {.name = "idle-after",
         .type = SETTING_DURATION,
         .target = &values.idle_after_ms,
         .default_text = "15s",
         .value_name = "TIME",
         .minimum = 1000,
         .maximum = 600000,
         .help = "how far a silent series may stay behind its partition's clock"},
        {.name = "max-series",
         .type = SETTING_INTEGER,
         .target = &values.max_series,
         .default_text = "1000",
         .value_name = "N",
         .minimum = 1,
         .maximum = 1000000,
         .help = "most series of a partition; more are refused and counted"},
        {.name = "ticks",
         .type = SETTING_CHOICE,
         .target = &values.ticks,
         .choices = "on|off",
         .default_text = "on",
         .value_name = "WHICH",
         .help = "let time pass on partitions that are silent"},
        {.name = "member-id",
         .type = SETTING_TEXT,
         .target = &values.member_id,
         .value_name = "NAME",
         .help = "this member's lasting name in the group [the host's name]"},
        {.name = "announce-history",
         .type = SETTING_BOOLEAN,
         .target = &values.announce_history,
         .help = "at a first start, publish alerts of records older than 5 minutes too"},
        {.name = "commit-interval",
         .type = SETTING_DURATION,
         .target = &values.commit_interval_ms,
         .default_text = "1s",
         .value_name = "TIME",
         .minimum = 50,
         .maximum = 10000,
         .help = "time between commits; alerts commit at once"},
        {.name = "runbook-base",
         .type = SETTING_TEXT,
         .target = &values.runbook_base,
         .default_text = "http://127.0.0.1:3000/",
         .value_name = "URL",
         .help = "put before the runbooks of the rules"},
    };
    const struct program_spec spec = {
        .name = GROUP,
        .summary = "finds latency and error anomalies in metrics.raw and publishes each alert exactly once",
        .settings = settings,
        .setting_count = sizeof settings / sizeof settings[0],
        .default_port = 8082,
    };
    return program_run(&spec, argc, argv, run, &values);
}
