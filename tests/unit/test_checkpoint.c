/* Windows and ids out of the saved states: a detector that was stopped is afterwards what it would have been.
 */
#include "alert/transition.h"
#include "buffer/buffer.h"
#include "detect/detector.h"
#include "detect/detector_private.h"
#include "event/event.h"
#include "random/random.h"
#include "rule/rule_load.h"
#include "json/json_write.h"

#include "cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define START_MS     INT64_C(1795561200000)
#define TAPE_EVENTS  40000
#define SERVICES     9
#define TRANSITIONS  2048
#define KEPT_RECORDS 4096

static const char short_rules[] =
    "rules:\n"
    "  - {name: Errors, signal: error_rate, above: 0.05, severity: critical, window: [10s, 60s]}\n"
    "  - {name: Slow, signal: latency_p99, above: 0.5, severity: warning, window: [10s, 90s]}\n"
    "  - {name: RouteErrors, signal: error_rate, above: 0.1, severity: info, window: [10s, 60s],"
    " group_by: [service.name, cloud.region, http.route]}\n"
    "  - {name: TooQuiet, signal: request_rate, below: 2, severity: info, window: 60s}\n"
    "  - {name: Busy, signal: cpu, above: 0.9, severity: warning, window: 30s}\n"
    "  - {name: Gone, signal: error_rate, above: 0.5, severity: info, window: 60s, on_no_data: {fire: "
    "40s}}\n";

static const char long_rules[] = "rules:\n"
                                 "  - {name: Errors, signal: error_rate, above: 0.05, severity: critical}\n"
                                 "  - {name: Slow, signal: latency_p95, above: 0.3, severity: warning}\n";

/* --- a stream ---- */

struct tape {
    struct event events[TAPE_EVENTS];
    char ids[TAPE_EVENTS][16];
    int64_t appended_ms[TAPE_EVENTS];
    size_t count;
};

/* How far a service's clock is off: most are right, one is slow, two are fast. */
static int64_t skew_ms(uint32_t service)
{
    static const int64_t skews[SERVICES] = {0, 0, -9000, 25000, 0, 1500, 0, 0, 0};
    return skews[service];
}

static void record(struct tape *tape, struct random *random, int64_t now_ms)
{
    static const char *const services[SERVICES] = {"api",   "auth",  "slow-clock", "fast-clock", "payment",
                                                   "ahead", "comes", "goes",       "rare"};
    size_t at = tape->count++;
    tape->appended_ms[at] = now_ms;
    if (at > 0 && random_below(random, 25) == 0) { /* sent again, now or a little later */
        tape->events[at] = tape->events[at - 1 - random_below(random, at < 900 ? at : 900)];
        return;
    }
    int64_t minute = (now_ms - START_MS) / 60000;
    uint32_t which = (uint32_t)random_below(random, SERVICES);
    which = which == 6 && minute % 4 < 2 ? 0 : which == 7 && minute % 5 > 1 ? 1 : which;
    which = which == 8 && random_below(random, 200) != 0 ? 4 : which;
    int64_t late_ms = random_below(random, 25) == 0 ? (int64_t)random_below(random, 22000) : 0;
    bool is_resource = random_below(random, 40) == 0;
    bool in_fault = minute % 3 == 1 && which == 1;
    bool is_bad = random_unit(random) < (in_fault ? 0.4 : 0.005);
    int size = snprintf(tape->ids[at], sizeof tape->ids[at], "%zu", at);
    tape->events[at] =
        (struct event){.id = {tape->ids[at], (size_t)size},
                       .time_unix_ms = now_ms - late_ms + skew_ms(which),
                       .service = {services[which], strlen(services[which])},
                       .region = {"us-east-1", 9},
                       .kind = is_resource ? EVENT_RESOURCE : EVENT_REQUEST,
                       .route = is_resource ? (struct event_text){NULL, 0}
                                            : (struct event_text){at % 3 == 0     ? "/a"
                                                                  : at % 700 == 1 ? "/rare"
                                                                                  : "/b",
                                                                  at % 3 != 0 && at % 700 == 1 ? 5 : 2},
                       .status_code = is_resource ? 0
                                      : is_bad    ? 503
                                                  : 200,
                       .duration_s = 0.04 * exp(0.7 * random_normal(random)) * (is_bad ? 20 : 1),
                       .count = which != 4 && random_below(random, 30) == 0 ? 7 : 1,
                       .cpu_utilization = in_fault ? 0.97 : 0.1 + 0.5 * random_unit(random),
                       .memory_utilization = NAN};
}

