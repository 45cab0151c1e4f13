#include "plan.h"

#include "options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *command;
    uint16_t port;
    const char *ready_path;
} known[PART_COUNT] = {
    [PART_SIMULATOR] = {"workload-simulator", NULL, 8081, "/readyz"},
    [PART_PROCESSOR] = {"stream-processor", NULL, 8082, "/readyz"},
    [PART_BRIDGE] = {"metrics-bridge", NULL, 8080, "/readyz"},
    [PART_FORWARDER] = {"alert-forwarder", NULL, 8084, "/readyz"},
    [PART_PROMETHEUS] = {"prometheus", "prometheus", 9090, "/-/ready"},
    [PART_ALERTMANAGER] = {"alertmanager", "prometheus-alertmanager", 9093, "/-/ready"},
    [PART_CONSOLE] = {"console", NULL, CONSOLE_PORT, "/readyz"},
};

/* A full or failed list shows as a missing argument: one check at the end (plan_init). */
static void __attribute__((format(printf, 2, 3))) add(struct part *part, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    const int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (part->argument_count + 1 < PART_ARGUMENTS) {
        part->arguments[part->argument_count++] = length >= 0 ? text : NULL;
    } else if (length >= 0) {
        free(text);
    }
}

static void add_own_program(struct part *part, const struct options *options)
{
    add(part, "%s/%s", options->programs, part->name);
    add(part, "--listen=127.0.0.1:%u", (unsigned)part->port);
    add(part, "--bus-url=%s", options->bus_url);
    for (size_t i = 0; i < options->properties.count; i++) {
        add(part, "-X");
        add(part, "%s", options->properties.items[i]);
    }
}

static void add_simulator(struct part *part, const struct options *options)
{
    add_own_program(part, options);
    add(part, "--target-rps=%.17g", options->target_rps);
    add(part, "--truth=%s/truth.jsonl", options->data);
}

static void add_processor(struct part *part, const struct options *options)
{
    add_own_program(part, options);
    add(part, "--rules=%s/config/anomaly-rules.yaml", options->source);
}

static void add_bridge(struct part *part, const struct options *options)
{
    add_own_program(part, options);
    add(part, "--max-series=%lld", (long long)options->max_series);
    add(part, "--zero-first=%lldms", (long long)options->scrape_ms);
    /* The status line reads it every 2 s, and Prometheus as often as it scrapes. */
    add(part, "--lag-interval=%lldms", (long long)(options->scrape_ms < 2000 ? options->scrape_ms : 2000));
}

static void add_forwarder(struct part *part, const struct options *options)
{
    const long long offset = (long long)options->port_offset;
    add_own_program(part, options);
    add(part, "--alertmanager-url=http://127.0.0.1:%lld", known[PART_ALERTMANAGER].port + offset);
    add(part, "--runbook-base=http://127.0.0.1:%lld/", CONSOLE_PORT + offset);
    add(part, "--console-url=http://127.0.0.1:%lld", CONSOLE_PORT + offset);
    add(part, "--dashboard-url=http://127.0.0.1:%lld/d/golden-signals", CONSOLE_PORT + offset);
}

static void add_prometheus(struct part *part, const struct options *options)
{
    add(part, "%s", part->command);
    add(part, "--config.file=%s/prometheus.yml", options->data);
    add(part, "--storage.tsdb.path=%s/prometheus", options->data);
    add(part, "--storage.tsdb.retention.time=35d");
    add(part, "--rules.alert.for-grace-period=1m");
    add(part, "--enable-feature=native-histograms,exemplar-storage");
    add(part, "--web.listen-address=127.0.0.1:%u", (unsigned)part->port);
    /* Its links would name the machine otherwise. */
    add(part, "--web.external-url=http://127.0.0.1:%u/", (unsigned)part->port);
}

static void add_alertmanager(struct part *part, const struct options *options)
{
    add(part, "%s", part->command);
    add(part, "--config.file=%s/alertmanager.yml", options->data);
    add(part, "--storage.path=%s/alertmanager", options->data);
    add(part, "--web.listen-address=127.0.0.1:%u", (unsigned)part->port);
    add(part, "--web.external-url=http://127.0.0.1:%u/", (unsigned)part->port);
    add(part, "--cluster.listen-address="); /* it would listen on every address otherwise */
}

static void add_console(struct part *part, const struct options *options)
{
    const long long offset = (long long)options->port_offset;
    add_own_program(part, options);
    add(part, "--stream-processor-url=http://127.0.0.1:%lld", known[PART_PROCESSOR].port + offset);
    add(part, "--prometheus-url=http://127.0.0.1:%lld", known[PART_PROMETHEUS].port + offset);
    add(part, "--alertmanager-url=http://127.0.0.1:%lld", known[PART_ALERTMANAGER].port + offset);
    add(part, "--simulator-url=http://127.0.0.1:%lld", known[PART_SIMULATOR].port + offset);
    add(part, "--dashboards=%s/dashboards", options->source);
    add(part, "--runbooks=%s/runbooks", options->source);
}

int plan_init(struct plan *plan, const struct options *options, struct error *error)
{
    static void (*const adders[PART_COUNT])(struct part *, const struct options *) = {
        add_simulator,  add_processor,    add_bridge, add_forwarder,
        add_prometheus, add_alertmanager, add_console};
    memset(plan, 0, sizeof *plan);
    for (int i = 0; i < PART_COUNT; i++) {
        struct part *part = &plan->parts[i];
        part->name = known[i].name;
        part->command = known[i].command;
        part->port = (uint16_t)(known[i].port + options->port_offset);
        part->ready_path = known[i].ready_path;
        adders[i](part, options);
        part->command = part->arguments[0];
        for (size_t a = 0; a < part->argument_count; a++) {
            if (part->arguments[a] == NULL) {
                return error_set(error, -1, "no memory for the command line of %s", part->name);
            }
        }
        if (part->argument_count + 1 == PART_ARGUMENTS) {
            return error_set(error, -1, "too many -X properties for %s", part->name);
        }
    }
    return 0;
}

void plan_free(struct plan *plan)
{
    for (int i = 0; i < PART_COUNT; i++) {
        for (size_t a = 0; a < plan->parts[i].argument_count; a++) {
            free(plan->parts[i].arguments[a]);
        }
    }
    memset(plan, 0, sizeof *plan);
}

void plan_url(char url[PLAN_URL_BYTES], const struct part *part, const char *path)
{
    (void)snprintf(url, PLAN_URL_BYTES, "http://127.0.0.1:%u%s", (unsigned)part->port, path);
}
