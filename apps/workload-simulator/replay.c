#include "replay.h"

#include "clock/clock.h"
#include "line_reader.h"
#include "metrics/metric_set.h"
#include "options.h"
#include "program/program.h"
#include "progress.h"
#include "publisher.h"
#include "replay_guard.h"
#include "replay_line.h"

#include <string.h>

#define READ_WAIT_MS      100
#define TICK_MS           10
#define LINES_SAID        10
#define SAY_EVERY_MS      10000
#define NO_DURATION_LIMIT 100 /* such lines, and not one other: the log is written so */
#define EXCERPT_BYTES     80

enum step { GO_ON, END, FAIL };

/* --- life ---- */

void replay_init(struct replay *replay, struct program *program, struct publisher *publisher,
                 struct progress *progress)
{
    static const char *const labels[] = {"result", NULL};
    static const char *const results[REPLAY_RESULTS] = {"event", "malformed", "empty"};
    *replay = (struct replay){.program = program, .publisher = publisher, .progress = progress};
    struct metric_family *family =
        metric_family_add(program_metrics(program), METRIC_COUNTER, "workload_simulator_replay_lines_total",
                          "Lines of the replayed log by what became of them.", labels);
    for (int i = 0; i < REPLAY_RESULTS; i++) {
        replay->metrics[i] = metric_series(family, &results[i]);
    }
}

static void count(struct replay *r, int result)
{
    r->counts[result]++;
    metric_increment(r->metrics[result], 1);
}

int replay_open(struct replay *r, const struct options *o, struct error *error)
{
    static const double units[] = {[REPLAY_UNIT_S] = 1, [REPLAY_UNIT_MS] = 1e3, [REPLAY_UNIT_US] = 1e6};
    const struct replay_parser_settings settings = {
        .source = o->instance != NULL ? o->instance : o->replay,
        .service = o->replay_service,
        .region = o->replay_region,
        .units_per_s = units[o->replay_unit],
    };
    r->options = o;
    if (line_reader_open(&r->reader, o->replay, error) != 0) {
        return error_add_context(error, "--replay");
    }
    return replay_parser_create(&r->parser, &settings, error);
}

void replay_close(struct replay *r)
{
    replay_parser_destroy(r->parser);
    line_reader_close(r->reader);
    r->parser = NULL;
    r->reader = NULL;
}

/* --- what can't be read ---- */

static int64_t now_ms(const struct replay *r)
{
    return clock_steady_ms(program_clock(r->program));
}

static void count_malformed(struct replay *r, const struct line_reader_line *line)
{
    count(r, REPLAY_MALFORMED);
    r->first_bad_line = r->first_bad_line == 0 ? line->number : r->first_bad_line;
}

static void note_malformed(struct replay *r, const struct line_reader_line *line, const char *why)
{
    uint64_t suppressed = 0;
    count_malformed(r, line);
    bool is_early = r->counts[REPLAY_MALFORMED] <= LINES_SAID;
    if (is_early || log_throttle_allows(&r->throttle, now_ms(r), SAY_EVERY_MS, &suppressed)) {
        size_t size = line->size < EXCERPT_BYTES ? line->size : EXCERPT_BYTES;
        log_warn_with(program_log(r->program), "a line can't be read",
                      log_integer("line", (int64_t)line->number), log_text("why", why),
                      log_bytes("text", line->text, size),
                      log_integer("malformed", (int64_t)r->counts[REPLAY_MALFORMED]));
    }
}

static int refuse_without_durations(struct replay *r, struct error *error)
{
    r->lacks_durations = true;
    return error_set(error, -1,
                     "%s has no request times, which latencies are made of: add $request_time to its "
                     "log_format as the last field",
                     r->options->replay);
}

const char *replay_advice(const struct replay *r)
{
    return !r->lacks_durations
               ? NULL
               : "nginx, in the http block:\n"
                 "    log_format obs '$remote_addr - $remote_user [$time_local] \"$request\" '\n"
                 "                   '$status $body_bytes_sent \"$http_referer\" '\n"
                 "                   '\"$http_user_agent\" $request_time';\n"
                 "    access_log /var/log/nginx/access.log obs;\n"
                 "Apache, and --replay-unit us:\n"
                 "    LogFormat \"%h %l %u %t \\\"%r\\\" %>s %b \\\"%{Referer}i\\\" "
                 "\\\"%{User-agent}i\\\" %D\" obs\n";
}

/* --- when ---- */

/* The first event sets what the others are measured from. */
static enum step begin(struct replay *r, int64_t unix_ms, struct error *error)
{
    if (r->options->replay_time == REPLAY_TIME_ORIGINAL && !r->options->force) {
        enum replay_guard_result result = replay_guard_check(r->program, r->bus, unix_ms, error);
        if (result != REPLAY_GUARD_FREE) {
            return result == REPLAY_GUARD_STOPPED ? END : FAIL;
        }
    }
    r->has_begun = true;
    r->first_unix_ms = unix_ms;
    r->begun_unix_ms = clock_wall_ms(program_clock(r->program));
    r->begun_steady_ms = now_ms(r);
    return GO_ON;
}

/* ms after the first event, at the replay's speed. */
static int64_t due_after_ms(const struct replay *r, int64_t unix_ms)
{
    return (int64_t)((double)(unix_ms - r->first_unix_ms) / r->options->replay_speed);
}

static bool is_out_of_time(const struct replay *r)
{
    return r->options->duration_ms > 0 && now_ms(r) - r->started_ms >= r->options->duration_ms;
}

