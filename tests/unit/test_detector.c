#include "alert/transition.h"
#include "buffer/buffer.h"
#include "detect/detector.h"
#include "event/event.h"
#include "random/random.h"
#include "rule/rule_load.h"
#include "json/json_write.h"

#include "cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERIES   12
#define START_MS INT64_C(1795561200000)

/* A stream of events over 4 services x 3 regions, and the detector that watches it. */
struct scene {
    struct rule_set *rules;
    struct detector *detector;
    struct random random;
    int64_t next_id, offset;
    double error_share[SERIES]; /* of each series */
    double slow_factor[SERIES];
    struct alert_transition seen[256];
    size_t seen_count;
};

static void drain(struct scene *s)
{
    struct alert_transition t;
    while (detector_next_transition(s->detector, &t)) {
        assert_true(s->seen_count < 256);
        s->seen[s->seen_count++] = t;
    }
}

static void open_detector(struct scene *s)
{
    const struct detector_limits limits = {.series = 1000, .lateness_ms = 15000, .idle_after_ms = 15000};
    struct error error;
    assert_int_equal(detector_create(&s->detector, s->rules, &limits, 7, &error), 0);
}

static void scene_open(struct scene *s, uint64_t seed)
{
    struct error error;
    memset(s, 0, sizeof *s);
    assert_int_equal(rule_set_load(&s->rules, OBS_SOURCE_DIR "/config/anomaly-rules.yaml", &error), 0);
    open_detector(s);
    random_init(&s->random, seed);
    for (int i = 0; i < SERIES; i++) {
        s->error_share[i] = 0.005;
        s->slow_factor[i] = 1;
    }
}

static void scene_close(struct scene *s)
{
    detector_destroy(s->detector);
    rule_set_destroy(s->rules);
}

static enum detector_verdict send_in_mode(struct scene *s, enum detector_mode mode, int series,
                                          int64_t time_ms, int64_t appended_ms, int status, double duration_s)
{
    static const char *const services[] = {"api-service", "auth-service", "payment-service",
                                           "inventory-service"};
    static const char *const regions[] = {"us-east-1", "eu-west-1", "ap-southeast-1"};
    char id[32];
    (void)snprintf(id, sizeof id, "%lld", (long long)s->next_id++);
    const char *service = services[series % 4];
    const char *region = regions[series / 4];
    struct event event = {.id = {id, strlen(id)},
                          .time_unix_ms = time_ms,
                          .service = {service, strlen(service)},
                          .region = {region, strlen(region)},
                          .kind = EVENT_REQUEST,
                          .route = {"/x", 2},
                          .status_code = status,
                          .duration_s = duration_s,
                          .count = 1,
                          .cpu_utilization = NAN,
                          .memory_utilization = NAN};
    struct detector_input input = {.event = &event, .offset = s->offset++, .appended_ms = appended_ms};
    detector_observe(s->detector, mode, &input, 1);
    drain(s);
    return input.verdict;
}

static enum detector_verdict send(struct scene *s, int series, int64_t time_ms, int status, double duration_s)
{
    return send_in_mode(s, DETECTOR_DECIDE, series, time_ms, time_ms + 5, status, duration_s);
}

/* Log-normal latencies around 40 ms, P99 about 210 ms. */
static void run_in_mode(struct scene *s, enum detector_mode mode, int64_t from_ms, int64_t to_ms,
                        int per_second)
{
    for (int64_t ms = from_ms; ms < to_ms; ms += 100) {
        for (int i = 0; i < per_second / 10; i++) {
            int series = (int)random_below(&s->random, SERIES);
            double duration_s = 0.04 * exp(0.7 * random_normal(&s->random)) * s->slow_factor[series];
            int status = random_unit(&s->random) < s->error_share[series] ? 500 : 200;
            int64_t time_ms = ms + (int64_t)random_below(&s->random, 100);
            (void)send_in_mode(s, mode, series, time_ms, time_ms + 5, status, duration_s);
        }
    }
}

static void run(struct scene *s, int64_t from_ms, int64_t to_ms, int per_second)
{
    run_in_mode(s, DETECTOR_DECIDE, from_ms, to_ms, per_second);
}

static void an_hour_of_healthy_traffic_fires_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct scene s;
        scene_open(&s, seed);
        run(&s, START_MS, START_MS + 3600 * 1000, 1000);
        print_message("seed %llu: %zu transitions\n", (unsigned long long)seed, s.seen_count);
        assert_int_equal(s.seen_count, 0);
        scene_close(&s);
    }
}

