#include "support/oracle.h"

#include "alert/encode.h"
#include "alert/transition.h"
#include "buffer/buffer.h"
#include "bus/bus.h"
#include "cmocka_all.h"
#include "dead_letter/dead_letter.h"
#include "detect/detector.h"
#include "event/decode.h"
#include "rule/rule_load.h"
#include "support/topic_reader.h"
#include "topics/topics.h"
#include "json/json_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTITIONS 64
#define TOLD       40 /* differences that are told in full */

struct told {
    char fingerprint[ALERT_FINGERPRINT_BYTES];
    uint32_t sequence;
    char *text; /* without detected_at; NULL: a tombstone */
    size_t order;
};

struct told_list {
    struct told *items;
    size_t count, capacity;
};

struct letter {
    int32_t partition;
    int64_t offset;
    char reason[48];
};

struct letter_list {
    struct letter *items;
    size_t count, capacity;
};

struct recorded_tick {
    int32_t partition;
    int64_t offset, clock_ms; /* it comes before the record of that offset */
    size_t order;
};

struct tick_list {
    struct recorded_tick *items;
    size_t count, capacity;
    size_t next[PARTITIONS], end[PARTITIONS]; /* by partition, once sorted */
};

struct oracle {
    const struct oracle_settings *settings;
    struct oracle_report *report;
    struct rule_set *rules;
    struct event_decoder *decoder;
    struct detector *detectors[PARTITIONS];
    int32_t partition_count;
    struct told_list expected, fired, active;
    struct letter_list bad, letters;
    struct tick_list ticks;
    struct buffer json;
    struct buffer *text;
    size_t differences;
};

static void must(int result, const struct error *error)
{
    if (result != 0) {
        fail_msg("oracle: %s", error->message);
    }
}

static void *grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) {
        return items;
    }
    *capacity = *capacity == 0 ? 256 : *capacity * 2;
    void *grown = realloc(items, *capacity * size);
    assert_non_null(grown);
    return grown;
}

/* --- what is told ---- */

/* The one field that a wall clock writes. */
static void cut_detected_at(char *json)
{
    static const char name[] = "\"detected_at\":\"";
    char *at = strstr(json, name);
    char *end = at == NULL ? NULL : strchr(at + sizeof name - 1, '"');
    if (end != NULL) {
        memmove(at, end + 1, strlen(end + 1) + 1);
    }
}

static void add_told(struct told_list *list, const void *key, size_t key_bytes, const char *json, size_t size)
{
    list->items = grow(list->items, list->count, &list->capacity, sizeof *list->items);
    struct told *told = &list->items[list->count];
    *told = (struct told){.order = list->count++};
    (void)snprintf(told->fingerprint, sizeof told->fingerprint, "%.*s", (int)key_bytes, (const char *)key);
    if (json == NULL) {
        return;
    }
    told->text = strndup(json, size);
    assert_non_null(told->text);
    const char *sequence = strstr(told->text, "\"sequence\":");
    told->sequence = sequence == NULL ? 0 : (uint32_t)strtoul(sequence + 11, NULL, 10);
    cut_detected_at(told->text);
}

static void take_told(void *context, const struct bus_record *record)
{
    add_told(context, record->key.data, record->key.size_bytes, record->value.data, record->value.size_bytes);
}

static void take_transitions(struct oracle *oracle, struct detector *detector)
{
    struct alert_transition transition;
    while (detector_next_transition(detector, &transition)) {
        char key[ALERT_FINGERPRINT_BYTES];
        transition.detected_ms = 0;
        alert_fingerprint_format(key, transition.fingerprint);
        buffer_clear(&oracle->json);
        alert_encode(&oracle->json, &transition, oracle->settings->runbook_base);
        assert_false(oracle->json.failed);
        add_told(&oracle->expected, key, strlen(key), oracle->json.data, oracle->json.size);
    }
}

static void add_letter(struct letter_list *list, int32_t partition, int64_t offset, const char *reason,
                       size_t reason_bytes)
{
    list->items = grow(list->items, list->count, &list->capacity, sizeof *list->items);
    struct letter *letter = &list->items[list->count++];
    *letter = (struct letter){.partition = partition, .offset = offset};
    (void)snprintf(letter->reason, sizeof letter->reason, "%.*s", (int)reason_bytes, reason);
}

static int64_t number_of(struct bus_bytes text)
{
    char digits[32];
    (void)snprintf(digits, sizeof digits, "%.*s", (int)text.size_bytes, (const char *)text.data);
    return strtoll(digits, NULL, 10);
}

