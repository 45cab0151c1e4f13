/* docs/event-time.md, case by case. Each case plays its records and ticks once; then, from a number of places
 * in its middle, a detector is stopped after a commit, built again from what was saved, and goes on: verdicts
 * and transitions must be the same. */
#include "alert/transition.h"
#include "detect/detector.h"
#include "event/decode.h"
#include "event/event.h"
#include "rule/rule_load.h"

#include "cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS       8000
#define TRANSITIONS 64
#define STATES      512
#define STOPS       24
#define DAY_MS      INT64_C(86400000)
#define START_MS    INT64_C(1795561200000) /* a whole hour */

/* --- a case ---- */

struct step {
    bool is_tick;
    int64_t time_ms, appended_ms; /* a tick: its clock */
    int service, status, id;
    int64_t offset; /* records before it */
    enum detector_verdict verdict;
};

struct outcome {
    struct alert_transition transitions[TRANSITIONS];
    int64_t clock_ms[TRANSITIONS]; /* the partition's when it came */
    size_t count;
};

struct scene {
    struct rule_set *rules;
    struct detector *detector;
    struct step steps[STEPS];
    size_t count;
    struct outcome seen;
    int64_t zero_ms; /* times of a case are after this */
    int next_id;
};

static struct detector *open_detector(const struct rule_set *rules, uint64_t seed)
{
    const struct detector_limits limits = {.series = 100, .lateness_ms = 15000, .idle_after_ms = 15000};
    struct detector *detector = NULL;
    assert_int_equal(detector_create(&detector, rules, &limits, seed, NULL), 0);
    return detector;
}

static struct scene *scene_open(const char *yaml)
{
    struct scene *s = calloc(1, sizeof *s);
    struct error error;
    assert_non_null(s);
    if (rule_set_parse(&s->rules, "case.yaml", yaml, strlen(yaml), &error) != 0) {
        fail_msg("%s", error.message);
    }
    s->detector = open_detector(s->rules, 1);
    s->zero_ms = START_MS;
    return s;
}

static void drain(struct detector *detector, struct outcome *outcome)
{
    struct alert_transition transition;
    while (detector_next_transition(detector, &transition)) {
        assert_true(outcome->count < TRANSITIONS);
        outcome->clock_ms[outcome->count] = detector_clock_ms(detector);
        outcome->transitions[outcome->count++] = transition;
    }
}

static struct event_text text(const char *value)
{
    return (struct event_text){value, strlen(value)};
}

static enum detector_verdict play(struct detector *detector, enum detector_mode mode, const struct step *step,
                                  struct outcome *outcome)
{
    static const char *const services[] = {"api-service", "auth-service"};
    if (step->is_tick) {
        detector_pass_time(detector, mode, step->time_ms);
        drain(detector, outcome);
        return DETECTOR_COUNTED;
    }
    char id[16];
    (void)snprintf(id, sizeof id, "%d", step->id);
    const struct event event = {.id = text(id),
                                .time_unix_ms = step->time_ms,
                                .service = text(services[step->service]),
                                .region = text("us-east-1"),
                                .kind = EVENT_REQUEST,
                                .route = text("/x"),
                                .status_code = step->status,
                                .duration_s = 0.01,
                                .count = 1,
                                .cpu_utilization = NAN,
                                .memory_utilization = NAN};
    struct detector_input input = {.event = &event, .offset = step->offset, .appended_ms = step->appended_ms};
    detector_observe(detector, mode, &input, 1);
    drain(detector, outcome);
    return input.verdict;
}

static struct step *add_step(struct scene *s)
{
    assert_true(s->count < STEPS);
    struct step *step = &s->steps[s->count];
    *step = (struct step){.offset = s->count == 0 ? 0
                                                  : s->steps[s->count - 1].offset +
                                                        (s->steps[s->count - 1].is_tick ? 0 : 1)};
    s->count++;
    return step;
}

enum { A, B }; /* the services of a case */

/* A record; its times in ms after the case's zero. */
static enum detector_verdict say(struct scene *s, int service, int64_t time_ms, int64_t appended_ms,
                                 int status)
{
    struct step *step = add_step(s);
    step->service = service;
    step->time_ms = s->zero_ms + time_ms;
    step->appended_ms = s->zero_ms + appended_ms;
    step->status = status;
    step->id = s->next_id++;
    step->verdict = play(s->detector, DETECTOR_DECIDE, step, &s->seen);
    return step->verdict;
}

