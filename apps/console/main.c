/* console: the platform as a web page: live tiles, alerts and why, dashboards, SLOs, logs, faults to learn
 * with. */
#include "acceptance.h"
#include "guard.h"
#include "live.h"
#include "log_page.h"
#include "log_ring.h"
#include "notifications.h"
#include "pages.h"
#include "processor_set.h"
#include "processors.h"
#include "proxies.h"
#include "resolver.h"
#include "topic_tail.h"

#include "bus/bus.h"
#include "http/host_name.h"
#include "program/program.h"
#include "topics/topics.h"
#include "json/json_read.h"

#include <string.h>

#define LOG_LINES_FIRST  200 /* of each partition of logs.raw, when it starts */
#define TRANSITION_BYTES 65536
#define PAGES_MOST       200
#define CONNECTIONS      600
#define THREADS          4
#define WAITING_SHARE    8 /* of each that is waited for: processors, Prometheus, Alertmanager, simulator */
#define WAITING_THREADS  (4 * WAITING_SHARE)
#define LOOK_UP_MS       5000 /* the processors' names; what a cluster's name server holds an answer for */

struct values {
    struct setting_list processors, public_hosts;
    const char *prometheus, *alertmanager, *simulator, *dashboards, *runbooks, *token_file;
};

struct console {
    struct program *program;
    struct bus *bus;
    struct guard *guard;
    struct pages pages;
    struct processor_set *processors;
    struct proxies proxies;
    struct live *live;
    struct log_ring *logs;
    struct json_reader *reader;    /* of the thread that follows alerts.fired */
    struct acceptance *acceptance; /* NULL: there is no Alertmanager */
    struct topic_tail *alert_tail, *log_tail;
};

static void take_transition(void *context, const struct bus_record *record)
{
    struct console *console = context;
    const struct bus_bytes *value = &record->value;
    if (value->data != NULL &&
        json_read(console->reader, value->data, value->size_bytes, NULL, NULL, NULL) == JSON_OK) {
        live_take_transition(console->live, value->data, value->size_bytes);
        acceptance_expect(console->acceptance, value->data, value->size_bytes);
    }
}

static int create_parts(struct console *console, const struct values *values, struct error *error)
{
    const char *address = program_listen_address(console->program, error);
    if (address == NULL) {
        return -1;
    }
    const struct guard_settings guard = {.token_file = values->token_file,
                                         .public_hosts = values->public_hosts.items,
                                         .is_loopback = host_address_is_loopback(address)};
    const struct live_settings live = {.program = console->program, .most_followers = PAGES_MOST};
    struct processor_set_settings processors = {.program = console->program,
                                                .urls = values->processors.items,
                                                .url_count = values->processors.count,
                                                .resolve = resolver_find,
                                                .period_ms = LOOK_UP_MS};
    proxies_init(&console->proxies, console->program, values->prometheus, values->alertmanager,
                 values->simulator);
    if (live_create(&console->live, &live, error) != 0) {
        return -1;
    }
    processors.live = console->live;
    return guard_create(&console->guard, &guard, error) != 0 ||
                   pages_read(&console->pages, values->dashboards, values->runbooks, error) != 0 ||
                   processor_set_create(&console->processors, &processors, error) != 0 ||
                   log_ring_create(&console->logs, error) != 0 ||
                   json_reader_create(&console->reader, TRANSITION_BYTES, error) != 0
               ? -1
               : 0;
}

static void add_routes(struct console *console)
{
    struct guard *guard = console->guard;
    struct program *program = console->program;
    struct proxies *proxies = &console->proxies;
    pages_add_routes(&console->pages, guard, program);
    processors_add_routes(console->processors, guard, program);
    guard_add_route(guard, program, GUARD_API, "GET", "/api/stream", live_show, console->live);
    guard_add_route(guard, program, GUARD_API, "GET", "/api/logs", log_page_show, console->logs);
    guard_add_route(guard, program, GUARD_HOOK, "POST", "/api/notifications", notifications_take,
                    console->live);
    guard_add_waiting_route(guard, program, GUARD_API, "GET", "/api/prometheus/*", proxy_handle,
                            &proxies->prometheus);
    guard_add_waiting_route(guard, program, GUARD_WRITE, "POST", "/api/prometheus/*", proxy_handle,
                            &proxies->prometheus);
    guard_add_waiting_route(guard, program, GUARD_API, "GET", "/api/alertmanager/*", proxy_handle,
                            &proxies->alertmanager);
    guard_add_waiting_route(guard, program, GUARD_WRITE, "POST", "/api/alertmanager/*", proxy_handle,
                            &proxies->alertmanager);
    guard_add_waiting_route(guard, program, GUARD_WRITE, "DELETE", "/api/alertmanager/*", proxy_handle,
                            &proxies->alertmanager);
    guard_add_waiting_route(guard, program, GUARD_API, "GET", "/api/simulator/*", proxy_handle,
                            &proxies->simulator);
    guard_add_waiting_route(guard, program, GUARD_WRITE, "POST", "/api/simulator/*", proxy_handle,
                            &proxies->simulator);
    guard_add_waiting_route(guard, program, GUARD_WRITE, "DELETE", "/api/simulator/*", proxy_handle,
                            &proxies->simulator);
}

