#include "program/program.h"

#include "buffer/buffer.h"
#include "bus/bus.h"
#include "clock/clock.h"
#include "log/log.h"
#include "metrics/encoder.h"
#include "metrics/metric_set.h"
#include "program/ready_probe.h"
#include "program/stop_signal.h"
#include "text/parse_value.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ROUTES     48
#define LONGEST_STOP_S 9 /* of the 10 that are promised */

enum { CHOSEN_JSON, CHOSEN_TEXT }; /* --log-format json|text */

struct common_values {
    const char *bus_url, *listen;
    struct setting_list properties;
    int log_format, log_level;
    bool asks_ready;
};

struct program {
    struct program_spec spec;
    struct common_values values;
    struct setting common[8];
    struct settings_table tables[2];
    struct settings_spec settings_spec;
    char default_listen[32];
    struct settings *settings;
    struct log *log;
    struct metric_set *metrics;
    struct bus *bus;
    struct http_server *server;
    char listen_address[64];
    struct http_route routes[MAX_ROUTES];
    size_t route_count;
    pthread_mutex_t lock; /* of ready and why */
    bool ready;
    bool reloads; /* SIGHUP is taken */
    char why[128];
};

/* --- settings ---- */

static size_t list_common_settings(struct program *program)
{
    struct common_values *v = &program->values;
    size_t count = 0;
    if (!program->spec.without_bus) {
        program->common[count++] = (struct setting){
            .name = "bus-url",
            .type = SETTING_TEXT,
            .target = &v->bus_url,
            .default_text = "embedded:var/bus",
            .value_name = "URL",
            .help = "kafka://host:port[,host:port] or embedded:DIR[?durability=power|process]"};
        program->common[count++] =
            (struct setting){.name = "X",
                             .type = SETTING_LIST,
                             .target = &v->properties,
                             .value_name = "PROPERTY=VALUE",
                             .help = "a librdkafka property (TLS, SASL, …); may be repeated"};
    }
    if (program->spec.default_port != 0) {
        (void)snprintf(program->default_listen, sizeof program->default_listen, "127.0.0.1:%u",
                       (unsigned)program->spec.default_port);
        program->common[count++] =
            (struct setting){.name = "listen",
                             .type = SETTING_TEXT,
                             .target = &v->listen,
                             .default_text = program->default_listen,
                             .value_name = "ADDR:PORT",
                             .help = "where /healthz, /readyz, /metrics and the pages are served"};
        program->common[count++] = (struct setting){
            .name = "ready",
            .type = SETTING_BOOLEAN,
            .target = &v->asks_ready,
            .help = "start nothing: ask the one that runs at --listen whether it is ready; exit code 0 or 1"};
    }
    program->common[count++] =
        (struct setting){.name = "log-format",
                         .type = SETTING_CHOICE,
                         .target = &v->log_format,
                         .choices = "json|text",
                         .value_name = "FORMAT",
                         .help = "log lines for machines or people; text on a terminal, json otherwise"};
    program->common[count++] = (struct setting){.name = "log-level",
                                                .type = SETTING_CHOICE,
                                                .target = &v->log_level,
                                                .choices = "debug|info|warn|error",
                                                .default_text = "info",
                                                .value_name = "LEVEL",
                                                .help = "the least important lines that are logged"};
    return count;
}

static int load_settings(struct program *program, int argc, char **argv, struct error *error)
{
    program->tables[0] = (struct settings_table){program->spec.settings, program->spec.setting_count};
    program->tables[1] = (struct settings_table){program->common, list_common_settings(program)};
    program->settings_spec = (struct settings_spec){
        .program = program->spec.name,
        .version = OBS_VERSION,
        .summary = program->spec.summary,
        .usage = program->spec.usage,
        .notes = program->spec.notes,
        .tables = program->tables,
        .table_count = 2,
        .max_positionals = program->spec.max_positionals,
    };
    program->values.log_format = isatty(STDERR_FILENO) != 0 ? CHOSEN_TEXT : CHOSEN_JSON;
    return settings_load(&program->settings, &program->settings_spec, argc, (const char *const *)argv,
                         (const char *const *)environ, error);
}

/* "ADDR:PORT", "[::1]:PORT"; the address goes to listen_address. */
static int split_listen(struct program *program, uint16_t *port, struct error *error)
{
    const char *listen = program->values.listen;
    const char *colon = strrchr(listen, ':');
    int64_t number = -1;
    size_t length = colon == NULL ? 0 : (size_t)(colon - listen);
    bool bracketed = length > 2 && listen[0] == '[' && listen[length - 1] == ']';
    const char *address = bracketed ? listen + 1 : listen;
    length -= bracketed ? 2 : 0;
    if (colon == NULL || length == 0 || length >= sizeof program->listen_address ||
        !parse_integer(colon + 1, &number) || number < 0 || number > 65535) {
        return error_set(error, -1, "--listen: '%.100s' is not allowed; give ADDR:PORT, e.g. 127.0.0.1:%u",
                         listen, (unsigned)program->spec.default_port);
    }
    memcpy(program->listen_address, address, length);
    program->listen_address[length] = '\0';
    *port = (uint16_t)number;
    return 0;
}

