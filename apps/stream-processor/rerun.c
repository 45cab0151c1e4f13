#include "rerun.h"

#include "record_feed.h"
#include "saved_log.h"
#include "state_map.h"

#include "program/program.h"
#include "random/random.h"
#include "rule/rule.h"
#include "topics/topics.h"
#include "worker/topic_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define GROUP         "stream-processor"
#define PROGRESS_EACH 500000 /* records */

/* A stretch of a partition's log that one set of rules decides. */
struct stretch {
    struct rules_file rules;
    struct detector_limits limits;
    int64_t from, until;
    int64_t tick_clock_ms; /* ticks at `until` belong to it up to this clock; INT64_MAX: all */
};

struct partition_rerun {
    struct feed_place place;
    struct rerun *rerun;
    struct saved_partition *saved;
    struct stretch *stretches;
    size_t stretch_count;
    struct state_map state; /* drained from the detector, for the next stretch */
    int64_t begin, end;
    int64_t warm_ms; /* how long it takes until windows that began empty are right */
    struct rerun_partition_info info;
};

struct rerun {
    const struct rerun_settings *settings;
    int32_t partition_count;
    struct saved_partition *saved;
    struct partition_rerun *partitions;
    struct record_feed *feed;
    int64_t *from, *until; /* of the present pass */
    struct rerun_decision *decisions;
    size_t decision_count, decision_capacity;
    uint64_t records, records_told;
};

/* --- what comes out ---- */

static int keep_decision(void *context, struct feed_place *place, struct alert_transition *transition,
                         int64_t appended_ms, struct error *error)
{
    struct rerun *rerun = context;
    if (rerun->decision_count == rerun->decision_capacity) {
        size_t capacity = rerun->decision_capacity == 0 ? 64 : rerun->decision_capacity * 2;
        struct rerun_decision *decisions = realloc(rerun->decisions, capacity * sizeof *decisions);
        if (decisions == NULL) {
            return error_set(error, -1, "no memory for %zu transitions", capacity);
        }
        rerun->decisions = decisions;
        rerun->decision_capacity = capacity;
    }
    rerun->decisions[rerun->decision_count++] = (struct rerun_decision){
        .transition = *transition, .partition = place->partition, .appended_ms = appended_ms};
    return 0;
}

static void tell_progress(struct rerun *rerun)
{
    if (rerun->records - rerun->records_told < PROGRESS_EACH || isatty(STDERR_FILENO) == 0) {
        return;
    }
    rerun->records_told = rerun->records;
    uint64_t all = 0;
    for (int32_t p = 0; p < rerun->partition_count; p++) {
        all += (uint64_t)(rerun->partitions[p].end - rerun->partitions[p].begin);
    }
    (void)fprintf(stderr, "\r%llu of about %llu records", (unsigned long long)rerun->records,
                  (unsigned long long)all);
}

/* --- stretches ---- */

static int parse_rules(struct rules_file *file, const struct rules_record *record, int32_t partition,
                       struct error *error)
{
    char name[64];
    (void)snprintf(name, sizeof name, "rules since offset %lld of partition %d", (long long)record->offset,
                   (int)partition);
    return rules_file_parse(file, name, record->text, record->text_bytes, error);
}

/* Those that decided: of each, the part that is still there. */
static int plan_as_decided(struct partition_rerun *p, struct error *error)
{
    const struct saved_partition *saved = p->saved;
    p->stretches = calloc(saved->rules_count + 1, sizeof *p->stretches);
    if (p->stretches == NULL) {
        return error_set(error, -1, "no memory for the rules of the past");
    }
    for (size_t i = 0; i < saved->rules_count; i++) {
        bool is_last = i + 1 == saved->rules_count;
        int64_t until = is_last ? p->end : saved->rules[i + 1].offset;
        int64_t from = saved->rules[i].offset > p->begin ? saved->rules[i].offset : p->begin;
        if (until < from || (until == from && until == p->begin && !is_last)) {
            continue;
        }
        struct stretch *stretch = &p->stretches[p->stretch_count];
        *stretch = (struct stretch){.limits = saved->rules[i].limits,
                                    .from = from,
                                    .until = until,
                                    .tick_clock_ms = is_last ? INT64_MAX : saved->rules[i + 1].tick_clock_ms};
        if (parse_rules(&stretch->rules, &saved->rules[i], p->place.partition, error) != 0) {
            return -1;
        }
        p->info.is_whole |= i == 0 && saved->rules[0].offset >= p->begin;
        p->stretch_count++;
    }
    return 0;
}

