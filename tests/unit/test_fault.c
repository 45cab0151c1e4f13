#include "fault.h"
#include "fault_set.h"
#include "scenario.h"
#include "yaml/yaml_tree.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_MS INT64_C(1795561200000)

static int parse(struct fault_spec *spec, const char *text, struct error *error)
{
    struct yaml_tree *tree = NULL;
    error_clear(error);
    if (yaml_tree_parse(&tree, "body", text, strlen(text), error) != 0) {
        return -1;
    }
    int result = fault_parse(spec, tree, yaml_tree_root(tree), error);
    yaml_tree_destroy(tree);
    return result;
}

static void a_fault_is_read_from_yaml_and_from_json(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{type: error_burst, service: api-service, region: us-east-1, start: 60s, duration: 2m, magnitude: "
        "0.3}",
        "{\"type\":\"error_burst\",\"service\":\"api-service\",\"region\":\"us-east-1\",\"start\":60,"
        "\"duration\":\"120s\",\"magnitude\":0.3}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct fault_spec spec;
        struct error error;
        assert_int_equal(parse(&spec, texts[i], &error), 0);
        assert_int_equal(spec.type, FAULT_ERROR_BURST);
        assert_int_equal(spec.service, 0);
        assert_int_equal(spec.region, 0);
        assert_int_equal(spec.start_ms, 60000);
        assert_int_equal(spec.duration_ms, 120000);
        assert_true(spec.magnitude == 0.3);
    }
}

static void what_is_left_out_or_null_means_everywhere_now_and_until_ended(void **state)
{
    (void)state;
    struct fault_spec spec;
    struct error error;
    assert_int_equal(
        parse(&spec, "{\"type\":\"region_outage\",\"service\":null,\"region\":\"eu-west-1\"}", &error), 0);
    assert_int_equal(spec.service, FAULT_EVERYWHERE);
    assert_int_equal(spec.region, 1);
    assert_int_equal(spec.start_ms, 0);
    assert_int_equal(spec.duration_ms, 0);
    assert_true(spec.magnitude == 1);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *field, *value;
    } cases[] = {
        {"[]", "mapping", ""},
        {"{magnitude: 1}", "'type'", ""},
        {"{type: eror_burst, magnitude: 1}", "'type'", "eror_burst"},
        {"{type: [error_burst], magnitude: 1}", "'type'", ""},
        {"{type: error_burst}", "'magnitude'", "share"},
        {"{type: error_burst, magnitude: 1.5}", "'magnitude'", "1.5"},
        {"{type: error_burst, magnitude: -0.1}", "'magnitude'", "-0.1"},
        {"{type: error_burst, magnitude: high}", "'magnitude'", "high"},
        {"{type: error_burst, magnitude: nan}", "'magnitude'", "nan"},
        {"{type: latency_spike, magnitude: 0.5}", "'magnitude'", "0.5"},
        {"{type: saturation, magnitude: 2}", "'magnitude'", "2"},
        {"{type: error_burst, service: api, magnitude: 1}", "'service'", "api"},
        {"{type: error_burst, region: mars, magnitude: 1}", "'region'", "mars"},
        {"{type: error_burst, start: -5s, magnitude: 1}", "'start'", "-5s"},
        {"{type: error_burst, start: soon, magnitude: 1}", "'start'", "soon"},
        {"{type: error_burst, duration: 0, magnitude: 1}", "'duration'", "0"},
        {"{type: error_burst, duration: 999999d, magnitude: 1}", "'duration'", "999999d"},
        {"{type: error_burst, magnitude: 1, lenght: 3}", "lenght", "duration"},
        {"{type: error_burst, type: saturation, magnitude: 1}", "type", "twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fault_spec spec;
        struct error error;
        assert_int_equal(parse(&spec, cases[i].text, &error), -1);
        assert_non_null(strstr(error.message, cases[i].field));
        assert_non_null(strstr(error.message, cases[i].value));
    }
}

static void effects_of_several_faults_combine(void **state)
{
    (void)state;
    const struct fault_spec spike = {.type = FAULT_LATENCY_SPIKE, .service = 2, .region = -1, .magnitude = 3};
    const struct fault_spec burst = {.type = FAULT_ERROR_BURST, .service = -1, .region = 1, .magnitude = 0.3};
    const struct fault_spec half = {
        .type = FAULT_REGION_OUTAGE, .service = -1, .region = 1, .magnitude = 0.5};
    struct fault_effect effect;
    fault_effect_init(&effect);
    fault_effect_add(&effect, &spike, 2, 1);
    fault_effect_add(&effect, &spike, 2, 1);
    fault_effect_add(&effect, &burst, 2, 1);
    fault_effect_add(&effect, &half, 2, 1);
    assert_true(effect.latency_factor == 9);
    assert_true(effect.error_share == 0.3);
    assert_true(effect.traffic_factor == 0.5);
    fault_effect_init(&effect);
    fault_effect_add(&effect, &spike, 1, 1);
    fault_effect_add(&effect, &burst, 1, 0);
    assert_true(effect.latency_factor == 1 && effect.error_share == 0);
}

/* --- the set ---- */

