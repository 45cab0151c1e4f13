#include "fault_http.h"
#include "fault_set.h"
#include "options.h"
#include "progress.h"
#include "publisher.h"
#include "replay.h"
#include "run_time.h"
#include "simulation.h"
#include "traffic.h"
#include "truth.h"

#include "bus/bus.h"
#include "clock/clock.h"
#include "clock/rfc3339.h"
#include "log/log.h"
#include "program/program.h"
#include "topics/topics.h"

#include <stdio.h>

#define FUTURE_MS  60000 /* events further ahead of the bus are refused by their readers */
#define SHARES_RPS 1000  /* --max at the time of day: only says how the series share */

struct simulator {
    struct program *program;
    struct options options;
    struct run_time time;
    struct fault_set *faults;
    struct fault_http fault_http;
    struct traffic *traffic;
    struct truth *truth;
    struct publisher *publisher;
    struct progress progress;
    struct simulation simulation;
    struct replay replay;
};

static int add_scenario(struct simulator *s, struct error *error)
{
    const struct scenario *scenario = &s->options.scenario;
    for (size_t i = 0; i < scenario->fault_count; i++) {
        struct fault fault;
        if (fault_set_add(s->faults, &scenario->faults[i], 0, &fault) != FAULT_SET_OK) {
            return error_set(error, -1, "--scenario: fault %zu begins before the traffic does", i + 1);
        }
    }
    return 0;
}

/* The traffic's time begins here, when the bus is there to take it. */
static int begin_traffic(struct simulator *s, struct error *error)
{
    const struct options *o = &s->options;
    const struct clock *clock = program_clock(s->program);
    enum run_mode mode = !o->max ? RUN_PACED : o->has_start ? RUN_CAUGHT : RUN_NOW;
    run_time_init(&s->time, mode, clock, o->has_start ? o->start_unix_ms : clock_wall_ms(clock));
    const struct traffic_settings settings = {
        .seed = (uint64_t)o->seed,
        .instance = o->instance,
        .start_unix_ms = s->time.start_unix_ms,
        .target_rps = mode == RUN_NOW ? SHARES_RPS : o->target_rps,
        .error_share = o->error_rate,
        .log_share = o->logs,
    };
    s->faults = fault_set_create(s->time.start_unix_ms);
    if (s->faults == NULL) {
        return error_set(error, -1, "no memory for the faults");
    }
    if (traffic_create(&s->traffic, &settings, error) != 0 || add_scenario(s, error) != 0) {
        return -1;
    }
    s->fault_http.faults = s->faults;
    s->fault_http.time = &s->time;
    atomic_store(&s->fault_http.is_open, true);
    return 0;
}

static void say_start(struct simulator *s)
{
    static const char *const modes[] = {"paced", "catching up", "as fast as it can"};
    const struct options *o = &s->options;
    char start[RFC3339_BYTES];
    rfc3339_format(start, s->time.start_unix_ms);
    log_info_with(program_log(s->program), "simulated traffic", log_text("mode", modes[s->time.mode]),
                  log_real("target_rps", o->target_rps), log_integer("seed", o->seed),
                  log_text("instance", o->instance), log_text("start", start),
                  log_integer("duration_ms", o->duration_ms),
                  log_integer("faults", (int64_t)o->scenario.fault_count));
    if (s->time.start_unix_ms > clock_wall_ms(program_clock(s->program)) + FUTURE_MS &&
        s->time.mode == RUN_PACED) {
        log_warn(
            program_log(s->program),
            "--start lies in the future: events more than 60 s ahead of the bus are refused by its readers");
    }
}

static int simulate(struct simulator *s, struct error *error)
{
    struct simulation *simulation = &s->simulation;
    if (begin_traffic(s, error) != 0) {
        return -1;
    }
    simulation->traffic = s->traffic;
    simulation->faults = s->faults;
    simulation->time = &s->time;
    simulation->publisher = s->publisher;
    simulation->truth = s->truth;
    simulation->progress = &s->progress;
    simulation->duration_ms = s->options.duration_ms;
    say_start(s);
    return simulation_run(simulation, error);
}

/* --- the frame ---- */

