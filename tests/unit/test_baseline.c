/* Weeks of traffic, a second at a time: what a baseline learns, and what a rule makes of it. */
#include "random/random.h"
#include "rule/baseline.h"
#include "rule/rule_load.h"
#include "rule/rule_state.h"

#include "cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define HOUR      INT64_C(3600)
#define DAY       (24 * HOUR)
#define WEEK      (7 * DAY)
#define BEGIN_S   INT64_C(1795046400) /* the hours below are counted from a Thursday, 00:00 UTC */
#define MAX_NOTES 64

#define TRAFFIC_LOST                                                                                         \
    "rules: [{name: TrafficLost, type: baseline, signal: request_rate, below: 0.2, min_expected: 1, "        \
    "window: 60s, for_violations: 3, for_clear: 20, on_no_data: fire, severity: critical}]"

/* One rule and one series. */
struct scene {
    struct rule_set *rules;
    struct block_pool pool;
    struct window *window;
    struct rule_state state;
    struct rule_evidence evidence;
    struct rule_view view;
    struct baseline baseline;
    struct random random;
    int fired, resolved;
    int64_t fired_at[MAX_NOTES], resolved_at[MAX_NOTES]; /* seconds from the beginning */
};

static void scene_open(struct scene *s, const char *yaml, uint64_t seed)
{
    struct error error;
    memset(s, 0, sizeof *s);
    if (rule_set_parse(&s->rules, "test.yaml", yaml, strlen(yaml), &error) != 0) {
        fail_msg("%s", error.message);
    }
    block_pool_init(&s->pool);
    random_init(&s->random, seed);
    s->window = window_create(&s->rules->layout, &s->pool, BEGIN_S);
    rule_state_init(&s->state);
    const struct rule *rule = &s->rules->rules[0];
    const struct baseline_terms terms = rule_baseline_terms(rule, &s->rules->layout, 17 + seed);
    baseline_init(&s->baseline, &terms, (uint8_t)rule->signal);
    s->view = (struct rule_view){.window = s->window,
                                 .layout = &s->rules->layout,
                                 .born_s = BEGIN_S,
                                 .last_record_s = RULE_NEVER,
                                 .last_gauge_s = RULE_NEVER,
                                 .baseline = &s->baseline};
}

static void scene_close(struct scene *s)
{
    window_destroy(s->window);
    block_pool_deinit(&s->pool);
    rule_set_destroy(s->rules);
}

static int64_t now(const struct scene *s)
{
    return window_now(s->window) - BEGIN_S;
}

static void step(struct scene *s)
{
    enum rule_change change = rule_state_step(&s->rules->rules[0], &s->state, &s->view, &s->evidence);
    window_advance(s->window, window_now(s->window) + 1);
    if (change == RULE_FIRED) {
        assert_true(s->fired < MAX_NOTES);
        s->fired_at[s->fired++] = now(s);
    } else if (change != RULE_UNCHANGED) {
        s->resolved_at[s->resolved++] = now(s);
    }
}

/* Requests in a second of a Poisson stream; many are near enough to normal. */
static uint32_t draw(struct random *random, double rate)
{
    if (rate > 50) {
        return (uint32_t)fmax(0, rate + sqrt(rate) * random_normal(random) + 0.5);
    }
    uint32_t count = 0;
    double left = exp(-rate);
    double product = random_unit(random);
    while (product > left) {
        product *= random_unit(random);
        count++;
    }
    return count;
}

static void second_of(struct scene *s, double rate)
{
    uint32_t count = draw(&s->random, rate);
    if (count > 0) {
        window_add(s->window, window_now(s->window) * 1000, 0.04, false, count);
        s->view.last_record_s = window_now(s->window);
    }
    step(s);
}

/* Requests a second by time: by day three times the night's or more, less at week-ends. */
static double usual_rate(int64_t second, double mean, double depth)
{
    double hour = (double)(second % DAY) / HOUR;
    bool is_weekend = second / DAY % 7 == 2 || second / DAY % 7 == 3;
    return mean * (1 + depth * sin((hour - 9) * 3.14159265358979 / 12)) * (is_weekend ? 0.6 : 1);
}

