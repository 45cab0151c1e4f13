/* lib/program: the frame of every main: common settings, log, signals, metrics, health pages, the bus, and
 * the exit code.
 *
 *   int main(int argc, char **argv)
 *   {
 *       struct values values = {0};
 *       const struct setting settings[] = {…};
 *       const struct program_spec spec = {.name = "metrics-bridge", .settings = settings, …};
 *       return program_run(&spec, argc, argv, run, &values);
 *   }
 *
 * Common settings: --bus-url, -X, --listen, --ready, --log-format, --log-level.
 * Signals: SIGTERM and SIGINT set the stop flag and wake what was registered; a second one exits at once, and
 * so does a program that hasn't ended within 10 s by itself.
 * SIGHUP reloads, where a program does (program_take_reload). SIGPIPE is ignored. GET /healthz, /readyz and
 * /metrics are always served; the program adds its own routes before program_serve. Exit codes: PROGRAM_DONE
 * 0, PROGRAM_FAILED 1, PROGRAM_USAGE 2. */
#ifndef OBS_PROGRAM_PROGRAM_H
#define OBS_PROGRAM_PROGRAM_H

#include "error/error.h"
#include "http/http_server.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bus;
struct bus_member;
struct clock;
struct log;
struct metric_set;
struct program;

enum { PROGRAM_DONE = 0, PROGRAM_FAILED = 1, PROGRAM_USAGE = 2 };

struct program_spec {
    const char *name;
    const char *summary;
    const char *usage; /* as in struct settings_spec */
    const char *notes;
    const struct setting *settings;
    size_t setting_count;
    size_t max_positionals;
    uint16_t default_port; /* 0: the program serves no HTTP and has no --listen */
    bool without_bus;      /* no --bus-url, no -X */
    bool stops_others;     /* and so may take longer than 10 s itself */
    unsigned connections;  /* of its HTTP server, all from one address if need be; 0: the server's default */
    unsigned threads;      /* likewise */
    unsigned waiting_threads; /* of handlers that wait for other servers (http_response_wait); 0: none */
    unsigned waiting_share;   /* of those, the most for one other server; 0: all */
};

/* NULL in *out: done already (help, version, refused), and the result is the exit code; a refusal is written
 * to stderr. */
int program_start(struct program **out, const struct program_spec *spec, int argc, char **argv);
void program_end(struct program *program); /* stops the server, closes the bus and the log */

/* From start to end with the body between them, which gets context and returns the exit code: all of a usual
 * main. */
typedef int program_body(struct program *program, void *context);
int program_run(const struct program_spec *spec, int argc, char **argv, program_body *body, void *context);

struct settings *program_settings(struct program *program);
struct log *program_log(struct program *program);
const struct clock *program_clock(struct program *program);
struct metric_set *program_metrics(struct program *program);
const char *program_bus_url(struct program *program);

/* The bus of --bus-url, opened at the first call. NULL: refused, error says why (exit 2). */
struct bus *program_bus(struct program *program, struct error *error);

/* Before program_serve. The route is copied, its context borrowed. GET /metrics may be replaced by adding it.
 */
void program_add_route(struct program *program, const char *method, const char *path, http_handler *handler,
                       void *context);
/* The address of --listen, without the port; before program_serve. NULL: not such an address, error says why.
 */
const char *program_listen_address(struct program *program, struct error *error);
/* Starts the HTTP server. -1: the port is taken or the address wrong (exit 1). */
int program_serve(struct program *program, struct error *error);
/* No handler runs after this; before what routes borrow is destroyed. Safe when nothing was served. */
void program_end_serving(struct program *program);
/* /readyz: 503 with why until ready. Any thread. why: a short constant text ("waiting for partitions"). */
void program_set_ready(struct program *program, bool ready, const char *why);

bool program_is_stopping(const struct program *program); /* any thread */
void program_stop(struct program *program);              /* as if SIGTERM had come; any thread */
/* A member whose poll returns at once when a stop is asked for; NULL takes the last one back (before
 * bus_leave). */
void program_wake_on_stop(struct program *program, struct bus_member *member);
/* After the first call SIGHUP asks for a reload instead of ending the program; true: one was asked for since
 * the last call. Also wakes the member of program_wake_on_stop. */
bool program_take_reload(struct program *program);
/* Sleeps up to ms, or until a stop is asked for. True: stopping. */
bool program_sleep(struct program *program, int64_t ms);
/* Log the error; return PROGRAM_FAILED and PROGRAM_USAGE, so that a main can `return program_fail(…)`. */
int program_fail(struct program *program, const char *what, const struct error *error);
int program_refuse(struct program *program, const char *what, const struct error *error);

#endif
