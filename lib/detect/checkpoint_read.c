/* Loaded checkpoints are checked as a whole, then put into the series; one fault and none is used. */
#include "buffer/packing.h"
#include "detect/checkpoint_contents.h"
#include "detect/detector_private.h"

#include "window/series_time.h"
#include "window/window_save.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* --- finding what is needed ---- */

/* Clocks that arithmetic may be done with. */
static bool is_sane(const struct checkpoint_head *head)
{
    int64_t clock_s = series_time_second(head->clock_ms);
    bool has_swept = head->swept_idle_ms != INT64_MIN;
    return head->clock_ms >= -EVENT_TIME_MAX_MS && head->clock_ms <= EVENT_TIME_MAX_MS &&
           head->swept_s <= clock_s &&
           (!has_swept ||
            (head->swept_idle_ms >= -EVENT_TIME_MAX_MS && head->swept_idle_ms <= head->clock_ms)) &&
           head->last_ordinal < INT64_MAX;
}

static bool read_head(const struct checkpoint *checkpoint, struct checkpoint_head *head, bool *is_there)
{
    *is_there = false;
    for (size_t i = 0; i < checkpoint->loaded_count; i++) {
        const struct checkpoint_loaded *record = &checkpoint->loaded[i];
        const char *bytes = checkpoint->loaded_bytes.data;
        struct reader in;
        if (record->key_bytes != strlen(CHECKPOINT_HEAD_KEY) ||
            memcmp(bytes + record->key_at, CHECKPOINT_HEAD_KEY, record->key_bytes) != 0) {
            continue;
        }
        *is_there = true;
        if (!checkpoint_unseal(bytes + record->value_at, record->value_bytes, &in) ||
            take_number(&in, 1) != CHECKPOINT_HEAD_KIND) {
            return false;
        }
        head->chain = take_number(&in, 8);
        head->layout = take_number(&in, 8);
        head->id_seed = take_number(&in, 8);
        head->period = (int64_t)take_number(&in, 8);
        head->clock_ms = (int64_t)take_number(&in, 8);
        head->swept_s = (int64_t)take_number(&in, 8);
        head->swept_idle_ms = (int64_t)take_number(&in, 8);
        head->next_offset = (int64_t)take_number(&in, 8);
        head->last_ordinal = take_number(&in, 8);
        head->series = take_number(&in, 8);
        for (int kind = 0; kind < CHECKPOINT_KINDS; kind++) {
            head->next[kind] = take_number(&in, 8);
            head->oldest[kind] = take_number(&in, 8);
        }
        return !in.failed && in.left == 0 && is_sane(head);
    }
    return false;
}

static int by_number(const void *a, const void *b)
{
    const struct checkpoint_loaded *x = a;
    const struct checkpoint_loaded *y = b;
    return x->kind != y->kind ? (x->kind > y->kind) - (x->kind < y->kind)
                              : (x->number > y->number) - (x->number < y->number);
}

/* Records of other chains, of periods gone by and damaged ones get the kind -1; the others are sorted to the
 * end, by kind and number. Which slots hold what is noted of all. */
static void choose_records(struct checkpoint *checkpoint, const struct checkpoint_head *head)
{
    for (size_t i = 0; i < checkpoint->loaded_count; i++) {
        struct checkpoint_loaded *record = &checkpoint->loaded[i];
        struct reader in;
        if (record->kind < 0) {
            continue;
        }
        struct checkpoint_ring *ring = &checkpoint->rings[record->kind];
        if (record->slot < ring->slot_count && ring->slots[record->slot].stored <= record->part) {
            ring->slots[record->slot].stored = record->part + 1;
        }
        bool is_whole =
            checkpoint_unseal(checkpoint->loaded_bytes.data + record->value_at, record->value_bytes, &in) &&
            take_number(&in, 1) == (uint64_t)record->kind;
        uint64_t chain = take_number(&in, 8);
        record->number = take_number(&in, 8);
        int64_t period = (int64_t)take_number(&in, 8);
        if (!is_whole || chain != head->chain || period > head->period ||
            period <= head->period - (int64_t)ring->slot_count ||
            record->number < head->oldest[record->kind]) {
            record->kind = -1;
            continue;
        }
        struct checkpoint_slot *slot = checkpoint_use_slot(ring, period);
        slot->first = slot->parts == 0 || record->number < slot->first ? record->number : slot->first;
        slot->parts++;
    }
    if (checkpoint->loaded_count > 0) {
        qsort(checkpoint->loaded, checkpoint->loaded_count, sizeof checkpoint->loaded[0], by_number);
    }
}

