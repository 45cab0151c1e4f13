#include "simulation.h"

#include "catalog.h"
#include "fault_set.h"
#include "log/log.h"
#include "metrics/metric_set.h"
#include "program/program.h"
#include "progress.h"
#include "run_time.h"
#include "traffic.h"
#include "truth.h"

#include <string.h>

#define TICK_MS      10   /* paced traffic is published at most this late */
#define IDLE_TICK_MS 100  /* the same where the next request is further away */
#define CAUGHT_UP_MS 1000 /* of the traffic's time at once, when catching up with the clock */
#define REQUESTS_NOW 256  /* between two looks at the clock, as fast as the bus can */

void simulation_init(struct simulation *simulation, struct program *program)
{
    *simulation = (struct simulation){.program = program};
    simulation->active_faults = metric_add_gauge(program_metrics(program), "workload_simulator_faults_active",
                                                 "Faults that are being simulated now.");
    simulation->begun_faults = metric_add_counter(program_metrics(program), "workload_simulator_faults_total",
                                                  "Faults that have begun.");
}

/* --- faults ---- */

static void log_change(struct simulation *s, const struct fault_change *change)
{
    const struct fault_spec *spec = &change->fault.spec;
    log_info_with(
        program_log(s->program), change->kind == FAULT_BEGINS ? "fault begins" : "fault ends",
        log_integer("id", (int64_t)change->fault.id), log_text("type", fault_type_name(spec->type)),
        log_text("service", spec->service < 0 ? "all" : catalog_service((size_t)spec->service)->name),
        log_text("region", spec->region < 0 ? "all" : catalog_region((size_t)spec->region)->name),
        log_real("magnitude", spec->magnitude));
}

static void record_change(struct simulation *s, const struct fault_change *change)
{
    struct error error;
    log_change(s, change);
    if (change->kind == FAULT_BEGINS) {
        metric_increment(s->begun_faults, 1);
    }
    if (truth_write(s->truth, fault_set_start_unix_ms(s->faults), change, &error) != 0) {
        s->truth_failed = true;
        log_error(program_log(s->program), error.message);
    }
}

static void apply_changes(struct simulation *s, int64_t now_ms)
{
    struct fault_change change;
    bool changed = false;
    while (fault_set_take_change(s->faults, now_ms, &change)) {
        record_change(s, &change);
        changed = true;
    }
    if (!changed) {
        return;
    }
    for (int i = 0; i < SERIES_COUNT; i++) {
        struct fault_effect effect;
        fault_set_read_effect(s->faults, i / REGION_COUNT, i % REGION_COUNT, &effect);
        traffic_set_effect(s->traffic, i, now_ms, &effect);
    }
    metric_set_value(s->active_faults, (double)fault_set_count_active(s->faults));
}

/* --- requests ---- */

static enum publisher_result publish(struct simulation *s, const struct traffic_request *request,
                                     struct error *error)
{
    struct event_text key = traffic_key(s->traffic, request->series);
    enum publisher_result result = publisher_send_event(s->publisher, &request->event, key, error);
    if (result == PUBLISHER_OK && request->logged) {
        result = publisher_send_log(s->publisher, &request->log, key, error);
    }
    return result;
}

/* All requests before until_ms. When it is broken off, the position is the last request's. */
static enum publisher_result publish_until(struct simulation *s, int64_t until_ms, struct error *error)
{
    struct traffic_request request;
    enum publisher_result result = PUBLISHER_OK;
    while (result == PUBLISHER_OK && traffic_next(s->traffic, until_ms, &request)) {
        result = program_is_stopping(s->program) ? PUBLISHER_STOPPED : publish(s, &request, error);
        if (result != PUBLISHER_OK) {
            run_time_move(s->time, request.event.time_unix_ms - s->time->start_unix_ms);
        }
    }
    return result;
}

/* As many as the bus takes, all at now_ms. */
static enum publisher_result publish_now(struct simulation *s, int64_t now_ms, struct error *error)
{
    struct traffic_request request;
    enum publisher_result result = PUBLISHER_OK;
    for (int i = 0; i < REQUESTS_NOW && result == PUBLISHER_OK; i++) {
        if (!traffic_next_at(s->traffic, now_ms, &request)) {
            (void)program_sleep(s->program, TICK_MS); /* an outage of everything */
            break;
        }
        result = publish(s, &request, error);
    }
    return result;
}

/* --- time ---- */

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How far to go in this turn, faults not considered. */
static int64_t choose_target(const struct simulation *s)
{
    int64_t target_ms = run_time_target_ms(s->time);
    if (s->time->mode == RUN_CAUGHT) {
        target_ms = smaller(target_ms, run_time_position_ms(s->time) + CAUGHT_UP_MS);
    }
    return s->duration_ms > 0 ? smaller(target_ms, s->duration_ms) : target_ms;
}

static bool is_over(const struct simulation *s)
{
    return s->duration_ms > 0 && run_time_position_ms(s->time) >= s->duration_ms;
}

/* One stretch of time without a fault's begin or end inside. */
static enum publisher_result move_on(struct simulation *s, struct error *error)
{
    int64_t until_ms = fault_set_advance(s->faults, choose_target(s));
    enum publisher_result result =
        s->time->mode == RUN_NOW ? publish_now(s, until_ms, error) : publish_until(s, until_ms, error);
    if (result == PUBLISHER_OK) {
        run_time_move(s->time, until_ms);
        apply_changes(s, until_ms);
    }
    return result;
}

/* Until there is something to do; acknowledgements are taken meanwhile. */
static void wait_for_time(struct simulation *s)
{
    int64_t position_ms = run_time_position_ms(s->time);
    if (s->time->mode == RUN_NOW || run_time_target_ms(s->time) > position_ms) {
        publisher_poll(s->publisher, 0);
        return;
    }
    int64_t due_ms = traffic_due_ms(s->traffic);
    publisher_poll(s->publisher, 0);
    bool is_quiet = due_ms - position_ms > IDLE_TICK_MS && !publisher_is_waiting(s->publisher);
    (void)program_sleep(s->program, is_quiet ? IDLE_TICK_MS : TICK_MS);
}

static int64_t remaining_ms(const struct simulation *s)
{
    return s->duration_ms > 0 ? s->duration_ms - run_time_position_ms(s->time) : -1;
}

int simulation_run(struct simulation *s, struct error *error)
{
    enum publisher_result result = PUBLISHER_OK;
    while (result == PUBLISHER_OK && !is_over(s) && !program_is_stopping(s->program)) {
        wait_for_time(s);
        result = move_on(s, error);
        progress_show(s->progress, s->publisher, remaining_ms(s));
    }
    int64_t position_ms = run_time_position_ms(s->time);
    fault_set_finish(s->faults, position_ms);
    apply_changes(s, position_ms);
    return result == PUBLISHER_FAILED ? -1 : 0;
}
