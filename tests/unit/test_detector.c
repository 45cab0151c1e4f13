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
    (void)snprintf(id, sizeof id, "id-%lld", (long long)s->next_id++);
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
    struct scene s;
    scene_open(&s, 6);
    run(&s, START_MS, START_MS + 600000, 120);
    s.error_share[2] = 0.5;
    run(&s, START_MS + 600000, START_MS + 601000, 120);
    s.error_share[2] = 0.005;
    run(&s, START_MS + 601000, START_MS + 900000, 120);
    assert_int_equal(s.seen_count, 0);
    scene_close(&s);
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
    buffer_free(&page);
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
        cmocka_unit_test(series_past_the_limit_are_refused_and_silent_ones_closed),
        cmocka_unit_test(a_day_of_silence_is_skipped),
        cmocka_unit_test(a_restart_in_the_middle_of_an_incident_repeats_nothing),
        cmocka_unit_test(a_firing_alert_whose_rule_is_gone_resolves_after_loading),
        cmocka_unit_test(history_is_judged_but_only_what_still_fires_is_announced),
        cmocka_unit_test(the_pages_are_valid_and_say_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
