#include "random/random.h"
#include "rule/binomial.h"
#include "rule/rule_load.h"
#include "rule/rule_state.h"

#include "cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* One rule and one series, a second at a time. */
struct scene {
    struct rule_set *rules;
    struct block_pool pool;
    struct window *window;
    struct rule_state state;
    struct rule_evidence evidence;
    struct rule_view view;
    int fired, resolved;
    int64_t fired_at, resolved_at; /* seconds from the beginning */
};

#define ERROR_RULE "rules: [{name: R, signal: error_rate, above: 0.05, severity: critical}]"

static void scene_open(struct scene *s, const char *yaml)
{
    struct error error;
    memset(s, 0, sizeof *s);
    if (rule_set_parse(&s->rules, "test.yaml", yaml, strlen(yaml), &error) != 0) {
        fail_msg("%s", error.message);
    }
    block_pool_init(&s->pool);
    s->window = window_create(&s->rules->layout, &s->pool, 0);
    rule_state_init(&s->state);
    s->view = (struct rule_view){.window = s->window,
                                 .layout = &s->rules->layout,
                                 .last_record_s = RULE_NEVER,
                                 .last_gauge_s = RULE_NEVER};
}

static void scene_close(struct scene *s)
{
    window_destroy(s->window);
    block_pool_deinit(&s->pool);
    rule_set_destroy(s->rules);
}

static enum rule_change step(struct scene *s)
{
    enum rule_change change = rule_state_step(&s->rules->rules[0], &s->state, &s->view, &s->evidence);
    int64_t end_s = window_now(s->window) + 1;
    if (change == RULE_FIRED) {
        s->fired++;
        s->fired_at = end_s;
    } else if (change != RULE_UNCHANGED) {
        s->resolved++;
        s->resolved_at = end_s;
    }
    window_advance(s->window, end_s);
    return change;
}

/* A second of so many good and bad requests (errors of 0.6 s). */
static enum rule_change second_of(struct scene *s, int good, int bad)
{
    int64_t now_s = window_now(s->window);
    for (int i = 0; i < good + bad; i++) {
        window_add(s->window, now_s * 1000, i < bad ? 0.6 : 0.04, i < bad, 1);
        s->view.last_record_s = now_s;
    }
    return step(s);
}

static void seconds_of(struct scene *s, int seconds, int good, int bad)
{
    for (int i = 0; i < seconds; i++) {
        (void)second_of(s, good, bad);
    }
}

/* --- chance ---- */

static double tail(uint64_t n, uint64_t bad, double p)
{
    double sum = 0;
    for (uint64_t k = bad; k <= n; k++) {
        int sign = 0;
        sum += exp(lgamma_r((double)n + 1, &sign) - lgamma_r((double)k + 1, &sign) -
                   lgamma_r((double)(n - k) + 1, &sign) + (double)k * log(p) + (double)(n - k) * log1p(-p));
    }
    return sum;
}

static void chance_is_the_binomial_tail(void **state)
{
    (void)state;
    static const double shares[] = {0.01, 0.05, 0.5, 0.9};
    static const double limits[] = {0.1, 0.001, 1e-9};
    for (uint64_t n = 1; n < 400; n += 7) {
        for (uint64_t bad = 0; bad <= n; bad += 1 + n / 40) {
            for (size_t i = 0; i < 4; i++) {
                for (size_t k = 0; k < 3; k++) {
                    double exact = tail(n, bad, shares[i]);
                    if (fabs(exact - limits[k]) > 1e-6 * limits[k]) {
                        assert_int_equal(binomial_tail_is_at_most(n, bad, shares[i], limits[k]),
                                         exact <= limits[k]);
                    }
                }
            }
        }
    }
    assert_true(binomial_tail_is_at_most(5, 5, 0.05, 0.001));
    assert_false(binomial_tail_is_at_most(100, 12, 0.05, 0.001)); /* 0.0043 */
    assert_true(binomial_tail_is_at_most(1000000, 60000, 0.05, 0.001));
    assert_false(binomial_tail_is_at_most(1000000, 50500, 0.05, 0.001));
}

/* --- firing ---- */

static void a_share_at_the_limit_is_clear_and_over_it_is_violated(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, "rules: [{name: R, signal: error_rate, above: 0.29, severity: info, window: 10s, "
                   "confidence: off, min_samples: 100, for_violations: 1}]");
    (void)second_of(&s, 71, 29);
    assert_int_equal(s.evidence.verdict, RULE_CLEAR); /* 0.29 * 100 is less than 29 to a double */
    (void)second_of(&s, 70, 30);
    assert_int_equal(s.fired, 1);
    scene_close(&s);
}

