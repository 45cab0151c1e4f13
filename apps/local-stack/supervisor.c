#include "supervisor.h"

#include "child.h"
#include "options.h"
#include "plan.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "http/http_client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define ANSWER_TIMEOUT_MS 1000
#define STOP_TIMEOUT_MS   10000
#define FIRST_BACKOFF_MS  1000
#define LAST_BACKOFF_MS   30000
#define HEALTHY_AFTER_MS  60000
#define LOG_LINES_SHOWN   5
#define LOG_LIMIT_BYTES   16777216

struct watched {
    struct child child;
    bool ready;
    char why[160];      /* what /readyz says while it isn't */
    int64_t started_ms; /* steady */
    int64_t restart_ms; /* when it is due again; 0: it runs */
    int64_t backoff_ms;
};

struct supervisor {
    const struct plan *plan;
    const struct options *options;
    const struct clock *clock;
    struct watched parts[PART_COUNT];
    struct buffer notes;
    bool was_ready;
};

int supervisor_create(struct supervisor **out, const struct plan *plan, const struct options *options,
                      const struct clock *clock, struct error *error)
{
    struct supervisor *supervisor = calloc(1, sizeof *supervisor);
    *out = supervisor;
    if (supervisor == NULL) {
        return error_set(error, -1, "no memory");
    }
    supervisor->plan = plan;
    supervisor->options = options;
    supervisor->clock = clock;
    buffer_init(&supervisor->notes, 65536);
    return 0;
}

void supervisor_destroy(struct supervisor *supervisor)
{
    if (supervisor != NULL) {
        (void)supervisor_stop(supervisor);
        buffer_free(&supervisor->notes);
        free(supervisor);
    }
}

/* --- starting ---- */

static void keep_log_small(const char *path)
{
    struct stat status;
    char old[600];
    if (stat(path, &status) == 0 && status.st_size > LOG_LIMIT_BYTES) {
        (void)snprintf(old, sizeof old, "%s.1", path);
        (void)rename(path, old);
    }
}

static int start_part(struct supervisor *supervisor, int id, struct error *error)
{
    struct watched *watched = &supervisor->parts[id];
    const struct part *part = &supervisor->plan->parts[id];
    char log_path[512];
    (void)snprintf(log_path, sizeof log_path, "%.400s/log/%s.log", supervisor->options->data, part->name);
    keep_log_small(log_path);
    watched->ready = false;
    watched->restart_ms = 0;
    watched->started_ms = clock_steady_ms(supervisor->clock);
    (void)snprintf(watched->why, sizeof watched->why, "starting");
    return child_start(&watched->child, part->arguments, log_path, error);
}

int supervisor_start(struct supervisor *supervisor, struct error *error)
{
    for (int i = 0; i < PART_COUNT; i++) {
        supervisor->parts[i].backoff_ms = FIRST_BACKOFF_MS;
        if (start_part(supervisor, i, error) != 0) {
            return -1;
        }
    }
    return 0;
}

/* --- watching ---- */

static void note_end(struct supervisor *supervisor, int id)
{
    struct watched *watched = &supervisor->parts[id];
    struct buffer *notes = &supervisor->notes;
    char how[CHILD_END_BYTES];
    child_describe_end(&watched->child, how);
    buffer_append_format(notes, "%s ended: %s. The end of %s:\n", supervisor->plan->parts[id].name, how,
                         watched->child.log_path);
    child_read_last_lines(&watched->child, LOG_LINES_SHOWN, "  | ", notes);
}

static void plan_restart(struct supervisor *supervisor, int id)
{
    struct watched *watched = &supervisor->parts[id];
    const int64_t now_ms = clock_steady_ms(supervisor->clock);
    if (now_ms - watched->started_ms >= HEALTHY_AFTER_MS) {
        watched->backoff_ms = FIRST_BACKOFF_MS;
    }
    watched->restart_ms = now_ms + watched->backoff_ms;
    buffer_append_format(&supervisor->notes, "%s is started again in %lld s.\n",
                         supervisor->plan->parts[id].name, (long long)(watched->backoff_ms / 1000));
    watched->backoff_ms *= 2;
    if (watched->backoff_ms > LAST_BACKOFF_MS) {
        watched->backoff_ms = LAST_BACKOFF_MS;
    }
}