static void take_letter(void *context, const struct bus_record *record)
{
    struct dead_letter_view view;
    dead_letter_read(&view, record);
    add_letter(context, (int32_t)number_of(view.partition), number_of(view.offset), view.reason.data,
               view.reason.size_bytes);
}

/* --- ticks ---- */

/* tick|OFFSET (16 hex digits): 1, then the clock, 64 bits little-endian. */
static void take_tick(void *context, const struct bus_record *record)
{
    struct tick_list *ticks = context;
    const unsigned char *value = record->value.data;
    char key[32];
    if (record->key.size_bytes != 21 || memcmp(record->key.data, "tick|", 5) != 0 || value == NULL) {
        return;
    }
    assert_int_equal(record->value.size_bytes, 9);
    assert_int_equal(value[0], 1);
    uint64_t clock_ms = 0;
    for (int i = 8; i > 0; i--) {
        clock_ms = clock_ms << 8 | value[i];
    }
    (void)snprintf(key, sizeof key, "%.*s", 16, (const char *)record->key.data + 5);
    ticks->items = grow(ticks->items, ticks->count, &ticks->capacity, sizeof *ticks->items);
    ticks->items[ticks->count] = (struct recorded_tick){.partition = record->partition,
                                                        .offset = (int64_t)strtoull(key, NULL, 16),
                                                        .clock_ms = (int64_t)clock_ms,
                                                        .order = ticks->count};
    ticks->count++;
}

static int by_tick_place(const void *a, const void *b)
{
    const struct recorded_tick *left = a;
    const struct recorded_tick *right = b;
    if (left->partition != right->partition) {
        return left->partition < right->partition ? -1 : 1;
    }
    if (left->offset != right->offset) {
        return left->offset < right->offset ? -1 : 1;
    }
    return (left->order > right->order) - (left->order < right->order);
}

static void sort_ticks(struct tick_list *ticks)
{
    if (ticks->count > 0) {
        qsort(ticks->items, ticks->count, sizeof *ticks->items, by_tick_place);
    }
    for (size_t i = 0; i < ticks->count; i++) {
        int32_t partition = ticks->items[i].partition;
        assert_in_range(partition, 0, PARTITIONS - 1);
        ticks->next[partition] = ticks->end[partition] == 0 ? i : ticks->next[partition];
        ticks->end[partition] = i + 1;
    }
}

static void pass_ticks(struct oracle *oracle, int32_t partition, int64_t offset)
{
    struct tick_list *ticks = &oracle->ticks;
    while (ticks->next[partition] < ticks->end[partition] &&
           ticks->items[ticks->next[partition]].offset <= offset) {
        detector_pass_time(oracle->detectors[partition], DETECTOR_DECIDE,
                           ticks->items[ticks->next[partition]++].clock_ms);
        take_transitions(oracle, oracle->detectors[partition]);
    }
}

/* --- the log, once more ---- */

static enum event_reason check_record(struct oracle *oracle, const struct bus_record *record,
                                      struct event *event, struct event_fault *fault)
{
    enum event_reason reason =
        event_decode(oracle->decoder, record->value.data, record->value.size_bytes, event, fault);
    if (reason == EVENT_OK) {
        reason = event_check_time(event, record->appended_ms, fault);
    }
    if (reason == EVENT_OK) {
        char key[EVENT_KEY_BYTES];
        int32_t expected = bus_partition_for_key(key, event_key(key, event), oracle->partition_count);
        reason = event_check_partition(event, record->partition, expected, fault);
    }
    return reason;
}

static void count_verdict(struct oracle_report *report, enum detector_verdict verdict)
{
    report->counted += verdict == DETECTOR_COUNTED;
    report->duplicate += verdict == DETECTOR_DUPLICATE;
    report->late += verdict == DETECTOR_LATE;
    report->refused += verdict == DETECTOR_NO_ROOM;
}

static void take_input(void *context, const struct bus_record *record)
{
    struct oracle *oracle = context;
    struct event event;
    struct event_fault fault;
    enum event_reason reason = check_record(oracle, record, &event, &fault);
    oracle->report->records++;
    pass_ticks(oracle, record->partition, record->offset);
    if (oracle->settings->watch != NULL) {
        oracle->settings->watch(oracle->settings->context, record, reason == EVENT_OK ? &event : NULL);
    }
    if (reason != EVENT_OK) {
        const char *name = event_reason_name(reason);
        oracle->report->malformed++;
        add_letter(&oracle->bad, record->partition, record->offset, name, strlen(name));
        return;
    }
    struct detector *detector = oracle->detectors[record->partition];
    struct detector_input input = {
        .event = &event, .offset = record->offset, .appended_ms = record->appended_ms};
    detector_observe(detector, DETECTOR_DECIDE, &input, 1);
    count_verdict(oracle->report, input.verdict);
    take_transitions(oracle, detector);
}

