#include "detect/checkpoint_contents.h"

#include "buffer/packing.h"
#include "detect/checkpoint_cells.h"
#include "detect/detector_private.h"

#include "window/series_time.h"
#include "window/window_save.h"

#include <string.h>

struct reading {
    struct detector *detector;
    enum checkpoint_pass pass;
    enum checkpoint_kind kind;
    struct reader in;
    int64_t clock_ms, clock_s; /* when the record was written */
    struct series *series;     /* whose section it is; NULL: gone since */
    size_t guess;              /* sections come in the order of the table */
};

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
        if (reading->pass == CHECKPOINT_PASS_SECONDS) {
            *detector_replay_mark(detector, second) = (struct replay_mark){second, offset};
        }
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
        checkpoint_take_cells(in, &late);
    }
    in->failed = in->failed || newest_ms > reading->clock_ms || newest_ms < -EVENT_TIME_MAX_MS;
    struct series *series = reading->series;
    if (in->failed || series == NULL) {
        return;
    }
    if (reading->pass == CHECKPOINT_PASS_CLOCKS) {
        series->newest_ms = newest_ms;
        series->last_record_s = last_record_s;
        series->last_gauge_s = last_gauge_s;
        series->last_cpu = (flags & SECTION_CPU) != 0 ? cpu : series->last_cpu;
        series->last_memory = (flags & SECTION_MEMORY) != 0 ? memory : series->last_memory;
        series->saved_period = checkpoint_period(&reading->detector->checkpoint, reading->clock_s);
    } else if (reading->pass == CHECKPOINT_PASS_SECONDS) {
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
        } else if (reading->pass == CHECKPOINT_PASS_SECONDS && reading->series != NULL) {
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
        reading->pass == CHECKPOINT_PASS_SECONDS && reading->series != NULL ? reading->series->ids : NULL;
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
        checkpoint_take_cells(&reading->in, &saved);
        saved.second = second;
        if (reading->pass == CHECKPOINT_PASS_SECONDS && reading->series != NULL && !reading->in.failed) {
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
        reading->series = find_series(reading, ordinal);
        take_section(reading);
    }
    return !in->failed;
}

bool checkpoint_read_records(struct detector *detector, enum checkpoint_pass pass)
{
    struct reading reading = {.detector = detector, .pass = pass};
    const struct checkpoint *checkpoint = &detector->checkpoint;
    for (size_t i = 0; i < checkpoint->loaded_count; i++) {
        const struct checkpoint_loaded *record = &checkpoint->loaded[i];
        bool wanted =
            record->kind >= 0 && (pass != CHECKPOINT_PASS_CLOCKS || record->kind == CHECKPOINT_COUNTS);
        if (wanted && !read_record(&reading, record)) {
            return false;
        }
    }
    return true;
}
