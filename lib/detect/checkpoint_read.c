/* Loaded checkpoints are checked as a whole, then put into the series; one fault and none is used. */
#include "detect/detector_private.h"
#include "detect/packing.h"

#include "window/series_time.h"
#include "window/window_save.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* One pass over the records of a kind. */
enum pass { PASS_CHECK, PASS_CLOCKS, PASS_SECONDS };

struct reading {
    struct detector *detector;
    enum pass pass;
    enum checkpoint_kind kind;
    struct reader in;
    int64_t clock_ms, clock_s; /* when the record was written */
    struct series *series;     /* whose section it is; NULL: gone since, or checking */
    size_t guess;              /* sections come in the order of the table */
};

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

/* --- a record's contents ---- */

static struct series *find_series(struct reading *reading, uint64_t ordinal)
{
    const struct series_table *table = &reading->detector->table;
    size_t low = 0;
    size_t high = table->count;
    if (reading->guess < high && table->all[reading->guess]->ordinal == ordinal) {
        return table->all[reading->guess++];
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->all[middle]->ordinal < ordinal) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    reading->guess = low + 1;
    return low < table->count && table->all[low]->ordinal == ordinal ? table->all[low] : NULL;
}

static void take_marks(struct reading *reading)
{
    struct detector *detector = reading->detector;
    uint64_t age;
    while ((age = take_varint(&reading->in)) > 0) {
        int64_t second = reading->clock_s - (int64_t)(age - 1);
        int64_t offset = (int64_t)take_varint(&reading->in);
        if (age - 1 > (uint64_t)detector->close_after_s || offset < 0) {
            reading->in.failed = true;
        }
        if (reading->in.failed) {
            return;
        }
        if (reading->pass == PASS_SECONDS) {
            *detector_replay_mark(detector, second) = (struct replay_mark){second, offset};
        }
    }
}

static void take_cells(struct reader *in, struct window_second *second)
{
    memset(second, 0, sizeof *second);
    uint64_t records = take_varint(in);
    unsigned mask = (records & 1) != 0 ? (unsigned)take_number(in, 1) : 0;
    second->records[0] = records >> 1;
    for (unsigned i = 1; i < WINDOW_CELLS; i++) {
        second->records[i] = (mask & 1u << (i - 1)) != 0 ? take_varint(in) : 0;
    }
    memcpy(second->weights, second->records, sizeof second->weights);
    for (unsigned i = 0; (mask & CELLS_WEIGHTS) != 0 && i < WINDOW_CELLS; i++) {
        second->weights[i] = take_varint(in);
    }
    for (int gauge = 0; (mask & CELLS_GAUGES) != 0 && gauge < WINDOW_GAUGES; gauge++) {
        uint64_t count = take_varint(in);
        uint32_t bits = (uint32_t)take_number(in, 4);
        in->failed |= count > UINT16_MAX;
        second->gauge_counts[gauge] = (uint16_t)count;
        memcpy(&second->gauge_sums[gauge], &bits, sizeof bits);
    }
}

static int64_t take_seen(struct reading *reading)
{
    uint64_t age = take_varint(&reading->in);
    if (age > (uint64_t)EVENT_TIME_MAX_MS) {
        reading->in.failed = true;
        return RULE_NEVER;
    }
    return age == 0 ? RULE_NEVER : reading->clock_s - (int64_t)(age - 1);
}

static void take_clocks(struct reading *reading)
{
    struct reader *in = &reading->in;
    unsigned flags = (unsigned)take_number(in, 1);
    if ((flags & SECTION_CLOCKS) == 0) {
        return;
    }
    int64_t newest_ms = (int64_t)((uint64_t)reading->clock_ms - (uint64_t)take_signed(in));
    int64_t last_record_s = take_seen(reading);
    int64_t last_gauge_s = take_seen(reading);
    double cpu = (flags & SECTION_CPU) != 0 ? take_real(in) : 0;
    double memory = (flags & SECTION_MEMORY) != 0 ? take_real(in) : 0;
    struct window_second late = {0};
    if ((flags & SECTION_LATE) != 0) {
        take_cells(in, &late);
    }
    in->failed = in->failed || newest_ms > reading->clock_ms || newest_ms < -EVENT_TIME_MAX_MS;
    struct series *series = reading->series;
    if (in->failed || series == NULL) {
        return;
    }
    if (reading->pass == PASS_CLOCKS) {
        series->newest_ms = newest_ms;
        series->last_record_s = last_record_s;
        series->last_gauge_s = last_gauge_s;
        series->last_cpu = (flags & SECTION_CPU) != 0 ? cpu : series->last_cpu;
        series->last_memory = (flags & SECTION_MEMORY) != 0 ? memory : series->last_memory;
        series->saved_period = checkpoint_period(&reading->detector->checkpoint, reading->clock_s);
    } else if (reading->pass == PASS_SECONDS) {
        /* Only the last version's step is still the present one; a later step has nothing late. */
        bool is_present = series_time_second(newest_ms) == window_now(series->window);
        window_restore_late(series->window, is_present ? &late : NULL);
    }
}