/* --- comparing ---- */

static void differ(struct oracle *oracle, size_t *kind, const char *what, const struct told *told,
                   const struct told *other)
{
    (*kind)++;
    if (oracle->differences++ < TOLD) {
        buffer_append_format(oracle->text, "%s: fingerprint %s sequence %" PRIu32 "\n  %s\n", what,
                             told->fingerprint, told->sequence, told->text == NULL ? "-" : told->text);
        if (other != NULL) {
            buffer_append_format(oracle->text, "  %s\n", other->text == NULL ? "-" : other->text);
        }
    }
}

static int by_fingerprint(const void *a, const void *b)
{
    const struct told *left = a;
    const struct told *right = b;
    int order = strcmp(left->fingerprint, right->fingerprint);
    return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

static void sort(struct told_list *list)
{
    if (list->count > 0) {
        qsort(list->items, list->count, sizeof *list->items, by_fingerprint);
    }
}

static size_t end_of_group(const struct told_list *list, size_t first)
{
    size_t end = first;
    while (end < list->count && strcmp(list->items[end].fingerprint, list->items[first].fingerprint) == 0) {
        end++;
    }
    return end;
}

/* What one fingerprint was told, against what it should have been. */
static void compare_group(struct oracle *oracle, const struct told *expected, size_t expected_count,
                          const struct told *fired, size_t fired_count)
{
    size_t next = 0;
    for (size_t i = 0; i < fired_count; i++) {
        const struct told *told = &fired[i];
        if (told->sequence == 0 || told->sequence > expected_count) {
            differ(oracle, &oracle->report->extra, "extra", told, NULL);
            continue;
        }
        if (told->sequence <= next) {
            differ(oracle, &oracle->report->twice, "again", told, NULL);
            continue;
        }
        for (; next + 1 < told->sequence; next++) {
            differ(oracle, &oracle->report->lost, "lost", &expected[next], NULL);
        }
        if (strcmp(told->text, expected[next].text) != 0) {
            differ(oracle, &oracle->report->different, "different (published, then expected)", told,
                   &expected[next]);
        }
        next++;
    }
    for (; next < expected_count; next++) {
        differ(oracle, &oracle->report->lost, "lost", &expected[next], NULL);
    }
}

static void compare_fired(struct oracle *oracle)
{
    const struct told_list *expected = &oracle->expected;
    const struct told_list *fired = &oracle->fired;
    size_t e = 0;
    size_t f = 0;
    while (e < expected->count || f < fired->count) {
        int order = e == expected->count ? 1
                    : f == fired->count  ? -1
                                        : strcmp(expected->items[e].fingerprint, fired->items[f].fingerprint);
        size_t e_end = order <= 0 ? end_of_group(expected, e) : e;
        size_t f_end = order >= 0 ? end_of_group(fired, f) : f;
        compare_group(oracle, expected->items + e, e_end - e, fired->items + f, f_end - f);
        e = e_end;
        f = f_end;
    }
}

/* alerts.active: the last word under a key is the last firing, or a tombstone after a resolve. */
static void compare_active(struct oracle *oracle)
{
    const struct told_list *expected = &oracle->expected;
    const struct told_list *active = &oracle->active;
    size_t a = 0;
    for (size_t e = 0; e < expected->count;) {
        size_t e_end = end_of_group(expected, e);
        const struct told *last = &expected->items[e_end - 1];
        bool firing = strstr(last->text, "\"state\":\"firing\"") != NULL;
        while (a < active->count && strcmp(active->items[a].fingerprint, last->fingerprint) < 0) {
            differ(oracle, &oracle->report->active_wrong, "active, but never fired", &active->items[a++],
                   NULL);
        }
        const struct told *said = NULL;
        if (a < active->count && strcmp(active->items[a].fingerprint, last->fingerprint) == 0) {
            a = end_of_group(active, a);
            said = &active->items[a - 1];
        }
        bool is_active = said != NULL && said->text != NULL;
        oracle->report->firing += firing;
        if (firing != is_active || (firing && strcmp(said->text, last->text) != 0)) {
            differ(oracle, &oracle->report->active_wrong, "active is wrong (expected, then said)", last,
                   said);
        }
        e = e_end;
    }
}

static int by_place(const void *a, const void *b)
{
    const struct letter *left = a;
    const struct letter *right = b;
    if (left->partition != right->partition) {
        return left->partition < right->partition ? -1 : 1;
    }
    if (left->offset != right->offset) {
        return left->offset < right->offset ? -1 : 1;
    }
    return strcmp(left->reason, right->reason);
}

static void tell_letter(struct oracle *oracle, size_t *kind, const char *what, const struct letter *letter)
{
    (*kind)++;
    if (oracle->differences++ < TOLD) {
        buffer_append_format(oracle->text, "dead letter %s: partition %" PRId32 " offset %" PRId64 " %s\n",
                             what, letter->partition, letter->offset, letter->reason);
    }
}

static void compare_letters(struct oracle *oracle)
{
    struct letter_list *bad = &oracle->bad;
    struct letter_list *letters = &oracle->letters;
    if (bad->count > 0) {
        qsort(bad->items, bad->count, sizeof *bad->items, by_place);
    }
    if (letters->count > 0) {
        qsort(letters->items, letters->count, sizeof *letters->items, by_place);
    }
    size_t b = 0;
    size_t l = 0;
    while (b < bad->count || l < letters->count) {
        int order = b == bad->count       ? 1
                    : l == letters->count ? -1
                                          : by_place(&bad->items[b], &letters->items[l]);
        if (order < 0) {
            tell_letter(oracle, &oracle->report->letters_lost, "lost", &bad->items[b]);
        } else if (order > 0) {
            tell_letter(oracle, &oracle->report->letters_extra, "extra", &letters->items[l]);
        }
        b += order <= 0;
        l += order >= 0;
    }
}

/* --- the whole ---- */

static void begin(struct oracle *oracle)
{
    struct error error;
    const struct detector_limits limits = {.series = oracle->settings->max_series,
                                           .lateness_ms = oracle->settings->lateness_ms,
                                           .idle_after_ms = oracle->settings->idle_after_ms};
    must(rule_set_load(&oracle->rules, oracle->settings->rules_path, &error), &error);
    must(event_decoder_create(&oracle->decoder, &error), &error);
    oracle->partition_count = topics_find(TOPIC_METRICS_RAW)->partitions;
    assert_in_range(oracle->partition_count, 1, PARTITIONS);
    for (int32_t p = 0; p < oracle->partition_count; p++) {
        must(detector_create(&oracle->detectors[p], oracle->rules, &limits, 1, &error), &error);
    }
    buffer_init(&oracle->json, 0);
}

static void free_told(struct told_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].text);
    }
    free(list->items);
}

