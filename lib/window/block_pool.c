#include "window/block_pool.h"

#include <stdlib.h>
#include <string.h>

#define SLAB_BYTES ((size_t)BLOCK_BYTES * BLOCK_SLAB_BLOCKS)
#define MAX_SLABS  (UINT32_MAX / BLOCK_SLAB_BLOCKS)

void block_pool_init(struct block_pool *pool)
{
    *pool = (struct block_pool){0};
}

void block_pool_deinit(struct block_pool *pool)
{
    for (uint32_t i = 0; i < pool->slab_count; i++) {
        if (!pool->slabs[i].is_continued) {
            free(pool->slabs[i].memory);
        }
    }
    free(pool->slabs);
    block_pool_init(pool);
}

static bool make_room(struct block_pool *pool, uint32_t slabs)
{
    if (slabs > MAX_SLABS - pool->slab_count) {
        return false;
    }
    if (pool->slab_count + slabs > pool->slab_capacity) {
        uint32_t capacity = pool->slab_capacity * 2 + slabs;
        struct block_slab *larger = realloc(pool->slabs, capacity * sizeof *larger);
        if (larger == NULL) {
            return false;
        }
        pool->slabs = larger;
        pool->slab_capacity = capacity;
    }
    return true;
}

/* One piece of memory of so many slabs; the handle of its first block, 0: no memory. */
static uint32_t add_slabs(struct block_pool *pool, uint32_t slabs)
{
    if (!make_room(pool, slabs)) {
        return 0;
    }
    unsigned char *memory = aligned_alloc(BLOCK_BYTES, slabs * SLAB_BYTES);
    if (memory == NULL) {
        return 0;
    }
    uint32_t first = pool->slab_count * BLOCK_SLAB_BLOCKS;
    for (uint32_t i = 0; i < slabs; i++) {
        pool->slabs[pool->slab_count++] =
            (struct block_slab){.memory = memory + i * SLAB_BYTES, .is_continued = i > 0};
    }
    pool->memory_bytes += slabs * SLAB_BYTES;
    return first;
}

/* What the present slab has left, as free blocks, so that nothing is lost. */
static void give_back_rest(struct block_pool *pool)
{
    for (uint32_t size_class = BLOCK_CLASSES; size_class-- > 0;) {
        while (pool->end - pool->next >= UINT32_C(1) << size_class) {
            block_pool_give_back(pool, pool->next, size_class);
            pool->next += UINT32_C(1) << size_class;
        }
    }
}

static bool begin_slab(struct block_pool *pool)
{
    give_back_rest(pool);
    uint32_t before = pool->slab_count;
    uint32_t first = add_slabs(pool, 1);
    if (pool->slab_count == before) {
        return false;
    }
    pool->next = first == 0 ? 1 : first; /* handle 0 means none */
    pool->end = first + BLOCK_SLAB_BLOCKS;
    return true;
}

uint32_t block_pool_take(struct block_pool *pool, uint32_t size_class)
{
    uint32_t block = pool->free[size_class];
    if (block != 0) {
        memcpy(&pool->free[size_class], block_pool_at(pool, block), sizeof block);
        return block;
    }
    uint32_t blocks = UINT32_C(1) << size_class;
    if (blocks >= BLOCK_SLAB_BLOCKS) {
        if (pool->slab_count == 0 && !begin_slab(pool)) {
            return 0;
        }
        return add_slabs(pool, blocks / BLOCK_SLAB_BLOCKS);
    }
    if (pool->end - pool->next < blocks && !begin_slab(pool)) {
        return 0;
    }
    if (pool->end - pool->next < blocks) { /* half a slab, and the very first one lacks its first block */
        return begin_slab(pool) ? block_pool_take(pool, size_class) : 0;
    }
    block = pool->next;
    pool->next += blocks;
    return block;
}

void block_pool_give_back(struct block_pool *pool, uint32_t block, uint32_t size_class)
{
    memcpy(block_pool_at(pool, block), &pool->free[size_class], sizeof block);
    pool->free[size_class] = block;
}

size_t block_pool_memory(const struct block_pool *pool)
{
    return pool->memory_bytes + pool->slab_capacity * sizeof *pool->slabs;
}
