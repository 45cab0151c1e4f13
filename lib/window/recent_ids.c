#include "window/recent_ids.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 16

struct id_set {
    int64_t second;  /* which second the slot holds now */
    uint64_t *slots; /* 0: free */
    uint32_t slot_count, used;
};

struct recent_ids {
    uint32_t seconds;
    int64_t newest;
    struct id_set sets[];
};

struct recent_ids *recent_ids_create(uint32_t seconds)
{
    struct recent_ids *ids = calloc(1, sizeof *ids + seconds * sizeof ids->sets[0]);
    if (ids != NULL) {
        ids->seconds = seconds;
        ids->newest = INT64_MIN;
        for (uint32_t i = 0; i < seconds; i++) {
            ids->sets[i].second = INT64_MIN;
        }
    }
    return ids;
}

void recent_ids_destroy(struct recent_ids *ids)
{
    for (uint32_t i = 0; ids != NULL && i < ids->seconds; i++) {
        free(ids->sets[i].slots);
    }
    free(ids);
}

/* The slot that has the hash, or the free one where it belongs. */
static uint64_t *find_slot(const struct id_set *set, uint64_t hash)
{
    uint32_t mask = set->slot_count - 1;
    uint32_t at = (uint32_t)hash & mask;
    while (set->slots[at] != 0 && set->slots[at] != hash) {
        at = (at + 1) & mask;
    }
    return &set->slots[at];
}

static bool grow(struct id_set *set)
{
    struct id_set larger = {.second = set->second,
                            .slot_count = set->slot_count == 0 ? FIRST_SLOTS : set->slot_count * 2};
    larger.slots = calloc(larger.slot_count, sizeof *larger.slots);
    if (larger.slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < set->slot_count; i++) {
        if (set->slots[i] != 0) {
            *find_slot(&larger, set->slots[i]) = set->slots[i];
            larger.used++;
        }
    }
    free(set->slots);
    *set = larger;
    return true;
}

bool recent_ids_check(struct recent_ids *ids, int64_t second, uint64_t hash)
{
    if (ids->newest != INT64_MIN && second <= ids->newest - ids->seconds) {
        return false;
    }
    if (second > ids->newest) {
        ids->newest = second;
    }
    int64_t index = second % ids->seconds;
    struct id_set *set = &ids->sets[index < 0 ? index + ids->seconds : index];
    if (set->second != second) { /* an older second's: begin anew in its memory */
        if (set->used > 0) {
            memset(set->slots, 0, set->slot_count * sizeof *set->slots);
        }
        set->second = second;
        set->used = 0;
    }
    if (set->used * 8 >= set->slot_count * 7 && !grow(set)) {
        return false;
    }
    hash += hash == 0; /* 0 marks a free slot */
    uint64_t *slot = find_slot(set, hash);
    if (*slot == hash) {
        return true;
    }
    *slot = hash;
    set->used++;
    return false;
}

size_t recent_ids_memory(const struct recent_ids *ids)
{
    size_t bytes = sizeof *ids + ids->seconds * sizeof ids->sets[0];
    for (uint32_t i = 0; i < ids->seconds; i++) {
        bytes += ids->sets[i].slot_count * sizeof ids->sets[i].slots[0];
    }
    return bytes;
}