static void few_bad_records_are_unknown_and_change_nothing(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, ERROR_RULE);
    seconds_of(&s, 4, 0, 1);
    assert_int_equal(s.evidence.verdict, RULE_UNKNOWN);
    assert_true(s.evidence.too_few);
    assert_int_equal(s.state.violations, 0);
    scene_close(&s);
}

static void an_old_burst_is_no_news(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s,
               "rules: [{name: R, signal: error_rate, above: 0.05, severity: info, for_violations: 200}]");
    seconds_of(&s, 10, 5, 5);
    assert_int_equal(s.evidence.verdict, RULE_VIOLATED);
    seconds_of(&s, 10, 10, 0);
    assert_int_equal(s.evidence.verdict, RULE_UNKNOWN); /* 10 s are clean, 60 s aren't: neither */
    uint32_t violations = s.state.violations;
    seconds_of(&s, 5, 10, 0);
    assert_int_equal(s.state.violations, violations);
    seconds_of(&s, 600, 10, 0);
    assert_int_equal(s.evidence.verdict, RULE_CLEAR);
    assert_int_equal(s.state.violations, 0);
    scene_close(&s);
}

static void a_full_failure_at_a_request_a_minute_is_seen_after_four_more(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, ERROR_RULE);
    for (int minute = 0; minute < 60; minute++) {
        (void)second_of(&s, minute == 7 ? 0 : 1, minute == 7);
        seconds_of(&s, 59, 0, 0);
    }
    assert_int_equal(s.fired, 0); /* a lone failure is nothing */
    int minutes = 0;
    while (s.fired == 0 && minutes < 20) {
        (void)second_of(&s, 0, 1);
        seconds_of(&s, 59, 0, 0);
        minutes++;
    }
    assert_in_range(minutes, 4, 6);
    scene_close(&s);
}

/* A blip of the given ms that fails the share of the requests, from any moment of a second; does it fire? */
static int blips_fired(struct scene *s, struct random *random, int64_t blip_ms, double share, int rate)
{
    int64_t begin_ms = 100000 + (int64_t)random_below(random, 1000);
    for (int64_t second = 0; second < 140; second++) {
        for (int i = 0; i < rate; i++) {
            int64_t ms = second * 1000 + 1000 * i / rate;
            bool in_blip = ms >= begin_ms && ms < begin_ms + blip_ms;
            bool is_bad = random_unit(random) < (in_blip ? share : 0.005);
            s->view.last_record_s = second;
            if (window_add(s->window, ms, 0.04, is_bad, 1) &&
                rule_state_fire_early(&s->rules->rules[0], &s->state, &s->view, &s->evidence) == RULE_FIRED) {
                s->fired++;
            }
        }
        (void)step(s);
    }
    return s->fired;
}

static void a_blip_of_three_seconds_does_not_fire_at_any_rate(void **state)
{
    (void)state;
    static const int rates[] = {17, 83, 400};
    static const double shares[] = {0.5, 1};
    for (size_t r = 0; r < 3; r++) {
        for (size_t m = 0; m < 2; m++) {
            int fired[7] = {0};
            for (uint64_t seed = 1; seed <= 40; seed++) {
                for (int seconds = 1; seconds <= 6; seconds++) {
                    struct scene s;
                    struct random random;
                    scene_open(&s, ERROR_RULE);
                    random_init(&random, seed * 10 + (uint64_t)seconds);
                    fired[seconds] += blips_fired(&s, &random, seconds * 1000, shares[m], rates[r]) > 0;
                    scene_close(&s);
                }
            }
            print_message(
                "%d/s, %.0f %% fail: of 40 each, 1 s %d, 2 s %d, 3 s %d, 4 s %d, 5 s %d, 6 s %d fired\n",
                rates[r], shares[m] * 100, fired[1], fired[2], fired[3], fired[4], fired[5], fired[6]);
            assert_int_equal(fired[1] + fired[2], 0);
            assert_int_equal(fired[3], 0);
            assert_in_range(fired[6], 39, 40);
        }
    }
}

/* Every request fails from the beginning of a second on, one each quarter of a second: it may be a blip as
 * long as no bad record is more than 3 s behind the first. */
