/* metrics-bridge: turns the streams of request events and log records into Prometheus metrics, with counters
 * that survive any kill. */
#include "counting_worker.h"
#include "lag_watch.h"
#include "scrape.h"
#include "series_counters.h"

#include "bus/bus.h"
#include "program/program.h"
#include "topics/topics.h"

#define GROUP "metrics-bridge"

struct values {
    const char *member_id;
    int64_t max_series, zero_first_ms, idle_ms, commit_interval_ms, lag_interval_ms;
};

/* What the bridge consists of, in the order of creation. */
struct bridge {
    struct program *program;
    struct bus *bus;
    struct series_counters *counters;
    struct counting_worker *worker;
    struct lag_watch *lag;
    struct scrape *scrape;
};

static int count(struct bridge *bridge, const struct values *values)
{
    static const char *const topics[] = {TOPIC_METRICS_RAW, TOPIC_LOGS_RAW, NULL};
    const struct group_worker_spec spec = {
        .program = bridge->program,
        .bus = bridge->bus,
        .group = GROUP,
        .member_id = values->member_id,
        .topics = topics,
        .state_topic = TOPIC_METRICS_BRIDGE_STATE,
        .commit_interval_ms = values->commit_interval_ms,
        .calls = counting_worker_calls(),
        .context = bridge->worker,
    };
    return group_worker_run(&spec);
}

static int create_parts(struct bridge *bridge, const struct values *values, struct error *error)
{
    const struct series_counters_settings settings = {.max_series = (size_t)values->max_series,
                                                      .zero_first_ms = values->zero_first_ms,
                                                      .idle_ms = values->idle_ms};
    if (series_counters_create(&bridge->counters, &settings, error) != 0 ||
        counting_worker_create(&bridge->worker, bridge->program, bridge->counters,
                               topics_find(TOPIC_METRICS_RAW)->partitions, error) != 0 ||
        lag_watch_start(&bridge->lag, bridge->program, bridge->bus, values->lag_interval_ms, error) != 0) {
        return -1;
    }
    return scrape_create(&bridge->scrape, bridge->program, bridge->counters, bridge->lag, bridge->worker,
                         error);
}

static int serve_and_count(struct bridge *bridge, const struct values *values, struct error *error)
{
    static const char *const names[] = {TOPIC_METRICS_RAW, TOPIC_LOGS_RAW, TOPIC_LOGS_RAW_DLQ,
                                        TOPIC_METRICS_BRIDGE_STATE, NULL};
    program_add_route(bridge->program, "GET", "/metrics", scrape_answer, bridge->scrape);
    int code = PROGRAM_DONE;
    return topics_serve(bridge->program, bridge->bus, names, &code, error) ? count(bridge, values) : code;
}

static int run(struct program *program, void *context)
{
    struct values *values = context;
    struct error error;
    error_clear(&error);
    struct bridge bridge = {.program = program, .bus = program_bus(program, &error)};
    if (bridge.bus == NULL) {
        return program_refuse(program, "the bus cannot be used (--bus-url)", &error);
    }
    int code = create_parts(&bridge, values, &error) != 0 ? program_fail(program, "cannot start", &error)
                                                          : serve_and_count(&bridge, values, &error);
    program_end_serving(program);
    scrape_destroy(bridge.scrape);
    lag_watch_stop(bridge.lag);
    counting_worker_destroy(bridge.worker);
    series_counters_destroy(bridge.counters);
    return code;
}

int main(int argc, char **argv)
{
    struct values values = {0};
    const struct setting settings[] = {
        {.name = "max-series",
         .type = SETTING_INTEGER,
         .target = &values.max_series,
         .default_text = "10000",
         .value_name = "N",
         .minimum = 1,
         .maximum = 10000000,
         .help = "most label sets; past it they are counted as _overflow"},
        {.name = "zero-first",
         .type = SETTING_DURATION,
         .target = &values.zero_first_ms,
         .default_text = "15s",
         .value_name = "TIME",
         .maximum = 3600000,
         .help = "how long a new service and region stands at 0: one scrape interval of Prometheus"},
        {.name = "idle-after",
         .type = SETTING_DURATION,
         .target = &values.idle_ms,
         .default_text = "1h",
         .value_name = "TIME",
         .minimum = 1000,
         .maximum = 2592000000.0,
         .help = "after how long an idle label set leaves the exposition"},
        {.name = "commit-interval",
         .type = SETTING_DURATION,
         .target = &values.commit_interval_ms,
         .default_text = "1s",
         .value_name = "TIME",
         .minimum = 50,
         .maximum = 10000,
         .help = "time between commits; only committed counts are shown"},
        {.name = "lag-interval",
         .type = SETTING_DURATION,
         .target = &values.lag_interval_ms,
         .default_text = "5s",
         .value_name = "TIME",
         .minimum = 100,
         .maximum = 300000,
         .help = "how often the groups' lag is read"},
        {.name = "member-id",
         .type = SETTING_TEXT,
         .target = &values.member_id,
         .value_name = "NAME",
         .help = "this member's lasting name in the group [the host's name]"},
    };
    const struct program_spec spec = {
        .name = GROUP,
        .summary = "turns request events and log records into Prometheus metrics",
        .settings = settings,
        .setting_count = sizeof settings / sizeof settings[0],
        .default_port = 8080,
    };
    return program_run(&spec, argc, argv, run, &values);
}
