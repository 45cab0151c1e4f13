/* local-stack: the whole platform on one machine, in one terminal (make local). Starts Prometheus,
 * Alertmanager and our programs, waits until all are healthy, shows what they do, and takes all of them along
 * when it ends. */
#include "options.h"
#include "plan.h"
#include "requirements.h"
#include "screen.h"
#include "server_configs.h"
#include "status.h"
#include "supervisor.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "program/program.h"
#include "program/stop_signal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define NAME               "local-stack"
#define START_TICK_MS      50
#define STATUS_INTERVAL_MS 1000
#define SAY_WAITING_MS     5000

struct stack {
    struct program *program;
    struct options *options;
    struct plan plan;
    struct supervisor *supervisor;
    struct status *status;
    struct screen screen;
    int64_t begin_ms; /* steady */
};

static int64_t now_ms(const struct stack *stack)
{
    return clock_steady_ms(program_clock(stack->program));
}

static void show_notes(struct stack *stack)
{
    struct buffer notes;
    buffer_init(&notes, 0);
    if (supervisor_next_note(stack->supervisor, &notes)) {
        screen_show_text(&stack->screen, buffer_text(&notes));
    }
    buffer_free(&notes);
}

/* Until every part is ready. 1: asked to stop. */
static int wait_until_ready(struct stack *stack, struct error *error)
{
    int64_t say_ms = stack->begin_ms + SAY_WAITING_MS;
    while (!supervisor_is_ready(stack->supervisor)) {
        if (supervisor_watch(stack->supervisor, error) != 0) {
            show_notes(stack);
            return -1;
        }
        if (now_ms(stack) >= say_ms) {
            struct buffer text;
            buffer_init(&text, 0);
            buffer_append_text(&text, "Waiting for ");
            supervisor_describe_waiting(stack->supervisor, &text);
            buffer_append_text(&text, "\n");
            screen_show_text(&stack->screen, buffer_text(&text));
            buffer_free(&text);
            say_ms += SAY_WAITING_MS;
        }
        if (program_sleep(stack->program, START_TICK_MS)) {
            return 1;
        }
    }
    return 0;
}

/* firing: how many alerts fired when a line was last shown. */
static void show_status(struct stack *stack, size_t *firing)
{
    struct buffer line;
    buffer_init(&line, 0);
    status_refresh(stack->status);
    status_write_line(stack->status, &line);
    const size_t firing_now = status_firing(stack->status);
    if (stack->screen.is_terminal || status_has_rate(stack->status)) {
        screen_show_status(&stack->screen, buffer_text(&line), now_ms(stack), firing_now != *firing);
        *firing = firing_now;
    }
    buffer_free(&line);
}

static int show_until_stopped(struct stack *stack, struct error *error)
{
    size_t firing = 0;
    do {
        if (supervisor_watch(stack->supervisor, error) != 0) {
            return -1;
        }
        show_notes(stack);
        show_status(stack, &firing);
    } while (!program_sleep(stack->program, STATUS_INTERVAL_MS));
    return 0;
}

static int check_requirements(struct stack *stack, int *lock_fd, struct error *error)
{
    if (requirements_check_programs(stack->options, &stack->plan, error) != 0 ||
        requirements_make_folders(stack->options, error) != 0 ||
        requirements_lock(stack->options, lock_fd, error) != 0 ||
        requirements_check_ports(&stack->plan, error) != 0) {
        return -1;
    }
    return server_configs_write(stack->options, &stack->plan, error);
}

static int run_parts(struct stack *stack, struct error *error)
{
    if (supervisor_create(&stack->supervisor, &stack->plan, stack->options, program_clock(stack->program),
                          error) != 0 ||
        status_create(&stack->status, &stack->plan, program_clock(stack->program), error) != 0 ||
        supervisor_start(stack->supervisor, error) != 0) {
        return -1;
    }
    const int waited = wait_until_ready(stack, error);
    if (waited != 0) {
        return waited < 0 ? -1 : 0;
    }
    screen_show_addresses(&stack->screen, &stack->plan, stack->options,
                          (double)(now_ms(stack) - stack->begin_ms) / 1000);
    return show_until_stopped(stack, error);
}

static int stop_parts(struct stack *stack, bool say)
{
    bool clean = true;
    if (stack->supervisor != NULL) {
        if (say) {
            screen_show_text(&stack->screen, "Stopping …\n");
        }
        clean = supervisor_stop(stack->supervisor);
        show_notes(stack);
        if (say) {
            screen_show_text(&stack->screen, clean ? "Stopped.\n" : "Stopped, not all by themselves.\n");
        }
    }
    supervisor_destroy(stack->supervisor);
    status_destroy(stack->status);
    return clean ? PROGRAM_DONE : PROGRAM_FAILED;
}

