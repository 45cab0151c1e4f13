/* Days of traffic through a detector that is stopped again and again: its baselines go on where they were.
 *
 * One partition: a service that works by day and stops each night, a steady one with an outage of two hours,
 * one that dies for good, a small one that comes and goes, and hours in which nothing comes and ticks pass
 * the time. */
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

#define HOUR_S      3600
#define DAY_S       (24 * HOUR_S)
#define DAYS        5
#define EVERY_S     4 /* a record of each service that has something */
#define START_MS    INT64_C(1795046400000)
#define ITEMS       (DAYS * DAY_S)
#define TRANSITIONS 256
#define RECORDS     4096

static const char rules_yaml[] =
    "rules:\n"
    "  - {name: TrafficLost, type: baseline, signal: request_rate, below: 0.2, min_expected: 1, history: 1d,"
    " for_violations: 3, severity: critical, on_no_data: fire}\n"
    "  - {name: Flood, type: baseline, signal: request_rate, above: 3, deviations: 3, min_expected: 0.1,"
    " history: 7d, severity: info}\n"
    "  - {name: Errors, signal: error_rate, above: 0.3, severity: info, window: 60s, confidence: off}\n";

/* An event, or a tick (weight 0). */
struct item {
    int64_t time_ms;
    uint32_t weight;
    uint8_t service;
};
struct tape {
    struct item items[ITEMS];
    size_t count;
};

static double rate_of(int service, int64_t second)
{
    int64_t hour = second % DAY_S / HOUR_S;
    int64_t day = second / DAY_S;
    switch (service) {
    case 0:
        return hour >= 8 && hour < 20 ? (day == 3 && hour == 15 ? 300 : 40) : 0;
    case 1:
        return day == 1 && hour >= 10 && hour < 12 ? 0 : 6 + 3 * sin((double)second / 13751);
    case 2:
        return second < DAY_S * 3 / 2 ? 20 : 0;
    default:
        return second / 2700 % 3 == 0 ? 0.5 : 0;
    }
}

static void make_tape(struct tape *tape, uint64_t seed)
{
    struct random random;
    random_init(&random, seed);
    tape->count = 0;
    for (int64_t second = 0; second < DAYS * (int64_t)DAY_S; second += EVERY_S) {
        bool is_silent = second > 2 * DAY_S + 50000 && second < 2 * DAY_S + 57000;
        if (is_silent) {
            if (second % 40 == 0) {
                tape->items[tape->count++] = (struct item){START_MS + second * 1000, 0, 0};
            }
            continue;
        }
        for (uint8_t service = 0; service < 4; service++) {
            double weight = rate_of(service, second) * EVERY_S * (0.8 + 0.4 * random_unit(&random));
            if (weight > 0 && tape->count < ITEMS) {
                tape->items[tape->count++] =
                    (struct item){START_MS + second * 1000 + (int64_t)random_below(&random, 900),
                                  weight < 1 ? 1 : (uint32_t)weight, service};
            }
        }
    }
}

struct outcome {
    struct alert_transition transitions[TRANSITIONS];
    size_t count;
};

static void play(struct detector *detector, const struct tape *tape, enum detector_mode mode, size_t at,
                 struct outcome *outcome)
{
    static const char *const services[] = {"by-day", "steady", "dies", "small"};
    const struct item *item = &tape->items[at];
    if (item->weight == 0) {
        detector_pass_time(detector, mode, item->time_ms);
    } else {
        char id[24];
        const char *service = services[item->service];
        struct event event = {.id = {id, (size_t)snprintf(id, sizeof id, "%zu", at)},
                              .time_unix_ms = item->time_ms,
                              .service = {service, strlen(service)},
                              .region = {"us-east-1", 9},
                              .kind = EVENT_REQUEST,
                              .route = {"/", 1},
                              .status_code = 200,
                              .duration_s = 0.04,
                              .count = item->weight,
                              .cpu_utilization = NAN,
                              .memory_utilization = NAN};
        struct detector_input input = {
            .event = &event, .offset = (int64_t)at, .appended_ms = item->time_ms + 5};
        detector_observe(detector, mode, &input, 1);
    }
    struct alert_transition t;
    while (detector_next_transition(detector, &t)) {
        assert_true(mode != DETECTOR_REBUILD && outcome->count < TRANSITIONS);
        outcome->transitions[outcome->count++] = t;
    }
}