/* Are the numbers of each kind there from the oldest to the last, each once? */
static bool is_complete(const struct checkpoint *checkpoint, const struct checkpoint_head *head)
{
    uint64_t expected[CHECKPOINT_KINDS];
    memcpy(expected, head->oldest, sizeof expected);
    for (size_t i = 0; i < checkpoint->loaded_count; i++) {
        const struct checkpoint_loaded *record = &checkpoint->loaded[i];
        if (record->kind >= 0 && record->number != expected[record->kind]++) {
            return false;
        }
    }
    return memcmp(expected, head->next, sizeof expected) == 0;
}

/* --- series ---- */

static bool has_ordinals(const struct detector *detector, const struct checkpoint_head *head)
{
    uint64_t before = 0;
    uint64_t count = 0;
    for (size_t i = 0; i < detector->table.count; i++) {
        uint64_t ordinal = detector->table.all[i]->ordinal;
        if (ordinal <= before) {
            return false;
        }
        before = ordinal;
        count += ordinal <= head->last_ordinal;
    }
    return count == head->series;
}

/* Admitted after the checkpoint: the log brings it again, as it came. */
static bool was_there(void *context, struct series *series)
{
    struct detector *detector = context;
    if (series->ordinal <= detector->last_ordinal) {
        return true;
    }
    for (size_t i = 0; i < series->rule_count; i++) {
        struct watched_rule *watched = &series->rules[i];
        detector->totals.firing -= watched->state.firing;
        if (watched->is_saved) {
            (void)resting_table_put(&detector->resting, watched->fingerprint, &watched->state);
        }
        detector_lay_down_baseline(detector, watched);
    }
    return false;
}

static bool place_series(struct detector *detector)
{
    for (size_t i = 0; i < detector->table.count; i++) {
        struct series *series = detector->table.all[i];
        if (series->ordinal > detector->last_ordinal) {
            continue;
        }
        if (series->saved_period == INT64_MIN) {
            return false;
        }
        if (series->newest_ms < detector->swept_idle_ms) {
            series->newest_ms = detector->swept_idle_ms;
        }
        window_advance(series->window, series_time_second(series->newest_ms));
        if (series->ids != NULL) {
            recent_ids_advance(series->ids, series_time_second(series->newest_ms));
        }
    }
    return true;
}

static void finish_series(struct detector *detector)
{
    int64_t clock_s = series_time_second(detector->clock_ms);
    for (size_t i = 0; i < detector->table.count; i++) {
        struct series *series = detector->table.all[i];
        window_restore_done(series->window);
        series->is_touched = false;
        if (series->ids != NULL) {
            recent_ids_note_saved(series->ids, clock_s, false);
        }
    }
}

static bool empty_series(struct detector *detector)
{
    for (size_t i = 0; i < detector->table.count; i++) {
        struct series *series = detector->table.all[i];
        uint32_t past_s = series->route == NULL ? detector_id_past_s(detector) : 0;
        series->saved_period = INT64_MIN;
        series->is_touched = true;
        if (!series_table_empty_one(&detector->table, series, detector->rules, 0, past_s,
                                    DETECTOR_ID_FUTURE_S)) {
            return false;
        }
    }
    return true;
}

/* --- all of it ---- */

static bool apply(struct detector *detector, const struct checkpoint_head *head)
{
    detector->last_ordinal = head->last_ordinal;
    detector->swept_idle_ms = head->swept_idle_ms;
    if (!checkpoint_read_records(detector, CHECKPOINT_PASS_CLOCKS) || !place_series(detector) ||
        !checkpoint_read_records(detector, CHECKPOINT_PASS_SECONDS)) {
        return false;
    }
    series_table_retain(&detector->table, was_there, detector);
    detector->clock_ms = head->clock_ms;
    detector->swept_s = head->swept_s;
    detector->next_offset = head->next_offset;
    detector->id_seed = head->id_seed;
    detector_wake_all(detector);
    detector->is_placed = true;
    finish_series(detector);
    struct checkpoint *checkpoint = &detector->checkpoint;
    checkpoint->chain = head->chain;
    checkpoint->period = head->period;
    checkpoint->clock_s = series_time_second(head->clock_ms);
    for (int kind = 0; kind < CHECKPOINT_KINDS; kind++) {
        checkpoint->rings[kind].next = head->next[kind];
    }
    return true;
}