/* The record of that id again. */
static enum detector_verdict say_again(struct scene *s, int id, int service, int64_t time_ms,
                                       int64_t appended_ms)
{
    int next_id = s->next_id;
    s->next_id = id;
    enum detector_verdict verdict = say(s, service, time_ms, appended_ms, 200);
    s->next_id = next_id;
    return verdict;
}

static void tick(struct scene *s, int64_t clock_ms)
{
    struct step *step = add_step(s);
    step->is_tick = true;
    step->time_ms = s->zero_ms + clock_ms;
    step->verdict = play(s->detector, DETECTOR_DECIDE, step, &s->seen);
}

/* Ten requests a second whose clock is skew_ms ahead; how many were counted. */
static int requests(struct scene *s, int service, int64_t from_s, int64_t to_s, int64_t skew_ms, int status)
{
    int counted = 0;
    for (int64_t ms = from_s * 1000; ms < to_s * 1000; ms += 100) {
        counted += say(s, service, ms + skew_ms, ms, status) == DETECTOR_COUNTED;
    }
    return counted;
}

static const struct alert_transition *seen(const struct scene *s, size_t index)
{
    assert_true(index < s->seen.count);
    return &s->seen.transitions[index];
}

static const struct alert_transition *seen_of(const struct scene *s, const char *rule, enum alert_state state,
                                              int64_t *clock_ms)
{
    for (size_t i = 0; i < s->seen.count; i++) {
        if (strcmp(s->seen.transitions[i].rule, rule) == 0 && s->seen.transitions[i].state == state) {
            *clock_ms = s->seen.clock_ms[i] - s->zero_ms;
            return &s->seen.transitions[i];
        }
    }
    fail_msg("no such transition of %s", rule);
    return NULL;
}

/* --- a case again, with a stop in its middle ---- */

struct kept {
    struct {
        char key[64];
        void *value; /* NULL: forgotten */
        size_t key_bytes, value_bytes;
    } states[STATES];
    size_t count;
};

static void keep_states(struct kept *kept, struct detector *detector)
{
    struct detector_state state;
    while (detector_next_state(detector, &state)) {
        size_t i = 0;
        while (i < kept->count && (kept->states[i].key_bytes != state.key_bytes ||
                                   memcmp(kept->states[i].key, state.key, state.key_bytes) != 0)) {
            i++;
        }
        assert_true(i < STATES && state.key_bytes <= sizeof kept->states[i].key);
        kept->count = i == kept->count ? i + 1 : kept->count;
        free(kept->states[i].value);
        memcpy(kept->states[i].key, state.key, state.key_bytes);
        kept->states[i].key_bytes = state.key_bytes;
        kept->states[i].value_bytes = state.value_bytes;
        kept->states[i].value = NULL;
        if (state.value != NULL) {
            kept->states[i].value = malloc(state.value_bytes + 1);
            assert_non_null(kept->states[i].value);
            memcpy(kept->states[i].value, state.value, state.value_bytes);
        }
    }
}

static void load_states(struct detector *detector, const struct kept *kept)
{
    for (size_t i = 0; i < kept->count; i++) {
        const struct detector_state state = {kept->states[i].key, kept->states[i].value,
                                             kept->states[i].key_bytes, kept->states[i].value_bytes};
        struct error error;
        if (state.value != NULL && detector_load_state(detector, &state, &error) != 0) {
            fail_msg("%s", error.message);
        }
    }
}

/* The first so many steps, with a commit now and then and one at the end. */
static int64_t play_until(struct detector *detector, const struct scene *s, size_t stop, struct kept *kept,
                          struct outcome *outcome)
{
    for (size_t i = 0; i < stop; i++) {
        (void)play(detector, DETECTOR_DECIDE, &s->steps[i], outcome);
        if (i % 37 == 0 || i + 1 == stop) {
            detector_take_checkpoint(detector, false);
            keep_states(kept, detector);
        }
    }
    return detector_replay_from(detector);
}