static void take_values(struct reading *reading, int64_t second)
{
    struct reader *in = &reading->in;
    uint64_t count = take_varint(in);
    uint64_t bucket = 0;
    if (count > HISTOGRAM_BUCKETS) {
        in->failed = true;
        return;
    }
    for (uint64_t i = 0; i < count && !in->failed; i++) {
        uint64_t step = take_varint(in);
        uint64_t weight = (step & 1) != 0 ? take_varint(in) : 1;
        bucket += step >> 1;
        if (bucket >= HISTOGRAM_BUCKETS || step >> 1 >= HISTOGRAM_BUCKETS || weight == 0) {
            in->failed = true;
        } else if (reading->pass == PASS_SECONDS && reading->series != NULL) {
            const struct value_run run = {(uint16_t)bucket, weight};
            in->failed = in->failed || !window_restore_value(reading->series->window, second, run, i == 0);
        }
    }
}

static void take_ids(struct reading *reading, int64_t second)
{
    struct reader *in = &reading->in;
    uint64_t count = take_varint(in);
    if (count > in->left / 8) {
        in->failed = true;
        return;
    }
    struct recent_ids *ids =
        reading->pass == PASS_SECONDS && reading->series != NULL ? reading->series->ids : NULL;
    for (uint64_t i = 0; ids != NULL && i < count; i++) {
        uint64_t hash;
        memcpy(&hash, in->at + 8 * i, sizeof hash);
        (void)recent_ids_check(ids, second, le64toh(hash));
    }
    in->at += 8 * count;
    in->left -= 8 * count;
}

static void take_second(struct reading *reading, int64_t second)
{
    if (reading->kind == CHECKPOINT_VALUES) {
        take_values(reading, second);
    } else if (reading->kind == CHECKPOINT_IDS) {
        take_ids(reading, second);
    } else {
        struct window_second saved;
        take_cells(&reading->in, &saved);
        saved.second = second;
        if (reading->pass == PASS_SECONDS && reading->series != NULL && !reading->in.failed) {
            reading->in.failed = !window_restore_second(reading->series->window, &saved);
        }
    }
}

static void take_section(struct reading *reading)
{
    struct reader *in = &reading->in;
    int64_t second = reading->clock_s - SECOND_BASE;
    int64_t last = reading->clock_s + SECOND_BASE;
    uint64_t step;
    if (reading->kind == CHECKPOINT_COUNTS) {
        take_clocks(reading);
    }
    while ((step = take_varint(in)) > 0 && !in->failed) {
        if (step - 1 > (uint64_t)(last - second)) {
            in->failed = true;
            return;
        }
        second += (int64_t)(step - 1);
        take_second(reading, second);
    }
}

/* False: not as it was written. */
static bool read_record(struct reading *reading, const struct checkpoint_loaded *record)
{
    reading->kind = (enum checkpoint_kind)record->kind;
    (void)checkpoint_unseal(reading->detector->checkpoint.loaded_bytes.data + record->value_at,
                            record->value_bytes, &reading->in);
    struct reader *in = &reading->in;
    (void)take_number(in, 1); /* the kind is known, so are chain, number and period */
    (void)take_number(in, 8);
    (void)take_number(in, 8);
    (void)take_number(in, 8);
    reading->clock_ms = (int64_t)take_number(in, 8);
    reading->clock_s = series_time_second(reading->clock_ms);
    reading->guess = 0;
    if (reading->clock_ms < -EVENT_TIME_MAX_MS || reading->clock_ms > EVENT_TIME_MAX_MS) {
        return false;
    }
    if (reading->kind == CHECKPOINT_COUNTS) {
        take_marks(reading);
    }
    uint64_t ordinal = 0;
    while (in->left > 0 && !in->failed) {
        ordinal += take_varint(in);
        reading->series = reading->pass == PASS_CHECK ? NULL : find_series(reading, ordinal);
        take_section(reading);
    }
    return !in->failed;
}

static bool read_records(struct detector *detector, enum pass pass)
{
    struct reading reading = {.detector = detector, .pass = pass};
    const struct checkpoint *checkpoint = &detector->checkpoint;
    for (size_t i = 0; i < checkpoint->loaded_count; i++) {
        const struct checkpoint_loaded *record = &checkpoint->loaded[i];
        bool wanted = record->kind >= 0 && (pass != PASS_CLOCKS || record->kind == CHECKPOINT_COUNTS);
        if (wanted && !read_record(&reading, record)) {
            return false;
        }
    }
    return true;
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
    if (!read_records(detector, PASS_CLOCKS) || !place_series(detector) ||
        !read_records(detector, PASS_SECONDS)) {
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
    if (!has_ordinals(detector, head)) {
        return "series that it has are missing";
    }
    return read_records(detector, PASS_CHECK) ? NULL : "a record of it makes no sense";
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
            fault = "it doesn't fit the series";
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