/* What a compacted topic of states holds. */
struct kept {
    char keys[RECORDS][64];
    size_t key_bytes[RECORDS], value_bytes[RECORDS], count;
    unsigned char *values[RECORDS]; /* NULL: forgotten */
    size_t baseline_records, baseline_bytes;
};

static void keep(struct kept *kept, struct detector *detector)
{
    struct detector_state state;
    detector_take_checkpoint(detector, false);
    while (detector_next_state(detector, &state)) {
        size_t i = 0;
        while (i < kept->count && (kept->key_bytes[i] != state.key_bytes ||
                                   memcmp(kept->keys[i], state.key, state.key_bytes) != 0)) {
            i++;
        }
        assert_true(i < RECORDS && state.key_bytes <= 64);
        kept->count = i == kept->count ? i + 1 : kept->count;
        memcpy(kept->keys[i], state.key, state.key_bytes);
        kept->key_bytes[i] = state.key_bytes;
        kept->value_bytes[i] = state.value_bytes;
        free(kept->values[i]);
        kept->values[i] = NULL;
        if (state.value != NULL) {
            kept->values[i] = malloc(state.value_bytes);
            memcpy(kept->values[i], state.value, state.value_bytes);
        }
        bool is_learned = memcmp(state.key, "baseline|", 9) == 0 || memcmp(state.key, "season|", 7) == 0;
        kept->baseline_records += is_learned;
        kept->baseline_bytes += is_learned ? state.key_bytes + state.value_bytes : 0;
    }
}

static struct rule_set *parse(const char *yaml)
{
    struct rule_set *rules = NULL;
    struct error error;
    if (rule_set_parse(&rules, "days.yaml", yaml, strlen(yaml), &error) != 0) {
        fail_msg("%s", error.message);
    }
    return rules;
}

static void kept_free(struct kept *kept)
{
    for (size_t i = 0; i < kept->count; i++) {
        free(kept->values[i]);
    }
    memset(kept, 0, sizeof *kept);
}

static struct detector *open_detector(const struct rule_set *rules, uint64_t seed)
{
    const struct detector_limits limits = {.series = 100, .lateness_ms = 15000, .idle_after_ms = 15000};
    struct detector *detector = NULL;
    assert_int_equal(detector_create(&detector, rules, &limits, seed, NULL), 0);
    return detector;
}

static struct detector *restart(const struct rule_set *rules, const struct kept *kept,
                                const struct tape *tape, size_t committed, int64_t replay_from, uint64_t seed,
                                struct outcome *outcome)
{
    struct detector *detector = open_detector(rules, seed);
    struct error error;
    int64_t from = -1;
    for (size_t i = 0; i < kept->count; i++) {
        const struct detector_state state = {kept->keys[i], kept->values[i], kept->key_bytes[i],
                                             kept->value_bytes[i]};
        if (state.value != NULL && detector_load_state(detector, &state, &error) != 0) {
            fail_msg("%s", error.message);
        }
    }
    if (detector_restore_windows(detector, 0, (int64_t)committed, &from, &error) !=
        DETECTOR_START_CHECKPOINT) {
        from = replay_from;
    }
    for (size_t at = from < 0 ? committed : (size_t)from; at < committed; at++) {
        play(detector, tape, DETECTOR_REBUILD, at, outcome);
    }
    return detector;
}

static void play_all(const struct rule_set *rules, const struct tape *tape, struct outcome *outcome)
{
    struct detector *detector = open_detector(rules, 1);
    struct detector_state state;
    outcome->count = 0;
    for (size_t at = 0; at < tape->count; at++) {
        play(detector, tape, DETECTOR_DECIDE, at, outcome);
        while (detector_next_state(detector, &state)) {
        }
    }
    detector_destroy(detector);
}