/* What its owner does after a kill: the saved state, the records that feed windows, the saved clock. */
static struct detector *build_again(const struct scene *s, size_t stop, const struct kept *kept,
                                    int64_t replay_from, struct outcome *outcome)
{
    struct detector *detector = open_detector(s->rules, 99);
    struct error error;
    int64_t from = replay_from;
    load_states(detector, kept);
    int64_t at_checkpoint = 0;
    if (detector_restore_windows(detector, 0, s->steps[stop].offset, &at_checkpoint, &error) ==
        DETECTOR_START_CHECKPOINT) {
        from = at_checkpoint;
    }
    int64_t clock_ms = INT64_MIN;
    for (size_t i = 0; i < stop; i++) {
        const struct step *step = &s->steps[i];
        if (from >= 0 && step->offset >= from) {
            (void)play(detector, DETECTOR_REBUILD, step, outcome);
        }
        int64_t reached_ms =
            step->is_tick || step->time_ms < step->appended_ms ? step->time_ms : step->appended_ms;
        clock_ms = reached_ms > clock_ms ? reached_ms : clock_ms;
    }
    if (stop > 0 && s->steps[stop - 1].is_tick) {
        detector_pass_time(detector, DETECTOR_REBUILD, s->steps[stop - 1].time_ms);
    }
    detector_pass_time(detector, DETECTOR_DECIDE, clock_ms);
    drain(detector, outcome);
    return detector;
}

static void assert_same_transition(const struct alert_transition *x, const struct alert_transition *y)
{
    assert_string_equal(x->rule, y->rule);
    assert_string_equal(x->labels.service, y->labels.service);
    assert_int_equal(x->state, y->state);
    assert_int_equal(x->reason, y->reason);
    assert_int_equal(x->sequence, y->sequence);
    assert_int_equal(x->starts_ms, y->starts_ms);
    assert_int_equal(x->ends_ms, y->ends_ms);
    assert_int_equal(x->samples, y->samples);
    assert_int_equal(x->bad, y->bad);
    assert_int_equal(x->evaluations, y->evaluations);
}

static int by_alert(const void *a, const void *b)
{
    return alert_transition_compare(a, b);
}

static void play_with_stop(const struct scene *s, const struct outcome *whole, size_t stop)
{
    static struct kept kept;
    static struct outcome outcome;
    outcome.count = 0;
    struct detector *detector = open_detector(s->rules, 7);
    int64_t replay_from = play_until(detector, s, stop, &kept, &outcome);
    detector_destroy(detector);
    detector = build_again(s, stop, &kept, replay_from, &outcome);
    for (size_t i = stop; i < s->count; i++) {
        if (play(detector, DETECTOR_DECIDE, &s->steps[i], &outcome) != s->steps[i].verdict) {
            fail_msg("stopped at step %zu of %zu: step %zu is judged otherwise", stop, s->count, i);
        }
    }
    qsort(outcome.transitions, outcome.count, sizeof outcome.transitions[0], by_alert);
    if (outcome.count != whole->count) {
        fail_msg("stopped at step %zu of %zu: %zu transitions instead of %zu", stop, s->count, outcome.count,
                 whole->count);
    }
    for (size_t i = 0; i < whole->count; i++) {
        assert_same_transition(&outcome.transitions[i], &whole->transitions[i]);
    }
    detector_destroy(detector);
    for (size_t i = 0; i < kept.count; i++) {
        free(kept.states[i].value);
    }
    memset(&kept, 0, sizeof kept);
}

/* The end of every case. */
static void scene_close(struct scene *s)
{
    static struct outcome whole;
    whole = s->seen;
    qsort(whole.transitions, whole.count, sizeof whole.transitions[0], by_alert);
    size_t stride = s->count / STOPS + 1;
    for (size_t stop = 1; stop < s->count; stop += stride) {
        play_with_stop(s, &whole, stop);
    }
    if (s->count > 1) {
        play_with_stop(s, &whole, s->count - 1);
    }
    detector_destroy(s->detector);
    rule_set_destroy(s->rules);
    free(s);
}

#define ERRORS    "{name: Errors, signal: error_rate, above: 0.05, severity: critical}"
#define NO_ERRORS "signal: error_rate, above: 0.5, confidence: off, min_samples: 1000000, severity: info"
#define AT_ONCE                                                                                              \
    "{name: AtOnce, signal: error_rate, above: 0.05, confidence: off, min_samples: 1, for_violations: 1, "   \
    "window: 10s, severity: info}"

