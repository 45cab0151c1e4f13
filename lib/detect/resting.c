#include "detect/resting.h"

#include <stdlib.h>

#define FIRST_SLOTS 64

static struct resting_alert *find_slot(const struct resting_table *table, uint64_t fingerprint)
{
    size_t mask = table->slot_count - 1;
    size_t at = fingerprint & mask;
    while (table->slots[at].fingerprint != 0 && table->slots[at].fingerprint != fingerprint) {
        at = (at + 1) & mask;
    }
    return &table->slots[at];
}

void resting_table_free(struct resting_table *table)
{
    free(table->slots);
    *table = (struct resting_table){0};
}

static bool grow(struct resting_table *table)
{
    struct resting_table larger = {.slot_count = table->slot_count == 0 ? FIRST_SLOTS : table->slot_count * 2,
                                   .count = table->count};
    larger.slots = calloc(larger.slot_count, sizeof *larger.slots);
    if (larger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i].fingerprint != 0) {
            *find_slot(&larger, table->slots[i].fingerprint) = table->slots[i];
        }
    }
    free(table->slots);
    *table = larger;
    return true;
}

bool resting_table_put(struct resting_table *table, uint64_t fingerprint, const struct rule_state *state)
{
    if ((table->count + 1) * 2 > table->slot_count && !grow(table)) {
        return false;
    }
    struct resting_alert *slot = find_slot(table, fingerprint);
    table->count += slot->fingerprint == 0;
    *slot = (struct resting_alert){.fingerprint = fingerprint, .state = *state};
    return true;
}

bool resting_table_take(struct resting_table *table, uint64_t fingerprint, struct rule_state *state)
{
    if (table->count == 0) {
        return false;
    }
    struct resting_alert *slot = find_slot(table, fingerprint);
    if (slot->fingerprint != fingerprint || fingerprint == 0) {
        return false;
    }
    *state = slot->state;
    *slot = (struct resting_alert){0};
    table->count--;
    /* Members of the probe run behind the hole are put in again. */
    size_t mask = table->slot_count - 1;
    for (size_t at = ((size_t)(slot - table->slots) + 1) & mask; table->slots[at].fingerprint != 0;
         at = (at + 1) & mask) {
        struct resting_alert moved = table->slots[at];
        table->slots[at] = (struct resting_alert){0};
        *find_slot(table, moved.fingerprint) = moved;
    }
    return true;
}
