#include "window/second_values.h"

#include <stdlib.h>
#include <string.h>

#define WEIGHT_BIT   0x8000u
#define WEIGHT_SHIFT 15
#define MAX_WORDS    8 /* of one entry: a code and seven weight words, enough for any total of a second */
#define FIRST_JOIN   512
#define FIRST_WORDS  16

static bool make_room(struct second_values *values)
{
    if (values->count + MAX_WORDS <= values->capacity) {
        return true;
    }
    uint32_t capacity = values->capacity == 0 ? FIRST_WORDS : values->capacity + values->capacity / 2;
    uint16_t *words = realloc(values->words, capacity * sizeof *words);
    if (words == NULL) {
        return false;
    }
    values->words = words;
    values->capacity = capacity;
    return true;
}

static void append_entry(struct second_values *values, uint16_t bucket, uint64_t weight)
{
    values->words[values->count++] = bucket;
    if (weight == 1) {
        return;
    }
    int shift = 0;
    while (weight >> shift >> WEIGHT_SHIFT != 0) {
        shift += WEIGHT_SHIFT;
    }
    for (; shift >= 0; shift -= WEIGHT_SHIFT) {
        values->words[values->count++] = (uint16_t)(WEIGHT_BIT | (weight >> shift & (WEIGHT_BIT - 1)));
    }
}

static bool join_equal_codes(struct second_values *values)
{
    struct histogram *sums = calloc(1, sizeof *sums);
    if (sums == NULL) {
        return false;
    }
    second_values_read(values, sums);
    values->count = 0;
    bool whole = true;
    for (uint32_t bucket = 0; bucket < HISTOGRAM_BUCKETS && whole; bucket++) {
        if (sums->counts[bucket] > 0) {
            whole = make_room(values);
            if (whole) {
                append_entry(values, (uint16_t)bucket, sums->counts[bucket]);
            }
        }
    }
    free(sums);
    values->join_at = values->count * 2 < FIRST_JOIN ? FIRST_JOIN : values->count * 2;
    return whole;
}

bool second_values_add(struct second_values *values, uint16_t bucket, uint32_t weight)
{
    if (values->count >= values->join_at && values->join_at > 0 && !join_equal_codes(values)) {
        return false;
    }
    if (values->join_at == 0) {
        values->join_at = FIRST_JOIN;
    }
    if (!make_room(values)) {
        return false;
    }
    append_entry(values, bucket, weight);
    return true;
}

void second_values_clear(struct second_values *values)
{
    values->count = 0;
    values->join_at = FIRST_JOIN;
}

void second_values_free(struct second_values *values)
{
    free(values->words);
    *values = (struct second_values){0};
}

void second_values_read(const struct second_values *values, struct histogram *into)
{
    uint32_t at = 0;
    while (at < values->count) {
        uint16_t bucket = values->words[at++];
        uint64_t weight = 0;
        while (at < values->count && (values->words[at] & WEIGHT_BIT) != 0) {
            weight = weight << WEIGHT_SHIFT | (values->words[at++] & (WEIGHT_BIT - 1));
        }
        histogram_add(into, bucket, weight == 0 ? 1 : weight);
    }
}

size_t second_values_memory(const struct second_values *values)
{
    return values->capacity * sizeof *values->words;
}