static void ask_ready(struct supervisor *supervisor, int id)
{
    struct watched *watched = &supervisor->parts[id];
    const struct part *part = &supervisor->plan->parts[id];
    char url[PLAN_URL_BYTES];
    struct buffer answer;
    plan_url(url, part, part->ready_path);
    buffer_init(&answer, 4096);
    const struct http_client_request request = {
        .url = url, .timeout_ms = ANSWER_TIMEOUT_MS, .max_response_bytes = 4096};
    const int status = http_client_send(&request, &answer, NULL);
    watched->ready = status == 200;
    if (status > 0) {
        const char *text = buffer_text(&answer);
        (void)snprintf(watched->why, sizeof watched->why, "%.*s", (int)strcspn(text, "\r\n"), text);
    }
    buffer_free(&answer);
    if (watched->ready && supervisor->was_ready) {
        buffer_append_format(&supervisor->notes, "%s is back.\n", part->name);
    }
}

static int watch_part(struct supervisor *supervisor, int id, struct error *error)
{
    struct watched *watched = &supervisor->parts[id];
    if (child_has_ended(&watched->child)) {
        watched->ready = false;
        note_end(supervisor, id);
        if (!supervisor->was_ready) {
            return error_set(error, -1, "%s ended before it was ready", supervisor->plan->parts[id].name);
        }
        plan_restart(supervisor, id);
    }
    if (watched->restart_ms != 0 && clock_steady_ms(supervisor->clock) >= watched->restart_ms &&
        start_part(supervisor, id, error) != 0) {
        return -1;
    }
    if (watched->child.pid != 0 && !watched->ready) {
        ask_ready(supervisor, id);
    }
    return 0;
}

int supervisor_watch(struct supervisor *supervisor, struct error *error)
{
    for (int i = 0; i < PART_COUNT; i++) {
        if (watch_part(supervisor, i, error) != 0) {
            return -1;
        }
    }
    supervisor->was_ready = supervisor->was_ready || supervisor_is_ready(supervisor);
    return 0;
}

bool supervisor_is_ready(const struct supervisor *supervisor)
{
    for (int i = 0; i < PART_COUNT; i++) {
        if (!supervisor->parts[i].ready) {
            return false;
        }
    }
    return true;
}

void supervisor_describe_waiting(const struct supervisor *supervisor, struct buffer *out)
{
    const char *between = "";
    for (int i = 0; i < PART_COUNT; i++) {
        if (!supervisor->parts[i].ready) {
            buffer_append_format(out, "%s%s (%s)", between, supervisor->plan->parts[i].name,
                                 supervisor->parts[i].why);
            between = ", ";
        }
    }
}

bool supervisor_next_note(struct supervisor *supervisor, struct buffer *out)
{
    if (supervisor->notes.size == 0) {
        return false;
    }
    buffer_append(out, supervisor->notes.data, supervisor->notes.size);
    buffer_clear(&supervisor->notes);
    return true;
}

/* --- stopping ---- */

static bool wait_for_end(struct supervisor *supervisor, struct child *child, int64_t timeout_ms)
{
    const int64_t end_ms = clock_steady_ms(supervisor->clock) + timeout_ms;
    const struct timespec pause = {.tv_nsec = 10000000};
    while (!child_has_ended(child)) {
        if (clock_steady_ms(supervisor->clock) >= end_ms) {
            return false;
        }
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

bool supervisor_stop(struct supervisor *supervisor)
{
    bool all_by_themselves = true;
    for (int i = 0; i < PART_COUNT; i++) {
        struct child *child = &supervisor->parts[i].child;
        if (child->pid == 0) {
            continue;
        }
        child_signal(child, SIGTERM);
        if (!wait_for_end(supervisor, child, STOP_TIMEOUT_MS)) {
            buffer_append_format(&supervisor->notes, "%s didn't stop within %d s and was killed.\n",
                                 supervisor->plan->parts[i].name, STOP_TIMEOUT_MS / 1000);
            child_signal(child, SIGKILL);
            (void)wait_for_end(supervisor, child, STOP_TIMEOUT_MS);
            all_by_themselves = false;
        }
    }
    return all_by_themselves;
}