/* --- whose time it is ---- */

static void each_series_has_its_own_time(void **state)
{
    (void)state;
    struct scene *s = scene_open("rules: [" ERRORS "]");
    for (int64_t ms = 0; ms <= 60000; ms += 1000) {
        assert_int_equal(say(s, A, ms, ms, 200), DETECTOR_COUNTED);
        assert_int_equal(say(s, B, ms - 10000, ms, 200), DETECTOR_COUNTED);
    }
    assert_int_equal(say(s, A, 40000, 60000, 200), DETECTOR_LATE);
    assert_int_equal(say(s, B, 40000, 60000, 200), DETECTOR_COUNTED);
    scene_close(s);
}

static void a_fast_clock_is_held_to_the_time_of_the_bus(void **state)
{
    (void)state;
    struct scene *s = scene_open("rules: [" ERRORS "]");
    assert_int_equal(requests(s, A, 0, 20, 0, 200), 200);
    assert_int_equal(requests(s, A, 20, 30, 50000, 503), 100);
    assert_int_equal(detector_clock_ms(s->detector), START_MS + 29900);
    assert_int_equal(requests(s, A, 30, 32, 0, 200), 20); /* nobody is late for it */
    assert_int_equal(s->seen.count, 1);
    assert_in_range(seen(s, 0)->starts_ms, START_MS + 21000, START_MS + 30000);
    scene_close(s);
}

static void a_slow_clock_alone_on_its_partition_goes_on_in_its_own_time(void **state)
{
    (void)state;
    struct scene *s = scene_open("rules: [" ERRORS "]");
    assert_int_equal(requests(s, A, 0, 20, -3600000, 200), 200);
    assert_int_equal(requests(s, A, 20, 30, -3600000, 503), 100);
    assert_int_equal(s->seen.count, 1);
    assert_in_range(seen(s, 0)->starts_ms, START_MS - 3600000 + 21000, START_MS - 3600000 + 30000);
    scene_close(s);
}

/* Others on the partition take it along at a distance of idle-after; the lateness counts from there. */
static void a_slow_clock_beside_right_ones_counts_up_to_idle_after_and_lateness(void **state)
{
    (void)state;
    struct scene *s = scene_open("rules: [" ERRORS "]");
    for (int64_t ms = 0; ms < 60000; ms += 500) {
        (void)say(s, A, ms, ms, 200);
        assert_int_equal(say(s, B, ms - 29000, ms, 200), DETECTOR_COUNTED);
    }
    for (int64_t ms = 60000; ms < 90000; ms += 500) {
        (void)say(s, A, ms, ms, 200);
        assert_int_equal(say(s, B, ms - 31000, ms, 200), DETECTOR_LATE);
    }
    scene_close(s);
}

static void two_producers_of_one_series_may_differ_by_the_lateness(void **state)
{
    (void)state;
    struct scene *s = scene_open("rules: [" ERRORS "]");
    for (int64_t ms = 20000; ms < 40000; ms += 100) {
        assert_int_equal(say(s, A, ms, ms, 200), DETECTOR_COUNTED);
        assert_int_equal(say(s, A, ms - 5000, ms, 503), DETECTOR_COUNTED);
    }
    assert_int_equal(s->seen.count, 1); /* what the slow one says is evidence too */
    for (int64_t ms = 40000; ms < 45000; ms += 100) {
        assert_int_equal(say(s, A, ms, ms, 200), DETECTOR_COUNTED);
        assert_int_equal(say(s, A, ms - 16000, ms, 503), DETECTOR_LATE);
    }
    scene_close(s);
}

static void time_begins_at_zero(void **state)
{
    (void)state;
    struct scene *s = scene_open("rules: [" ERRORS "]");
    s->zero_ms = 0;
    assert_int_equal(requests(s, A, 0, 10, 0, 200), 100);
    assert_int_equal(requests(s, A, 10, 20, 0, 503), 100);
    assert_int_equal(s->seen.count, 1);
    assert_in_range(seen(s, 0)->starts_ms, 11000, 20000);
    scene_close(s);
}

/* --- what the decoder lets through ---- */