/* Loaded series that have none, or the same as another, get their ordinals; none is given twice. */
static void number_series(struct detector *detector)
{
    uint64_t last = 0;
    uint64_t before = 0;
    for (size_t i = 0; i < detector->table.count; i++) {
        last = detector->table.all[i]->ordinal > last ? detector->table.all[i]->ordinal : last;
    }
    for (size_t i = 0; i < detector->table.count; i++) { /* ascending */
        struct series *series = detector->table.all[i];
        bool is_free = series->ordinal > before;
        before = series->ordinal;
        if (!is_free) {
            series->ordinal = ++last;
            series->is_new = true; /* its record is to have it */
            detector->any_changed = true;
        }
    }
    detector->last_ordinal = last;
    series_table_sort(&detector->table);
}

/* What was loaded is of no use: the topic is to lose it, and a new chain begins. */
static bool forget_loaded(struct detector *detector)
{
    struct checkpoint *checkpoint = &detector->checkpoint;
    for (size_t i = 0; i < checkpoint->loaded_count; i++) {
        const struct detector_state gone = {.key =
                                                checkpoint->loaded_bytes.data + checkpoint->loaded[i].key_at,
                                            .key_bytes = checkpoint->loaded[i].key_bytes};
        if (!outbox_post(&checkpoint->out, &gone)) {
            return false;
        }
    }
    if (checkpoint->loaded_count > 0) {
        checkpoint->chain = XXH3_64bits_withSeed(checkpoint->loaded_bytes.data, checkpoint->loaded_bytes.size,
                                                 checkpoint->chain);
    }
    for (int kind = 0; kind < CHECKPOINT_KINDS; kind++) {
        struct checkpoint_ring *ring = &checkpoint->rings[kind];
        for (uint32_t i = 0; i < ring->slot_count; i++) {
            ring->slots[i] = (struct checkpoint_slot){.period = INT64_MIN};
        }
        ring->next = 0;
    }
    return true;
}

static void free_loaded(struct checkpoint *checkpoint)
{
    free(checkpoint->loaded);
    checkpoint->loaded = NULL;
    checkpoint->loaded_count = 0;
    checkpoint->loaded_capacity = 0;
    buffer_free(&checkpoint->loaded_bytes);
    buffer_init(&checkpoint->loaded_bytes, 0);
}

/* NULL: it can be used. */
static const char *find_fault(struct detector *detector, struct checkpoint_head *head, int64_t begin,
                              int64_t committed)
{
    struct checkpoint *checkpoint = &detector->checkpoint;
    bool is_there = false;
    if (!read_head(checkpoint, head, &is_there)) {
        return is_there ? "its head is damaged" : "its head is missing";
    }
    if (head->layout != checkpoint->layout) {
        return "rules or limits have changed what windows hold";
    }
    if (head->next_offset > committed) {
        return "it is ahead of the committed offset";
    }
    if (head->next_offset < begin) {
        return "the log no longer reaches back to it";
    }
    choose_records(checkpoint, head);
    if (!is_complete(checkpoint, head)) {
        return "records of it are missing or damaged";
    }
    return has_ordinals(detector, head) ? NULL : "series that it has are missing";
}

enum detector_start detector_restore_windows(struct detector *detector, int64_t begin, int64_t committed,
                                             int64_t *from, struct error *error)
{
    struct checkpoint *checkpoint = &detector->checkpoint;
    struct checkpoint_head head = {0};
    series_table_sort(&detector->table);
    detector->is_numbered = true;
    enum detector_start result = DETECTOR_START_WHOLE;
    if (checkpoint->loaded_count > 0) {
        const char *fault = find_fault(detector, &head, begin, committed);
        result = DETECTOR_START_REFUSED;
        if (fault == NULL && apply(detector, &head)) {
            result = DETECTOR_START_CHECKPOINT;
            *from = head.next_offset;
        } else if (fault == NULL) {
            fault = "a record of it makes no sense";
            detector->swept_idle_ms = INT64_MIN;
            for (size_t i = 0; i < detector->mark_count; i++) {
                detector->marks[i].second = INT64_MIN;
            }
            result = empty_series(detector) ? result : DETECTOR_START_FAILED;
        }
        if (result == DETECTOR_START_REFUSED) {
            (void)error_set(error, -1, "the checkpoint of the windows cannot be used: %s", fault);
        }
    }
    if (result != DETECTOR_START_CHECKPOINT) {
        number_series(detector);
        result = forget_loaded(detector) ? result : DETECTOR_START_FAILED;
    }
    if (result == DETECTOR_START_FAILED) {
        (void)error_set(error, -1, "no memory for loaded windows");
    }
    free_loaded(checkpoint);
    return result;
}