/* Until that second, so much of what is usual. */
static void run_to(struct scene *s, int64_t until, double mean, double depth, double share)
{
    while (now(s) < until) {
        second_of(s, share * usual_rate(now(s), mean, depth));
    }
}

static double expected_now(struct scene *s)
{
    struct baseline_forecast forecast;
    return baseline_expect(&s->baseline, window_now(s->window), &forecast) ? forecast.expected : NAN;
}

static void assert_near(double value, double wanted, double tolerance)
{
    if (!(fabs(value - wanted) <= tolerance * wanted)) {
        fail_msg("%g isn't within %g %% of %g", value, tolerance * 100, wanted);
    }
}

/* --- what is expected ---- */

static void nothing_is_expected_before_the_least_history(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, TRAFFIC_LOST, 1);
    run_to(&s, 3600, 50, 0, 1);
    assert_true(isnan(expected_now(&s)));
    assert_true(s.evidence.is_learning && s.evidence.verdict == RULE_UNKNOWN);
    run_to(&s, 3600 + 180, 50, 0, 1);
    assert_near(expected_now(&s), 50, 0.05);
    assert_int_equal(s.evidence.verdict, RULE_CLEAR);
    assert_near(s.evidence.threshold, 10, 0.05);
    run_to(&s, 3600 + 300, 50, 0, 0);
    assert_int_equal(s.fired, 1);
    scene_close(&s);
}

static void three_weeks_of_days_and_weekends_fire_nothing_and_are_known(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct scene s;
        double mean = seed == 1 ? 2 : seed == 2 ? 10 : 200;
        double depth = seed == 4 ? 0.98 : 0.7;
        scene_open(&s, TRAFFIC_LOST, seed);
        run_to(&s, 3 * WEEK, mean, depth, 1);
        print_message("seed %llu, %g/s, depth %g: %d fired, spread %.3f, ratio %.3f\n",
                      (unsigned long long)seed, mean, depth, s.fired, s.baseline.spread, s.baseline.ratio);
        assert_int_equal(s.fired, 0);
        for (int64_t hour = 0; hour < 7 * 24; hour++) {
            int64_t middle = 3 * WEEK + hour * HOUR + HOUR / 2;
            run_to(&s, middle, mean, depth, 1);
            double usual = usual_rate(middle, mean, depth);
            if (usual * 60 > 200) {
                assert_near(expected_now(&s), usual, 0.25);
            }
        }
        assert_int_equal(s.fired, 0);
        scene_close(&s);
    }
}

static void growth_of_a_tenth_a_week_is_followed(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, TRAFFIC_LOST, 5);
    for (int64_t day = 0; day < 28; day++) {
        run_to(&s, (day + 1) * DAY, 100 * pow(1.1, (double)day / 7), 0.6, 1);
    }
    run_to(&s, 4 * WEEK + 15 * HOUR + HOUR / 2, 100 * pow(1.1, 4), 0.6, 1);
    assert_near(expected_now(&s), usual_rate(now(&s), 100 * pow(1.1, 4), 0.6), 0.1);
    assert_int_equal(s.fired, 0);
    scene_close(&s);
}

/* --- incidents ---- */

static void an_outage_fires_in_seconds_and_is_not_learned(void **state)
{
    (void)state;
    static const int64_t lengths_s[] = {600, 6 * HOUR};
    for (size_t i = 0; i < 2; i++) {
        for (uint64_t seed = 1; seed <= 3; seed++) {
            struct scene s;
            scene_open(&s, TRAFFIC_LOST, seed);
            int64_t begin = 10 * DAY + (int64_t)random_below(&s.random, (uint32_t)DAY);
            run_to(&s, begin, 100, 0.6, 1);
            double before = expected_now(&s);
            run_to(&s, begin + lengths_s[i], 100, 0.6, 0);
            assert_int_equal(s.fired, 1);
            assert_in_range(s.fired_at[0] - begin, 10, 20);
            run_to(&s, begin + lengths_s[i] + 300, 100, 0.6, 1);
            assert_int_equal(s.resolved, 1);
            assert_near(expected_now(&s), usual_rate(now(&s), 100, 0.6), 0.25);
            run_to(&s, begin + WEEK, 100, 0.6, 1);
            assert_near(expected_now(&s), before, 0.1);
            assert_int_equal(s.fired, 1);
            scene_close(&s);
        }
    }
}