/* --- start and end ---- */

static void harden_process(void)
{
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none); /* a core holds records and secrets */
    (void)umask(027);
#ifdef M_ARENA_MAX
    (void)mallopt(M_ARENA_MAX, 2); /* an arena a thread would cost more memory than the programs use */
#endif
}

static int open_log(struct program *program, struct error *error)
{
    const struct log_settings settings = {
        .app = program->spec.name,
        .fd = STDERR_FILENO,
        .level = (enum log_level)program->values.log_level,
        .format = program->values.log_format == CHOSEN_JSON ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
        .clock = clock_system(),
    };
    return log_open(&program->log, &settings, error);
}

static void add_build_info(struct program *program)
{
    static const char *const names[] = {"program", "version", NULL};
    const char *const values[] = {program->spec.name, OBS_VERSION, NULL};
    struct metric_family *family = metric_family_add(program->metrics, METRIC_GAUGE, "obs_build_info",
                                                     "The program and its version.", names);
    metric_set_value(metric_series(family, values), 1);
}

/* For containers' health checks: says why not, and nothing when all is well. */
static int answer_ready(const struct program *program, uint16_t port)
{
    struct error error;
    error_clear(&error);
    if (ready_probe(program->listen_address, port, &error) == 0) {
        return PROGRAM_DONE;
    }
    (void)fprintf(stderr, "%s: %s\n", program->spec.name, error.message);
    return PROGRAM_FAILED;
}

/* 0: go on. Otherwise done, with the exit code in *code. */
static int prepare(struct program *program, int argc, char **argv, int *code)
{
    struct error error;
    error_clear(&error);
    int result = load_settings(program, argc, argv, &error);
    if (result == SETTINGS_HELP || result == SETTINGS_MARKDOWN) {
        (result == SETTINGS_HELP ? settings_print_help : settings_print_markdown)(&program->settings_spec,
                                                                                  stdout);
        *code = PROGRAM_DONE;
        return -1;
    }
    if (result == SETTINGS_VERSION) {
        (void)printf("%s %s\n", program->spec.name, OBS_VERSION);
        *code = PROGRAM_DONE;
        return -1;
    }
    uint16_t port = 0;
    if (result == 0 && program->spec.default_port != 0) {
        result = split_listen(program, &port, &error);
    }
    if (result == 0 && program->values.asks_ready) {
        *code = answer_ready(program, port);
        return -1;
    }
    if (result == 0) {
        result = open_log(program, &error);
    }
    if (result != 0) {
        (void)fprintf(stderr, "%s: %s\n", program->spec.name, error.message);
        *code = PROGRAM_USAGE;
        return -1;
    }
    return 0;
}

int program_start(struct program **out, const struct program_spec *spec, int argc, char **argv)
{
    *out = NULL;
    struct program *program = calloc(1, sizeof *program);
    if (program == NULL) {
        (void)fprintf(stderr, "%s: no memory\n", spec->name);
        return PROGRAM_FAILED;
    }
    program->spec = *spec;
    (void)pthread_mutex_init(&program->lock, NULL);
    (void)snprintf(program->why, sizeof program->why, "starting");
    int code = PROGRAM_DONE;
    if (prepare(program, argc, argv, &code) != 0) {
        program_end(program);
        return code;
    }
    harden_process();
    program->metrics = metric_set_create();
    add_build_info(program);
    if (stop_signal_install(spec->stops_others ? 0 : LONGEST_STOP_S) != 0) {
        (void)fprintf(stderr, "%s: cannot install the signal handlers\n", spec->name);
        program_end(program);
        return PROGRAM_FAILED;
    }
    *out = program;
    return PROGRAM_DONE;
}

void program_end(struct program *program)
{
    if (program == NULL) {
        return;
    }
    http_server_stop(program->server);
    bus_close(program->bus);
    metric_set_destroy(program->metrics);
    log_close(program->log);
    settings_destroy(program->settings);
    (void)pthread_mutex_destroy(&program->lock);
    free(program);
}

int program_run(const struct program_spec *spec, int argc, char **argv, program_body *body, void *context)
{
    struct program *program = NULL;
    int code = program_start(&program, spec, argc, argv);
    if (program != NULL) {
        code = body(program, context);
        program_end(program);
    }
    return code;
}

/* --- what it lends ---- */

struct settings *program_settings(struct program *program)
{
    return program->settings;
}

