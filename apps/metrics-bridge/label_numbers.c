#include "label_numbers.h"

#include "buffer/buffer.h"
#include "buffer/packing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VERSION       2
#define FIRST_VERSION 1
#define FLAG_REVEALED 1
#define LARGEST_STEP  65536 /* between indexes, whatever the schema */

static const size_t value_counts[COUNTER_KINDS] = {COUNTER_VALUES, 5, 1};

void label_numbers_init(struct label_numbers *numbers, enum counter_kind kind)
{
    *numbers = (struct label_numbers){.cpu = NAN, .memory = NAN, .is_revealed = kind != COUNTER_CLASSES};
    native_histogram_init(&numbers->native);
}

void label_numbers_deinit(struct label_numbers *numbers)
{
    label_numbers_forget_exemplars(numbers);
    native_histogram_deinit(&numbers->native);
}

/* --- counting ---- */

static size_t bucket_of(double duration_s)
{
    size_t bucket = 0;
    while (bucket < COUNTER_BUCKETS && duration_s > counter_bucket_bounds[bucket]) {
        bucket++;
    }
    return bucket;
}

static size_t bits(unsigned mask)
{
    return (size_t)__builtin_popcount(mask);
}

/* The place of that bucket's exemplar, made when there is none. NULL: no memory. */
static struct metric_exemplar *exemplar_of(struct label_numbers *numbers, size_t bucket)
{
    unsigned mask = numbers->exemplar_buckets;
    size_t place = bits(mask & ((1U << bucket) - 1));
    if ((mask >> bucket & 1) == 0) {
        size_t count = bits(mask);
        struct metric_exemplar *exemplars =
            realloc(numbers->exemplars, (count + 1) * sizeof *numbers->exemplars);
        if (exemplars == NULL) {
            return NULL;
        }
        memmove(exemplars + place + 1, exemplars + place, (count - place) * sizeof *exemplars);
        numbers->exemplars = exemplars;
        numbers->exemplar_buckets = (uint16_t)(mask | 1U << bucket);
    }
    return &numbers->exemplars[place];
}