static void an_error_burst_fires_once_within_8_seconds_and_resolves_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct scene s;
        scene_open(&s, seed);
        run(&s, START_MS, START_MS + 60000, 1000);
        s.error_share[3] = 0.3;
        run(&s, START_MS + 60000, START_MS + 120000, 1000);
        assert_int_equal(s.seen_count, 1);
        assert_int_equal(s.seen[0].state, ALERT_FIRING);
        assert_string_equal(s.seen[0].rule, "HighErrorRate");
        assert_string_equal(s.seen[0].labels.service, "inventory-service");
        assert_true(s.seen[0].starts_ms <= START_MS + 68000);
        assert_true(s.seen[0].value > 0.05);
        assert_int_equal(s.seen[0].sequence, 1);
        s.error_share[3] = 0.005;
        run(&s, START_MS + 120000, START_MS + 900000, 1000);
        assert_int_equal(s.seen_count, 2);
        assert_int_equal(s.seen[1].state, ALERT_RESOLVED);
        assert_int_equal(s.seen[1].reason, ALERT_REASON_CLEAR);
        assert_int_equal(s.seen[1].sequence, 2);
        assert_true(s.seen[1].value < 0.05); /* what it is back at, not nothing */
        assert_true(s.seen[1].ends_ms > START_MS + 120000 && s.seen[1].ends_ms < START_MS + 150000);
        scene_close(&s);
    }
}

static void a_latency_spike_fires_the_latency_rule_alone(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, 5);
    run(&s, START_MS, START_MS + 60000, 1000);
    s.slow_factor[0] = 5;
    run(&s, START_MS + 60000, START_MS + 90000, 1000);
    assert_int_equal(s.seen_count, 1);
    assert_string_equal(s.seen[0].rule, "HighLatencyP99");
    assert_true(s.seen[0].value > 0.5);
    scene_close(&s);
}

static void a_blip_of_three_seconds_does_not_fire(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct scene s;
        scene_open(&s, seed);
        int64_t begin_ms = START_MS + 60000 + (int64_t)(seed - 1) * 100;
        run(&s, START_MS, begin_ms, 1000);
        s.error_share[2] = 0.5;
        s.error_share[5] = 1;
        s.slow_factor[7] = 10;
        run(&s, begin_ms, begin_ms + 3000, 1000);
        s.error_share[2] = 0.005;
        s.error_share[5] = 0.005;
        s.slow_factor[7] = 1;
        run(&s, begin_ms + 3000, begin_ms + 120000, 1000);
        assert_int_equal(s.seen_count, 0);
        scene_close(&s);
    }
}

static void late_duplicate_and_future_records_are_told_apart(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, 1);
    assert_int_equal(send(&s, 0, START_MS, 200, 0.01), DETECTOR_COUNTED);
    s.next_id = 0;
    assert_int_equal(send(&s, 0, START_MS, 200, 0.01), DETECTOR_DUPLICATE);
    s.next_id = 0;
    assert_int_equal(send(&s, 0, START_MS + 1, 200, 0.01), DETECTOR_COUNTED); /* same id, other time */
    assert_int_equal(send(&s, 0, START_MS + 20000, 200, 0.01), DETECTOR_COUNTED);
    assert_int_equal(send(&s, 0, START_MS + 5000, 200, 0.01), DETECTOR_COUNTED);
    assert_int_equal(send(&s, 0, START_MS + 4000, 200, 0.01), DETECTOR_LATE);
    /* A fast clock moves nothing beyond the time of the bus. */
    assert_int_equal(send_in_mode(&s, DETECTOR_DECIDE, 1, START_MS + 80000, START_MS + 21000, 200, 0.01),
                     DETECTOR_COUNTED);
    assert_true(detector_clock_ms(s.detector) == START_MS + 21000);
    struct detector_totals totals;
    detector_read_totals(s.detector, &totals);
    assert_int_equal(totals.counted, 5);
    assert_int_equal(totals.duplicate, 1);
    assert_int_equal(totals.late, 1);
    scene_close(&s);
}