static void end(struct oracle *oracle)
{
    for (int32_t p = 0; p < oracle->partition_count; p++) {
        detector_destroy(oracle->detectors[p]);
    }
    event_decoder_destroy(oracle->decoder);
    rule_set_destroy(oracle->rules);
    free_told(&oracle->expected);
    free_told(&oracle->fired);
    free_told(&oracle->active);
    free(oracle->bad.items);
    free(oracle->letters.items);
    free(oracle->ticks.items);
    buffer_free(&oracle->json);
}

static void write_series(const struct oracle *oracle, struct buffer *series)
{
    struct json_writer writer;
    json_writer_init(&writer, series);
    json_array_begin(&writer);
    for (int32_t p = 0; p < oracle->partition_count; p++) {
        detector_write_series(oracle->detectors[p], &writer);
    }
    json_array_end(&writer);
}

size_t oracle_check(const struct oracle_settings *settings, struct oracle_report *report, struct buffer *text,
                    struct buffer *series)
{
    const char *url = settings->bus_url;
    struct oracle oracle = {.settings = settings, .report = report, .text = text};
    *report = (struct oracle_report){0};
    begin(&oracle);
    (void)topic_read(url, TOPIC_STREAM_PROCESSOR_STATE, take_tick, &oracle.ticks);
    sort_ticks(&oracle.ticks);
    report->ticks = oracle.ticks.count;
    (void)topic_read(url, TOPIC_METRICS_RAW, take_input, &oracle);
    for (int32_t p = 0; p < oracle.partition_count; p++) {
        pass_ticks(&oracle, p, INT64_MAX);
    }
    (void)topic_read(url, TOPIC_ALERTS_FIRED, take_told, &oracle.fired);
    (void)topic_read(url, TOPIC_ALERTS_ACTIVE, take_told, &oracle.active);
    (void)topic_read(url, TOPIC_METRICS_RAW_DLQ, take_letter, &oracle.letters);
    report->expected = oracle.expected.count;
    report->seen = oracle.fired.count;
    sort(&oracle.expected);
    sort(&oracle.fired);
    sort(&oracle.active);
    compare_fired(&oracle);
    compare_active(&oracle);
    compare_letters(&oracle);
    if (series != NULL) {
        write_series(&oracle, series);
    }
    size_t differences = oracle.differences;
    end(&oracle);
    return differences;
}