static unsigned char hex_value(char digit)
{
    return (unsigned char)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static bool note_exemplar(struct label_numbers *numbers, size_t bucket, double value,
                          struct event_text trace_id, int64_t time_ms)
{
    if (trace_id.size != 2 * METRIC_TRACE_BYTES) {
        return true;
    }
    struct metric_exemplar *exemplar = exemplar_of(numbers, bucket);
    if (exemplar == NULL) {
        return false;
    }
    for (size_t i = 0; i < METRIC_TRACE_BYTES; i++) {
        exemplar->trace_id[i] =
            (unsigned char)(hex_value(trace_id.data[2 * i]) << 4 | hex_value(trace_id.data[2 * i + 1]));
    }
    exemplar->value = value;
    exemplar->time_ms = time_ms;
    return true;
}

bool label_numbers_count(struct label_numbers *numbers, double duration_s, uint64_t count,
                         struct event_text trace_id, int64_t time_ms)
{
    size_t bucket = bucket_of(duration_s);
    if (!native_histogram_observe(&numbers->native, duration_s, count)) {
        return false;
    }
    numbers->values[bucket] += count;
    numbers->sum += duration_s * (double)count;
    return note_exemplar(numbers, bucket, duration_s, trace_id, time_ms);
}

bool label_numbers_add(struct label_numbers *numbers, const struct label_numbers *other)
{
    const struct metric_exemplar *from = other->exemplars;
    for (size_t v = 0; v < COUNTER_VALUES; v++) {
        numbers->values[v] += other->values[v];
        if ((other->exemplar_buckets >> v & 1) != 0) {
            bool is_new = (numbers->exemplar_buckets >> v & 1) == 0;
            struct metric_exemplar *exemplar = exemplar_of(numbers, v);
            if (exemplar == NULL) {
                return false;
            }
            *exemplar = is_new || exemplar->time_ms < from->time_ms ? *from : *exemplar;
            from++;
        }
    }
    numbers->sum += other->sum;
    numbers->seen_ms = numbers->seen_ms > other->seen_ms ? numbers->seen_ms : other->seen_ms;
    numbers->is_revealed = numbers->is_revealed || other->is_revealed;
    return native_histogram_add(&numbers->native, &other->native);
}

/* --- packing ---- */

static void write_native(struct buffer *out, const struct native_histogram *native)
{
    int32_t before = 0;
    put_signed(out, native->schema);
    put_varint(out, native->zero_count);
    put_varint(out, native->count);
    for (size_t i = 0; i < native->count; i++) {
        int32_t index = native_bucket_index(native->buckets[i]);
        put_signed(out, (int64_t)index - before);
        put_varint(out, native_bucket_count(native->buckets[i]));
        before = index;
    }
}

static void write_record(struct buffer *out, const struct label_numbers *numbers, enum counter_kind kind)
{
    put_number(out, VERSION, 1);
    put_number(out, numbers->is_revealed ? FLAG_REVEALED : 0, 1);
    put_number(out, (uint64_t)numbers->seen_ms, 8);
    put_real(out, numbers->sum);
    put_number(out, value_counts[kind], 1);
    for (size_t i = 0; i < value_counts[kind]; i++) {
        put_varint(out, numbers->values[i]);
    }
    if (kind == COUNTER_REQUESTS) {
        write_native(out, &numbers->native);
    }
}

/* Where the exemplars of what was packed are; their bits in *mask. */
static const unsigned char *packed_exemplars(const struct packed_numbers *packed, unsigned *mask)
{
    *mask = 0;
    if (packed == NULL) {
        return NULL;
    }
    struct reader reader = {.at = packed->data + packed->record_bytes,
                            .left = packed->bytes - packed->record_bytes};
    *mask = (unsigned)take_number(&reader, 2);
    return reader.at;
}

static void write_exemplars(struct buffer *out, const struct label_numbers *numbers,
                            const struct packed_numbers *before)
{
    unsigned old;
    const unsigned char *old_at = packed_exemplars(before, &old);
    unsigned new = numbers->exemplar_buckets;
    const struct metric_exemplar *new_at = numbers->exemplars;
    put_number(out, old | new, 2);
    for (size_t v = 0; v < COUNTER_VALUES; v++) {
        if ((new >> v & 1) != 0) {
            buffer_append(out, new_at++, sizeof *new_at);
        } else if ((old >> v & 1) != 0) {
            buffer_append(out, old_at, sizeof *new_at);
        }
        if ((old >> v & 1) != 0) {
            old_at += sizeof *new_at;
        }
    }
}

static void write_tail(struct buffer *out, const struct label_numbers *numbers, enum counter_kind kind,
                       const struct packed_numbers *before)
{
    if (kind == COUNTER_REQUESTS) {
        write_exemplars(out, numbers, before);
    } else if (kind == COUNTER_CLASSES) {
        put_real(out, numbers->cpu);
        put_real(out, numbers->memory);
        put_number(out, (uint64_t)numbers->sampled_ms, 8);
    }
}

void label_numbers_forget_exemplars(struct label_numbers *numbers)
{
    free(numbers->exemplars);
    numbers->exemplars = NULL;
    numbers->exemplar_buckets = 0;
}

struct packed_numbers *label_numbers_pack(const struct label_numbers *numbers, enum counter_kind kind,
                                          const struct packed_numbers *before, struct buffer *scratch)
{
    buffer_clear(scratch);
    write_record(scratch, numbers, kind);
    size_t record_bytes = scratch->size;
    write_tail(scratch, numbers, kind, before);
    struct packed_numbers *packed = scratch->failed ? NULL : malloc(sizeof *packed + scratch->size);
    if (packed == NULL) {
        return NULL;
    }
    *packed = (struct packed_numbers){.holders = 1,
                                      .is_revealed = numbers->is_revealed,
                                      .seen_ms = numbers->seen_ms,
                                      .record_bytes = record_bytes,
                                      .bytes = scratch->size};
    memcpy(packed->data, scratch->data, scratch->size);
    return packed;
}

void packed_numbers_drop(struct packed_numbers *packed)
{
    if (packed != NULL && --packed->holders == 0) {
        free(packed);
    }
}

/* --- reading ---- */

/* Buckets in ascending order, so each goes to the end of those before. */
static bool read_native(struct reader *reader, struct native_histogram *native)
{
    int64_t schema = take_signed(reader);
    native->zero_count = take_varint(reader);
    uint64_t count = take_varint(reader);
    int64_t index = 0;
    if (schema < NATIVE_SCHEMA_LEAST || schema > NATIVE_SCHEMA || count > NATIVE_BUCKETS_MOST) {
        reader->failed = true;
        return true;
    }
    native->schema = (int16_t)schema;
    native->count = 0;
    for (uint64_t i = 0; i < count && !reader->failed; i++) {
        int64_t step = take_signed(reader);
        bool is_ascending = (i == 0 || step > 0) && step > -LARGEST_STEP && step < LARGEST_STEP;
        index += is_ascending ? step : 0;
        if (!is_ascending || index > LARGEST_STEP) {
            reader->failed = true;
        } else if (!native_histogram_add_bucket(native, (int32_t)index, take_varint(reader))) {
            return false;
        }
    }
    return true;
}

/* Version 1 knew only how many were up to each bound; past the last one there is none: twice as much. */
static bool make_native(struct label_numbers *numbers)
{
    for (size_t b = 0; b < COUNTER_VALUES; b++) {
        double at = b < COUNTER_BUCKETS ? counter_bucket_bounds[b] : 2 * counter_bucket_bounds[b - 1];
        if (numbers->values[b] > 0 && !native_histogram_observe(&numbers->native, at, numbers->values[b])) {
            return false;
        }
    }
    return true;
}

/* The record, without its tail. False: no memory; damage is in the reader. */
static bool read_record(struct reader *reader, struct label_numbers *numbers, enum counter_kind kind)
{
    bool is_first = take_number(reader, 1) == FIRST_VERSION;
    numbers->is_revealed = (take_number(reader, 1) & FLAG_REVEALED) != 0;
    numbers->seen_ms = (int64_t)take_number(reader, 8);
    numbers->sum = take_real(reader);
    reader->failed = take_number(reader, 1) != value_counts[kind] || reader->failed;
    for (size_t i = 0; i < value_counts[kind]; i++) {
        numbers->values[i] = is_first ? take_number(reader, 8) : take_varint(reader);
    }
    if (kind != COUNTER_REQUESTS || reader->failed) {
        return true;
    }
    return is_first ? make_native(numbers) : read_native(reader, &numbers->native);
}

static bool read_exemplars(struct reader *reader, struct label_numbers *numbers)
{
    unsigned mask = (unsigned)take_number(reader, 2);
    size_t bytes = bits(mask) * sizeof *numbers->exemplars;
    if (mask != numbers->exemplar_buckets) {
        struct metric_exemplar *exemplars = realloc(numbers->exemplars, bytes > 0 ? bytes : 1);
        if (exemplars == NULL) {
            return false;
        }
        numbers->exemplars = exemplars;
        numbers->exemplar_buckets = (uint16_t)mask;
    }
    if (bytes > 0) {
        memcpy(numbers->exemplars, reader->at, bytes);
    }
    return true;
}

bool label_numbers_unpack(struct label_numbers *numbers, enum counter_kind kind,
                          const struct packed_numbers *packed)
{
    struct reader reader = {.at = packed->data, .left = packed->bytes};
    numbers->native.count = 0;
    if (!read_record(&reader, numbers, kind)) {
        return false;
    }
    if (!numbers->is_revealed) {
        memset(numbers->values, 0, sizeof numbers->values);
    }
    if (kind == COUNTER_CLASSES) {
        numbers->cpu = take_real(&reader);
        numbers->memory = take_real(&reader);
        numbers->sampled_ms = (int64_t)take_number(&reader, 8);
    }
    return kind != COUNTER_REQUESTS || read_exemplars(&reader, numbers);
}

/* --- the state ---- */

static int check_version(struct bus_bytes value, const char *what, struct error *error)
{
    const unsigned char *bytes = value.data;
    if (value.size_bytes > 0 && (bytes[0] < FIRST_VERSION || bytes[0] > VERSION)) {
        return error_set(error, -1, "the state of %s has format version %u, this program reads %d and %d",
                         what, bytes[0], FIRST_VERSION, VERSION);
    }
    return 0;
}

static int check_end(const struct reader *reader, struct bus_bytes value, const char *what,
                     struct error *error)
{
    if (reader->failed || reader->left > 0) {
        return error_set(error, -1, "the state of %s is damaged (%zu bytes)", what, value.size_bytes);
    }
    return 0;
}

int label_numbers_read(struct label_numbers *numbers, enum counter_kind kind, struct bus_bytes value,
                       const char *what, struct error *error)
{
    struct reader reader = {.at = value.data, .left = value.size_bytes};
    if (check_version(value, what, error) != 0) {
        return -1;
    }
    if (!read_record(&reader, numbers, kind)) {
        return error_set(error, -1, "no memory for counters");
    }
    return check_end(&reader, value, what, error);
}

void totals_write(struct buffer *value, const uint64_t *totals, size_t count)
{
    buffer_clear(value);
    put_number(value, VERSION, 1);
    for (size_t i = 0; i < count; i++) {
        put_number(value, totals[i], 8);
    }
}

int totals_read(struct bus_bytes value, uint64_t *totals, size_t count, struct error *error)
{
    struct reader reader = {.at = value.data, .left = value.size_bytes};
    if (check_version(value, "the totals", error) != 0) {
        return -1;
    }
    (void)take_number(&reader, 1);
    for (size_t i = 0; i < count; i++) {
        totals[i] = take_number(&reader, 8);
    }
    return check_end(&reader, value, "the totals", error);
}
