#include "window/second_values.h"

#include <string.h>

#define WEIGHT_BIT   0x8000u
#define WEIGHT_SHIFT 15
#define MAX_WORDS    6 /* of one entry: a code and five weight words, 75 bits */
#define FIRST_JOIN   512
#define BLOCK_WORDS  29
#define FEW_WORDS    64 /* sorted by insertion; more are put into a histogram first */

struct value_block {
    uint32_t previous;
    uint16_t used;
    uint16_t words[BLOCK_WORDS];
};

_Static_assert((HISTOGRAM_BUCKETS * 2 + 1) * MAX_WORDS <= UINT16_MAX, "words are counted in 16 bits");
_Static_assert(sizeof(struct value_block) == BLOCK_BYTES, "a block of values fills a block of the pool");

static struct value_block *add_block(struct second_values *values, struct block_pool *pool)
{
    uint32_t block = block_pool_take(pool, 0);
    if (block == 0) {
        return NULL;
    }
    struct value_block *at = block_pool_at(pool, block);
    at->previous = values->last;
    at->used = 0;
    values->last = block;
    return at;
}

/* The code and its weight words; returns how many. */
static uint16_t encode_entry(uint16_t words[MAX_WORDS], uint16_t bucket, uint64_t weight)
{
    uint16_t count = 0;
    words[count++] = bucket;
    if (weight == 1) {
        return count;
    }
    int shift = 0;
    while (shift + WEIGHT_SHIFT < 64 && weight >> (shift + WEIGHT_SHIFT) != 0) {
        shift += WEIGHT_SHIFT;
    }
    for (; shift >= 0; shift -= WEIGHT_SHIFT) {
        words[count++] = (uint16_t)(WEIGHT_BIT | (weight >> shift & (WEIGHT_BIT - 1)));
    }
    return count;
}

static bool append_entry(struct second_values *values, struct block_pool *pool, uint16_t bucket,
                         uint64_t weight)
{
    uint16_t words[MAX_WORDS];
    uint16_t count = encode_entry(words, bucket, weight);
    struct value_block *block = values->last == 0 ? NULL : block_pool_at(pool, values->last);
    if (block == NULL || block->used + count > BLOCK_WORDS) {
        block = add_block(values, pool);
        if (block == NULL) {
            return false;
        }
    }
    for (uint16_t i = 0; i < count; i++) {
        block->words[block->used++] = words[i];
    }
    values->words += count;
    return true;
}

static bool join_equal_codes(struct second_values *values, struct block_pool *pool)
{
    struct histogram sums;
    histogram_clear(&sums);
    second_values_read(values, pool, &sums);
    second_values_clear(values, pool); /* so that the blocks are there for what follows */
    bool whole = true;
    for (uint32_t bucket = 0; bucket < HISTOGRAM_BUCKETS && whole; bucket++) {
        whole = sums.counts[bucket] == 0 || append_entry(values, pool, (uint16_t)bucket, sums.counts[bucket]);
    }
    values->join_at = (uint16_t)(values->words * 2 < FIRST_JOIN ? FIRST_JOIN : values->words * 2);
    return whole;
}

bool second_values_add(struct second_values *values, struct block_pool *pool, uint16_t bucket,
                       uint64_t weight)
{
    if (values->join_at == 0) {
        values->join_at = FIRST_JOIN;
    }
    if (values->words >= values->join_at && !join_equal_codes(values, pool)) {
        return false;
    }
    return append_entry(values, pool, bucket, weight);
}

void second_values_clear(struct second_values *values, struct block_pool *pool)
{
    while (values->last != 0) {
        uint32_t block = values->last;
        values->last = ((const struct value_block *)block_pool_at(pool, block))->previous;
        block_pool_give_back(pool, block, 0);
    }
    *values = (struct second_values){0};
}

/* The entry at `at`; returns where the next one is. */
static uint16_t decode_entry(const struct value_block *block, uint16_t at, struct value_run *run)
{
    *run = (struct value_run){.bucket = block->words[at++]};
    while (at < block->used && (block->words[at] & WEIGHT_BIT) != 0) {
        run->weight = run->weight << WEIGHT_SHIFT | (block->words[at++] & (WEIGHT_BIT - 1));
    }
    run->weight += run->weight == 0;
    return at;
}

static void read_block(const struct value_block *block, struct histogram *into)
{
    struct value_run run;
    for (uint16_t at = 0; at < block->used;) {
        at = decode_entry(block, at, &run);
        histogram_add(into, run.bucket, run.weight);
    }
}

void second_values_read(const struct second_values *values, const struct block_pool *pool,
                        struct histogram *into)
{
    for (uint32_t block = values->last; block != 0;) {
        const struct value_block *at = block_pool_at(pool, block);
        read_block(at, into);
        block = at->previous;
    }
}

/* Into the ascending list, joined with its equal if that is there. */
static size_t insert_run(struct value_run *runs, size_t count, struct value_run run)
{
    size_t at = count;
    while (at > 0 && runs[at - 1].bucket > run.bucket) {
        at--;
    }
    if (at > 0 && runs[at - 1].bucket == run.bucket) {
        runs[at - 1].weight += run.weight;
        return count;
    }
    memmove(&runs[at + 1], &runs[at], (count - at) * sizeof *runs);
    runs[at] = run;
    return count + 1;
}

size_t second_values_list(const struct second_values *values, const struct block_pool *pool,
                          struct value_run *runs, struct histogram *sums)
{
    size_t count = 0;
    if (values->words > FEW_WORDS) {
        histogram_clear(sums);
        second_values_read(values, pool, sums);
        for (uint32_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
            if (sums->counts[bucket] > 0) {
                runs[count++] = (struct value_run){(uint16_t)bucket, sums->counts[bucket]};
            }
        }
        return count;
    }
    for (uint32_t block = values->last; block != 0;) {
        const struct value_block *in = block_pool_at(pool, block);
        struct value_run run;
        for (uint16_t at = 0; at < in->used;) {
            at = decode_entry(in, at, &run);
            count = insert_run(runs, count, run);
        }
        block = in->previous;
    }
    return count;
}