/* broken: the run didn't come to its end. */
static int say_totals(struct simulator *s, bool broken)
{
    struct publisher_counts events, logs;
    publisher_read_counts(s->publisher, PUBLISHER_EVENTS, &events);
    publisher_read_counts(s->publisher, PUBLISHER_LOGS, &logs);
    bool complete = publisher_is_complete(s->publisher);
    log_write(program_log(s->program), complete ? LOG_INFO : LOG_ERROR,
              !complete ? "ended with records that aren't acknowledged"
              : broken  ? "ended early"
                        : "done",
              LOG_FIELDS_(log_integer("events_produced", (int64_t)events.produced),
                          log_integer("events_acknowledged", (int64_t)events.acknowledged),
                          log_integer("events_failed", (int64_t)events.failed),
                          log_integer("logs_produced", (int64_t)logs.produced),
                          log_integer("logs_acknowledged", (int64_t)logs.acknowledged),
                          log_integer("logs_failed", (int64_t)logs.failed)));
    return complete && !broken && !s->simulation.truth_failed ? PROGRAM_DONE : PROGRAM_FAILED;
}

static int publish_all(struct simulator *s, struct bus *bus, struct error *error)
{
    if (publisher_open(s->publisher, bus, error) != 0) {
        return program_fail(s->program, "cannot produce", error);
    }
    progress_init(&s->progress, s->options.progress, program_clock(s->program));
    int result = s->options.replay != NULL ? replay_run(&s->replay, bus, error) : simulate(s, error);
    progress_end(&s->progress);
    if (result != 0) {
        (void)program_fail(s->program, s->options.replay != NULL ? "the replay ended" : "the traffic ended",
                           error);
    }
    publisher_drain(s->publisher);
    return say_totals(s, result != 0);
}

static int serve_and_publish(struct simulator *s, struct error *error)
{
    static const char *const topics[] = {TOPIC_METRICS_RAW, TOPIC_LOGS_RAW, NULL};
    s->fault_http.is_replay = s->options.replay != NULL;
    fault_http_add_routes(s->program, &s->fault_http);
    if (program_serve(s->program, error) != 0) {
        return program_fail(s->program, "cannot serve", error);
    }
    struct bus *bus = program_bus(s->program, error);
    if (bus == NULL) {
        int code = program_fail(s->program, "cannot open the bus", error);
        return error->code == BUS_REFUSED ? PROGRAM_USAGE : code;
    }
    switch (topics_create(s->program, bus, topics, error)) {
    case TOPICS_READY:
        return publish_all(s, bus, error);
    case TOPICS_STOPPED:
        return PROGRAM_DONE;
    default:
        return program_fail(s->program, "cannot use the topics", error);
    }
}

/* What can be refused as wrong use. */
static int check_use(struct simulator *s, struct error *error)
{
    const struct options *o = &s->options;
    if (options_finish(&s->options, program_settings(s->program), error) != 0) {
        return -1;
    }
    if (o->replay != NULL) {
        return replay_open(&s->replay, o, error);
    }
    return o->truth_path == NULL ? 0 : truth_open(&s->truth, o->truth_path, error);
}

static int run(struct simulator *s)
{
    struct error error;
    error_clear(&error);
    s->publisher = publisher_create(s->program);
    if (s->publisher == NULL) {
        (void)error_set(&error, -1, "no memory");
        return program_fail(s->program, "cannot start", &error);
    }
    simulation_init(&s->simulation, s->program);
    replay_init(&s->replay, s->program, s->publisher, &s->progress);
    if (check_use(s, &error) != 0) {
        return program_refuse(s->program, "refused", &error);
    }
    return serve_and_publish(s, &error);
}

int main(int argc, char **argv)
{
    static struct simulator simulator;
    struct simulator *s = &simulator;
    options_init(&s->options);
    const struct program_spec spec = {
        .name = "workload-simulator",
        .summary = "Puts simulated or replayed traffic on the event bus.",
        .notes = options_notes,
        .settings = s->options.table,
        .setting_count = s->options.count,
        .default_port = 8081,
    };
    int code = program_start(&s->program, &spec, argc, argv);
    if (s->program == NULL) {
        return code;
    }
    code = run(s);
    const char *advice = replay_advice(&s->replay);
    if (advice != NULL) {
        (void)fputs(advice, stderr);
    }
    replay_close(&s->replay);
    publisher_destroy(s->publisher);
    program_end(s->program); /* the server's thread reads the faults until here */
    truth_close(s->truth);
    traffic_destroy(s->traffic);
    fault_set_destroy(s->faults);
    return code;
}