static void make_tape(struct tape *tape, uint64_t seed)
{
    struct random random;
    random_init(&random, seed);
    tape->count = 0;
    int64_t now_ms = START_MS;
    while (tape->count < TAPE_EVENTS) {
        now_ms += (int64_t)random_below(&random, 50);
        if (random_below(&random, 3000) == 0) {
            now_ms += (int64_t)random_below(&random, random_below(&random, 4) == 0 ? 900000 : 40000);
        }
        record(tape, &random, now_ms);
    }
}

/* --- detectors ---- */

static struct rule_set *parse(const char *yaml)
{
    struct rule_set *rules = NULL;
    struct error error;
    if (rule_set_parse(&rules, "rules.yaml", yaml, strlen(yaml), &error) != 0) {
        fail_msg("%s", error.message);
    }
    return rules;
}

static struct detector *open_detector(const struct rule_set *rules, uint32_t series, uint64_t seed)
{
    const struct detector_limits limits = {.series = series, .lateness_ms = 15000, .idle_after_ms = 15000};
    struct detector *detector = NULL;
    assert_int_equal(detector_create(&detector, rules, &limits, seed, NULL), 0);
    return detector;
}

struct outcome {
    struct alert_transition transitions[TRANSITIONS];
    size_t count;
    unsigned char verdicts[TAPE_EVENTS];
};

static void play(struct detector *detector, const struct tape *tape, enum detector_mode mode, size_t from,
                 size_t to, struct outcome *outcome)
{
    struct detector_input inputs[200];
    struct alert_transition t;
    for (size_t at = from; at < to; at++) {
        inputs[at - from] = (struct detector_input){
            .event = &tape->events[at], .offset = (int64_t)at, .appended_ms = tape->appended_ms[at]};
    }
    detector_observe(detector, mode, inputs, to - from);
    for (size_t at = from; mode == DETECTOR_DECIDE && at < to; at++) {
        outcome->verdicts[at] = (unsigned char)inputs[at - from].verdict;
    }
    while (detector_next_transition(detector, &t)) {
        assert_true(mode != DETECTOR_REBUILD && outcome->count < TRANSITIONS);
        outcome->transitions[outcome->count++] = t;
    }
}

/* What a compacted topic holds. */
struct kept_record {
    char key[64];
    size_t key_bytes, value_bytes;
    unsigned char *value; /* NULL: forgotten */
};
struct kept {
    struct kept_record records[KEPT_RECORDS];
    size_t count, bytes_written, window_bytes;
};

static void keep(struct kept *kept, struct detector *detector)
{
    struct detector_state state;
    detector_take_checkpoint(detector, false);
    while (detector_next_state(detector, &state)) {
        size_t i = 0;
        while (i < kept->count && (kept->records[i].key_bytes != state.key_bytes ||
                                   memcmp(kept->records[i].key, state.key, state.key_bytes) != 0)) {
            i++;
        }
        assert_true(i < KEPT_RECORDS && state.key_bytes <= 64 && state.value_bytes <= 262144);
        struct kept_record *record = &kept->records[i];
        kept->count = i == kept->count ? i + 1 : kept->count;
        memcpy(record->key, state.key, state.key_bytes);
        record->key_bytes = state.key_bytes;
        free(record->value);
        record->value = NULL;
        record->value_bytes = state.value_bytes;
        if (state.value != NULL) {
            record->value = malloc(state.value_bytes);
            memcpy(record->value, state.value, state.value_bytes);
        }
        kept->bytes_written += state.key_bytes + state.value_bytes;
        kept->window_bytes += memcmp(state.key, "window|", 7) == 0 ? state.key_bytes + state.value_bytes : 0;
    }
}

static void kept_free(struct kept *kept)
{
    for (size_t i = 0; i < kept->count; i++) {
        free(kept->records[i].value);
    }
    memset(kept, 0, sizeof *kept);
}

static void load(struct detector *detector, const struct kept *kept)
{
    struct error error;
    for (size_t i = 0; i < kept->count; i++) {
        const struct kept_record *record = &kept->records[i];
        const struct detector_state state = {record->key, record->value, record->key_bytes,
                                             record->value_bytes};
        if (record->value != NULL && detector_load_state(detector, &state, &error) != 0) {
            fail_msg("%s", error.message);
        }
    }
}