static enum event_reason decode_at(struct event_decoder *decoder, int64_t time_ms, int64_t appended_ms)
{
    char value[256];
    struct event event;
    struct event_fault fault;
    int size = snprintf(value, sizeof value,
                        "{\"id\":\"1\",\"time_unix_ms\":%lld,\"service.name\":\"a\",\"cloud.region\":\"eu\","
                        "\"http.request.method\":\"GET\",\"http.route\":\"/\","
                        "\"http.response.status_code\":200,\"http.server.request.duration\":0.1}",
                        (long long)time_ms);
    enum event_reason reason = event_decode(decoder, value, (size_t)size, &event, &fault);
    return reason == EVENT_OK ? event_check_time(&event, appended_ms, &fault) : reason;
}

static void times_before_1970_and_beyond_the_future_limit_are_malformed(void **state)
{
    (void)state;
    struct event_decoder *decoder = NULL;
    assert_int_equal(event_decoder_create(&decoder, NULL), 0);
    assert_int_equal(decode_at(decoder, 0, START_MS), EVENT_OK);
    assert_int_equal(decode_at(decoder, -1, START_MS), EVENT_OUT_OF_RANGE);
    assert_int_equal(decode_at(decoder, EVENT_TIME_MAX_MS + 1, START_MS), EVENT_OUT_OF_RANGE);
    assert_int_equal(decode_at(decoder, START_MS + 60000, START_MS), EVENT_OK);
    assert_int_equal(decode_at(decoder, START_MS + 60001, START_MS), EVENT_FUTURE_TIME);
    event_decoder_destroy(decoder);
}

/* --- steps ---- */

static void a_second_is_judged_when_the_first_record_behind_it_comes(void **state)
{
    (void)state;
    struct scene *s = scene_open("rules: [" AT_ONCE "]");
    (void)say(s, A, 0, 0, 200);
    (void)say(s, A, 1000, 1000, 503);
    (void)say(s, A, 1999, 1999, 503);
    assert_int_equal(s->seen.count, 0);
    (void)say(s, A, 2000, 2000, 200);
    assert_int_equal(s->seen.count, 1);
    assert_int_equal(seen(s, 0)->starts_ms, START_MS + 2000);
    assert_int_equal(seen(s, 0)->samples, 3);
    scene_close(s);
}

static void records_out_of_order_count_in_the_steps_that_follow(void **state)
{
    (void)state;
    struct scene *s = scene_open("rules: [" AT_ONCE "]");
    (void)requests(s, A, 0, 20, 0, 200);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(say(s, A, 15000 + i, 19950, 503), DETECTOR_COUNTED);
    }
    assert_int_equal(s->seen.count, 0); /* the steps they belong to are over */
    (void)say(s, A, 20000, 20000, 200);
    assert_int_equal(s->seen.count, 1);
    assert_int_equal(seen(s, 0)->starts_ms, START_MS + 20000);
    assert_int_equal(seen(s, 0)->bad, 20);
    scene_close(s);
}

/* --- copies ---- */

static void a_copy_is_found_until_it_is_late_also_after_a_restart(void **state)
{
    (void)state;
    struct scene *s = scene_open("rules: [" ERRORS "]");
    (void)say(s, A, 10000, 10000, 200);
    for (int64_t ms = 11000; ms <= 25000; ms += 1000) {
        (void)say(s, A, ms, ms, 200);
        assert_int_equal(say_again(s, 0, A, 10000, ms), DETECTOR_DUPLICATE);
    }
    (void)say(s, A, 25001, 25001, 200);
    assert_int_equal(say_again(s, 0, A, 10000, 25001), DETECTOR_LATE);
    scene_close(s);
}

/* A copy of what a fast clock said is known by the time that it was given, not by the bus's. */
static void a_copy_of_a_record_from_the_future_is_found(void **state)
{
    (void)state;
    struct scene *s = scene_open("rules: [" ERRORS "]");
    assert_int_equal(say(s, A, 60000, 0, 200), DETECTOR_COUNTED);
    for (int64_t ms = 1000; ms <= 70000; ms += 1000) {
        (void)say(s, A, ms, ms, 200);
        assert_int_equal(say_again(s, 0, A, 60000, ms), DETECTOR_DUPLICATE);
    }
    scene_close(s);
}

/* --- silence ---- */