static void a_fault_longer_than_a_blip_fires_at_the_record_that_shows_it(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s,
               "rules: [{name: R, signal: error_rate, above: 0.05, severity: critical, for_violations: 1}]");
    seconds_of(&s, 600, 4, 0);
    int64_t begin_ms = window_now(s.window) * 1000;
    int64_t at_ms = begin_ms;
    enum rule_change change = RULE_UNCHANGED;
    while (change == RULE_UNCHANGED && at_ms < begin_ms + 10000) {
        if (at_ms / 1000 > window_now(s.window)) {
            change = step(&s);
        }
        if (change == RULE_UNCHANGED && window_add(s.window, at_ms, 0.04, true, 1)) {
            change = rule_state_fire_early(&s.rules->rules[0], &s.state, &s.view, &s.evidence);
        }
        at_ms += 250;
    }
    assert_int_equal(change, RULE_FIRED);
    assert_in_range(at_ms - 250 - begin_ms, 3125, 4000);
    assert_true(s.state.firing);
    assert_int_equal(rule_state_fire_early(&s.rules->rules[0], &s.state, &s.view, &s.evidence),
                     RULE_UNCHANGED);
    scene_close(&s);
}

static void a_plain_comparison_waits_for_the_end_of_the_second(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s,
               "rules: [{name: R, signal: error_rate, above: 0.05, severity: critical, for_violations: 1, "
               "confidence: off}]");
    seconds_of(&s, 60, 4, 0);
    for (int i = 0; i < 100; i++) {
        (void)window_add(s.window, window_now(s.window) * 1000, 0.04, true, 1);
    }
    assert_int_equal(rule_state_fire_early(&s.rules->rules[0], &s.state, &s.view, &s.evidence),
                     RULE_UNCHANGED);
    assert_int_equal(step(&s), RULE_FIRED);
    scene_close(&s);
}

static void blips_that_come_again_and_again_are_an_incident(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, ERROR_RULE);
    seconds_of(&s, 60, 20, 0);
    for (int i = 0; i < 8 && s.fired == 0; i++) {
        seconds_of(&s, 2, 0, 20);
        seconds_of(&s, 8, 20, 0);
    }
    assert_int_equal(s.fired, 1);
    scene_close(&s);
}

static void slow_requests_fire_a_latency_rule_with_the_value_that_was_measured(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, "rules: [{name: R, signal: latency_p99, above: 0.5, severity: warning}]");
    seconds_of(&s, 60, 50, 0);
    seconds_of(&s, 10, 45, 5);
    assert_int_equal(s.fired, 1);
    assert_true(fabs(rule_measure(&s.rules->rules[0], &s.state, &s.view, 0) - 0.6) < 0.006);
    scene_close(&s);
}

/* --- clearing ---- */

static void it_resolves_by_evidence_in_requests_and_then_begins_anew(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, ERROR_RULE);
    seconds_of(&s, 60, 20, 0);
    seconds_of(&s, 30, 10, 10);
    assert_int_equal(s.fired, 1);
    assert_in_range(s.state.fired_s, 61, 66);
    int64_t over_at = window_now(s.window);
    seconds_of(&s, 40, 20, 0);
    assert_int_equal(s.resolved, 1);
    assert_in_range(s.resolved_at - over_at, 20, 30);
    assert_in_range(s.state.clear_s - over_at, 1, 10);
    seconds_of(&s, 600, 20, 0);
    assert_int_equal(s.fired, 1); /* the incident's records are still in 10 minutes, but forgotten */
    scene_close(&s);
}

static void silence_is_no_evidence_that_it_is_over(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, ERROR_RULE);
    seconds_of(&s, 60, 20, 0);
    seconds_of(&s, 10, 0, 20);
    seconds_of(&s, 5000, 0, 0);
    assert_true(s.state.firing);
    assert_int_equal(s.resolved, 0);
    scene_close(&s);
}

static void a_resolve_says_what_the_value_is_back_at(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, ERROR_RULE);
    seconds_of(&s, 10, 0, 20);
    enum rule_change change = RULE_UNCHANGED;
    for (int i = 0; i < 100 && change != RULE_RESOLVED_CLEAR; i++) {
        change = second_of(&s, 20, 0);
    }
    assert_int_equal(change, RULE_RESOLVED_CLEAR);
    assert_true(s.evidence.value == 0);
    scene_close(&s);
}

static void flapping_doubles_for_clear_and_quiet_halves_it(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, ERROR_RULE);
    static const uint32_t expected[] = {20, 40, 80, 160, 300, 300};
    for (size_t i = 0; i < 6; i++) {
        seconds_of(&s, 15, 0, 20);
        assert_int_equal(s.fired, (int)i + 1);
        assert_int_equal(rule_state_for_clear(&s.rules->rules[0], &s.state), expected[i]);
        while (s.state.firing) {
            (void)second_of(&s, 20, 0);
        }
    }
    seconds_of(&s, 250, 20, 0);
    seconds_of(&s, 15, 0, 20);
    assert_int_equal(s.fired, 7);
    assert_int_equal(rule_state_for_clear(&s.rules->rules[0], &s.state), 75);
    scene_close(&s);
}

