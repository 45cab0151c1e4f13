/* alert-forwarder: tells Alertmanagers what alerts.fired says, and goes on telling them while it holds. */
#include "alert_table.h"
#include "alertmanager.h"
#include "forward_metrics.h"
#include "forward_worker.h"
#include "notification.h"

#include "bus/bus.h"
#include "program/program.h"
#include "topics/topics.h"

#include <stdio.h>
#include <string.h>

#define GROUP "alert-forwarder"

struct values {
    struct setting_list urls;
    const char *member_id;
    struct notification_links links;
    int64_t resend_ms, ends_after_ms, resolved_for_ms, page_after_ms, timeout_ms, commit_interval_ms,
        max_alerts;
};

/* What the forwarder consists of, in the order of creation. */
struct forwarder {
    struct program *program;
    struct bus *bus;
    struct forward_metrics metrics;
    struct alert_table *table;
    struct forward_worker *worker;
    struct alertmanager *alertmanagers[ALERT_TABLE_TARGETS];
    unsigned targets;
};

static int create_parts(struct forwarder *forwarder, const struct values *values, struct error *error)
{
    const struct alert_table_settings settings = {.targets = forwarder->targets,
                                                  .most_alerts = (size_t)values->max_alerts,
                                                  .resend_ms = values->resend_ms,
                                                  .ends_after_ms = values->ends_after_ms,
                                                  .resolved_for_ms = values->resolved_for_ms,
                                                  .page_after_ms = values->page_after_ms,
                                                  .links = &values->links,
                                                  .clock = program_clock(forwarder->program)};
    forward_metrics_init(&forwarder->metrics, program_metrics(forwarder->program), values->urls.items,
                         forwarder->targets);
    if (alert_table_create(&forwarder->table, &settings, error) != 0 ||
        forward_worker_create(&forwarder->worker, forwarder->program, forwarder->bus, forwarder->table,
                              &forwarder->metrics, error) != 0) {
        return -1;
    }
    for (unsigned i = 0; i < forwarder->targets; i++) {
        const struct alertmanager_settings alertmanager = {.program = forwarder->program,
                                                           .table = forwarder->table,
                                                           .metrics = &forwarder->metrics,
                                                           .target = i,
                                                           .url = values->urls.items[i],
                                                           .timeout_ms = values->timeout_ms};
        if (alertmanager_start(&forwarder->alertmanagers[i], &alertmanager, error) != 0) {
            return -1;
        }
    }
    return 0;
}

static void destroy_parts(struct forwarder *forwarder)
{
    program_stop(forwarder->program); /* nobody goes on waiting to try again */
    for (unsigned i = 0; i < forwarder->targets; i++) {
        alertmanager_stop(forwarder->alertmanagers[i]);
    }
    for (unsigned i = 0; i < forwarder->targets; i++) {
        alertmanager_join(forwarder->alertmanagers[i]);
    }
    forward_worker_destroy(forwarder->worker);
    alert_table_destroy(forwarder->table);
}

static int forward(struct forwarder *forwarder, const struct values *values)
{
    static const char *const topics[] = {TOPIC_ALERTS_FIRED, NULL};
    const struct group_worker_spec spec = {
        .program = forwarder->program,
        .bus = forwarder->bus,
        .group = GROUP,
        .member_id = values->member_id,
        .topics = topics,
        .state_topic = TOPIC_ALERTS_ACTIVE, /* the processor's; only read here */
        .commit_interval_ms = values->commit_interval_ms,
        .calls = forward_worker_calls(),
        .context = forwarder->worker,
    };
    return group_worker_run(&spec);
}

static int serve_and_forward(struct forwarder *forwarder, const struct values *values, struct error *error)
{
    static const char *const names[] = {TOPIC_ALERTS_FIRED, TOPIC_ALERTS_ACTIVE, NULL};
    int code = PROGRAM_DONE;
    return topics_serve(forwarder->program, forwarder->bus, names, &code, error) ? forward(forwarder, values)
                                                                                 : code;
}

/* What the table of settings can't say. */
static int check(const struct values *values, struct error *error)
{
    if (values->urls.count > ALERT_TABLE_TARGETS) {
        return error_set(error, -1, "%zu Alertmanagers, at most %d (--alertmanager-url)", values->urls.count,
                         ALERT_TABLE_TARGETS);
    }
    for (size_t i = 0; i < values->urls.count; i++) {
        if (strncmp(values->urls.items[i], "http://", 7) != 0) {
            return error_set(error, -1, "'%s' isn't http://host:port (--alertmanager-url)",
                             values->urls.items[i]);
        }
    }
    if (values->ends_after_ms < 2 * values->resend_ms) {
        return error_set(
            error, -1,
            "--ends-after must be at least twice --resend-interval: an alert would end between two "
            "repetitions");
    }
    return 0;
}