static int plan_with_rules(struct partition_rerun *p, const struct rerun_settings *settings,
                           struct error *error)
{
    p->stretches = calloc(1, sizeof *p->stretches);
    if (p->stretches == NULL) {
        return error_set(error, -1, "no memory for a partition");
    }
    p->stretches[0] = (struct stretch){
        .limits = settings->limits, .from = p->begin, .until = p->end, .tick_clock_ms = INT64_MAX};
    p->stretch_count = 1;
    p->info.is_whole = p->begin == 0;
    return rules_file_parse(&p->stretches[0].rules, "rules", settings->rules->text.data,
                            settings->rules->text.size, error);
}

static int64_t longest_window_ms(const struct stretch *stretch)
{
    const struct rule_set *rules = stretch->rules.rules;
    if (rules == NULL) {
        return 0;
    }
    const struct window_layout *layout = &rules->layout;
    return (int64_t)layout->lengths_s[layout->length_count - 1] * 1000 + stretch->limits.lateness_ms;
}

static int plan(struct partition_rerun *p, const struct rerun_settings *settings, struct error *error)
{
    int result = settings->rules != NULL ? plan_with_rules(p, settings, error) : plan_as_decided(p, error);
    p->warm_ms = result == 0 && p->stretch_count > 0 ? longest_window_ms(&p->stretches[0]) : 0;
    p->info.exact_from_ms = p->info.is_whole ? INT64_MIN : INT64_MAX;
    return result;
}

/* Of the saved clock, what was so when deciding began: how far back is history, and nothing of time yet. */
static void begin_clock(struct partition_rerun *p)
{
    struct feed_place *place = &p->place;
    partition_clock_init(&place->clock);
    place->clock.partition_count = p->rerun->partition_count;
    if (p->rerun->settings->rules == NULL && p->info.is_whole) {
        place->clock.history_until_ms = p->saved->clock.history_until_ms;
    }
}

/* The detector of a stretch; after the first it goes on from what the one before left. From where to read. */
static int begin_stretch(struct partition_rerun *p, size_t index, int64_t *from, struct error *error)
{
    const struct stretch *stretch = &p->stretches[index];
    struct feed_place *place = &p->place;
    bool goes_on = index > 0;
    int64_t replay_from = goes_on ? detector_replay_from(place->detector) : -1;
    detector_destroy(place->detector);
    place->detector = NULL;
    if (detector_create(&place->detector, stretch->rules.rules, &stretch->limits, random_seed_from_system(),
                        error) != 0) {
        return -1;
    }
    place->decide_from = stretch->from;
    place->is_settled = false;
    place->next_tick = 0;
    *from = stretch->from;
    if (!goes_on) {
        begin_clock(p);
    } else if (state_map_load(&p->state, place->detector, error) != 0) {
        return -1;
    } else {
        struct error refused;
        error_clear(&refused);
        *from = replay_from;
        (void)detector_restore_windows(place->detector, p->begin, stretch->from, from, &refused);
        *from = *from < 0 || *from > stretch->from ? stretch->from : *from < p->begin ? p->begin : *from;
    }
    feed_place_skip_ticks(place, *from);
    return 0;
}

static int drain(struct partition_rerun *p, bool keep, struct error *error)
{
    struct detector_state state;
    int result = 0;
    while (result == 0 && detector_next_state(p->place.detector, &state)) {
        result = keep ? state_map_put(&p->state, &state, error) : 0;
    }
    return result;
}