/* Once the time was the seed of the id's hash, and "12" at one time could pass for "57" at another. */
static void short_ids_of_many_times_are_never_taken_for_copies(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, 1);
    for (int i = 0; i < 200000; i++) {
        s.next_id = i % 1000;
        assert_int_equal(send(&s, 0, START_MS + i, 200, 0.01), DETECTOR_COUNTED);
    }
    scene_close(&s);
}

static void series_past_the_limit_are_refused_and_silent_ones_closed(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, 1);
    detector_destroy(s.detector);
    const struct detector_limits limits = {.series = 2, .lateness_ms = 15000, .idle_after_ms = 15000};
    assert_int_equal(detector_create(&s.detector, s.rules, &limits, 7, NULL), 0);
    assert_int_equal(send(&s, 0, START_MS, 200, 0.01), DETECTOR_COUNTED);
    assert_int_equal(send(&s, 1, START_MS, 200, 0.01), DETECTOR_COUNTED);
    assert_int_equal(send(&s, 2, START_MS, 200, 0.01), DETECTOR_NO_ROOM);
    assert_int_equal(send(&s, 1, START_MS + 700000, 200, 0.01), DETECTOR_COUNTED); /* closes series 0 */
    assert_int_equal(send(&s, 2, START_MS + 700000, 200, 0.01), DETECTOR_COUNTED);
    scene_close(&s);
}

static void a_day_of_silence_is_skipped(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, 1);
    run(&s, START_MS, START_MS + 10000, 1000);
    struct detector_totals before;
    detector_read_totals(s.detector, &before);
    run(&s, START_MS + 86400000, START_MS + 86401000, 1000);
    struct detector_totals after;
    detector_read_totals(s.detector, &after);
    assert_true(after.evaluations - before.evaluations <
                30000); /* 86 400 steps x 12 series x 2 rules would be 2 million */
    assert_int_equal(s.seen_count, 0);
    scene_close(&s);
}

/* The states that a commit would hold. */
struct saved {
    char keys[64][64];
    char values[64][1024];
    size_t key_bytes[64], value_bytes[64], count;
};

static void save(struct scene *s, struct saved *saved)
{
    struct detector_state state;
    while (detector_next_state(s->detector, &state)) {
        size_t i = 0;
        assert_non_null(state.value);
        while (i < saved->count && (saved->key_bytes[i] != state.key_bytes ||
                                    memcmp(saved->keys[i], state.key, state.key_bytes) != 0)) {
            i++;
        }
        assert_true(i < 64);
        saved->count = i == saved->count ? i + 1 : saved->count;
        memcpy(saved->keys[i], state.key, state.key_bytes);
        memcpy(saved->values[i], state.value, state.value_bytes);
        saved->key_bytes[i] = state.key_bytes;
        saved->value_bytes[i] = state.value_bytes;
    }
}

static void load(struct scene *s, const struct saved *saved)
{
    for (size_t i = 0; i < saved->count; i++) {
        const struct detector_state state = {saved->keys[i], saved->values[i], saved->key_bytes[i],
                                             saved->value_bytes[i]};
        struct error error;
        assert_int_equal(detector_load_state(s->detector, &state, &error), 0);
    }
}

static void a_restart_in_the_middle_of_an_incident_repeats_nothing(void **state)
{
    (void)state;
    struct scene s;
    struct saved saved = {0};
    scene_open(&s, 3);
    run(&s, START_MS, START_MS + 60000, 1000);
    s.error_share[3] = 0.3;
    run(&s, START_MS + 60000, START_MS + 90000, 1000);
    save(&s, &saved);
    assert_int_equal(s.seen_count, 1);

    detector_destroy(s.detector);
    open_detector(&s);
    load(&s, &saved);
    run(&s, START_MS + 90000, START_MS + 120000, 1000);
    assert_int_equal(s.seen_count, 1); /* still the same incident */
    s.error_share[3] = 0.005;
    run(&s, START_MS + 120000, START_MS + 200000, 1000);
    assert_int_equal(s.seen_count, 2);
    assert_int_equal(s.seen[1].sequence, 2);
    assert_true(s.seen[1].starts_ms == s.seen[0].starts_ms);
    scene_close(&s);
}