static void an_outage_fires_in_seconds_whenever_in_the_minute_it_begins(void **state)
{
    (void)state;
    for (int64_t second = 0; second < 60; second++) {
        struct scene s;
        scene_open(&s, TRAFFIC_LOST, 5);
        int64_t begin = 2 * HOUR + second;
        run_to(&s, begin, 20, 0, 1);
        run_to(&s, begin + 60, 20, 0, 0);
        assert_int_equal(s.fired, 1);
        assert_in_range(s.fired_at[0] - begin, 10, 20);
        scene_close(&s);
    }
}

static void a_loss_of_nine_tenths_fires_within_a_minute_and_one_of_half_does_not(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, TRAFFIC_LOST, 3);
    int64_t begin = 9 * DAY + 14 * HOUR;
    run_to(&s, begin, 100, 0.6, 1);
    run_to(&s, begin + HOUR, 100, 0.6, 0.5);
    assert_int_equal(s.fired, 0);
    run_to(&s, begin + 2 * HOUR, 100, 0.6, 1);
    run_to(&s, begin + 3 * HOUR, 100, 0.6, 0.1);
    assert_int_equal(s.fired, 1);
    assert_in_range(s.fired_at[0] - begin - 2 * HOUR, 40, 75);
    assert_near(s.evidence.threshold, 0.2 * s.evidence.expected, 0.001);
    run_to(&s, begin + 4 * HOUR, 100, 0.6, 1);
    assert_int_equal(s.resolved, 1);
    scene_close(&s);
}

static void spikes_and_bad_hours_move_what_is_expected_little(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, TRAFFIC_LOST, 8);
    for (int64_t hour = 0; hour < 14 * 24; hour++) { /* an incident a day: ten times as much, or a third */
        bool is_bad = hour % 24 == hour / 24;
        run_to(&s, hour * HOUR + 1200, 100, 0, 1);
        run_to(&s, hour * HOUR + 2400, 100, 0, !is_bad ? 1 : hour / 24 % 2 == 0 ? 10 : 0.33);
        run_to(&s, hour * HOUR + 2700, 100, 0, 1);
        if (hour >= 7 * 24) {
            assert_near(expected_now(&s), usual_rate(now(&s), 100, 0), 0.3);
        }
        run_to(&s, (hour + 1) * HOUR, 100, 0, 1);
    }
    assert_int_equal(s.fired, 0);
    scene_close(&s);
}

static void a_quiet_night_and_a_small_service_fire_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct scene s;
        scene_open(&s, TRAFFIC_LOST, seed);
        while (now(&s) < 2 * WEEK) { /* 0.3 requests/s, and hours of nothing */
            second_of(&s, now(&s) / HOUR % 7 == 3 ? 0 : 0.3);
        }
        assert_int_equal(s.fired, 0);
        assert_true(s.evidence.is_small);
        scene_close(&s);

        scene_open(&s, TRAFFIC_LOST, seed); /* falls within two hours to next to nothing, each night */
        while (now(&s) < 2 * WEEK) {
            double hour = (double)(now(&s) % DAY) / HOUR;
            double share = hour < 6 ? 0 : hour < 8 ? (hour - 6) / 2 : hour < 20 ? 1 : exp(-(hour - 20) * 2);
            second_of(&s, 40 * share);
        }
        for (int i = 0; i < s.fired; i++) {
            print_message("seed %llu: fired on day %.2f\n", (unsigned long long)seed,
                          (double)s.fired_at[i] / DAY);
        }
        assert_true(s.fired <= 4); /* the first nights may */
        assert_true(s.fired == 0 || s.fired_at[s.fired - 1] < 3 * DAY);
        scene_close(&s);
    }
}

