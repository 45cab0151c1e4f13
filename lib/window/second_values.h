/* lib/window/second_values: the values of one second as bucket codes, two bytes each, in a chain of blocks.
 *
 *   block, 64 bytes   previous block (32 bits) · words used (16 bits) · 29 words
 *   code              0ccccccccccccccc   one value in bucket c
 *   code, weight      0ccccccccccccccc 1wwwwwwwwwwwwwww [1wwwwwwwwwwwwwww …]   w values, 15 bits a word, high
 *                     words first; never split between blocks
 *
 * When the chain has grown to twice what it was after the last time, equal codes are joined, so a busy second
 * costs its distinct buckets and not its events. Appending: O(1) amortised, one cache line. The blocks belong
 * to the pool; a second that ends gives them back. One thread at a time. */
#ifndef OBS_WINDOW_SECOND_VALUES_H
#define OBS_WINDOW_SECOND_VALUES_H

#include "window/block_pool.h"
#include "window/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct second_values { /* all zero: empty */
    uint32_t last;     /* block; 0: none */
    uint16_t words;
    uint16_t join_at; /* join equal codes when words reach this; 0: not decided yet */
};

/* False: no memory; the value is not in the list. weight >= 1. */
bool second_values_add(struct second_values *values, struct block_pool *pool, uint16_t bucket,
                       uint64_t weight);
void second_values_clear(struct second_values *values, struct block_pool *pool);
/* So many values in one bucket. */
struct value_run {
    uint16_t bucket;
    uint64_t weight;
};
/* The same as runs of ascending buckets, HISTOGRAM_BUCKETS at most; returns how many. sums: scratch memory.
 */
size_t second_values_list(const struct second_values *values, const struct block_pool *pool,
                          struct value_run *runs, struct histogram *sums);
void second_values_read(const struct second_values *values, const struct block_pool *pool,
                        struct histogram *into);
static inline void second_values_prefetch(const struct second_values *values, const struct block_pool *pool)
{
    if (values->last != 0) {
        __builtin_prefetch(block_pool_at(pool, values->last), 1);
    }
}

#endif