static size_t play_with_stops(const struct rule_set *rules, const struct tape *tape, uint64_t seed,
                              struct outcome *outcome)
{
    static struct kept kept;
    struct random random;
    random_init(&random, seed);
    outcome->count = 0;
    struct detector *detector = open_detector(rules, seed);
    size_t stops = 0;
    size_t committed = 0;
    size_t published = 0;
    int64_t replay_from = -1;
    for (size_t at = 0; at < tape->count;) {
        play(detector, tape, DETECTOR_DECIDE, at++, outcome);
        if (random_below(&random, 20) == 0) {
            keep(&kept, detector);
            committed = at;
            published = outcome->count;
            replay_from = detector_replay_from(detector);
        }
        if (random_below(&random, 1200) == 0) {
            stops++;
            detector_destroy(detector);
            outcome->count = published;
            detector = restart(rules, &kept, tape, committed, replay_from, seed + stops, outcome);
            at = committed;
        }
    }
    detector_destroy(detector);
    print_message("seed %llu: %zu stops; %.1f state records of baselines a series-hour, %.0f bytes each\n",
                  (unsigned long long)seed, stops, (double)kept.baseline_records / (DAYS * 24 * 4 * 2),
                  (double)kept.baseline_bytes / (double)kept.baseline_records);
    kept_free(&kept);
    return stops;
}

static int by_alert(const void *a, const void *b)
{
    return alert_transition_compare(a, b);
}

static void show(const struct outcome *outcome)
{
    for (size_t i = 0; i < outcome->count; i++) {
        const struct alert_transition *t = &outcome->transitions[i];
        print_message("  %-12s %-8s %-8s %u: day %.3f, %.4g against %.4g\n", t->rule, t->labels.service,
                      alert_state_name(t->state), t->sequence,
                      (double)((t->state == ALERT_FIRING ? t->starts_ms : t->ends_ms) - START_MS) / 1000 /
                          DAY_S,
                      t->value, t->threshold);
    }
}

static void assert_same(const struct outcome *a, const struct outcome *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        const struct alert_transition *x = &a->transitions[i];
        const struct alert_transition *y = &b->transitions[i];
        if (x->fingerprint != y->fingerprint || x->sequence != y->sequence || x->state != y->state ||
            x->reason != y->reason || x->starts_ms != y->starts_ms || x->ends_ms != y->ends_ms ||
            x->value != y->value || x->threshold != y->threshold || x->samples != y->samples ||
            x->window_seconds != y->window_seconds || x->evaluations != y->evaluations) {
            show(a);
            show(b);
            fail_msg("transition %zu differs: %s of %s, sequence %u", i, x->rule, x->labels.service,
                     x->sequence);
        }
    }
    assert_int_equal(a->count, b->count);
}

static void stops_at_any_second_change_no_decision(void **state)
{
    (void)state;
    static struct tape tape;
    static struct outcome whole;
    static struct outcome stopped;
    struct rule_set *rules = parse(rules_yaml);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        make_tape(&tape, seed);
        play_all(rules, &tape, &whole);
        qsort(whole.transitions, whole.count, sizeof whole.transitions[0], by_alert);
        if (seed == 1) {
            show(&whole);
        }
        assert_true(whole.count >= 10);
        size_t stops = play_with_stops(rules, &tape, seed, &stopped);
        qsort(stopped.transitions, stopped.count, sizeof stopped.transitions[0], by_alert);
        assert_true(stops > 50);
        assert_same(&whole, &stopped);
    }
    rule_set_destroy(rules);
}

/* --- saved states ---- */

static void send(struct detector *detector, const char *service, int64_t second)
{
    char id[24];
    struct event event = {.id = {id, (size_t)snprintf(id, sizeof id, "%lld", (long long)second)},
                          .time_unix_ms = START_MS + second * 1000,
                          .service = {service, strlen(service)},
                          .region = {"us-east-1", 9},
                          .kind = EVENT_REQUEST,
                          .route = {"/", 1},
                          .status_code = 200,
                          .duration_s = 0.04,
                          .count = 20,
                          .cpu_utilization = NAN,
                          .memory_utilization = NAN};
    struct detector_input input = {
        .event = &event, .offset = second, .appended_ms = START_MS + second * 1000 + 5};
    detector_observe(detector, DETECTOR_DECIDE, &input, 1);
}