static struct fault_spec burst_of(int64_t start_ms, int64_t duration_ms)
{
    return (struct fault_spec){.type = FAULT_ERROR_BURST,
                               .service = -1,
                               .region = -1,
                               .start_ms = start_ms,
                               .at_unix_ms = -1,
                               .duration_ms = duration_ms,
                               .magnitude = 0.5};
}

static void changes_come_in_order_and_cut_the_time(void **state)
{
    (void)state;
    struct fault_set *set = fault_set_create(START_MS);
    struct fault_spec first = burst_of(1000, 2000), second = burst_of(3000, 500);
    struct fault fault;
    struct fault_change change;
    assert_int_equal(fault_set_add(set, &second, 0, &fault), FAULT_SET_OK);
    assert_int_equal(fault_set_add(set, &first, 0, &fault), FAULT_SET_OK);
    assert_int_equal(fault_set_advance(set, 500), 500);
    assert_false(fault_set_take_change(set, 500, &change));
    assert_int_equal(fault_set_advance(set, 10000), 1000);
    assert_true(fault_set_take_change(set, 1000, &change));
    assert_int_equal(change.kind, FAULT_BEGINS);
    assert_int_equal(change.fault.id, 2);
    assert_false(fault_set_take_change(set, 1000, &change));
    assert_int_equal(fault_set_count_active(set), 1);
    assert_int_equal(fault_set_advance(set, 10000), 3000);
    /* At 3 s one ends and another begins: never both. */
    assert_true(fault_set_take_change(set, 3000, &change));
    assert_int_equal(change.kind, FAULT_ENDS);
    assert_int_equal(change.fault.id, 2);
    assert_true(fault_set_take_change(set, 3000, &change));
    assert_int_equal(change.kind, FAULT_BEGINS);
    assert_int_equal(change.fault.id, 1);
    assert_int_equal(fault_set_advance(set, 10000), 3500);
    fault_set_destroy(set);
}

static void nothing_begins_or_ends_before_what_was_announced(void **state)
{
    (void)state;
    struct fault_set *set = fault_set_create(START_MS);
    struct fault_spec now = burst_of(0, 1000);
    struct fault fault;
    struct fault_change change;
    assert_int_equal(fault_set_advance(set, 5000), 5000);
    assert_int_equal(fault_set_add(set, &now, 4990, &fault), FAULT_SET_OK);
    assert_int_equal(fault.begin_ms, 5000);
    assert_int_equal(fault.end_ms, 6000);
    assert_true(fault_set_take_change(set, 5000, &change));
    assert_int_equal(fault_set_advance(set, 5600), 5600);
    assert_int_equal(fault_set_end(set, fault.id, 5590, &fault), FAULT_SET_OK);
    assert_int_equal(fault.end_ms, 5600);
    assert_true(fault_set_take_change(set, 5600, &change));
    assert_int_equal(change.kind, FAULT_ENDS);
    assert_int_equal(change.at_ms, 5600);
    fault_set_destroy(set);
}

static void ending_knows_unknown_scheduled_and_ended_faults(void **state)
{
    (void)state;
    struct fault_set *set = fault_set_create(START_MS);
    struct fault_spec later = burst_of(60000, 1000);
    struct fault fault;
    struct fault_change change;
    assert_int_equal(fault_set_end(set, 1, 0, &fault), FAULT_SET_UNKNOWN);
    assert_int_equal(fault_set_add(set, &later, 0, &fault), FAULT_SET_OK);
    assert_int_equal(fault_set_end(set, fault.id, 10, &fault), FAULT_SET_OK);
    assert_false(fault.begun);
    assert_int_equal(fault_set_end(set, fault.id, 20, &fault), FAULT_SET_ENDED);
    assert_int_equal(fault_set_advance(set, 100000), 100000);
    assert_false(fault_set_take_change(set, 100000, &change));
    fault_set_destroy(set);
}

static void a_start_in_the_past_is_refused(void **state)
{
    (void)state;
    struct fault_set *set = fault_set_create(START_MS);
    struct fault_spec spec = burst_of(0, 1000);
    struct fault fault;
    spec.at_unix_ms = START_MS + 5000;
    assert_int_equal(fault_set_add(set, &spec, 6000, &fault), FAULT_SET_PAST);
    assert_int_equal(fault_set_add(set, &spec, 4000, &fault), FAULT_SET_OK);
    assert_int_equal(fault.begin_ms, 5000);
    fault_set_destroy(set);
}

static void the_set_is_bounded_and_forgets_ended_ones_only(void **state)
{
    (void)state;
    struct fault_set *set = fault_set_create(START_MS);
    struct fault fault;
    struct fault_spec open = burst_of(0, 0);
    struct fault_change change;
    for (int64_t i = 0; i < 3 * FAULT_SET_LIMIT; i++) {
        struct fault_spec brief = burst_of(0, 1);
        assert_int_equal(fault_set_add(set, &brief, i * 10, &fault), FAULT_SET_OK);
        (void)fault_set_advance(set, i * 10);
        while (fault_set_take_change(set, i * 10 + 5, &change)) {
        }
    }
    struct fault *faults = malloc(2 * FAULT_SET_LIMIT * sizeof *faults);
    assert_int_equal(fault_set_list(set, faults, 2 * FAULT_SET_LIMIT), 2 * FAULT_SET_LIMIT);
    assert_int_equal(faults[0].id, FAULT_SET_LIMIT + 1);
    for (int i = 0; i < FAULT_SET_LIMIT; i++) {
        assert_int_equal(fault_set_add(set, &open, 100000, &fault), FAULT_SET_OK);
    }
    assert_int_equal(fault_set_add(set, &open, 100000, &fault), FAULT_SET_FULL);
    free(faults);
    fault_set_destroy(set);
}