static void a_firing_alert_whose_rule_is_gone_resolves_after_loading(void **state)
{
    (void)state;
    struct scene s;
    struct saved saved = {0};
    scene_open(&s, 3);
    s.error_share[3] = 0.3;
    run(&s, START_MS, START_MS + 60000, 1000);
    save(&s, &saved);
    assert_int_equal(s.seen_count, 1);
    detector_destroy(s.detector);
    rule_set_destroy(s.rules);
    assert_int_equal(rule_set_parse(&s.rules, "none.yaml", "rules: []", 9, NULL), 0);
    open_detector(&s);
    load(&s, &saved);
    detector_pass_time(s.detector, DETECTOR_DECIDE, START_MS + 61000);
    drain(&s);
    assert_int_equal(s.seen_count, 2);
    assert_int_equal(s.seen[1].reason, ALERT_REASON_RULE_REMOVED);
    assert_int_equal(s.seen[1].sequence, 2);
    assert_true(s.seen[1].ends_ms == START_MS + 61000);
    struct saved after = {0};
    save(&s, &after);
    assert_int_equal(after.count, 1);
    scene_close(&s);
}

static void history_is_judged_but_only_what_still_fires_is_announced(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, 4);
    s.error_share[1] = 0.3;
    run_in_mode(&s, DETECTOR_HISTORY, START_MS, START_MS + 60000, 1000);
    s.error_share[1] = 0.005;
    s.error_share[2] = 0.3;
    run_in_mode(&s, DETECTOR_HISTORY, START_MS + 60000, START_MS + 300000, 1000);
    assert_int_equal(s.seen_count, 0);
    run(&s, START_MS + 300000, START_MS + 330000, 1000);
    assert_int_equal(s.seen_count, 1);
    assert_string_equal(s.seen[0].labels.service, "payment-service");
    assert_true(s.seen[0].starts_ms < START_MS + 80000);
    assert_int_equal(s.seen[0].sequence, 1);
    scene_close(&s);
}

static void the_pages_are_valid_and_say_why(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, 3);
    s.error_share[3] = 0.3;
    run(&s, START_MS, START_MS + 60000, 1000);
    struct buffer page;
    buffer_init(&page, 0);
    struct json_writer writer;
    json_writer_init(&writer, &page);
    json_array_begin(&writer);
    detector_write_series(s.detector, &writer);
    detector_write_alerts(s.detector, &writer);
    json_array_end(&writer);
    const char *text = buffer_text(&page);
    assert_non_null(strstr(text, "\"firing\":true"));
    assert_non_null(strstr(text, "clear evaluations in a row"));
    assert_non_null(strstr(text, "\"p99\":0."));
    assert_non_null(strstr(text, "learning: less than 60 min of its history seen yet"));
    buffer_free(&page);
    scene_close(&s);
}

/* --- the same records give the same transitions, however they come ---- */

#define TAPE_EVENTS 60000
#define TRANSITIONS 1024

/* A stream that is kept, so that it can be read again: faults, late, duplicate and future records, silence.
 */
struct tape {
    struct event events[TAPE_EVENTS];
    char ids[TAPE_EVENTS][16];
    int64_t appended_ms[TAPE_EVENTS];
    size_t count;
};

struct outcome {
    struct alert_transition transitions[TRANSITIONS];
    size_t count;
    struct detector_totals totals;
};

static void record(struct tape *tape, struct random *random, int64_t now_ms, bool in_fault)
{
    static const char *const services[] = {"api-service", "auth-service", "payment-service"};
    size_t at = tape->count++;
    if (at > 0 && random_below(random, 50) == 0) { /* sent again, a little later */
        tape->events[at] = tape->events[at - 1 - random_below(random, at < 20 ? at : 20)];
        tape->appended_ms[at] = now_ms;
        return;
    }
    int64_t age_ms = random_below(random, 30) == 0 ? (int64_t)random_below(random, 20000) - 2000 : 0;
    const char *service = services[random_below(random, 3)];
    bool is_resource = random_below(random, 40) == 0;
    bool is_bad = random_unit(random) < (in_fault && service == services[1] ? 0.4 : 0.005);
    int size = snprintf(tape->ids[at], sizeof tape->ids[at], "%zu", at);
    tape->events[at] =
        (struct event){.id = {tape->ids[at], (size_t)size},
                       .time_unix_ms = now_ms - age_ms,
                       .service = {service, strlen(service)},
                       .region = {"us-east-1", 9},
                       .kind = is_resource ? EVENT_RESOURCE : EVENT_REQUEST,
                       .route = is_resource ? (struct event_text){NULL, 0}
                                            : (struct event_text){at % 2 == 0 ? "/a" : "/b", 2},
                       .status_code = is_resource ? 0
                                      : is_bad    ? 503
                                                  : 200,
                       .duration_s = 0.04 * exp(0.7 * random_normal(random)) * (is_bad ? 20 : 1),
                       .count = random_below(random, 30) == 0 ? 7 : 1,
                       .cpu_utilization = in_fault ? 0.97 : 0.3,
                       .memory_utilization = NAN};
    tape->appended_ms[at] = now_ms;
}