static enum detector_start restore(struct detector *detector, const struct kept *kept, size_t committed,
                                   int64_t *from, struct error *error)
{
    load(detector, kept);
    return detector_restore_windows(detector, 0, (int64_t)committed, from, error);
}

static struct detector *restart(const struct rule_set *rules, uint32_t series, const struct kept *kept,
                                const struct tape *tape, size_t committed, uint64_t seed,
                                struct outcome *outcome)
{
    struct detector *detector = open_detector(rules, series, seed);
    int64_t from = -1;
    struct error error;
    enum detector_start start = restore(detector, kept, committed, &from, &error);
    if (start != DETECTOR_START_CHECKPOINT) {
        fail_msg("no checkpoint was used: %s", error.message);
    }
    for (size_t at = (size_t)from; at < committed;) {
        size_t to = at + 97 < committed ? at + 97 : committed;
        play(detector, tape, DETECTOR_REBUILD, at, to, outcome);
        at = to;
    }
    return detector;
}

/* --- equal in every way ---- */

static void assert_same_window(const struct window *a, const struct window *b,
                               const struct window_layout *layout)
{
    struct window_counts x;
    struct window_counts y;
    static struct histogram p;
    static struct histogram q;
    assert_true(window_now(a) == window_now(b));
    assert_int_equal(window_is_empty(a), window_is_empty(b));
    for (uint32_t i = 0; i < layout->length_count; i++) {
        window_read_counts(a, i, WINDOW_BEGINNING, &x);
        window_read_counts(b, i, WINDOW_BEGINNING, &y);
        assert_memory_equal(&x, &y, sizeof x);
    }
    for (int64_t second = window_now(a) - layout->lengths_s[layout->length_count - 1] + 1;
         second <= window_now(a); second++) {
        window_read_second(a, second, &x);
        window_read_second(b, second, &y);
        assert_memory_equal(&x, &y, sizeof x);
    }
    window_read_step(a, &x);
    window_read_step(b, &y);
    assert_memory_equal(&x, &y, sizeof x);
    for (int gauge = 0; gauge < WINDOW_GAUGES; gauge++) {
        for (uint32_t seconds = 1; seconds <= 60; seconds += 59) {
            double m = window_gauge_mean(a, (enum window_gauge)gauge, seconds, WINDOW_BEGINNING);
            double n = window_gauge_mean(b, (enum window_gauge)gauge, seconds, WINDOW_BEGINNING);
            assert_true(isnan(m) ? isnan(n) : m == n);
        }
    }
    for (uint32_t seconds = 1; seconds <= WINDOW_VALUE_SECONDS; seconds += 59) {
        histogram_clear(&p);
        histogram_clear(&q);
        window_read_values(a, seconds, WINDOW_BEGINNING, &p);
        window_read_values(b, seconds, WINDOW_BEGINNING, &q);
        assert_memory_equal(&p, &q, sizeof p);
    }
}

static void assert_same_detector(const struct detector *a, const struct detector *b,
                                 const struct rule_set *rules)
{
    assert_true(a->clock_ms == b->clock_ms && a->swept_s == b->swept_s);
    assert_true(a->next_offset == b->next_offset && detector_replay_from(a) == detector_replay_from(b));
    assert_int_equal(a->last_ordinal, b->last_ordinal);
    assert_int_equal(a->table.count, b->table.count);
    for (size_t i = 0; i < a->table.count; i++) {
        const struct series *x = a->table.all[i];
        const struct series *y = b->table.all[i];
        assert_int_equal(x->ordinal, y->ordinal);
        assert_string_equal(x->service, y->service);
        assert_true(x->newest_ms == y->newest_ms && x->born_s == y->born_s);
        assert_true(x->last_record_s == y->last_record_s && x->last_gauge_s == y->last_gauge_s);
        assert_true(isnan(x->last_cpu) ? isnan(y->last_cpu) : x->last_cpu == y->last_cpu);
        assert_same_window(x->window, y->window, &rules->layout);
    }
    struct buffer p;
    struct buffer q;
    struct json_writer writer;
    buffer_init(&p, 0);
    buffer_init(&q, 0);
    json_writer_init(&writer, &p);
    json_array_begin(&writer);
    detector_write_series(a, &writer);
    json_writer_init(&writer, &q);
    json_array_begin(&writer);
    detector_write_series(b, &writer);
    if (strcmp(buffer_text(&p), buffer_text(&q)) != 0) {
        size_t at = 0;
        while (p.data[at] == q.data[at]) {
            at++;
        }
        at = at < 150 ? 0 : at - 150;
        fail_msg("...%.200s\n...%.200s", p.data + at, q.data + at);
    }
    buffer_free(&p);
    buffer_free(&q);
}