static size_t count_keys(const struct kept *kept, const char *prefix)
{
    size_t count = 0;
    for (size_t i = 0; i < kept->count; i++) {
        count += kept->values[i] != NULL && strncmp(kept->keys[i], prefix, strlen(prefix)) == 0;
    }
    return count;
}

static void damaged_states_of_baselines_are_refused(void **state)
{
    (void)state;
    static struct kept kept;
    struct rule_set *rules = parse(rules_yaml);
    struct detector *detector = open_detector(rules, 1);
    struct error error;
    for (int64_t second = 0; second < 2 * HOUR_S; second++) {
        send(detector, "steady", second);
    }
    keep(&kept, detector);
    assert_int_equal(count_keys(&kept, "baseline|"), 2);
    assert_int_equal(count_keys(&kept, "season|"), 2);
    detector_destroy(detector);
    detector = open_detector(rules, 1);
    for (size_t i = 0; i < kept.count; i++) {
        if (strncmp(kept.keys[i], "baseline|", 9) != 0 && strncmp(kept.keys[i], "season|", 7) != 0) {
            continue;
        }
        for (size_t size = 0; size < kept.value_bytes[i]; size++) {
            const struct detector_state cut = {kept.keys[i], kept.values[i], kept.key_bytes[i], size};
            assert_int_equal(detector_load_state(detector, &cut, &error), -1);
            assert_non_null(strstr(error.message, "damaged"));
        }
        kept.values[i][0] = 2;
        const struct detector_state newer = {kept.keys[i], kept.values[i], kept.key_bytes[i],
                                             kept.value_bytes[i]};
        assert_int_equal(detector_load_state(detector, &newer, &error), -1);
        assert_non_null(strstr(error.message, "format version 2"));
    }
    detector_destroy(detector);
    kept_free(&kept);
    rule_set_destroy(rules);
}

/* Half an hour each, one after the other; what they have learned rests, for as many as may be there. */
static void what_rests_is_bounded_like_the_series(void **state)
{
    (void)state;
    static struct kept kept;
    struct rule_set *rules = parse("rules: [{name: Flood, type: baseline, signal: request_rate, above: 3, "
                                   "min_expected: 1, min_history: 10m, severity: info}]");
    const struct detector_limits limits = {.series = 3, .lateness_ms = 15000, .idle_after_ms = 15000};
    struct detector *detector = NULL;
    assert_int_equal(detector_create(&detector, rules, &limits, 1, NULL), 0);
    for (int64_t second = 0; second < 12 * HOUR_S; second++) {
        char service[16];
        (void)snprintf(service, sizeof service, "s%lld", (long long)(second / 1800));
        send(detector, service, second);
    }
    keep(&kept, detector);
    print_message("%zu baselines of 24 services are kept\n", count_keys(&kept, "baseline|"));
    assert_in_range(count_keys(&kept, "baseline|"), 4, 6);
    detector_destroy(detector);
    kept_free(&kept);
    rule_set_destroy(rules);
}

static void assert_page(struct detector *detector, const char *text, bool is_there)
{
    struct buffer page;
    struct json_writer writer;
    buffer_init(&page, 0);
    json_writer_init(&writer, &page);
    json_array_begin(&writer);
    detector_write_series(detector, &writer);
    if ((strstr(buffer_text(&page), text) != NULL) != is_there) {
        size_t size = strlen(buffer_text(&page));
        fail_msg("'%s' is%s in ... %s", text, is_there ? "n't" : "",
                 buffer_text(&page) + (size > 700 ? size - 700 : 0));
    }
    buffer_free(&page);
}