static void make_tape(struct tape *tape, uint64_t seed)
{
    struct random random;
    random_init(&random, seed);
    tape->count = 0;
    int64_t now_ms = START_MS;
    while (tape->count < TAPE_EVENTS) {
        now_ms += (int64_t)random_below(&random, 60);
        if (random_below(&random, 20000) == 0) {
            now_ms += (int64_t)random_below(&random, 1200000);
        }
        record(tape, &random, now_ms, (now_ms / 1000) % 300 >= 200 && (now_ms / 1000) % 300 < 260);
    }
}

static const char tape_rules[] =
    "rules:\n"
    "  - {name: HighErrorRate, signal: error_rate, above: 0.05, severity: critical}\n"
    "  - {name: HighLatencyP99, signal: latency_p99, above: 0.5, severity: warning}\n"
    "  - {name: RouteErrors, signal: error_rate, above: 0.1, severity: info,"
    " group_by: [service.name, cloud.region, http.route]}\n"
    "  - {name: TooQuiet, signal: request_rate, below: 2, severity: info, window: 60s}\n"
    "  - {name: Busy, signal: cpu, above: 0.9, severity: warning, window: 30s}\n"
    "  - {name: Gone, signal: error_rate, above: 0.5, severity: info, on_no_data: {fire: 40s}}\n"
    "  - {name: Lost, type: baseline, signal: request_rate, below: 0.7, min_expected: 0.5, min_history: 10m,"
    " severity: critical, on_no_data: fire}\n"
    "  - {name: Hot, type: baseline, signal: cpu, above: 2, min_history: 10m, severity: info}\n"
    "  - {name: Slower, type: baseline, signal: latency_p95, above: 1.5, min_history: 10m, severity: info,"
    " window: 10s, min_bad: 1, group_by: [service.name, cloud.region, http.route]}\n";

static struct detector *open_for_tape(const struct rule_set *rules, uint64_t seed)
{
    const struct detector_limits limits = {.series = 100, .lateness_ms = 15000, .idle_after_ms = 15000};
    struct detector *detector = NULL;
    assert_int_equal(detector_create(&detector, rules, &limits, seed, NULL), 0);
    return detector;
}

static void play(struct detector *detector, const struct tape *tape, enum detector_mode mode, size_t from,
                 size_t to, struct outcome *outcome)
{
    struct detector_input inputs[200];
    assert_in_range(to - from, 0, 200);
    for (size_t i = from; i < to; i++) {
        inputs[i - from] = (struct detector_input){
            .event = &tape->events[i], .offset = (int64_t)i, .appended_ms = tape->appended_ms[i]};
    }
    detector_observe(detector, mode, inputs, to - from);
    struct alert_transition t;
    while (detector_next_transition(detector, &t)) {
        assert_true(mode != DETECTOR_REBUILD && outcome->count < TRANSITIONS);
        outcome->transitions[outcome->count++] = t;
    }
}

static void play_all(const struct rule_set *rules, const struct tape *tape, uint64_t split_seed,
                     struct outcome *outcome)
{
    struct random random;
    random_init(&random, split_seed);
    struct detector *detector = open_for_tape(rules, split_seed * 977);
    memset(outcome, 0, sizeof *outcome);
    for (size_t at = 0; at < tape->count;) {
        size_t left = tape->count - at;
        size_t batch = split_seed == 0 ? 1 : 1 + random_below(&random, 200);
        batch = batch > left ? left : batch;
        play(detector, tape, DETECTOR_DECIDE, at, at + batch, outcome);
        at += batch;
        struct detector_state state;
        while (random_below(&random, 3) == 0 && detector_next_state(detector, &state)) {
            /* Draining, now and then and not to the end, decides nothing. */
        }
    }
    detector_read_totals(detector, &outcome->totals);
    detector_destroy(detector);
}