struct log *program_log(struct program *program)
{
    return program->log;
}

const struct clock *program_clock(struct program *program)
{
    (void)program;
    return clock_system();
}

struct metric_set *program_metrics(struct program *program)
{
    return program->metrics;
}

const char *program_bus_url(struct program *program)
{
    return program->values.bus_url;
}

struct bus *program_bus(struct program *program, struct error *error)
{
    if (program->bus == NULL) {
        const struct bus_settings settings = {
            .url = program->values.bus_url,
            .client_id = program->spec.name,
            .properties = program->values.properties.items,
            .clock = clock_system(),
            .log = program->log,
        };
        if (bus_open(&program->bus, &settings, error) != BUS_OK) {
            program->bus = NULL;
        }
    }
    return program->bus;
}

/* --- pages ---- */

void program_add_route(struct program *program, const char *method, const char *path, http_handler *handler,
                       void *context)
{
    if (program->route_count == MAX_ROUTES) {
        abort(); /* a number known when the program is written */
    }
    program->routes[program->route_count++] = (struct http_route){method, path, handler, context};
}

static void show_health(void *context, const struct http_request *request, struct http_response *response)
{
    (void)context;
    (void)request;
    buffer_append_text(http_response_body(response), "ok\n");
}

static void show_readiness(void *context, const struct http_request *request, struct http_response *response)
{
    (void)request;
    struct program *program = context;
    (void)pthread_mutex_lock(&program->lock);
    if (!program->ready) {
        http_response_set_status(response, 503);
    }
    buffer_append_format(http_response_body(response), "%s\n", program->ready ? "ready" : program->why);
    (void)pthread_mutex_unlock(&program->lock);
}

static void show_metrics(void *context, const struct http_request *request, struct http_response *response)
{
    (void)request;
    struct program *program = context;
    http_response_set_type(response, metric_format_type(METRIC_TEXT));
    metric_set_encode_text(program->metrics, http_response_body(response));
}

const char *program_listen_address(struct program *program, struct error *error)
{
    uint16_t port = 0;
    return split_listen(program, &port, error) == 0 ? program->listen_address : NULL;
}

int program_serve(struct program *program, struct error *error)
{
    uint16_t port = 0;
    if (split_listen(program, &port, error) != 0) {
        return -1;
    }
    /* The program's own come first, so that it may replace one of these. */
    program_add_route(program, "GET", "/healthz", show_health, program);
    program_add_route(program, "GET", "/readyz", show_readiness, program);
    program_add_route(program, "GET", "/metrics", show_metrics, program);
    const struct http_server_settings settings = {
        .address = program->listen_address,
        .port = port,
        .setting = "--listen",
        .routes = program->routes,
        .route_count = program->route_count,
        .connections = program->spec.connections,
        .connections_per_address = program->spec.connections,
        .threads = program->spec.threads,
        .waiting_threads = program->spec.waiting_threads,
        .waiting_share = program->spec.waiting_share,
        .log = program->log,
    };
    if (http_server_start(&program->server, &settings, error) != 0) {
        return -1;
    }
    log_info_with(program->log, "listening", log_text("address", program->listen_address),
                  log_integer("port", http_server_port(program->server)), log_text("version", OBS_VERSION));
    return 0;
}

void program_end_serving(struct program *program)
{
    http_server_stop(program->server);
    program->server = NULL;
}

void program_set_ready(struct program *program, bool ready, const char *why)
{
    (void)pthread_mutex_lock(&program->lock);
    bool changed = program->ready != ready;
    program->ready = ready;
    (void)snprintf(program->why, sizeof program->why, "%s", why);
    (void)pthread_mutex_unlock(&program->lock);
    if (changed) {
        log_info_with(program->log, ready ? "ready" : "not ready", log_text("why", why));
    }
}

/* --- stopping ---- */

bool program_is_stopping(const struct program *program)
{
    (void)program;
    return stop_signal_is_set();
}

bool program_take_reload(struct program *program)
{
    if (!program->reloads) {
        program->reloads = true;
        stop_signal_take_hangups();
    }
    return stop_signal_take_reload();
}

void program_stop(struct program *program)
{
    (void)program;
    stop_signal_set();
}

void program_wake_on_stop(struct program *program, struct bus_member *member)
{
    (void)program;
    stop_signal_wake_member(member);
}

bool program_sleep(struct program *program, int64_t ms)
{
    (void)program;
    return stop_signal_wait(ms);
}

int program_fail(struct program *program, const char *what, const struct error *error)
{
    log_error_with(program->log, what, log_text("why", error->message));
    return PROGRAM_FAILED;
}

int program_refuse(struct program *program, const char *what, const struct error *error)
{
    (void)program_fail(program, what, error);
    return PROGRAM_USAGE;
}
