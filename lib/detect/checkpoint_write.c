/* What has changed since the last checkpoint goes into records of three kinds, one pass over the series. */
#include "buffer/packing.h"
#include "detect/checkpoint_cells.h"
#include "detect/detector_private.h"

#include "window/series_time.h"
#include "window/window_save.h"

#include <endian.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_RECORDS 131072 /* observed between two checkpoints, whatever the clock says */
#define IDS_AT_ONCE  8192   /* of one second, before a record may end */

/* One kind's records of a checkpoint. */
struct writer {
    struct detector *detector;
    enum checkpoint_kind kind;
    bool is_open;
    struct buffer value;
    uint64_t ordinal, section; /* the last one written; the one that is open, 0: none */
    int64_t second;
};

/* A checkpoint being written. */
struct writing {
    struct detector *detector;
    struct writer kinds[CHECKPOINT_KINDS];
    int64_t period, clock_s;
    bool ids_ahead_too;
    struct value_run runs[HISTOGRAM_BUCKETS];
    struct histogram sums;
};

/* --- records ---- */

static bool post(struct detector *detector, const char *key, const struct buffer *value)
{
    const struct detector_state record = {.key = key,
                                          .value = value == NULL ? NULL : value->data,
                                          .key_bytes = strlen(key),
                                          .value_bytes = value == NULL ? 0 : value->size};
    return (value == NULL || !value->failed) && outbox_post(&detector->checkpoint.out, &record);
}

static void format_key(char key[64], enum checkpoint_kind kind, const struct checkpoint_ring *ring,
                       int64_t period, uint32_t part)
{
    int64_t slot = period % ring->slot_count;
    (void)snprintf(key, 64, "window|%s|%" PRId64 "|%" PRIu32, checkpoint_kind_name(kind),
                   slot < 0 ? slot + ring->slot_count : slot, part);
}

/* Marks are few and belong to no series: the first record of counts has them. */
static void put_marks(struct writer *writer)
{
    struct detector *detector = writer->detector;
    struct buffer *out = &writer->value;
    const struct checkpoint *checkpoint = &detector->checkpoint;
    int64_t clock_s = series_time_second(detector->clock_ms);
    int64_t first = clock_s - detector->close_after_s;
    if (checkpoint->clock_s != INT64_MIN && checkpoint->clock_s >= first) {
        first = checkpoint->clock_s; /* a tick may have brought it there, without a mark */
    }
    for (int64_t second = first; second <= clock_s; second++) {
        const struct replay_mark *mark = detector_replay_mark(detector, second);
        if (mark->second == second) {
            put_varint(out, 1 + (uint64_t)(clock_s - second));
            put_varint(out, (uint64_t)mark->offset);
        }
    }
}

static void open_record(struct writer *writer, bool is_first)
{
    const struct checkpoint *checkpoint = &writer->detector->checkpoint;
    struct buffer *out = &writer->value;
    buffer_clear(out);
    put_number(out, CHECKPOINT_VERSION, 1);
    put_number(out, writer->kind, 1);
    put_number(out, checkpoint->chain, 8);
    put_number(out, checkpoint->rings[writer->kind].next, 8);
    put_number(out, (uint64_t)checkpoint->period, 8);
    put_number(out, (uint64_t)writer->detector->clock_ms, 8);
    if (writer->kind == CHECKPOINT_COUNTS) {
        if (is_first) {
            put_marks(writer);
        }
        put_varint(out, 0);
    }
    writer->ordinal = 0;
    writer->is_open = true;
}

static void close_record(struct writer *writer)
{
    struct checkpoint_ring *ring = &writer->detector->checkpoint.rings[writer->kind];
    struct checkpoint_slot *slot = checkpoint_use_slot(ring, writer->detector->checkpoint.period);
    char key[64];
    format_key(key, writer->kind, ring, slot->period, slot->parts);
    checkpoint_seal(&writer->value);
    if (!post(writer->detector, key, &writer->value)) {
        abort(); /* as for any state that isn't saved */
    }
    ring->next++;
    slot->parts++;
    writer->is_open = false;
}

/* What an earlier period left in the slot beyond this one's parts. */
static void forget_leftovers(struct detector *detector, enum checkpoint_kind kind)
{
    struct checkpoint_ring *ring = &detector->checkpoint.rings[kind];
    struct checkpoint_slot *slot = checkpoint_use_slot(ring, detector->checkpoint.period);
    char key[64];
    for (uint32_t part = slot->parts; part < slot->stored; part++) {
        format_key(key, kind, ring, slot->period, part);
        if (!post(detector, key, NULL)) {
            abort();
        }
    }
    slot->stored = slot->parts;
}

/* --- sections ---- */

static void begin_section(struct writer *writer, uint64_t ordinal)
{
    if (!writer->is_open) {
        open_record(writer, false);
    }
    put_varint(&writer->value, ordinal - writer->ordinal);
    writer->ordinal = ordinal;
    writer->section = ordinal;
    writer->second = series_time_second(writer->detector->clock_ms) - SECOND_BASE;
}