static void assert_same_transitions(const struct outcome *a, const struct outcome *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        const struct alert_transition *x = &a->transitions[i];
        const struct alert_transition *y = &b->transitions[i];
        if (x->fingerprint != y->fingerprint || x->sequence != y->sequence || x->state != y->state ||
            x->reason != y->reason || x->starts_ms != y->starts_ms || x->ends_ms != y->ends_ms ||
            x->samples != y->samples || x->bad != y->bad || x->evaluations != y->evaluations ||
            x->window_seconds != y->window_seconds || x->threshold != y->threshold ||
            memcmp(&x->value, &y->value, sizeof x->value) != 0) {
            fail_msg("transition %zu differs: %s %s sequence %u, begins at %lld ms, %g of %llu/%llu; "
                     "%s %s sequence %u, begins at %lld ms, %g of %llu/%llu",
                     i, x->rule, x->labels.service, x->sequence, (long long)(x->starts_ms - START_MS),
                     x->value, (unsigned long long)x->bad, (unsigned long long)x->samples, y->rule,
                     y->labels.service, y->sequence, (long long)(y->starts_ms - START_MS), y->value,
                     (unsigned long long)y->bad, (unsigned long long)y->samples);
        }
    }
    assert_int_equal(a->count, b->count);
}

static struct rule_set *parse_tape_rules(void)
{
    struct rule_set *rules = NULL;
    struct error error;
    if (rule_set_parse(&rules, "tape.yaml", tape_rules, strlen(tape_rules), &error) != 0) {
        fail_msg("%s", error.message);
    }
    return rules;
}

static void batches_hash_seeds_and_commits_change_no_decision(void **state)
{
    (void)state;
    static struct tape tape;
    static struct outcome one_by_one;
    static struct outcome batched;
    struct rule_set *rules = parse_tape_rules();
    for (uint64_t seed = 1; seed <= 3; seed++) {
        make_tape(&tape, seed);
        play_all(rules, &tape, 0, &one_by_one);
        print_message("seed %llu: %zu transitions, %llu late, %llu duplicate\n", (unsigned long long)seed,
                      one_by_one.count, (unsigned long long)one_by_one.totals.late,
                      (unsigned long long)one_by_one.totals.duplicate);
        assert_true(one_by_one.count > 20);
        for (uint64_t split = 1; split <= 3; split++) {
            play_all(rules, &tape, split, &batched);
            assert_same_transitions(&one_by_one, &batched);
            assert_int_equal(batched.totals.counted, one_by_one.totals.counted);
            assert_int_equal(batched.totals.late, one_by_one.totals.late);
            assert_int_equal(batched.totals.duplicate, one_by_one.totals.duplicate);
        }
    }
    rule_set_destroy(rules);
}

/* What a compacted topic of states holds. */
#define KEPT_STATES 256
struct kept {
    char keys[KEPT_STATES][64], values[KEPT_STATES][1024];
    size_t key_bytes[KEPT_STATES], value_bytes[KEPT_STATES], count; /* value_bytes 0: forgotten */
};

static void keep_states(struct kept *kept, struct detector *detector)
{
    struct detector_state state;
    while (detector_next_state(detector, &state)) {
        size_t i = 0;
        while (i < kept->count && (kept->key_bytes[i] != state.key_bytes ||
                                   memcmp(kept->keys[i], state.key, state.key_bytes) != 0)) {
            i++;
        }
        assert_true(i < KEPT_STATES && state.key_bytes <= 64 && state.value_bytes <= 1024);
        kept->count = i == kept->count ? i + 1 : kept->count;
        memcpy(kept->keys[i], state.key, state.key_bytes);
        kept->key_bytes[i] = state.key_bytes;
        kept->value_bytes[i] = state.value == NULL ? 0 : state.value_bytes;
        if (state.value != NULL) {
            memcpy(kept->values[i], state.value, state.value_bytes);
        }
    }
}

static struct detector *restart(const struct rule_set *rules, const struct kept *kept,
                                const struct tape *tape, size_t committed, int64_t replay_from, uint64_t seed,
                                struct outcome *outcome)
{
    struct detector *detector = open_for_tape(rules, seed);
    for (size_t i = 0; i < kept->count; i++) {
        const struct detector_state state = {kept->keys[i], kept->values[i], kept->key_bytes[i],
                                             kept->value_bytes[i]};
        struct error error;
        if (state.value_bytes > 0 && detector_load_state(detector, &state, &error) != 0) {
            fail_msg("%s", error.message);
        }
    }
    size_t at = replay_from < 0 ? committed : (size_t)replay_from;
    while (at < committed) {
        size_t to = at + 97 < committed ? at + 97 : committed;
        play(detector, tape, DETECTOR_REBUILD, at, to, outcome);
        at = to;
    }
    return detector;
}