static void a_silent_series_holds_resolves_or_fires_in_its_own_time(void **state)
{
    (void)state;
    struct scene *s = scene_open(
        "rules: [{name: Held, signal: error_rate, above: 0.05, severity: info},"
        "{name: Gone, signal: error_rate, above: 0.05, severity: info, on_no_data: {resolve: 60s}},"
        "{name: Lost, " NO_ERRORS ", for_violations: 1, on_no_data: {fire: 40s}}]");
    int64_t clock_ms = 0;
    (void)requests(s, A, 0, 20, 0, 200);
    (void)requests(s, A, 20, 31, 0, 503);
    assert_int_equal(s->seen.count, 2);
    for (int64_t ms = 31000; ms < 200000; ms += 500) {
        (void)say(s, B, ms, ms, 200);
    }
    assert_int_equal(s->seen.count, 4);
    /* Silent since second 30; what its own time reaches, the partition's clock reached 15 s before. */
    assert_int_equal(seen_of(s, "Lost", ALERT_FIRING, &clock_ms)->starts_ms, START_MS + 71000);
    assert_int_equal(clock_ms, 86000);
    const struct alert_transition *gone = seen_of(s, "Gone", ALERT_RESOLVED, &clock_ms);
    assert_int_equal(gone->reason, ALERT_REASON_NO_DATA);
    assert_int_equal(gone->ends_ms, START_MS + 91000);
    assert_int_equal(clock_ms, 106000);
    scene_close(s);
}

static void a_series_that_was_closed_comes_back_with_its_sequence(void **state)
{
    (void)state;
    struct scene *s = scene_open("rules: [" ERRORS "]");
    struct detector_totals totals;
    (void)requests(s, A, 0, 10, 0, 200);
    (void)requests(s, A, 10, 20, 0, 503);
    (void)requests(s, A, 20, 80, 0, 200);
    assert_int_equal(s->seen.count, 2);
    for (int64_t ms = 80000; ms <= 80000 + 616000; ms += 1000) {
        (void)say(s, B, ms, ms, 200);
    }
    detector_read_totals(s->detector, &totals);
    assert_int_equal(totals.series, 1);
    (void)requests(s, A, 700, 710, 0, 503);
    assert_int_equal(s->seen.count, 3);
    assert_int_equal(seen(s, 2)->sequence, 3);
    assert_int_equal(seen(s, 2)->state, ALERT_FIRING);
    scene_close(s);
}

static const char lost_rules[] =
    "rules: [{name: Lost, " NO_ERRORS ", for_violations: 1, on_no_data: {fire: 40s}},"
    "{name: Quiet, signal: request_rate, below: 1, window: 10s, severity: info},"
    "{name: Gone, signal: error_rate, above: 0.05, severity: info, on_no_data: "
    "{resolve: 60s}}]";

static void a_tick_lets_time_pass_on_a_silent_partition(void **state)
{
    (void)state;
    struct scene *s =
        scene_open("rules: [{name: Lost, " NO_ERRORS ", for_violations: 1, on_no_data: {fire: 40s}}]");
    (void)requests(s, A, 0, 11, 0, 200);
    tick(s, 65000);
    assert_int_equal(s->seen.count, 0);
    tick(s, 66000);
    assert_int_equal(s->seen.count, 1);
    assert_int_equal(seen(s, 0)->starts_ms, START_MS + 51000);
    tick(s, 70000);
    (void)requests(s, A, 70, 80, 0, 200);
    assert_int_equal(detector_clock_ms(s->detector), START_MS + 79900);
    scene_close(s);
}

static void many_ticks_decide_what_the_last_alone_decides(void **state)
{
    (void)state;
    struct scene *many = scene_open(lost_rules);
    struct scene *one = scene_open(lost_rules);
    (void)requests(many, A, 0, 20, 0, 503);
    (void)requests(one, A, 0, 20, 0, 503);
    for (int64_t ms = 25000; ms <= 2000000; ms += 1000) {
        tick(many, ms);
    }
    tick(one, 2000000);
    assert_int_equal(many->seen.count, one->seen.count);
    assert_int_equal(one->seen.count, 4);
    for (size_t i = 0; i < one->seen.count; i++) {
        assert_same_transition(&many->seen.transitions[i], &one->seen.transitions[i]);
    }
    scene_close(many);
    scene_close(one);
}