static void a_series_that_was_away_for_days_knows_what_it_knew(void **state)
{
    (void)state;
    struct rule_set *rules = parse("rules: [{name: Flood, type: baseline, signal: request_rate, above: 3, "
                                   "min_expected: 1, severity: info}]");
    struct detector *detector = open_detector(rules, 1);
    for (int64_t second = 0; second < HOUR_S; second++) {
        send(detector, "away", second);
    }
    assert_page(detector, "learning", true);
    for (int64_t second = HOUR_S; second < 2 * HOUR_S; second++) {
        send(detector, "away", second);
    }
    assert_page(detector, "learning", false);
    send(detector, "other", 3 * DAY_S); /* closes it */
    assert_page(detector, "away", false);
    for (int64_t second = 3 * DAY_S; second < 3 * DAY_S + 5; second++) {
        send(detector, "away", second);
    }
    assert_page(detector, "less than 60 s seen yet", true); /* and not: learning */
    detector_destroy(detector);
    rule_set_destroy(rules);
}

/* Nothing at all for four days, then as before: one alert, given up after a day, however the gap is read. */
static void a_gap_of_days_fires_once(void **state)
{
    (void)state;
    for (int with_ticks = 0; with_ticks < 2; with_ticks++) {
        struct rule_set *rules =
            parse("rules: [{name: TrafficLost, type: baseline, signal: request_rate, below: "
                  "0.2, min_expected: 1, severity: info, on_no_data: fire}]");
        struct detector *detector = open_detector(rules, 1);
        struct alert_transition seen[8];
        size_t count = 0;
        for (int64_t second = 0; second < 2 * HOUR_S; second++) {
            send(detector, "gap", second);
        }
        for (int64_t second = 2 * HOUR_S; with_ticks && second < 4 * DAY_S; second += 61) {
            detector_pass_time(detector, DETECTOR_DECIDE, START_MS + second * 1000);
        }
        for (int64_t second = 4 * DAY_S; second < 4 * DAY_S + 3 * HOUR_S; second++) {
            send(detector, "gap", second);
            while (count < 8 && detector_next_transition(detector, &seen[count])) {
                count++;
            }
        }
        assert_int_equal(count, 2);
        assert_in_range((seen[0].starts_ms - START_MS) / 1000 - 2 * HOUR_S, 8, 12);
        assert_in_range((seen[1].ends_ms - START_MS) / 1000 - 2 * HOUR_S, DAY_S, DAY_S + HOUR_S + 120);
        assert_int_equal(seen[1].reason, ALERT_REASON_CLEAR);
        assert_true(seen[0].threshold > 3.5 && seen[0].threshold < 4.5 && seen[0].value == 0);
        detector_destroy(detector);
        rule_set_destroy(rules);
    }
}

static void a_rule_that_is_given_another_signal_learns_anew(void **state)
{
    (void)state;
    static struct kept kept;
    struct rule_set *before = parse(rules_yaml);
    struct rule_set *after =
        parse("rules: [{name: TrafficLost, type: baseline, signal: latency_p50, above: 3, "
              "severity: info}]");
    struct detector *detector = open_detector(before, 1);
    for (int64_t second = 0; second < 2 * HOUR_S; second++) {
        send(detector, "steady", second);
    }
    keep(&kept, detector);
    detector_destroy(detector);
    detector = open_detector(after, 1);
    for (size_t i = 0; i < kept.count; i++) {
        const struct detector_state saved = {kept.keys[i], kept.values[i], kept.key_bytes[i],
                                             kept.value_bytes[i]};
        struct error error;
        assert_int_equal(detector_load_state(detector, &saved, &error), 0);
    }
    /* 20 requests/s of the old rule would be a latency of 20 s now. */
    for (int64_t second = 2 * HOUR_S; second < 4 * HOUR_S; second++) {
        send(detector, "steady", second);
    }
    assert_page(detector, "\"expected\":0.0", true);
    detector_destroy(detector);
    kept_free(&kept);
    rule_set_destroy(before);
    rule_set_destroy(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_at_any_second_change_no_decision),
        cmocka_unit_test(damaged_states_of_baselines_are_refused),
        cmocka_unit_test(what_rests_is_bounded_like_the_series),
        cmocka_unit_test(a_series_that_was_away_for_days_knows_what_it_knew),
        cmocka_unit_test(a_gap_of_days_fires_once),
        cmocka_unit_test(a_rule_that_is_given_another_signal_learns_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