/* Commits now and then; each kill loses what came after the last one. */
static size_t play_with_kills(const struct rule_set *rules, const struct tape *tape, uint64_t seed,
                              struct outcome *outcome)
{
    static struct kept kept;
    struct random random;
    size_t kills = 0;
    size_t committed = 0;
    size_t published = 0;
    int64_t replay_from = -1;
    random_init(&random, seed);
    memset(&kept, 0, sizeof kept);
    memset(outcome, 0, sizeof *outcome);
    struct detector *detector = open_for_tape(rules, seed);
    size_t at = 0;
    while (at < tape->count) {
        size_t to = at + 1 + random_below(&random, 100);
        to = to < tape->count ? to : tape->count;
        play(detector, tape, DETECTOR_DECIDE, at, to, outcome);
        at = to;
        if (random_below(&random, 4) == 0) {
            keep_states(&kept, detector);
            committed = at;
            published = outcome->count;
            replay_from = detector_replay_from(detector);
        }
        if (random_below(&random, 40) == 0) {
            detector_destroy(detector);
            outcome->count = published;
            detector = restart(rules, &kept, tape, committed, replay_from, seed + ++kills, outcome);
            at = committed;
        }
    }
    detector_destroy(detector);
    return kills;
}

static int by_alert(const void *a, const void *b)
{
    return alert_transition_compare(a, b);
}

/* After a restart series stand in another order; what a reader of one alert sees is promised. */
static void sort_by_alert(struct outcome *outcome)
{
    qsort(outcome->transitions, outcome->count, sizeof outcome->transitions[0], by_alert);
}

static size_t count_of(const struct outcome *outcome, const char *rule)
{
    size_t count = 0;
    for (size_t i = 0; i < outcome->count; i++) {
        count += strcmp(outcome->transitions[i].rule, rule) == 0;
    }
    return count;
}

static void kills_repeat_nothing_and_lose_nothing(void **state)
{
    (void)state;
    static struct tape tape;
    static struct outcome whole;
    static struct outcome killed;
    struct rule_set *rules = parse_tape_rules();
    for (uint64_t seed = 1; seed <= 12; seed++) {
        make_tape(&tape, seed);
        play_all(rules, &tape, 0, &whole);
        size_t kills = play_with_kills(rules, &tape, seed, &killed);
        print_message("seed %llu: %zu kills, %zu transitions, of baselines %zu, %zu and %zu\n",
                      (unsigned long long)seed, kills, killed.count, count_of(&whole, "Lost"),
                      count_of(&whole, "Hot"), count_of(&whole, "Slower"));
        assert_true(kills > 5);
        assert_true(count_of(&whole, "Lost") > 0 && count_of(&whole, "Hot") > 0);
        sort_by_alert(&whole);
        sort_by_alert(&killed);
        assert_same_transitions(&whole, &killed);
    }
    rule_set_destroy(rules);
}

static void sequences_have_no_gaps(void **state)
{
    (void)state;
    static struct tape tape;
    static struct outcome whole;
    struct rule_set *rules = parse_tape_rules();
    make_tape(&tape, 9);
    play_all(rules, &tape, 0, &whole);
    for (size_t i = 0; i < whole.count; i++) {
        uint32_t before = 0;
        for (size_t k = 0; k < i; k++) {
            before += whole.transitions[k].fingerprint == whole.transitions[i].fingerprint;
        }
        assert_int_equal(whole.transitions[i].sequence, before + 1);
        assert_int_equal(whole.transitions[i].state, before % 2 == 0 ? ALERT_FIRING : ALERT_RESOLVED);
    }
    rule_set_destroy(rules);
}