/* --- weights, rates, silence ---- */

static void a_sampled_record_is_one_witness_whatever_it_weighs(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, ERROR_RULE);
    for (int i = 0; i < 30; i++) {
        window_add(s.window, window_now(s.window) * 1000, 0.04, i % 10 == 0, i % 10 == 0 ? 100000 : 1);
        s.view.last_record_s = window_now(s.window);
        (void)second_of(&s, 1, 0);
    }
    assert_true(rule_measure(&s.rules->rules[0], &s.state, &s.view, 1) > 0.99);
    assert_int_equal(s.fired, 0); /* 3 errors of 60 records */
    scene_close(&s);
}

static void errors_that_are_all_kept_beside_sampled_successes_are_no_alarm(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, ERROR_RULE);
    for (int i = 0; i < 120; i++) {
        for (int k = 0; k < 10; k++) {
            window_add(s.window, window_now(s.window) * 1000, 0.04, k < 2, k < 2 ? 1 : 100);
        }
        s.view.last_record_s = window_now(s.window);
        (void)step(&s);
    }
    assert_int_equal(s.fired, 0); /* 2 of 802 requests failed, though 2 of 10 records say so */
    scene_close(&s);
}

static void a_rate_is_judged_once_its_window_is_full_and_fires_once_an_outage(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, "rules: [{name: R, signal: request_rate, below: 5, severity: critical, window: 60s}]");
    seconds_of(&s, 59, 10, 0);
    assert_int_equal(s.evidence.verdict, RULE_UNKNOWN);
    assert_true(s.evidence.is_young);
    seconds_of(&s, 10, 10, 0);
    assert_int_equal(s.evidence.verdict, RULE_CLEAR);
    seconds_of(&s, 60, 0, 0);
    assert_int_equal(s.fired, 1);
    seconds_of(&s, 600, 10, 0);
    assert_int_equal(s.resolved, 1);
    assert_int_equal(s.fired, 1); /* the window that begins anew isn't an outage */
    scene_close(&s);
}

static void no_data_resolves_or_fires_when_the_rule_says_so(void **state)
{
    (void)state;
    struct scene s;
    scene_open(
        &s, "rules: [{name: R, signal: error_rate, above: 0.05, severity: info, on_no_data: {resolve: 5m}}]");
    seconds_of(&s, 20, 0, 20);
    assert_int_equal(s.fired, 1);
    seconds_of(&s, 299, 0, 0);
    assert_int_equal(s.resolved, 0);
    (void)second_of(&s, 0, 0);
    assert_int_equal(s.resolved, 1);
    scene_close(&s);
    scene_open(
        &s, "rules: [{name: R, signal: error_rate, above: 0.05, severity: info, on_no_data: {fire: 30s}}]");
    seconds_of(&s, 20, 20, 0);
    seconds_of(&s, 29, 0, 0);
    assert_int_equal(s.fired, 0);
    seconds_of(&s, 2, 0, 0);
    assert_int_equal(s.fired, 1);
    seconds_of(&s, 60, 20, 0);
    assert_int_equal(s.resolved, 1);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chance_is_the_binomial_tail),
        cmocka_unit_test(a_share_at_the_limit_is_clear_and_over_it_is_violated),
        cmocka_unit_test(few_bad_records_are_unknown_and_change_nothing),
        cmocka_unit_test(an_old_burst_is_no_news),
        cmocka_unit_test(a_full_failure_at_a_request_a_minute_is_seen_after_four_more),
        cmocka_unit_test(a_blip_of_three_seconds_does_not_fire_at_any_rate),
        cmocka_unit_test(a_fault_longer_than_a_blip_fires_at_the_record_that_shows_it),
        cmocka_unit_test(a_plain_comparison_waits_for_the_end_of_the_second),
        cmocka_unit_test(blips_that_come_again_and_again_are_an_incident),
        cmocka_unit_test(slow_requests_fire_a_latency_rule_with_the_value_that_was_measured),
        cmocka_unit_test(it_resolves_by_evidence_in_requests_and_then_begins_anew),
        cmocka_unit_test(silence_is_no_evidence_that_it_is_over),
        cmocka_unit_test(a_resolve_says_what_the_value_is_back_at),
        cmocka_unit_test(flapping_doubles_for_clear_and_quiet_halves_it),
        cmocka_unit_test(a_sampled_record_is_one_witness_whatever_it_weighs),
        cmocka_unit_test(errors_that_are_all_kept_beside_sampled_successes_are_no_alarm),
        cmocka_unit_test(a_rate_is_judged_once_its_window_is_full_and_fires_once_an_outage),
        cmocka_unit_test(no_data_resolves_or_fires_when_the_rule_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
