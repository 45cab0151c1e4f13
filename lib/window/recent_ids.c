#include "window/recent_ids.h"

#include <stdlib.h>
#include <string.h>

#define SLOT_BYTES  8
#define FIRST_CLASS 0  /* 8 slots */
#define LAST_CLASS  20 /* 8 M slots, 64 MiB: one second of one series */

struct id_set {
    uint32_t block; /* of the pool: a table of hashes, 0 a free slot; 0: no table yet */
    uint32_t used : 24;
    uint32_t size_class : 5;
    uint32_t is_changed : 1; /* since it was last saved */
    uint32_t is_ahead : 1;   /* was ahead of the clock then */
};

struct recent_ids {
    struct block_pool *pool;
    int64_t now;
    uint32_t past, future;
    uint32_t ring_length; /* past + 1 + future; a second has the slot: second mod ring_length */
    struct id_set sets[];
};

struct recent_ids *recent_ids_create(struct block_pool *pool, int64_t now, uint32_t past_seconds,
                                     uint32_t future_seconds)
{
    uint32_t ring_length = past_seconds + 1 + future_seconds;
    struct recent_ids *ids = calloc(1, sizeof *ids + ring_length * sizeof ids->sets[0]);
    if (ids != NULL) {
        ids->pool = pool;
        ids->now = now;
        ids->past = past_seconds;
        ids->future = future_seconds;
        ids->ring_length = ring_length;
    }
    return ids;
}

static void clear_set(struct recent_ids *ids, struct id_set *set)
{
    if (set->block != 0) {
        block_pool_give_back(ids->pool, set->block, set->size_class);
        *set = (struct id_set){0};
    }
}

void recent_ids_destroy(struct recent_ids *ids)
{
    for (uint32_t i = 0; ids != NULL && i < ids->ring_length; i++) {
        clear_set(ids, &ids->sets[i]);
    }
    free(ids);
}

static uint32_t slot_of(const struct recent_ids *ids, int64_t second)
{
    int64_t slot = second % ids->ring_length;
    return (uint32_t)(slot < 0 ? slot + ids->ring_length : slot);
}

void recent_ids_advance(struct recent_ids *ids, int64_t now)
{
    int64_t forgotten = now - ids->now;
    if (forgotten > ids->ring_length) {
        forgotten = ids->ring_length;
    }
    for (int64_t i = 0; i < forgotten; i++) {
        clear_set(ids, &ids->sets[slot_of(ids, ids->now - ids->past + i)]);
    }
    ids->now = now;
}

static uint32_t slots_in(const struct id_set *set)
{
    return (uint32_t)(BLOCK_BYTES / SLOT_BYTES) << set->size_class;
}

/* The slot that has the hash, or the free one where it belongs. */
static uint64_t *find_slot(uint64_t *slots, uint32_t slot_count, uint64_t hash)
{
    uint32_t mask = slot_count - 1;
    uint32_t at = (uint32_t)hash & mask;
    while (slots[at] != 0 && slots[at] != hash) {
        at = (at + 1) & mask;
    }
    return &slots[at];
}

static bool grow(struct recent_ids *ids, struct id_set *set)
{
    struct id_set larger = {.used = set->used,
                            .is_changed = set->is_changed,
                            .is_ahead = set->is_ahead,
                            .size_class = set->block == 0 ? FIRST_CLASS : (set->size_class + 1u) & 31u};
    if (larger.size_class > LAST_CLASS) {
        return false;
    }
    larger.block = block_pool_take(ids->pool, larger.size_class);
    if (larger.block == 0) {
        return false;
    }
    uint64_t *slots = block_pool_at(ids->pool, larger.block);
    memset(slots, 0, (size_t)slots_in(&larger) * SLOT_BYTES);
    if (set->block != 0) {
        const uint64_t *old = block_pool_at(ids->pool, set->block);
        for (uint32_t i = 0; i < slots_in(set); i++) {
            if (old[i] != 0) {
                *find_slot(slots, slots_in(&larger), old[i]) = old[i];
            }
        }
        block_pool_give_back(ids->pool, set->block, set->size_class);
    }
    *set = larger;
    return true;
}

static bool is_remembered(const struct recent_ids *ids, int64_t second)
{
    return second >= ids->now - ids->past && second <= ids->now + ids->future;
}

bool recent_ids_check(struct recent_ids *ids, int64_t second, uint64_t hash)
{
    if (!is_remembered(ids, second)) {
        return false;
    }
    struct id_set *set = &ids->sets[slot_of(ids, second)];
    bool is_full = set->block == 0 || set->used * UINT64_C(16) >= slots_in(set) * UINT64_C(15);
    if (is_full && !grow(ids, set)) {
        return false;
    }
    hash += hash == 0; /* 0 marks a free slot */
    uint64_t *slot = find_slot(block_pool_at(ids->pool, set->block), slots_in(set), hash);
    if (*slot == hash) {
        return true;
    }
    *slot = hash;
    set->used = (set->used + 1u) & ((1u << 24) - 1);
    set->is_changed = 1;
    return false;
}

void recent_ids_prefetch(const struct recent_ids *ids, int64_t second)
{
    __builtin_prefetch(ids);
    /* Where the set would lie needs the ring's length, which is the same line. */
    (void)second;
}

void recent_ids_prefetch_slot(const struct recent_ids *ids, int64_t second, uint64_t hash)
{
    if (!is_remembered(ids, second)) {
        return;
    }
    const struct id_set *set = &ids->sets[slot_of(ids, second)];
    if (set->block != 0) {
        const uint64_t *slots = block_pool_at(ids->pool, set->block);
        __builtin_prefetch(&slots[(uint32_t)hash & (slots_in(set) - 1)], 1);
    }
}

bool recent_ids_next_changed(const struct recent_ids *ids, int64_t after, bool ahead_too,
                             struct id_second *out)
{
    int64_t first = ids->now - ids->past;
    for (int64_t second = after < first ? first : after + 1; second <= ids->now + ids->future; second++) {
        const struct id_set *set = &ids->sets[slot_of(ids, second)];
        if (set->block != 0 && (set->is_changed || (ahead_too && set->is_ahead))) {
            *out = (struct id_second){.second = second,
                                      .slots = block_pool_at(ids->pool, set->block),
                                      .slot_count = slots_in(set),
                                      .used = set->used};
            return true;
        }
    }
    return false;
}

void recent_ids_note_saved(struct recent_ids *ids, int64_t clock_s, bool ahead_too)
{
    for (int64_t second = ids->now - ids->past; second <= ids->now + ids->future; second++) {
        struct id_set *set = &ids->sets[slot_of(ids, second)];
        if (set->is_changed || (ahead_too && set->is_ahead)) {
            set->is_changed = 0;
            set->is_ahead = second > clock_s;
        }
    }
}

size_t recent_ids_memory(const struct recent_ids *ids)
{
    return sizeof *ids + ids->ring_length * sizeof ids->sets[0];
}
