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
    "40s}}\n"
    "  - {name: Lost, type: baseline, signal: request_rate, below: 0.5, min_expected: 0.2, min_history: 10m,"
    " severity: info, window: 30s, on_no_data: fire}\n"
    "  - {name: Hot, type: baseline, signal: cpu, above: 2, min_history: 10m, severity: info, window: 30s}\n";

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
        for (uint32_t bad = 0; bad <= layout->threshold_count; bad++) {
            uint8_t bins_of_a[WINDOW_BINS];
            uint8_t bins_of_b[WINDOW_BINS];
            window_read_bins(a, second, bad, bins_of_a);
            window_read_bins(b, second, bad, bins_of_b);
            assert_memory_equal(bins_of_a, bins_of_b, WINDOW_BINS);
        }
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
            x->bad != y->bad || (isnan(x->value) ? !isnan(y->value) : x->value != y->value)) {
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

/* --- damage ---- */

/* A little of everything, so that each byte can be tried. */
static void make_small(struct kept *kept, struct tape *tape, const struct rule_set *rules, size_t *committed,
                       struct outcome *outcome)
{
    uint64_t seed = 77;
    do { /* a stream without a gap: everything in it is still needed */
        make_tape(tape, seed++);
    } while (tape->appended_ms[900] - START_MS > 30000);
    struct detector *detector = open_detector(rules, 100, 5);
    for (size_t at = 0; at < 900; at += 100) {
        play(detector, tape, DETECTOR_DECIDE, at, at + 100, outcome);
        keep(kept, detector);
        *committed = at + 100;
    }
    detector_destroy(detector);
}

static bool is_of_window(const struct kept_record *record)
{
    return record->value != NULL && record->key_bytes > 7 && memcmp(record->key, "window|", 7) == 0;
}

/* Whatever was loaded, it goes on, saves, and what it saves can be loaded. */
static enum detector_start try_to_go_on(const struct rule_set *rules, const struct kept *kept,
                                        const struct tape *tape, size_t committed, struct outcome *outcome)
{
    struct detector *detector = open_detector(rules, 100, 6);
    struct error error;
    int64_t from = -1;
    error_clear(&error);
    enum detector_start start = restore(detector, kept, committed, &from, &error);
    assert_true(start != DETECTOR_START_FAILED);
    assert_int_equal(error.code != 0, start == DETECTOR_START_REFUSED);
    struct detector_state state;
    outcome->count = 0;
    play(detector, tape, DETECTOR_DECIDE, committed, committed + 20, outcome);
    detector_take_checkpoint(detector, false);
    while (detector_next_state(detector, &state)) {
        assert_true(state.key_bytes > 0);
    }
    detector_destroy(detector);
    return start;
}

static void a_damaged_checkpoint_is_not_used_and_does_no_harm(void **state)
{
    (void)state;
    static struct tape tape;
    static struct outcome outcome;
    static struct kept kept;
    struct rule_set *rules = parse(short_rules);
    size_t committed = 0;
    size_t tried = 0;
    make_small(&kept, &tape, rules, &committed, &outcome);
    assert_int_equal(try_to_go_on(rules, &kept, &tape, committed, &outcome), DETECTOR_START_CHECKPOINT);
    for (size_t i = 0; i < kept.count; i++) {
        struct kept_record *record = &kept.records[i];
        for (size_t at = 0; is_of_window(record) && at < record->value_bytes;
             at += 1 + record->value_bytes / 256) {
            size_t size = record->value_bytes;
            record->value[at] ^= (unsigned char)(1u << at % 8);
            assert_int_equal(try_to_go_on(rules, &kept, &tape, committed, &outcome), DETECTOR_START_REFUSED);
            record->value[at] ^= (unsigned char)(1u << at % 8);
            record->value_bytes = at;
            assert_int_equal(try_to_go_on(rules, &kept, &tape, committed, &outcome), DETECTOR_START_REFUSED);
            record->value_bytes = size;
            tried++;
        }
    }
    print_message("%zu places\n", tried);
    assert_true(tried > 500);
    kept_free(&kept);
    rule_set_destroy(rules);
}

static void put_sum(struct kept_record *record)
{
    uint64_t sum = XXH3_64bits(record->value, record->value_bytes - 8);
    for (size_t i = 0; i < 8; i++) {
        record->value[record->value_bytes - 8 + i] = (unsigned char)(sum >> (8 * i));
    }
}

/* A sum can be right over nonsense, if only by a mistake of ours. */
static void nonsense_with_a_right_sum_does_no_harm(void **state)
{
    (void)state;
    static struct tape tape;
    static struct outcome outcome;
    static struct kept kept;
    struct rule_set *rules = parse(short_rules);
    struct random random;
    size_t committed = 0;
    size_t used = 0;
    random_init(&random, 3);
    make_small(&kept, &tape, rules, &committed, &outcome);
    for (size_t tries = 0; tries < 2500; tries++) {
        struct kept_record *record = &kept.records[random_below(&random, kept.count)];
        if (!is_of_window(record)) {
            continue;
        }
        size_t at = random_below(&random, record->value_bytes - 8);
        unsigned char before = record->value[at];
        record->value[at] = (unsigned char)random_below(&random, 256);
        put_sum(record);
        used += try_to_go_on(rules, &kept, &tape, committed, &outcome) == DETECTOR_START_CHECKPOINT;
        record->value[at] = before;
        put_sum(record);
    }
    print_message("%zu of 2500 were not noticed\n", used);
    assert_int_equal(try_to_go_on(rules, &kept, &tape, committed, &outcome), DETECTOR_START_CHECKPOINT);
    kept_free(&kept);
    rule_set_destroy(rules);
}

static enum detector_start restore_under(const char *yaml, const struct kept *kept, int64_t begin,
                                         int64_t committed, struct error *error)
{
    struct rule_set *rules = parse(yaml);
    struct detector *detector = open_detector(rules, 100, 6);
    int64_t from = -1;
    load(detector, kept);
    enum detector_start start = detector_restore_windows(detector, begin, committed, &from, error);
    detector_destroy(detector);
    rule_set_destroy(rules);
    return start;
}

static void a_checkpoint_of_other_windows_or_offsets_is_not_used(void **state)
{
    (void)state;
    static struct tape tape;
    static struct outcome outcome;
    static struct kept kept;
    struct rule_set *rules = parse(short_rules);
    struct error error;
    size_t committed = 0;
    size_t refused = 0;
    make_small(&kept, &tape, rules, &committed, &outcome);
    int64_t end = (int64_t)committed;
    assert_int_equal(restore_under(short_rules, &kept, 0, end, &error), DETECTOR_START_CHECKPOINT);
    assert_int_equal(restore_under(long_rules, &kept, 0, end, &error), DETECTOR_START_REFUSED);
    assert_non_null(strstr(error.message, "rules or limits have changed"));
    assert_int_equal(restore_under(short_rules, &kept, 0, 100, &error), DETECTOR_START_REFUSED);
    assert_non_null(strstr(error.message, "ahead of the committed offset"));
    assert_int_equal(restore_under(short_rules, &kept, end + 1, end + 1, &error), DETECTOR_START_REFUSED);
    assert_non_null(strstr(error.message, "no longer reaches back"));
    for (size_t i = 0; i < kept.count; i++) {
        struct kept_record gone = kept.records[i];
        kept.records[i].value = NULL;
        enum detector_start start = restore_under(short_rules, &kept, 0, end, &error);
        /* Not all series are older than the last checkpoint. */
        assert_true(!is_of_window(&gone) || start == DETECTOR_START_REFUSED);
        refused += start == DETECTOR_START_REFUSED;
        kept.records[i] = gone;
    }
    assert_true(refused > 25);
    kept_free(&kept);
    rule_set_destroy(rules);
}

/* After a refusal the old records are forgotten, and those that follow can be used again. */
static void after_a_refusal_a_new_chain_begins(void **state)
{
    (void)state;
    static struct tape tape;
    static struct outcome outcome;
    static struct kept kept;
    struct rule_set *old_rules = parse(long_rules);
    struct rule_set *rules = parse(short_rules);
    struct error error;
    size_t committed = 0;
    int64_t from = -1;
    make_small(&kept, &tape, old_rules, &committed, &outcome);
    struct detector *detector = open_detector(rules, 100, 5);
    assert_int_equal(restore(detector, &kept, committed, &from, &error), DETECTOR_START_REFUSED);
    for (size_t at = 0; at < committed; at += 100) {
        play(detector, &tape, DETECTOR_REBUILD, at, at + 100, &outcome);
    }
    keep(&kept, detector);
    for (size_t i = 0; i < kept.count; i++) {
        if (is_of_window(&kept.records[i]) && kept.records[i].key[7] != 'h') {
            uint64_t chain;
            memcpy(&chain, kept.records[i].value + 2, sizeof chain);
            assert_true(chain == detector->checkpoint.chain);
        }
    }
    struct detector *next = restart(rules, 100, &kept, &tape, committed, 9, &outcome);
    assert_same_detector(detector, next, rules);
    detector_destroy(next);
    detector_destroy(detector);
    kept_free(&kept);
    rule_set_destroy(rules);
    rule_set_destroy(old_rules);
}

/* However long the stream: a ring of records, not one that grows. */
static void the_records_of_a_long_stream_are_bounded(void **state)
{
    (void)state;
    static struct tape tape;
    static struct outcome outcome;
    static struct kept kept;
    struct rule_set *rules = parse(short_rules);
    struct detector *detector = open_detector(rules, 100, 5);
    size_t most = 0;
    make_tape(&tape, 78);
    outcome.count = 0;
    for (size_t at = 0; at < TAPE_EVENTS; at += 20) {
        play(detector, &tape, DETECTOR_DECIDE, at, at + 20, &outcome);
        keep(&kept, detector);
        size_t live = 0;
        for (size_t i = 0; i < kept.count; i++) {
            live += is_of_window(&kept.records[i]);
        }
        most = live > most ? live : most;
    }
    print_message("at most %zu records live\n", most);
    size_t slots = 0;
    for (int kind = 0; kind < CHECKPOINT_KINDS; kind++) {
        slots += detector->checkpoint.rings[kind].slot_count;
    }
    /* In several parts where series go, which they do once in a second at most. */
    assert_in_range(most, 30, slots * (CHECKPOINT_SECONDS + 1));
    detector_destroy(detector);
    kept_free(&kept);
    rule_set_destroy(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopped_detector_is_afterwards_what_it_would_have_been),
        cmocka_unit_test(so_it_is_with_long_windows),
        cmocka_unit_test(so_it_is_where_series_are_refused),
        cmocka_unit_test(a_damaged_checkpoint_is_not_used_and_does_no_harm),
        cmocka_unit_test(nonsense_with_a_right_sum_does_no_harm),
        cmocka_unit_test(a_checkpoint_of_other_windows_or_offsets_is_not_used),
        cmocka_unit_test(after_a_refusal_a_new_chain_begins),
        cmocka_unit_test(the_records_of_a_long_stream_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