/* Stops at 20:00 to the second. The same hour refused on two days running is usual. */
static void a_service_that_stops_each_night_is_understood(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, TRAFFIC_LOST, 6);
    while (now(&s) < 3 * WEEK) {
        int64_t hour = now(&s) % DAY / HOUR;
        second_of(&s, hour >= 8 && hour < 20 ? 40 : 0);
    }
    for (int i = 0; i < s.fired; i++) {
        print_message("fired on day %.2f\n", (double)s.fired_at[i] / DAY);
    }
    assert_int_equal(s.fired, s.resolved);
    assert_true(s.fired <= 3 && s.fired_at[s.fired - 1] < 9 * DAY);
    scene_close(&s);
}

static void a_series_that_dies_for_good_fires_once_and_is_given_up_after_a_day(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, TRAFFIC_LOST, 2);
    run_to(&s, 8 * DAY, 100, 0.6, 1);
    run_to(&s, 12 * DAY, 100, 0.6, 0);
    assert_int_equal(s.fired, 1);
    assert_int_equal(s.resolved, 1);
    assert_in_range(s.resolved_at[0] - s.fired_at[0], DAY, DAY + 2 * HOUR);
    assert_false(rule_needs_series(&s.rules->rules[0], &s.state, &s.baseline));
    scene_close(&s);
}

static void a_lasting_change_is_accepted_after_a_day(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, TRAFFIC_LOST, 4);
    run_to(&s, 8 * DAY, 200, 0.6, 1);
    run_to(&s, 12 * DAY, 200, 0.6, 0.1);
    assert_int_equal(s.fired, 1);
    assert_int_equal(s.resolved, 1);
    assert_near(expected_now(&s), usual_rate(now(&s), 20, 0.6), 0.25);
    run_to(&s, 12 * DAY + 60, 200, 0.6, 0); /* what is left is watched as before */
    assert_int_equal(s.fired, 2);
    scene_close(&s);
}

/* --- other signals ---- */

static void a_rate_three_times_what_is_usual_fires_above(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s,
               "rules: [{name: Flood, type: baseline, signal: request_rate, above: 3, min_expected: 1, "
               "severity: info}]",
               1);
    run_to(&s, 8 * DAY + 14 * HOUR, 100, 0.6, 1);
    assert_int_equal(s.fired, 0);
    run_to(&s, now(&s) + 120, 100, 0.6, 5);
    assert_int_equal(s.fired, 1);
    run_to(&s, now(&s) + 300, 100, 0.6, 1);
    assert_int_equal(s.resolved, 1);
    scene_close(&s);
}

static void deviations_add_to_the_multiple(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s,
               "rules: [{name: Less, type: baseline, signal: request_rate, below: 1, deviations: 6, "
               "min_expected: 1, severity: info}]",
               1);
    run_to(&s, 2 * DAY, 100, 0, 1);
    assert_int_equal(s.fired, 0);
    assert_near(s.evidence.threshold, s.evidence.expected - 6 * s.evidence.deviation, 1e-9);
    assert_true(s.evidence.threshold > 50); /* 60 s at 60 to 100/s spread by little */
    run_to(&s, now(&s) + 120, 100, 0, 0.5);
    assert_int_equal(s.fired, 1);
    scene_close(&s);
}

static void slow_second(struct scene *s, double median_s, int count)
{
    for (int i = 0; i < count; i++) {
        window_add(s->window, window_now(s->window) * 1000, median_s * exp(0.5 * random_normal(&s->random)),
                   random_unit(&s->random) < 0.01, 1);
    }
    s->view.last_record_s = window_now(s->window);
    step(s);
}