static void assert_same_transitions(const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const struct alert_transition *x = &a->transitions[i];
        const struct alert_transition *y = &b->transitions[i];
        if (x->fingerprint != y->fingerprint || x->sequence != y->sequence || x->state != y->state ||
            x->starts_ms != y->starts_ms || x->ends_ms != y->ends_ms || x->samples != y->samples ||
            x->bad != y->bad || memcmp(&x->value, &y->value, sizeof x->value) != 0) {
            fail_msg("transition %zu differs: %s %s sequence %u; %s %s sequence %u", i, x->rule,
                     x->labels.service, x->sequence, y->rule, y->labels.service, y->sequence);
        }
    }
}

/* Two detectors read the same stream; one is stopped again and again and loses what it hadn't committed. */
static void play_both(const char *yaml, uint32_t series, uint64_t seed)
{
    static struct tape tape;
    static struct outcome whole;
    static struct outcome stopped;
    static struct kept kept;
    struct random random;
    struct rule_set *rules = parse(yaml);
    make_tape(&tape, seed);
    random_init(&random, seed * 31);
    whole.count = 0;
    stopped.count = 0;
    struct detector *a = open_detector(rules, series, seed);
    struct detector *b = open_detector(rules, series, seed + 1000);
    size_t committed = 0;
    size_t published = 0;
    size_t stops = 0;
    bool can_stop = false;
    for (size_t at = 0; at < tape.count;) {
        size_t to = at + 1 + random_below(&random, 120);
        to = to < tape.count ? to : tape.count;
        play(a, &tape, DETECTOR_DECIDE, at, to, &whole);
        play(b, &tape, DETECTOR_DECIDE, at, to, &stopped);
        at = to;
        if (random_below(&random, 3) == 0) {
            keep(&kept, b);
            can_stop = b->checkpoint.period != INT64_MIN;
            committed = at;
            published = stopped.count;
        }
        if (can_stop && random_below(&random, 30) == 0) {
            stops++;
            detector_destroy(b);
            stopped.count = published;
            b = restart(rules, series, &kept, &tape, committed, seed + 1000 + stops, &stopped);
            while (committed < at) {
                size_t end = committed + 1 + random_below(&random, 100);
                end = end < at ? end : at;
                play(b, &tape, DETECTOR_DECIDE, committed, end, &stopped);
                committed = end;
            }
            keep(&kept, b);
            published = stopped.count;
            assert_same_detector(a, b, rules);
        }
    }
    struct detector_totals totals;
    detector_read_totals(a, &totals);
    print_message(
        "seed %llu: %zu stops, %zu transitions, %llu late, %llu duplicate, %llu refused, %zu series; "
        "%.1f bytes of checkpoints a record\n",
        (unsigned long long)seed, stops, whole.count, (unsigned long long)totals.late,
        (unsigned long long)totals.duplicate, (unsigned long long)totals.refused, (size_t)totals.series,
        (double)kept.window_bytes / TAPE_EVENTS);
    assert_true(stops > 5 && whole.count > 5 && totals.late > 0 && totals.duplicate > 0);
    assert_memory_equal(whole.verdicts, stopped.verdicts, tape.count);
    assert_same_transitions(&whole, &stopped);
    assert_same_detector(a, b, rules);
    detector_destroy(a);
    detector_destroy(b);
    kept_free(&kept);
    rule_set_destroy(rules);
}

static void a_stopped_detector_is_afterwards_what_it_would_have_been(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        play_both(short_rules, 100, seed);
    }
}

static void so_it_is_with_long_windows(void **state)
{
    (void)state;
    for (uint64_t seed = 21; seed <= 24; seed++) {
        play_both(long_rules, 100, seed);
    }
}

static void so_it_is_where_series_are_refused(void **state)
{
    (void)state;
    for (uint64_t seed = 41; seed <= 48; seed++) {
        play_both(short_rules, 11, seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopped_detector_is_afterwards_what_it_would_have_been),
        cmocka_unit_test(so_it_is_with_long_windows),
        cmocka_unit_test(so_it_is_where_series_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
