/* lib/window/second_values: the values of one second as bucket codes, two bytes each.
 *
 *   code          0ccccccccccccccc   one value in bucket c
 *   code, weight  0ccccccccccccccc 1wwwwwwwwwwwwwww [1wwwwwwwwwwwwwww …]   w values, 15 bits a word, high
 * words first
 *
 * When the list has grown to twice what it was after the last time, equal codes are joined, so a busy second
 * costs its distinct buckets and not its events. The memory is kept for the next second that uses the slot.
 * Appending: O(1) amortised. One thread at a time. */
#ifndef OBS_WINDOW_SECOND_VALUES_H
#define OBS_WINDOW_SECOND_VALUES_H

#include "window/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct second_values {
    uint16_t *words;
    uint32_t count, capacity;
    uint32_t join_at; /* join equal codes when count reaches this */
};

/* False: no memory; the value is not in the list. weight >= 1. */
bool second_values_add(struct second_values *values, uint16_t bucket, uint32_t weight);
void second_values_clear(struct second_values *values);
void second_values_free(struct second_values *values);
void second_values_read(const struct second_values *values, struct histogram *into);
size_t second_values_memory(const struct second_values *values);

#endif