static int run(struct program *program, struct options *options)
{
    int lock_fd = -1; /* held until the process ends */
    struct error error;
    error_clear(&error);
    struct stack stack = {.program = program, .options = options};
    stack.begin_ms = now_ms(&stack);
    screen_init(&stack.screen);
    int result = plan_init(&stack.plan, options, &error);
    if (result == 0) {
        result = check_requirements(&stack, &lock_fd, &error);
    }
    if (result == 0) {
        result = run_parts(&stack, &error);
    }
    int code = stop_parts(&stack, result == 0);
    if (result != 0) {
        (void)fprintf(stderr, NAME ": %s\n", error.message);
        code = PROGRAM_FAILED;
    }
    plan_free(&stack.plan);
    if (lock_fd >= 0) {
        (void)close(lock_fd);
    }
    return code;
}

/* --- settings and signals ---- */

static void complete_options(struct options *options)
{
    const ssize_t length = readlink("/proc/self/exe", options->programs, sizeof options->programs - 1);
    options->programs[length > 0 ? (size_t)length : 0] = '\0';
    char *slash = strrchr(options->programs, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    /* Shorter in messages, where it is the folder one stands in. */
    char here[sizeof options->programs];
    if (getcwd(here, sizeof here) != NULL) {
        const size_t size = strlen(here);
        if (strncmp(options->programs, here, size) == 0 && options->programs[size] == '/') {
            memmove(options->programs, options->programs + size + 1,
                    strlen(options->programs + size + 1) + 1);
        }
    }
    if (options->bus_url == NULL) {
        (void)snprintf(options->bus_url_text, sizeof options->bus_url_text, "embedded:%s/bus", options->data);
        options->bus_url = options->bus_url_text;
    }
}

static void on_hangup(int number)
{
    (void)number;
    stop_signal_set();
}

/* A terminal that is closed, and whoever started us: both end the stack in order. */
static void follow_surroundings(const struct options *options)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_hangup;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGHUP, &action, NULL);
    if (options->stop_with_parent) {
        (void)prctl(PR_SET_PDEATHSIG, SIGHUP);
        if (getppid() == 1) {
            stop_signal_set();
        }
    }
}

int main(int argc, char **argv)
{
    struct options options = {0};
    const struct setting settings[] = {
        {.name = "bus-url",
         .type = SETTING_TEXT,
         .target = &options.bus_url,
         .value_name = "URL",
         .help =
             "kafka://host:port[,host:port] or embedded:DIR[?durability=power|process] [embedded:DATA/bus]"},
        {.name = "X",
         .type = SETTING_LIST,
         .target = &options.properties,
         .value_name = "PROPERTY=VALUE",
         .help = "a librdkafka property for all programs; may be repeated"},
        {.name = "data",
         .type = SETTING_TEXT,
         .target = &options.data,
         .default_text = "var",
         .value_name = "DIR",
         .help = "where everything that is recorded goes"},
        {.name = "source",
         .type = SETTING_TEXT,
         .target = &options.source,
         .default_text = ".",
         .value_name = "DIR",
         .help = "the repository, for rules/ and config/"},
        {.name = "port-offset",
         .type = SETTING_INTEGER,
         .target = &options.port_offset,
         .default_text = "0",
         .value_name = "N",
         .minimum = -7000,
         .maximum = 56000,
         .help = "added to every port, so that a second stack can run beside the first"},
        {.name = "target-rps",
         .type = SETTING_REAL,
         .target = &options.target_rps,
         .default_text = "200",
         .value_name = "N",
         .minimum = 0,
         .maximum = 1000000,
         .help = "simulated requests a second; 0: none, for traffic of your own"},
        {.name = "max-series",
         .type = SETTING_INTEGER,
         .target = &options.max_series,
         .default_text = "2000",
         .value_name = "N",
         .minimum = 1,
         .maximum = 10000000,
         .help = "most label sets that metrics-bridge hands to Prometheus"},
        {.name = "scrape-interval",
         .type = SETTING_DURATION,
         .target = &options.scrape_ms,
         .default_text = "15s",
         .value_name = "TIME",
         .minimum = 200,
         .maximum = 300000,
         .help = "how often Prometheus scrapes and evaluates rules"},
        {.name = "alertmanager-config",
         .type = SETTING_TEXT,
         .target = &options.alertmanager_config,
         .value_name = "FILE",
         .help = "Alertmanager's configuration, e.g. config/alertmanager.production.yml "
                 "[SOURCE/config/alertmanager.yml, which posts to the console]"},
        {.name = "stop-with-parent",
         .type = SETTING_BOOLEAN,
         .target = &options.stop_with_parent,
         .help = "stop when the process that started this one ends (make)"},
    };
    const struct program_spec spec = {
        .name = NAME,
        .summary = "the whole platform on this machine: starts it, shows what it does, stops it with Ctrl-C",
        .settings = settings,
        .setting_count = sizeof settings / sizeof settings[0],
        .without_bus = true,
        .stops_others = true,
    };
    struct program *program = NULL;
    int code = program_start(&program, &spec, argc, argv);
    if (program != NULL) {
        complete_options(&options);
        follow_surroundings(&options);
        code = run(program, &options);
        program_end(program);
    }
    return code;
}