static void damaged_and_foreign_states_are_refused_by_name(void **state)
{
    (void)state;
    static struct kept kept;
    struct scene s;
    struct error error;
    memset(&kept, 0, sizeof kept);
    scene_open(&s, 3);
    s.error_share[3] = 0.3;
    run(&s, START_MS, START_MS + 60000, 1000);
    keep_states(&kept, s.detector);
    assert_true(kept.count > SERIES);
    for (size_t i = 0; i < kept.count; i++) {
        for (size_t size = 0; size < kept.value_bytes[i]; size++) {
            const struct detector_state cut = {kept.keys[i], kept.values[i], kept.key_bytes[i], size};
            assert_int_equal(detector_load_state(s.detector, &cut, &error), -1);
            assert_non_null(strstr(error.message, "damaged"));
        }
        kept.values[i][0] = 9;
        const struct detector_state newer = {kept.keys[i], kept.values[i], kept.key_bytes[i],
                                             kept.value_bytes[i]};
        assert_int_equal(detector_load_state(s.detector, &newer, &error), -1);
        assert_non_null(strstr(error.message, "format version 9"));
    }
    const struct detector_state foreign = {"gizmo|1", "\1", 7, 1};
    assert_int_equal(detector_load_state(s.detector, &foreign, &error), -1);
    assert_non_null(strstr(error.message, "gizmo|1"));
    scene_close(&s);
}

static void quiet_series_raise_no_false_alarm(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct scene s;
        scene_open(&s, seed);
        for (int64_t minute = 0; minute < 3 * 24 * 60; minute++) {
            for (int series = 0; series < SERIES; series++) {
                int64_t ms =
                    START_MS + minute * 60000 + series * 1000 + (int64_t)random_below(&s.random, 900);
                bool is_bad = random_unit(&s.random) < 0.01;
                (void)send(&s, series, ms, is_bad ? 500 : 200, 0.04 * exp(0.7 * random_normal(&s.random)));
            }
        }
        print_message("seed %llu: %zu transitions in 3 days of a request a minute\n",
                      (unsigned long long)seed, s.seen_count);
        assert_int_equal(s.seen_count, 0);
        scene_close(&s);
    }
}

static void an_outage_is_seen_while_other_series_go_on(void **state)
{
    (void)state;
    struct rule_set *rules = NULL;
    struct scene s;
    static const char yaml[] = "rules: [{name: TooQuiet, signal: request_rate, below: 1, severity: critical, "
                               "window: 10s}]";
    assert_int_equal(rule_set_parse(&rules, "quiet.yaml", yaml, strlen(yaml), NULL), 0);
    scene_open(&s, 1);
    detector_destroy(s.detector);
    rule_set_destroy(s.rules);
    s.rules = rules;
    open_detector(&s);
    for (int64_t second = 0; second < 120; second++) {
        for (int i = 0; i < 5; i++) {
            (void)send(&s, 0, START_MS + second * 1000 + i * 200, 200, 0.01);
            if (second < 60) {
                (void)send(&s, 1, START_MS + second * 1000 + i * 200, 200, 0.01);
            }
        }
    }
    assert_int_equal(s.seen_count, 1);
    assert_string_equal(s.seen[0].labels.service, "auth-service");
    assert_in_range((s.seen[0].starts_ms - START_MS) / 1000, 68, 72);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_hour_of_healthy_traffic_fires_nothing),
        cmocka_unit_test(an_error_burst_fires_once_within_8_seconds_and_resolves_once),
        cmocka_unit_test(a_latency_spike_fires_the_latency_rule_alone),
        cmocka_unit_test(a_blip_of_three_seconds_does_not_fire),
        cmocka_unit_test(late_duplicate_and_future_records_are_told_apart),
        cmocka_unit_test(short_ids_of_many_times_are_never_taken_for_copies),
        cmocka_unit_test(series_past_the_limit_are_refused_and_silent_ones_closed),
        cmocka_unit_test(a_day_of_silence_is_skipped),
        cmocka_unit_test(a_restart_in_the_middle_of_an_incident_repeats_nothing),
        cmocka_unit_test(a_firing_alert_whose_rule_is_gone_resolves_after_loading),
        cmocka_unit_test(history_is_judged_but_only_what_still_fires_is_announced),
        cmocka_unit_test(the_pages_are_valid_and_say_why),
        cmocka_unit_test(batches_hash_seeds_and_commits_change_no_decision),
        cmocka_unit_test(kills_repeat_nothing_and_lose_nothing),
        cmocka_unit_test(sequences_have_no_gaps),
        cmocka_unit_test(damaged_and_foreign_states_are_refused_by_name),
        cmocka_unit_test(quiet_series_raise_no_false_alarm),
        cmocka_unit_test(an_outage_is_seen_while_other_series_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