static void end_section(struct writer *writer)
{
    if (writer->section == 0) {
        return;
    }
    put_varint(&writer->value, 0);
    writer->section = 0;
    if (writer->value.size > CHECKPOINT_RECORD_BYTES) {
        close_record(writer);
    }
}

/* A long section goes on in the next record. */
static void begin_second(struct writer *writer, uint64_t ordinal, int64_t second)
{
    if (writer->section != 0 && writer->value.size > CHECKPOINT_RECORD_BYTES) {
        end_section(writer);
    }
    if (writer->section == 0) {
        begin_section(writer, ordinal);
        if (writer->kind == CHECKPOINT_COUNTS) {
            put_number(&writer->value, 0, 1);
        }
    }
    put_varint(&writer->value, 1 + (uint64_t)(second - writer->second));
    writer->second = second;
}

/* --- counts ---- */

static void put_seen(struct buffer *out, int64_t clock_s, int64_t seen_s)
{
    put_varint(out, seen_s == RULE_NEVER ? 0 : 1 + (uint64_t)(clock_s - seen_s));
}

static void put_clocks(struct writing *writing, const struct series *series)
{
    struct buffer *out = &writing->kinds[CHECKPOINT_COUNTS].value;
    struct window_second late;
    window_save_late(series->window, &late);
    unsigned flags = SECTION_CLOCKS | (isnan(series->last_cpu) ? 0 : SECTION_CPU) |
                     (isnan(series->last_memory) ? 0 : SECTION_MEMORY) |
                     (late.records[0] > 0 ? SECTION_LATE : 0);
    put_number(out, flags, 1);
    put_signed(out, writing->detector->clock_ms - series->newest_ms);
    put_seen(out, writing->clock_s, series->last_record_s);
    put_seen(out, writing->clock_s, series->last_gauge_s);
    if ((flags & SECTION_CPU) != 0) {
        put_real(out, series->last_cpu);
    }
    if ((flags & SECTION_MEMORY) != 0) {
        put_real(out, series->last_memory);
    }
    if ((flags & SECTION_LATE) != 0) {
        checkpoint_put_cells(out, &late);
    }
}

/* --- values and ids ---- */

static void put_values(struct writing *writing, const struct series *series, int64_t second)
{
    struct writer *writer = &writing->kinds[CHECKPOINT_VALUES];
    size_t count = window_save_values(series->window, second, writing->runs, &writing->sums);
    if (count == 0) {
        return;
    }
    begin_second(writer, series->ordinal, second);
    struct buffer *out = &writer->value;
    put_varint(out, count);
    uint16_t before = 0;
    for (size_t i = 0; i < count; i++) {
        const struct value_run *run = &writing->runs[i];
        put_varint(out, (uint64_t)(run->bucket - before) << 1 | (run->weight > 1));
        if (run->weight > 1) {
            put_varint(out, run->weight);
        }
        before = run->bucket;
    }
}

static void put_ids_of_second(struct writing *writing, const struct series *series,
                              const struct id_second *ids)
{
    struct writer *writer = &writing->kinds[CHECKPOINT_IDS];
    size_t left = ids->used;
    size_t at = 0;
    while (left > 0) {
        size_t count = left < IDS_AT_ONCE ? left : IDS_AT_ONCE;
        begin_second(writer, series->ordinal, ids->second);
        put_varint(&writer->value, count);
        left -= count;
        for (; count > 0 && at < ids->slot_count; at++) {
            if (ids->slots[at] != 0) {
                uint64_t hash = htole64(ids->slots[at]);
                buffer_append(&writer->value, &hash, sizeof hash);
                count--;
            }
        }
    }
}

static void put_ids(struct writing *writing, const struct series *series)
{
    struct id_second ids = {.second = INT64_MIN};
    while (series->ids != NULL &&
           recent_ids_next_changed(series->ids, ids.second, writing->ids_ahead_too, &ids)) {
        put_ids_of_second(writing, series, &ids);
    }
    end_section(&writing->kinds[CHECKPOINT_IDS]);
}

/* --- a checkpoint ---- */

static void put_series(struct writing *writing, struct series *series)
{
    struct writer *counts = &writing->kinds[CHECKPOINT_COUNTS];
    begin_section(counts, series->ordinal);
    put_clocks(writing, series);
    for (int64_t second = WINDOW_BEGINNING; window_next_changed(series->window, &second);) {
        struct window_second saved;
        window_save_second(series->window, second, &saved);
        begin_second(counts, series->ordinal, second);
        checkpoint_put_cells(&counts->value, &saved);
        put_values(writing, series, second);
    }
    end_section(counts);
    end_section(&writing->kinds[CHECKPOINT_VALUES]);
    window_note_saved(series->window);
    series->is_touched = false;
    series->saved_period = writing->period;
}