static void finishing_ends_what_is_active_and_cancels_the_rest(void **state)
{
    (void)state;
    struct fault_set *set = fault_set_create(START_MS);
    struct fault_spec active = burst_of(0, 0), scheduled = burst_of(60000, 0);
    struct fault fault;
    struct fault_change change;
    assert_int_equal(fault_set_add(set, &active, 0, &fault), FAULT_SET_OK);
    assert_int_equal(fault_set_add(set, &scheduled, 0, &fault), FAULT_SET_OK);
    assert_int_equal(fault_set_advance(set, 100), 0);
    assert_true(fault_set_take_change(set, 0, &change));
    assert_int_equal(fault_set_advance(set, 700), 700);
    fault_set_finish(set, 700);
    assert_true(fault_set_take_change(set, 700, &change));
    assert_int_equal(change.kind, FAULT_ENDS);
    assert_int_equal(change.at_ms, 700);
    assert_false(fault_set_take_change(set, INT64_MAX - 1, &change));
    fault_set_destroy(set);
}

/* --- scenario ---- */

static int load(struct scenario *scenario, const char *text, struct error *error)
{
    char path[] = "/tmp/scenario-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
    int result = scenario_load(scenario, path, error);
    (void)unlink(path);
    return result;
}

static void the_specifications_scenario_is_read(void **state)
{
    (void)state;
    struct scenario *scenario = malloc(sizeof *scenario);
    struct error error;
    assert_int_equal(load(scenario,
                          "seed: 42\nduration: 600s\ntarget_rps: 200\n"
                          "faults:                      # service and region may be left out: all of them\n"
                          "  - {type: error_burst,   service: api-service, region: us-east-1, start: 60s, "
                          "duration: 120s, magnitude: 0.3}  # share of 5xx\n"
                          "  - {type: latency_spike, service: payment-service, start: 300s, duration: 60s, "
                          "magnitude: 5}                   # factor\n",
                          &error),
                     0);
    assert_int_equal(scenario->seed, 42);
    assert_int_equal(scenario->duration_ms, 600000);
    assert_true(scenario->target_rps == 200);
    assert_int_equal(scenario->fault_count, 2);
    assert_int_equal(scenario->faults[1].type, FAULT_LATENCY_SPIKE);
    assert_int_equal(scenario->faults[1].service, 2);
    assert_int_equal(scenario->faults[1].region, FAULT_EVERYWHERE);
    assert_int_equal(scenario->faults[1].start_ms, 300000);
    free(scenario);
}

static void a_bad_scenario_names_line_and_key(void **state)
{
    (void)state;
    static const struct {
        const char *text, *line, *key;
    } cases[] = {
        {"seed: 1\nsede: 2\n", ":2:", "sede"},
        {"seed: x\n", ":1:", "seed"},
        {"seed: 1\ntarget_rps: -3\n", ":2:", "target_rps"},
        {"duration: long\n", ":1:", "duration"},
        {"error_rate: 7\n", ":1:", "error_rate"},
        {"start: yesterday\n", ":1:", "start"},
        {"faults: 3\n", ":1:", "faults"},
        {"faults:\n  - {type: error_burst, magnitude: 0.1}\n  - {type: error_burst, magnitude: 3}\n",
         ":3:", "magnitude"},
        {"- a\n", ":1:", "mapping"},
        {"faults: [\n", ":", ""},
    };
    struct scenario *scenario = malloc(sizeof *scenario);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error;
        error_clear(&error);
        assert_int_equal(load(scenario, cases[i].text, &error), -1);
        assert_non_null(strstr(error.message, cases[i].line));
        assert_non_null(strstr(error.message, cases[i].key));
    }
    free(scenario);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_is_read_from_yaml_and_from_json),
        cmocka_unit_test(what_is_left_out_or_null_means_everywhere_now_and_until_ended),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(effects_of_several_faults_combine),
        cmocka_unit_test(changes_come_in_order_and_cut_the_time),
        cmocka_unit_test(nothing_begins_or_ends_before_what_was_announced),
        cmocka_unit_test(ending_knows_unknown_scheduled_and_ended_faults),
        cmocka_unit_test(a_start_in_the_past_is_refused),
        cmocka_unit_test(the_set_is_bounded_and_forgets_ended_ones_only),
        cmocka_unit_test(finishing_ends_what_is_active_and_cancels_the_rest),
        cmocka_unit_test(the_specifications_scenario_is_read),
        cmocka_unit_test(a_bad_scenario_names_line_and_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