static void show_progress(const struct replay *r)
{
    double share = line_reader_share(r->reader);
    int64_t remaining_ms = -1;
    if (share > 0.001) {
        remaining_ms = (int64_t)((double)(now_ms(r) - r->started_ms) * (1 - share) / share);
    }
    progress_show(r->progress, r->publisher, remaining_ms);
}

/* False: the run ends before the event's time comes. */
static bool wait_until_due(const struct replay *r, int64_t unix_ms)
{
    if (r->options->replay_speed <= 0) {
        return true;
    }
    int64_t due_ms = r->begun_steady_ms + due_after_ms(r, unix_ms);
    for (int64_t now = now_ms(r); now < due_ms; now = now_ms(r)) {
        if (is_out_of_time(r)) {
            return false;
        }
        publisher_poll(r->publisher, 0);
        show_progress(r);
        if (program_sleep(r->program, due_ms - now < TICK_MS ? due_ms - now : TICK_MS)) {
            return false;
        }
    }
    return true;
}

static int64_t event_time(const struct replay *r, int64_t unix_ms)
{
    if (r->options->replay_time == REPLAY_TIME_ORIGINAL) {
        return unix_ms;
    }
    if (r->options->replay_speed <= 0) {
        return clock_wall_ms(program_clock(r->program));
    }
    return r->begun_unix_ms + due_after_ms(r, unix_ms);
}

/* --- lines ---- */

static enum step publish(struct replay *r, struct event *event, struct error *error)
{
    char key[EVENT_KEY_BYTES];
    if (!r->has_begun) {
        enum step step = begin(r, event->time_unix_ms, error);
        if (step != GO_ON) {
            return step;
        }
    }
    if (!wait_until_due(r, event->time_unix_ms)) {
        return END;
    }
    event->time_unix_ms = event_time(r, event->time_unix_ms);
    const struct event_text key_text = {key, event_key(key, event)};
    enum publisher_result result = publisher_send_event(r->publisher, event, key_text, error);
    if (result != PUBLISHER_OK) {
        return result == PUBLISHER_STOPPED ? END : FAIL;
    }
    count(r, REPLAY_EVENTS);
    return GO_ON;
}

/* Among other lines it is a bad one like any; where the log begins with it, it may be that all are so: the
 * first is told, then it is waited for the refusal. */
static enum step take_without_duration(struct replay *r, const struct line_reader_line *line,
                                       struct error *error)
{
    r->without_duration++;
    if (!r->has_begun && r->without_duration >= NO_DURATION_LIMIT) {
        (void)refuse_without_durations(r, error);
        return FAIL;
    }
    if (r->has_begun || r->without_duration == 1) {
        note_malformed(r, line, error->message);
    } else {
        count_malformed(r, line);
    }
    return GO_ON;
}

static enum step take_line(struct replay *r, const struct line_reader_line *line, struct error *error)
{
    struct event event;
    switch (replay_parser_read(r->parser, line->number, line->text, line->size, &event, error)) {
    case REPLAY_LINE_EVENT:
        return publish(r, &event, error);
    case REPLAY_LINE_EMPTY:
        count(r, REPLAY_EMPTY);
        return GO_ON;
    case REPLAY_LINE_NO_DURATION:
        return take_without_duration(r, line, error);
    default:
        note_malformed(r, line, error->message);
        return GO_ON;
    }
}

static enum step read_on(struct replay *r, struct error *error)
{
    struct line_reader_line line;
    switch (line_reader_next(r->reader, READ_WAIT_MS, &line, error)) {
    case LINE_READER_LINE:
        return take_line(r, &line, error);
    case LINE_READER_TOO_LONG:
        note_malformed(r, &line, "it is over 64 KiB");
        return GO_ON;
    case LINE_READER_WAITING:
        publisher_poll(r->publisher, 0);
        return GO_ON;
    case LINE_READER_END:
        return END;
    default:
        return FAIL;
    }
}

/* --- the end ---- */

static void say_end(const struct replay *r)
{
    log_info_with(program_log(r->program), "replayed", log_text("file", r->options->replay),
                  log_integer("events", (int64_t)r->counts[REPLAY_EVENTS]),
                  log_integer("combined", (int64_t)replay_parser_count(r->parser, REPLAY_COMBINED)),
                  log_integer("json", (int64_t)replay_parser_count(r->parser, REPLAY_JSON)),
                  log_integer("metrics_raw", (int64_t)replay_parser_count(r->parser, REPLAY_METRICS)),
                  log_integer("malformed", (int64_t)r->counts[REPLAY_MALFORMED]),
                  log_integer("first_malformed_line", (int64_t)r->first_bad_line),
                  log_integer("empty", (int64_t)r->counts[REPLAY_EMPTY]),
                  log_integer("other_routes", (int64_t)replay_parser_other_routes(r->parser)));
}

static int judge_end(struct replay *r, enum step step, struct error *error)
{
    if (step == FAIL) {
        return -1;
    }
    if (r->has_begun || r->counts[REPLAY_MALFORMED] == 0 || program_is_stopping(r->program)) {
        return 0;
    }
    if (r->without_duration > 0) {
        return refuse_without_durations(r, error);
    }
    return error_set(
        error, -1,
        "none of the %llu lines of %s can be read: neither combined with $request_time at the end, nor "
        "nginx JSON, nor metrics.raw",
        (unsigned long long)r->counts[REPLAY_MALFORMED], r->options->replay);
}

int replay_run(struct replay *r, struct bus *bus, struct error *error)
{
    enum step step = GO_ON;
    r->bus = bus;
    r->started_ms = now_ms(r);
    while (step == GO_ON && !program_is_stopping(r->program) && !is_out_of_time(r)) {
        step = read_on(r, error);
        show_progress(r);
    }
    say_end(r);
    return judge_end(r, step, error);
}