static void put_all_series(struct writing *writing)
{
    struct detector *detector = writing->detector;
    int64_t slots = detector->checkpoint.rings[CHECKPOINT_COUNTS].slot_count;
    for (size_t i = 0; i < detector->table.count; i++) {
        struct series *series = detector->table.all[i];
        /* Its clocks are saved again before the record that has them is replaced. */
        bool is_expiring =
            series->saved_period == INT64_MIN || series->saved_period <= writing->period - slots;
        if (series->is_touched || is_expiring || window_has_changed(series->window)) {
            put_series(writing, series);
        }
        if (series->ids != NULL) {
            put_ids(writing, series);
            recent_ids_note_saved(series->ids, writing->clock_s, writing->ids_ahead_too);
        }
    }
}

static uint64_t oldest_needed(const struct checkpoint_ring *ring, int64_t period)
{
    uint64_t oldest = ring->next;
    for (uint32_t i = 0; i < ring->slot_count; i++) {
        const struct checkpoint_slot *slot = &ring->slots[i];
        bool lives = slot->period != INT64_MIN && slot->period > period - (int64_t)ring->slot_count;
        if (lives && slot->parts > 0 && slot->first < oldest) {
            oldest = slot->first;
        }
    }
    return oldest;
}

static void put_head(struct detector *detector, struct buffer *out)
{
    const struct checkpoint *checkpoint = &detector->checkpoint;
    buffer_clear(out);
    put_number(out, CHECKPOINT_VERSION, 1);
    put_number(out, CHECKPOINT_HEAD_KIND, 1);
    put_number(out, checkpoint->chain, 8);
    put_number(out, checkpoint->layout, 8);
    put_number(out, detector->id_seed, 8);
    put_number(out, (uint64_t)checkpoint->period, 8);
    put_number(out, (uint64_t)detector->clock_ms, 8);
    put_number(out, (uint64_t)detector->swept_s, 8);
    put_number(out, (uint64_t)detector->swept_idle_ms, 8);
    put_number(out, (uint64_t)detector->next_offset, 8);
    put_number(out, detector->last_ordinal, 8);
    put_number(out, detector->table.count, 8);
    for (int kind = 0; kind < CHECKPOINT_KINDS; kind++) {
        put_number(out, checkpoint->rings[kind].next, 8);
        put_number(out, oldest_needed(&checkpoint->rings[kind], checkpoint->period), 8);
    }
    checkpoint_seal(out);
    if (!post(detector, CHECKPOINT_HEAD_KEY, out)) {
        abort();
    }
}

static void write_checkpoint(struct writing *writing)
{
    struct detector *detector = writing->detector;
    open_record(&writing->kinds[CHECKPOINT_COUNTS], true);
    put_all_series(writing);
    for (int kind = 0; kind < CHECKPOINT_KINDS; kind++) {
        struct writer *writer = &writing->kinds[kind];
        if (writer->is_open) {
            close_record(writer);
        }
        forget_leftovers(detector, writer->kind);
    }
    put_head(detector, &writing->kinds[CHECKPOINT_COUNTS].value);
}

static bool is_due(const struct detector *detector, bool is_busy)
{
    const struct checkpoint *checkpoint = &detector->checkpoint;
    if (!detector->is_numbered || detector->next_offset < 0 || detector->clock_ms == INT64_MIN) {
        return false;
    }
    int64_t period = checkpoint_period(checkpoint, series_time_second(detector->clock_ms));
    return checkpoint->is_series_gone ||
           (!is_busy && checkpoint->records > 0 &&
            (period > checkpoint->period || checkpoint->records >= MOST_RECORDS));
}

bool detector_wants_commit(const struct detector *detector)
{
    return detector->is_numbered && detector->checkpoint.records >= MOST_RECORDS;
}

void detector_take_checkpoint(struct detector *detector, bool is_busy)
{
    if (!is_due(detector, is_busy)) {
        return;
    }
    struct writing *writing = malloc(sizeof *writing);
    if (writing == NULL) {
        return; /* the next commit tries again */
    }
    struct checkpoint *checkpoint = &detector->checkpoint;
    int64_t refreshed = checkpoint->rings[CHECKPOINT_IDS].slot_count - 1;
    int64_t before = checkpoint->period;
    writing->detector = detector;
    writing->clock_s = series_time_second(detector->clock_ms);
    writing->period = checkpoint_period(checkpoint, writing->clock_s);
    writing->ids_ahead_too = before == INT64_MIN || writing->period / refreshed != before / refreshed;
    for (int kind = 0; kind < CHECKPOINT_KINDS; kind++) {
        writing->kinds[kind] = (struct writer){.detector = detector, .kind = (enum checkpoint_kind)kind};
        buffer_init(&writing->kinds[kind].value, 0);
    }
    checkpoint->period = writing->period;
    write_checkpoint(writing);
    checkpoint->clock_s = writing->clock_s;
    checkpoint->records = 0;
    checkpoint->is_series_gone = false;
    for (int kind = 0; kind < CHECKPOINT_KINDS; kind++) {
        buffer_free(&writing->kinds[kind].value);
    }
    free(writing);
}
