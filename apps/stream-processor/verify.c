/* Published before the rerun began must be found again, and what was found must be published when it has
 * ended: so a processor that goes on meanwhile is no difference. */
#include "verify.h"

#include "fired_list.h"
#include "rerun.h"

#include "alert/encode.h"
#include "buffer/buffer.h"
#include "bus/bus.h"
#include "clock/rfc3339.h"
#include "event/event.h"
#include "program/program.h"
#include "json/json_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_TOLD 50

enum difference { EQUAL, MISSING, EXTRA, TWICE, DIFFERENT, UNCHECKED, DIFFERENCES };

static const char *const names[DIFFERENCES] = {"equal", "missing",   "extra",
                                               "twice", "different", "unchecked"};
static const char *const meanings[DIFFERENCES] = {
    "published as decided",
    "decided from the log, but not published",
    "published, but the log doesn't give it",
    "published more than once",
    "published with other values than the log gives",
    "not checkable: the records that decided them are no longer kept"};

struct verification {
    struct rerun *rerun;
    struct fired_list before, after;
    const struct rerun_decision **found; /* of the rerun, by fingerprint and sequence */
    size_t found_count;
    size_t counts[DIFFERENCES];
    struct buffer lines; /* of differences, for people */
    struct json_writer *writer;
    size_t told;
};

/* --- telling ---- */

static void tell(struct verification *v, enum difference what, const struct alert_transition *t)
{
    char time[RFC3339_BYTES];
    char id[ALERT_ID_BYTES];
    v->counts[what]++;
    if (what == EQUAL || what == UNCHECKED || v->told++ >= MOST_TOLD) {
        return;
    }
    alert_id_format(id, t->fingerprint, t->sequence);
    rfc3339_format(time, t->state == ALERT_FIRING ? t->starts_ms : t->ends_ms);
    if (v->writer == NULL) {
        buffer_append_format(&v->lines, "%-9s  %s  %-8s  %s  %s in %s%s%s  %s\n", names[what], time,
                             alert_state_name(t->state), t->rule, t->labels.service, t->labels.region,
                             t->labels.route[0] == '\0' ? "" : " ", t->labels.route, id);
        return;
    }
    json_object_begin(v->writer);
    json_key(v->writer, "difference");
    json_string(v->writer, names[what]);
    json_key(v->writer, "alert_id");
    json_string(v->writer, id);
    json_key(v->writer, "state");
    json_string(v->writer, alert_state_name(t->state));
    json_key(v->writer, "rule");
    json_string(v->writer, t->rule);
    json_key(v->writer, "service");
    json_string(v->writer, t->labels.service);
    json_key(v->writer, "region");
    json_string(v->writer, t->labels.region);
    json_key(v->writer, "at");
    json_string(v->writer, time);
    json_object_end(v->writer);
}

/* --- comparing ---- */

/* In every field that follows from the log. */
static bool is_same(const struct alert_transition *decided, const struct alert_transition *published)
{
    struct alert_transition copy = *published;
    copy.below = decided->below; /* not in the record */
    copy.detected_ms = decided->detected_ms;
    memcpy(copy.runbook, decided->runbook, sizeof copy.runbook);
    copy.sequence = decided->sequence;
    struct buffer a;
    struct buffer b;
    buffer_init(&a, 0);
    buffer_init(&b, 0);
    alert_encode(&a, decided, "");
    alert_encode(&b, &copy, "");
    bool same = a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
    buffer_free(&a);
    buffer_free(&b);
    return same;
}

static int32_t partition_of(const struct verification *v, const struct alert_transition *t)
{
    char key[EVENT_KEY_BYTES];
    const struct event event = {.service = {t->labels.service, strlen(t->labels.service)},
                                .region = {t->labels.region, strlen(t->labels.region)}};
    return bus_partition_for_key(key, event_key(key, &event), rerun_partition_count(v->rerun));
}

/* One alert's transitions. */
struct run {
    size_t begin, end;
};

static struct run found_run(const struct verification *v, size_t begin)
{
    struct run run = {begin, begin};
    while (run.end < v->found_count &&
           v->found[run.end]->transition.fingerprint == v->found[begin]->transition.fingerprint) {
        run.end++;
    }
    return run;
}

static struct run published_run(const struct fired_list *list, size_t begin)
{
    struct run run = {begin, begin};
    while (run.end < list->count && list->items[run.end].fingerprint == list->items[begin].fingerprint) {
        run.end++;
    }
    return run;
}