static int start_tails(struct console *console, struct error *error)
{
    const struct topic_tail_settings alerts = {.program = console->program,
                                               .bus = console->bus,
                                               .topic = TOPIC_ALERTS_FIRED,
                                               .last = -1,
                                               .take = take_transition,
                                               .context = console};
    const struct topic_tail_settings logs = {.program = console->program,
                                             .bus = console->bus,
                                             .topic = TOPIC_LOGS_RAW,
                                             .last = LOG_LINES_FIRST,
                                             .take = log_ring_take,
                                             .context = console->logs};
    return topic_tail_start(&console->alert_tail, &alerts, error) != 0 ||
                   topic_tail_start(&console->log_tail, &logs, error) != 0
               ? -1
               : 0;
}

/* Serving begins before the bus is there: the page says what it waits for. */
static int serve(struct console *console, struct error *error)
{
    static const char *const topics[] = {TOPIC_ALERTS_FIRED, TOPIC_LOGS_RAW, NULL};
    add_routes(console);
    if (program_serve(console->program, error) != 0 || live_start(console->live, error) != 0 ||
        processor_set_start(console->processors, error) != 0 ||
        acceptance_start(&console->acceptance, console->program, console->live,
                         console->proxies.alertmanager.base, error) != 0) {
        return program_fail(console->program, "cannot serve HTTP", error);
    }
    switch (topics_create(console->program, console->bus, topics, error)) {
    case TOPICS_STOPPED:
        return PROGRAM_DONE;
    case TOPICS_REFUSED:
        return program_fail(console->program, "topics cannot be used", error);
    default:
        break;
    }
    if (start_tails(console, error) != 0) {
        return program_fail(console->program, "cannot follow the bus", error);
    }
    program_set_ready(console->program, true, "serving");
    while (!program_sleep(console->program, 3600000)) {
    }
    return PROGRAM_DONE;
}

static void end(struct console *console)
{
    program_stop(console->program);
    processor_set_stop(console->processors);
    topic_tail_join(console->alert_tail);
    topic_tail_join(console->log_tail);
    acceptance_join(console->acceptance);
    if (console->live != NULL) {
        live_close(console->live);
    }
    program_end_serving(console->program);
    processor_set_destroy(console->processors);
    live_destroy(console->live);
    log_ring_destroy(console->logs);
    json_reader_destroy(console->reader);
    pages_free(&console->pages);
    guard_destroy(console->guard);
}

static int run(struct program *program, void *context)
{
    const struct values *values = context;
    struct error error;
    error_clear(&error);
    struct console console = {.program = program, .bus = program_bus(program, &error)};
    if (console.bus == NULL) {
        return program_refuse(program, "the bus cannot be used (--bus-url)", &error);
    }
    if (values->processors.count > LIVE_PROCESSORS) {
        (void)error_set(&error, -1, "%zu stream-processors, at most %d", values->processors.count,
                        LIVE_PROCESSORS);
        return program_refuse(program, "wrong settings", &error);
    }
    int code = PROGRAM_USAGE;
    if (create_parts(&console, values, &error) != 0) {
        (void)program_fail(program, "cannot start", &error);
    } else {
        code = serve(&console, &error);
    }
    end(&console);
    return code;
}

int main(int argc, char **argv)
{
    struct values values = {0};
    const struct setting settings[] = {
        {.name = "stream-processor-url",
         .type = SETTING_LIST,
         .target = &values.processors,
         .default_text = "http://127.0.0.1:8082",
         .value_name = "URL",
         .help =
             "a stream-processor, or all that a name leads to; may be repeated, their streams are merged"},
        {.name = "prometheus-url",
         .type = SETTING_TEXT,
         .target = &values.prometheus,
         .default_text = "http://127.0.0.1:9090",
         .value_name = "URL",
         .help = "Prometheus, which is only read; \"\": none"},
        {.name = "alertmanager-url",
         .type = SETTING_TEXT,
         .target = &values.alertmanager,
         .default_text = "http://127.0.0.1:9093",
         .value_name = "URL",
         .help = "Alertmanager, for silences; \"\": none"},
        {.name = "simulator-url",
         .type = SETTING_TEXT,
         .target = &values.simulator,
         .default_text = "http://127.0.0.1:8081",
         .value_name = "URL",
         .help = "the workload-simulator, for faults; \"\": none"},
        {.name = "dashboards",
         .type = SETTING_TEXT,
         .target = &values.dashboards,
         .default_text = "dashboards",
         .value_name = "DIR",
         .help = "Grafana dashboards, *.json"},
        {.name = "runbooks",
         .type = SETTING_TEXT,
         .target = &values.runbooks,
         .default_text = "runbooks",
         .value_name = "DIR",
         .help = "runbooks, *.md"},
        {.name = "token-file",
         .type = SETTING_TEXT,
         .target = &values.token_file,
         .value_name = "FILE",
         .help = "holds the token that a client must know; needed when --listen isn't a loopback address"},
        {.name = "public-host",
         .type = SETTING_LIST,
         .target = &values.public_hosts,
         .value_name = "NAME",
         .help = "a name by which it may be reached when --listen isn't a loopback address; may be repeated "
                 "[any]"},
    };
    const struct program_spec spec = {
        .name = "console",
        .summary =
            "the platform as a web page: live services, alerts and why, dashboards, SLOs, logs, faults",
        .settings = settings,
        .setting_count = sizeof settings / sizeof settings[0],
        .default_port = 3000,
        .connections = CONNECTIONS,
        .threads = THREADS,
        .waiting_threads = WAITING_THREADS,
        .waiting_share = WAITING_SHARE,
    };
    return program_run(&spec, argc, argv, run, &values);
}