static void latency_and_errors_are_compared_with_their_own_history(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, "rules: [{name: Slow, type: baseline, signal: latency_p95, above: 2, severity: info}]", 1);
    while (now(&s) < 2 * HOUR) {
        slow_second(&s, 0.04, 10);
    }
    assert_int_equal(s.fired, 0);
    assert_near(s.evidence.expected, 0.04 * exp(0.5 * 1.645), 0.1);
    while (now(&s) < 2 * HOUR + 120) {
        slow_second(&s, 0.16, 10);
    }
    assert_int_equal(s.fired, 1);
    scene_close(&s);

    scene_open(&s,
               "rules: [{name: Bad, type: baseline, signal: error_rate, above: 5, min_expected: 0.001, "
               "severity: info}]",
               1);
    while (now(&s) < 2 * HOUR) {
        slow_second(&s, 0.04, 10);
    }
    assert_int_equal(s.fired, 0);
    while (now(&s) < 2 * HOUR + 90) { /* 10 % instead of 1 */
        for (int i = 0; i < 10; i++) {
            window_add(s.window, window_now(s.window) * 1000, 0.04, i == 0, 1);
        }
        s.view.last_record_s = window_now(s.window);
        step(&s);
    }
    assert_int_equal(s.fired, 1);
    scene_close(&s);
}

/* --- the learner alone ---- */

/* Once what began with nothing stayed at nothing: three deviations of 0 are 0. */
static void what_began_with_nothing_can_become_more(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct baseline baseline;
        struct baseline_forecast forecast;
        const struct baseline_terms terms = {
            .slots = 168, .min_minutes = 60, .count_seconds = 60, .below = true, .least = i};
        baseline_init(&baseline, &terms, 0);
        for (int64_t minute = 0; minute < 3 * 60; minute++) {
            (void)baseline_learn(&baseline, minute * 60, 0, 0);
        }
        for (int64_t minute = 3 * 60; minute < 9 * 60; minute++) {
            (void)baseline_learn(&baseline, minute * 60, 40, 0);
        }
        assert_true(baseline_expect(&baseline, 9 * 60 * 60, &forecast));
        assert_near(forecast.expected, 40, 0.1);
    }
}

static void skipped_steps_of_silence_would_have_changed_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct scene whole;
        struct scene leaping;
        struct scene *both[] = {&whole, &leaping};
        int64_t begin = 8 * DAY + (int64_t)seed * 7 * HOUR;
        int64_t length = (int64_t)seed * 11 * HOUR + 1234;
        size_t steps = 0;
        for (int i = 0; i < 2; i++) {
            struct scene *s = both[i];
            scene_open(s, TRAFFIC_LOST, seed);
            run_to(s, begin, 20, 0.99, 1);
            while (now(s) < begin + length) {
                bool is_empty = window_is_empty(s->window);
                struct rule_state before = s->state;
                second_of(s, 0);
                bool is_same = before.firing == s->state.firing && before.clears == s->state.clears &&
                               before.violations == s->state.violations;
                steps += i == 1;
                if (i == 1 && is_empty && is_same && !s->evidence.has_learned) {
                    /* The step is over, and the window stands at the next one. */
                    struct rule_view view = s->view;
                    int64_t next = rule_next_change(&s->rules->rules[0], &s->state, &view) - BEGIN_S;
                    int64_t end = begin + length;
                    if (next - 1 > now(s)) {
                        window_advance(s->window, (next < end ? next : end) + BEGIN_S);
                    }
                }
            }
            random_init(&s->random, seed + 100);
            run_to(s, begin + length + HOUR, 20, 0.99, 1);
        }
        print_message("seed %llu: %zu steps of %lld\n", (unsigned long long)seed, steps, (long long)length);
        assert_int_equal(whole.fired, leaping.fired);
        assert_int_equal(whole.resolved, leaping.resolved);
        for (int i = 0; i < whole.fired; i++) {
            assert_int_equal(whole.fired_at[i], leaping.fired_at[i]);
        }
        assert_memory_equal(whole.baseline.usual, leaping.baseline.usual, sizeof whole.baseline.usual);
        assert_memory_equal(whole.baseline.doubted, leaping.baseline.doubted, sizeof whole.baseline.doubted);
        assert_true(whole.baseline.level == leaping.baseline.level);
        assert_true(whole.baseline.ratio == leaping.baseline.ratio);
        assert_true(whole.baseline.spread == leaping.baseline.spread);
        scene_close(&whole);
        scene_close(&leaping);
    }
}