static int run(struct program *program, void *context)
{
    struct values *values = context;
    struct error error;
    error_clear(&error);
    if (check(values, &error) != 0) {
        return program_refuse(program, "wrong settings", &error);
    }
    struct forwarder forwarder = {
        .program = program, .bus = program_bus(program, &error), .targets = (unsigned)values->urls.count};
    if (forwarder.bus == NULL) {
        return program_refuse(program, "the bus cannot be used (--bus-url)", &error);
    }
    const int code = create_parts(&forwarder, values, &error) != 0
                         ? program_fail(program, "cannot start", &error)
                         : serve_and_forward(&forwarder, values, &error);
    program_end_serving(program);
    destroy_parts(&forwarder);
    return code;
}

int main(int argc, char **argv)
{
    struct values values = {0};
    const struct setting settings[] = {
        {.name = "alertmanager-url",
         .type = SETTING_LIST,
         .target = &values.urls,
         .default_text = "http://127.0.0.1:9093",
         .value_name = "URL",
         .help = "an Alertmanager; may be repeated, each gets every alert"},
        {.name = "resend-interval",
         .type = SETTING_DURATION,
         .target = &values.resend_ms,
         .default_text = "30s",
         .value_name = "TIME",
         .minimum = 100,
         .maximum = 3600000,
         .help = "how often an alert that still holds, or was resolved lately, is told again"},
        {.name = "ends-after",
         .type = SETTING_DURATION,
         .target = &values.ends_after_ms,
         .default_text = "5m",
         .value_name = "TIME",
         .minimum = 1000,
         .maximum = 86400000,
         .help = "when Alertmanager takes a firing alert for over that it hears no more of"},
        {.name = "resolved-for",
         .type = SETTING_DURATION,
         .target = &values.resolved_for_ms,
         .default_text = "5m",
         .value_name = "TIME",
         .maximum = 86400000,
         .help = "how long a resolution is told again"},
        {.name = "page-after",
         .type = SETTING_DURATION,
         .target = &values.page_after_ms,
         .default_text = "40s",
         .value_name = "TIME",
         .maximum = 86400000,
         .help = "how long a critical alert fires before it gets page=\"true\""},
        {.name = "timeout",
         .type = SETTING_DURATION,
         .target = &values.timeout_ms,
         .default_text = "5s",
         .value_name = "TIME",
         .minimum = 100,
         .maximum = 8000,
         .help = "of one request to an Alertmanager"},
        {.name = "max-alerts",
         .type = SETTING_INTEGER,
         .target = &values.max_alerts,
         .default_text = "10000",
         .value_name = "N",
         .minimum = 1,
         .maximum = 1000000,
         .help = "most alerts kept, 1.5 KiB each; more are refused and counted"},
        {.name = "runbook-base",
         .type = SETTING_TEXT,
         .target = &values.links.runbook_base,
         .default_text = "http://127.0.0.1:3000/",
         .value_name = "URL",
         .help = "put before a runbook that is no absolute address"},
        {.name = "console-url",
         .type = SETTING_TEXT,
         .target = &values.links.console_url,
         .default_text = "http://127.0.0.1:3000",
         .value_name = "URL",
         .help = "the console, for links to the alert; \"\": no links"},
        {.name = "dashboard-url",
         .type = SETTING_TEXT,
         .target = &values.links.dashboard_url,
         .default_text = "http://127.0.0.1:3000/d/golden-signals",
         .value_name = "URL",
         .help = "the dashboard of a service; var-service and var-region are added; \"\": no links"},
        {.name = "commit-interval",
         .type = SETTING_DURATION,
         .target = &values.commit_interval_ms,
         .default_text = "1s",
         .value_name = "TIME",
         .minimum = 50,
         .maximum = 10000,
         .help = "time between commits"},
        {.name = "member-id",
         .type = SETTING_TEXT,
         .target = &values.member_id,
         .value_name = "NAME",
         .help = "this member's lasting name in the group [the host's name]"},
    };
    const struct program_spec spec = {
        .name = GROUP,
        .summary = "tells Alertmanagers of the alerts in alerts.fired, for as long as they hold",
        .settings = settings,
        .setting_count = sizeof settings / sizeof settings[0],
        .default_port = 8084,
    };
    return program_run(&spec, argc, argv, run, &values);
}