/* As with --ticks off. */
static void without_ticks_a_silence_is_judged_by_the_record_that_ends_it(void **state)
{
    (void)state;
    struct scene *s =
        scene_open("rules: [{name: Lost, " NO_ERRORS ", for_violations: 1, on_no_data: {fire: 40s}}]");
    (void)requests(s, A, 0, 11, 0, 200);
    assert_int_equal(s->seen.count, 0);
    (void)say(s, A, 300000, 300000, 200);
    assert_int_equal(s->seen.count, 1);
    assert_int_equal(seen(s, 0)->starts_ms, START_MS + 51000);
    scene_close(s);
}

static uint64_t evaluations_of_gap(int64_t gap_ms)
{
    struct scene *s = scene_open("rules: [" ERRORS ", {name: Slow, signal: latency_p99, above: 0.5, "
                                 "severity: info}]");
    struct detector_totals totals;
    (void)requests(s, A, 0, 20, 0, 200);
    (void)say(s, A, 20000 + gap_ms, 20000 + gap_ms, 200);
    detector_read_totals(s->detector, &totals);
    scene_close(s);
    return totals.evaluations;
}

/* Past the longest window (10 min) a gap costs nothing more. */
static void a_gap_of_a_day_costs_as_many_steps_as_one_of_a_quarter_of_an_hour(void **state)
{
    (void)state;
    uint64_t of_a_quarter = evaluations_of_gap(900000);
    assert_int_equal(evaluations_of_gap(DAY_MS), of_a_quarter);
    assert_int_equal(evaluations_of_gap(365 * DAY_MS), of_a_quarter);
}

/* --- again ---- */

static void an_old_log_played_again_goes_on_in_its_own_time(void **state)
{
    (void)state;
    struct scene *live = scene_open(lost_rules);
    struct scene *again = scene_open(lost_rules);
    struct scene *const both[] = {live, again};
    for (int i = 0; i < 2; i++) {
        int64_t skew_ms = i == 0 ? 0 : -30 * DAY_MS; /* appended a month after it was said */
        both[i]->zero_ms = START_MS - skew_ms;
        (void)requests(both[i], A, 0, 20, skew_ms, 200);
        (void)requests(both[i], A, 20, 30, skew_ms, 503);
        (void)requests(both[i], B, 30, 90, skew_ms, 200);
        (void)requests(both[i], A, 90, 120, skew_ms, 200);
        both[i]->zero_ms = START_MS;
        tick(both[i], 300000); /* the last record's time and how long it has been there */
    }
    assert_true(live->seen.count >= 4);
    assert_int_equal(live->seen.count, again->seen.count);
    for (size_t i = 0; i < live->seen.count; i++) {
        assert_same_transition(&live->seen.transitions[i], &again->seen.transitions[i]);
    }
    scene_close(live);
    scene_close(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_series_has_its_own_time),
        cmocka_unit_test(a_fast_clock_is_held_to_the_time_of_the_bus),
        cmocka_unit_test(a_slow_clock_alone_on_its_partition_goes_on_in_its_own_time),
        cmocka_unit_test(a_slow_clock_beside_right_ones_counts_up_to_idle_after_and_lateness),
        cmocka_unit_test(two_producers_of_one_series_may_differ_by_the_lateness),
        cmocka_unit_test(time_begins_at_zero),
        cmocka_unit_test(times_before_1970_and_beyond_the_future_limit_are_malformed),
        cmocka_unit_test(a_second_is_judged_when_the_first_record_behind_it_comes),
        cmocka_unit_test(records_out_of_order_count_in_the_steps_that_follow),
        cmocka_unit_test(a_copy_is_found_until_it_is_late_also_after_a_restart),
        cmocka_unit_test(a_copy_of_a_record_from_the_future_is_found),
        cmocka_unit_test(a_silent_series_holds_resolves_or_fires_in_its_own_time),
        cmocka_unit_test(a_series_that_was_closed_comes_back_with_its_sequence),
        cmocka_unit_test(a_tick_lets_time_pass_on_a_silent_partition),
        cmocka_unit_test(many_ticks_decide_what_the_last_alone_decides),
        cmocka_unit_test(without_ticks_a_silence_is_judged_by_the_record_that_ends_it),
        cmocka_unit_test(a_gap_of_a_day_costs_as_many_steps_as_one_of_a_quarter_of_an_hour),
        cmocka_unit_test(an_old_log_played_again_goes_on_in_its_own_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
