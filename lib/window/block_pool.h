/* lib/window/block_pool: small blocks of memory for the windows of one detector, handed back and used again
 * without malloc.
 *
 * A block has 64 << size_class bytes and is named by a 32-bit handle; 0 is none. Blocks are cut from slabs of
 * 64 KiB on cache-line borders (larger ones get slabs of their own) and kept by class when they come back:
 * what one series no longer needs the next one takes, still warm. Slabs are freed with the pool alone, so a
 * pool is as large as its busiest moment was. One thread at a time. */
#ifndef OBS_WINDOW_BLOCK_POOL_H
#define OBS_WINDOW_BLOCK_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_BYTES       64 /* of class 0 */
#define BLOCK_SLAB_BLOCKS 1024
#define BLOCK_CLASSES     24

struct block_slab {
    unsigned char *memory;
    bool is_continued; /* lies behind the slab before it, in one piece of memory */
};

struct block_pool {
    struct block_slab *slabs;
    uint32_t slab_count, slab_capacity;
    uint32_t next, end;           /* handles of the present slab that were never used */
    uint32_t free[BLOCK_CLASSES]; /* the first free block of each class; its first four bytes name the next */
    size_t memory_bytes;
};

void block_pool_init(struct block_pool *pool); /* takes no memory yet */
void block_pool_deinit(struct block_pool *pool);

/* 0: no memory. What is in the block is left from its last use. */
uint32_t block_pool_take(struct block_pool *pool, uint32_t size_class);
void block_pool_give_back(struct block_pool *pool, uint32_t block, uint32_t size_class);
size_t block_pool_memory(const struct block_pool *pool);

/* Where the block lies: fixed until it is given back. */
static inline void *block_pool_at(const struct block_pool *pool, uint32_t block)
{
    return pool->slabs[block / BLOCK_SLAB_BLOCKS].memory + (size_t)(block % BLOCK_SLAB_BLOCKS) * BLOCK_BYTES;
}

#endif