/* What time passed behind the stretch's last record, and what the next one needs of it. */
static int end_stretch(struct partition_rerun *p, size_t index, struct error *error)
{
    const struct stretch *stretch = &p->stretches[index];
    struct record_feed *feed = p->rerun->feed;
    struct feed_place *place = &p->place;
    bool is_last = index + 1 == p->stretch_count;
    if (record_feed_settle(feed, place, error) != 0 ||
        record_feed_pass_ticks(feed, place, is_last ? stretch->until : stretch->until - 1, error) != 0) {
        return -1;
    }
    int64_t clock_ms = stretch->tick_clock_ms;
    if (!is_last && clock_ms > partition_clock_now_ms(&place->clock) &&
        record_feed_tick(feed, place, clock_ms, clock_ms, error) != 0) {
        return -1;
    }
    if (!is_last) {
        detector_take_checkpoint(place->detector, false);
    }
    return drain(p, !is_last, error);
}

/* --- reading ---- */

static int take_records(void *context, const struct bus_record *records, size_t count, struct error *error)
{
    struct rerun *rerun = context;
    struct partition_rerun *p = &rerun->partitions[records[0].partition];
    if (p->info.exact_from_ms == INT64_MAX) {
        p->info.exact_from_ms = records[0].appended_ms + p->warm_ms;
    }
    if (record_feed_records(rerun->feed, &p->place, records, count, error) != 0) {
        return -1;
    }
    p->info.records += count;
    rerun->records += count;
    tell_progress(rerun);
    return drain(p, p->stretch_count > 1, error);
}

/* The index-th stretch of every partition that has one. */
static int run_pass(struct rerun *rerun, size_t index, struct error *error)
{
    for (int32_t i = 0; i < rerun->partition_count; i++) {
        struct partition_rerun *p = &rerun->partitions[i];
        rerun->from[i] = 0;
        rerun->until[i] = 0;
        if (index < p->stretch_count) {
            if (begin_stretch(p, index, &rerun->from[i], error) != 0) {
                return -1;
            }
            rerun->until[i] = p->stretches[index].until;
        }
    }
    const struct topic_scan scan = {.topic = TOPIC_METRICS_RAW,
                                    .partition_count = rerun->partition_count,
                                    .from = rerun->from,
                                    .until = rerun->until,
                                    .take = take_records,
                                    .context = rerun};
    if (topic_scan_run(rerun->settings->program, rerun->settings->bus, &scan, error) != 0) {
        return -1;
    }
    for (int32_t i = 0; i < rerun->partition_count; i++) {
        struct partition_rerun *p = &rerun->partitions[i];
        if (index < p->stretch_count && end_stretch(p, index, error) != 0) {
            return -1;
        }
    }
    return 0;
}

/* --- the whole ---- */

/* Up to where the processor has committed; without rules of one's own, nothing else was decided. */
static int read_committed(struct rerun *rerun, struct error *error)
{
    static const char *const groups[] = {GROUP};
    static const char *const topics[] = {TOPIC_METRICS_RAW};
    size_t limit = (size_t)rerun->partition_count;
    size_t count = 0;
    struct bus_lag *rows = calloc(limit, sizeof *rows);
    if (rows == NULL) {
        return error_set(error, -1, "no memory for %zu positions", limit);
    }
    int result = bus_read_lag(rerun->settings->bus, groups, 1, topics, 1, rows, limit, &count, error);
    for (int32_t p = 0; p < rerun->partition_count; p++) {
        rerun->until[p] = rerun->from[p]; /* the group was never here */
    }
    for (size_t i = 0; result == BUS_OK && i < count && i < limit; i++) {
        if (rows[i].partition < rerun->partition_count && rows[i].committed >= 0) {
            rerun->until[rows[i].partition] = rows[i].committed;
        }
    }
    free(rows);
    return result == BUS_OK ? 0 : -1;
}