static struct run find_run(const struct fired_list *list, uint64_t fingerprint)
{
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->items[middle].fingerprint < fingerprint) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == list->count || list->items[low].fingerprint != fingerprint) {
        return (struct run){low, low};
    }
    return published_run(list, low);
}

/* Where retention took the beginning, counting begins anew in the rerun: the first firing that is exact tells
 * by how much the numbers differ. False: none is, or it isn't published. */
static bool align(const struct verification *v, struct run *found, struct run *published, uint32_t *shift)
{
    struct rerun_partition_info info;
    *shift = 0;
    if (found->begin == found->end) {
        return false;
    }
    rerun_read_partition(v->rerun, v->found[found->begin]->partition, &info);
    if (info.is_whole) {
        return true;
    }
    while (found->begin < found->end && (v->found[found->begin]->appended_ms < info.exact_from_ms ||
                                         v->found[found->begin]->transition.state != ALERT_FIRING)) {
        found->begin++;
    }
    for (size_t i = published->begin; found->begin < found->end && i < published->end; i++) {
        const struct alert_transition *first = &v->found[found->begin]->transition;
        const struct alert_transition *candidate = &v->after.items[i];
        if (candidate->state == first->state && candidate->starts_ms == first->starts_ms &&
            candidate->sequence >= first->sequence) {
            *shift = candidate->sequence - first->sequence;
            published->begin = i;
            return true;
        }
    }
    return false;
}

/* Was it there before the rerun began? */
static bool was_before(const struct verification *v, const struct alert_transition *t)
{
    struct run run = find_run(&v->before, t->fingerprint);
    for (size_t i = run.begin; i < run.end; i++) {
        if (v->before.items[i].sequence == t->sequence) {
            return true;
        }
    }
    return false;
}

/* Nothing of it is exact, or nothing of it was decided. */
static void tell_unaligned(struct verification *v, struct run found, struct run published)
{
    struct rerun_partition_info info = {0};
    if (published.begin < published.end) {
        rerun_read_partition(v->rerun, partition_of(v, &v->after.items[published.begin]), &info);
    }
    for (size_t i = published.begin; i < published.end; i++) {
        bool counts = info.is_whole && was_before(v, &v->after.items[i]);
        tell(v, counts ? EXTRA : UNCHECKED, &v->after.items[i]);
    }
    for (size_t i = found.begin; i < found.end; i++) {
        tell(v, MISSING, &v->found[i]->transition);
    }
}

static void tell_aligned(struct verification *v, struct run found, struct run published, uint32_t shift)
{
    const struct alert_transition *items = v->after.items;
    size_t p = published.begin;
    uint32_t last = 0;
    for (size_t f = found.begin; f < found.end; f++) {
        uint32_t sequence = v->found[f]->transition.sequence + shift;
        for (; p < published.end && items[p].sequence < sequence; p++) {
            tell(v, items[p].sequence == last ? TWICE : EXTRA, &items[p]);
        }
        if (p == published.end || items[p].sequence != sequence) {
            tell(v, MISSING, &v->found[f]->transition);
        } else {
            tell(v, is_same(&v->found[f]->transition, &items[p]) ? EQUAL : DIFFERENT, &items[p]);
            last = sequence;
            p++;
        }
    }
    for (; p < published.end; p++) {
        if (items[p].sequence == last) {
            tell(v, TWICE, &items[p]);
        } else if (was_before(v, &items[p])) {
            tell(v, EXTRA, &items[p]);
        }
    }
}

static void compare_run(struct verification *v, struct run found, struct run published)
{
    uint32_t shift;
    size_t first = published.begin;
    bool is_aligned = align(v, &found, &published, &shift);
    v->counts[UNCHECKED] += published.begin - first;
    if (is_aligned) {
        tell_aligned(v, found, published, shift);
    } else {
        tell_unaligned(v, found, published);
    }
}

/* Both lists are in the order of fingerprints. */
static void compare_all(struct verification *v)
{
    size_t f = 0;
    size_t p = 0;
    while (f < v->found_count || p < v->after.count) {
        bool has_found = f < v->found_count;
        bool has_published = p < v->after.count;
        uint64_t found_key = has_found ? v->found[f]->transition.fingerprint : UINT64_MAX;
        uint64_t published_key = has_published ? v->after.items[p].fingerprint : UINT64_MAX;
        struct run found = {f, f};
        struct run published = {p, p};
        if (has_found && found_key <= published_key) {
            found = found_run(v, f);
        }
        if (has_published && published_key <= found_key) {
            published = published_run(&v->after, p);
        }
        compare_run(v, found, published);
        f = found.end;
        p = published.end;
    }
}

/* --- the whole ---- */

