/* The short form of make score: what must hold on any seed, and does not take minutes. */
#include "play.h"
#include "rule/rule_load.h"

#include "cmocka_all.h"

#include <stdlib.h>

static struct rule_set *rules;

static int load_rules(void **state)
{
    (void)state;
    struct error error;
    if (rule_set_load(&rules, OBS_SOURCE_DIR "/config/anomaly-rules.yaml", &error) != 0) {
        print_error("%s\n", error.message);
        return -1;
    }
    return 0;
}

static int free_rules(void **state)
{
    (void)state;
    rule_set_destroy(rules);
    return 0;
}

static void play(struct result *result, const struct scenario *scenario)
{
    struct error error;
    if (play_scenario(result, scenario, rules, 3, &error) != 0) {
        fail_msg("%s", error.message);
    }
    assert_true(result->fed > 1000);
}

static double f1_of(const struct result *results, size_t count, int side)
{
    struct selection all = SELECT_ALL;
    struct tally tally;
    matcher_sum(&tally, results, count, side, &all);
    return tally_f1(&tally);
}

static void healthy_traffic_fires_nothing(void **state)
{
    (void)state;
    static const struct scenario scenarios[] = {
        {.name = "busy", .shape = PLAN_HEALTHY, .target_rps = 300, .hours = 1, .error_share = -1},
        {.name = "quiet", .shape = PLAN_HEALTHY, .target_rps = 0.2, .hours = 48, .error_share = 0.02},
        {.name = "surging", .shape = PLAN_SURGES, .target_rps = 50, .hours = 3, .error_share = -1}};
    for (size_t i = 0; i < 3; i++) {
        struct result result;
        play(&result, &scenarios[i]);
        for (size_t f = 0; f < result.firings.count; f++) {
            assert_int_not_equal(result.firings.list[f].side, SIDE_OURS);
        }
        play_free(&result);
    }
}

static void blips_of_up_to_three_seconds_fire_nothing(void **state)
{
    (void)state;
    static const struct scenario scenario = {
        .name = "blips", .shape = PLAN_BLIPS, .target_rps = 100, .hours = 3, .error_share = -1};
    struct result result;
    size_t short_ones = 0;
    play(&result, &scenario);
    for (size_t i = 0; i < result.plan.incident_count; i++) {
        const struct incident *blip = &result.plan.incidents[i];
        if (blip->end_ms - blip->begin_ms <= 3000) {
            short_ones++;
            assert_int_equal(blip->firings[SIDE_OURS], 0);
        }
    }
    assert_true(short_ones > 50);
    play_free(&result);
}

/* Busy series alone flatter who needs many records, quiet ones who needs few. */
static void faults_of_busy_and_quiet_series_are_found_better_than_by_both_references(void **state)
{
    (void)state;
    static const struct scenario scenarios[] = {
        {.name = "mix",
         .shape = PLAN_MIX,
         .target_rps = 20,
         .hours = 8,
         .error_share = -1,
         .shortest_s = 120,
         .longest_s = 600},
        {.name = "night", .shape = PLAN_FAILURES, .target_rps = 0.2, .hours = 48, .error_share = -1}};
    struct result results[2];
    play(&results[0], &scenarios[0]);
    play(&results[1], &scenarios[1]);
    double ours = f1_of(results, 2, SIDE_OURS);
    double plain = f1_of(results, 2, SIDE_PLAIN);
    double prometheus = f1_of(results, 2, SIDE_PROMETHEUS);
    print_message("F1: ours %.3f, plain %.3f, Prometheus-style %.3f\n", ours, plain, prometheus);
    assert_true(ours >= 0.9);
    assert_true(ours > plain);
    assert_true(ours > prometheus);
    play_free(&results[0]);
    play_free(&results[1]);
}

static void the_same_seed_gives_the_same_result(void **state)
{
    (void)state;
    static const struct scenario scenario = {.name = "flaps",
                                             .shape = PLAN_FLAPS,
                                             .target_rps = 20,
                                             .hours = 2,
                                             .error_share = -1,
                                             .late = 0.05,
                                             .copied = 0.05};
    struct result first;
    struct result second;
    play(&first, &scenario);
    play(&second, &scenario);
    assert_int_equal(first.fed, second.fed);
    assert_int_equal(first.firings.count, second.firings.count);
    for (size_t i = 0; i < first.firings.count; i++) {
        assert_int_equal(first.firings.list[i].fired_ms, second.firings.list[i].fired_ms);
        assert_int_equal(first.firings.list[i].series, second.firings.list[i].series);
    }
    play_free(&first);
    play_free(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(healthy_traffic_fires_nothing),
        cmocka_unit_test(blips_of_up_to_three_seconds_fire_nothing),
        cmocka_unit_test(faults_of_busy_and_quiet_series_are_found_better_than_by_both_references),
        cmocka_unit_test(the_same_seed_gives_the_same_result),
    };
    return cmocka_run_group_tests(tests, load_rules, free_rules);
}