static int prepare(struct rerun *rerun, struct error *error)
{
    static const struct record_feed_calls calls = {.decided = keep_decision};
    const struct rerun_settings *settings = rerun->settings;
    int32_t count = 0;
    if (bus_partition_count(settings->bus, TOPIC_METRICS_RAW, &count, error) != BUS_OK) {
        return -1;
    }
    rerun->partition_count = count;
    rerun->partitions = calloc((size_t)count, sizeof *rerun->partitions);
    rerun->from = calloc((size_t)count, sizeof *rerun->from);
    rerun->until = calloc((size_t)count, sizeof *rerun->until);
    if (rerun->partitions == NULL || rerun->from == NULL || rerun->until == NULL) {
        return error_set(error, -1, "no memory for %d partitions", (int)count);
    }
    /* The order matters while the processor runs: a position is never ahead of the ticks before it. */
    if (topic_read_bounds(settings->bus, TOPIC_METRICS_RAW, count, rerun->from, rerun->until, error) != 0 ||
        (settings->rules == NULL && read_committed(rerun, error) != 0) ||
        saved_log_read(&rerun->saved, count, settings->program, settings->bus, error) != 0 ||
        record_feed_create(&rerun->feed, &calls, rerun, count, NULL, error) != 0) {
        return -1;
    }
    for (int32_t i = 0; i < count; i++) {
        struct partition_rerun *p = &rerun->partitions[i];
        p->rerun = rerun;
        p->saved = &rerun->saved[i];
        p->begin = rerun->from[i];
        p->end = rerun->until[i] > p->begin ? rerun->until[i] : p->begin;
        p->place.partition = i;
        p->place.owner = p;
        p->place.ticks = p->saved->ticks; /* owned by saved */
        if (plan(p, settings, error) != 0) {
            return -1;
        }
    }
    return 0;
}

static int run_passes(struct rerun *rerun, struct error *error)
{
    size_t passes = 0;
    for (int32_t i = 0; i < rerun->partition_count; i++) {
        size_t count = rerun->partitions[i].stretch_count;
        passes = count > passes ? count : passes;
    }
    int result = 0;
    for (size_t i = 0; i < passes && result == 0; i++) {
        result = run_pass(rerun, i, error);
    }
    if (rerun->records_told > 0) {
        (void)fputc('\n', stderr);
    }
    return result;
}

int rerun_run(struct rerun **out, const struct rerun_settings *settings, struct error *error)
{
    *out = NULL;
    struct rerun *rerun = calloc(1, sizeof *rerun);
    if (rerun == NULL) {
        return error_set(error, -1, "no memory to read the log again");
    }
    rerun->settings = settings;
    if (prepare(rerun, error) != 0 || run_passes(rerun, error) != 0) {
        rerun_destroy(rerun);
        return -1;
    }
    *out = rerun;
    return 0;
}

void rerun_destroy(struct rerun *rerun)
{
    if (rerun == NULL) {
        return;
    }
    for (int32_t i = 0; rerun->partitions != NULL && i < rerun->partition_count; i++) {
        struct partition_rerun *p = &rerun->partitions[i];
        detector_destroy(p->place.detector);
        state_map_free(&p->state);
        for (size_t s = 0; s < p->stretch_count; s++) {
            rules_file_free(&p->stretches[s].rules);
        }
        free(p->stretches);
    }
    record_feed_destroy(rerun->feed);
    saved_log_free(rerun->saved, rerun->partition_count);
    free(rerun->partitions);
    free(rerun->from);
    free(rerun->until);
    free(rerun->decisions);
    free(rerun);
}

size_t rerun_decision_count(const struct rerun *rerun)
{
    return rerun->decision_count;
}

const struct rerun_decision *rerun_decision_at(const struct rerun *rerun, size_t index)
{
    return &rerun->decisions[index];
}

int32_t rerun_partition_count(const struct rerun *rerun)
{
    return rerun->partition_count;
}

void rerun_read_partition(const struct rerun *rerun, int32_t partition, struct rerun_partition_info *out)
{
    *out = rerun->partitions[partition].info;
}