static int compare_decisions(const void *left, const void *right)
{
    const struct rerun_decision *a = *(const struct rerun_decision *const *)left;
    const struct rerun_decision *b = *(const struct rerun_decision *const *)right;
    return alert_transition_compare(&a->transition, &b->transition);
}

static int take_found(struct verification *v, struct error *error)
{
    v->found_count = rerun_decision_count(v->rerun);
    v->found = calloc(v->found_count + 1, sizeof v->found[0]);
    if (v->found == NULL) {
        return error_set(error, -1, "no memory for %zu transitions", v->found_count);
    }
    for (size_t i = 0; i < v->found_count; i++) {
        v->found[i] = rerun_decision_at(v->rerun, i);
    }
    qsort(v->found, v->found_count, sizeof v->found[0], compare_decisions);
    return 0;
}

static uint64_t count_records(const struct verification *v, int32_t *cut)
{
    uint64_t records = 0;
    *cut = 0;
    for (int32_t p = 0; p < rerun_partition_count(v->rerun); p++) {
        struct rerun_partition_info info;
        rerun_read_partition(v->rerun, p, &info);
        records += info.records;
        *cut += !info.is_whole && info.records > 0;
    }
    return records;
}

static size_t count_wrong(const struct verification *v)
{
    return v->counts[MISSING] + v->counts[EXTRA] + v->counts[TWICE] + v->counts[DIFFERENT] +
           v->after.unreadable;
}

static void print_text(struct verification *v)
{
    int32_t cut;
    uint64_t records = count_records(v, &cut);
    (void)fputs(buffer_text(&v->lines), stdout);
    (void)printf("%" PRIu64 " records decided again\n", records);
    for (int i = 0; i < DIFFERENCES; i++) {
        if (i == EQUAL || v->counts[i] > 0) {
            (void)printf("%8zu %-9s  %s\n", v->counts[i], names[i], meanings[i]);
        }
    }
    if (v->after.unreadable > 0) {
        (void)printf("%8zu records of alerts.fired are no transitions\n", v->after.unreadable);
    }
    if (cut > 0) {
        (void)printf(
            "%d partitions no longer hold their first records: their first minutes are not checked\n",
            (int)cut);
    }
    (void)puts(count_wrong(v) == 0 ? "alerts.fired is what the log gives"
                                   : "alerts.fired is NOT what the log gives");
}

static void end_json(struct verification *v, struct buffer *text)
{
    struct json_writer *w = v->writer;
    int32_t cut;
    uint64_t records = count_records(v, &cut);
    json_array_end(w);
    for (int i = 0; i < DIFFERENCES; i++) {
        json_key(w, names[i]);
        json_unsigned(w, v->counts[i]);
    }
    json_key(w, "unreadable");
    json_unsigned(w, v->after.unreadable);
    json_key(w, "records");
    json_unsigned(w, records);
    json_key(w, "cut_partitions");
    json_integer(w, cut);
    json_object_end(w);
    (void)puts(buffer_text(text));
}

static int verify(struct verification *v, struct program *program, struct bus *bus, struct error *error)
{
    const struct rerun_settings settings = {.program = program, .bus = bus};
    if (fired_list_read(&v->before, program, bus, error) != 0 ||
        rerun_run(&v->rerun, &settings, error) != 0) {
        return -1;
    }
    int result = fired_list_read(&v->after, program, bus, error);
    if (result == 0) {
        result = take_found(v, error);
    }
    if (result == 0) {
        compare_all(v);
    }
    return result;
}

int verify_run(struct program *program, struct bus *bus, bool as_json)
{
    struct verification v = {0};
    struct error error;
    struct buffer text;
    struct json_writer writer;
    error_clear(&error);
    buffer_init(&v.lines, 0);
    buffer_init(&text, 0);
    if (as_json) {
        json_writer_init(&writer, &text);
        json_object_begin(&writer);
        json_key(&writer, "differences");
        json_array_begin(&writer);
        v.writer = &writer;
    }
    int code =
        verify(&v, program, bus, &error) == 0 ? PROGRAM_DONE : program_fail(program, "cannot verify", &error);
    if (code == PROGRAM_DONE && !program_is_stopping(program)) {
        if (as_json) {
            end_json(&v, &text);
        } else {
            print_text(&v);
        }
        code = count_wrong(&v) == 0 ? PROGRAM_DONE : PROGRAM_FAILED;
    }
    rerun_destroy(v.rerun);
    fired_list_free(&v.before);
    fired_list_free(&v.after);
    free(v.found);
    buffer_free(&v.lines);
    buffer_free(&text);
    return code;
}