static void it_learns_once_a_minute_at_its_own_second(void **state)
{
    (void)state;
    struct baseline baseline;
    for (uint32_t phase = 0; phase < 60; phase++) {
        const struct baseline_terms terms = {.slots = 168, .min_minutes = 10, .phase = phase};
        baseline_init(&baseline, &terms, 0);
        for (int64_t second = -200; second < 200; second++) {
            assert_int_equal(baseline_is_step(&baseline, second), ((second - phase) % 60 + 60) % 60 == 0);
            int64_t next = baseline_next_step(&baseline, second);
            assert_true(next > second && next <= second + 60 && baseline_is_step(&baseline, next));
        }
    }
}

static void what_is_learned_is_finite_whatever_comes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct baseline baseline;
        struct random random;
        random_init(&random, seed);
        const struct baseline_terms terms = {.slots = seed % 2 == 0 ? 168 : 24,
                                             .min_minutes = 10,
                                             .count_seconds = seed % 3 == 0 ? 60 : 0,
                                             .below = seed % 5 < 2};
        baseline_init(&baseline, &terms, 0);
        for (int64_t minute = 0; minute < 40000; minute++) {
            double size = (double)random_below(&random, 30) - 10;
            double value = random_below(&random, 4) == 0 ? 0 : exp(size);
            if (random_below(&random, 3) == 0) {
                (void)baseline_refuse(&baseline, minute * 60, random_below(&random, 2) == 0 ? NAN : value);
            } else {
                (void)baseline_learn(&baseline, minute * 60, value, 3);
            }
            struct baseline_forecast forecast;
            if (baseline_expect(&baseline, minute * 60 + 59, &forecast)) {
                assert_true(isfinite(forecast.expected) && forecast.expected >= 0);
                assert_true(isfinite(forecast.deviation) && forecast.deviation >= 0);
            }
            assert_true(isfinite(baseline.level) && baseline.level >= 0 && isfinite(baseline.gap));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_expected_before_the_least_history),
        cmocka_unit_test(three_weeks_of_days_and_weekends_fire_nothing_and_are_known),
        cmocka_unit_test(growth_of_a_tenth_a_week_is_followed),
        cmocka_unit_test(an_outage_fires_in_seconds_and_is_not_learned),
        cmocka_unit_test(an_outage_fires_in_seconds_whenever_in_the_minute_it_begins),
        cmocka_unit_test(a_loss_of_nine_tenths_fires_within_a_minute_and_one_of_half_does_not),
        cmocka_unit_test(spikes_and_bad_hours_move_what_is_expected_little),
        cmocka_unit_test(a_quiet_night_and_a_small_service_fire_nothing),
        cmocka_unit_test(a_service_that_stops_each_night_is_understood),
        cmocka_unit_test(a_series_that_dies_for_good_fires_once_and_is_given_up_after_a_day),
        cmocka_unit_test(a_lasting_change_is_accepted_after_a_day),
        cmocka_unit_test(a_rate_three_times_what_is_usual_fires_above),
        cmocka_unit_test(deviations_add_to_the_multiple),
        cmocka_unit_test(latency_and_errors_are_compared_with_their_own_history),
        cmocka_unit_test(skipped_steps_of_silence_would_have_changed_nothing),
        cmocka_unit_test(what_began_with_nothing_can_become_more),
        cmocka_unit_test(it_learns_once_a_minute_at_its_own_second),
        cmocka_unit_test(what_is_learned_is_finite_whatever_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
