#include "detect/resting.h"

#include <stdlib.h>

#define FIRST_SLOTS 64

static struct resting_rule *find_slot(const struct resting_table *table, uint64_t fingerprint)
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
    for (size_t i = 0; i < table->slot_count; i++) {
        free(table->slots[i].baseline);
    }
    free(table->slots);
    *table = (struct resting_table){0};
}

static bool grow(struct resting_table *table)
{
    struct resting_table larger = *table;
    larger.slot_count = table->slot_count == 0 ? FIRST_SLOTS : table->slot_count * 2;
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

/* The fingerprint's slot, made if it isn't there. NULL: no memory. */
static struct resting_rule *enter(struct resting_table *table, uint64_t fingerprint)
{
    if ((table->count + 1) * 2 > table->slot_count && !grow(table)) {
        return NULL;
    }
    struct resting_rule *slot = find_slot(table, fingerprint);
    if (slot->fingerprint == 0) {
        table->count++;
        slot->fingerprint = fingerprint;
        rule_state_init(&slot->state);
    }
    return slot;
}

bool resting_table_put(struct resting_table *table, uint64_t fingerprint, const struct rule_state *state)
{
    struct resting_rule *slot = enter(table, fingerprint);
    if (slot == NULL) {
        return false;
    }
    slot->has_state = true;
    slot->state = *state;
    return true;
}

bool resting_table_put_baseline(struct resting_table *table, uint64_t fingerprint, struct baseline *baseline)
{
    struct resting_rule *slot = enter(table, fingerprint);
    if (slot == NULL) {
        return false;
    }
    table->baseline_count += slot->baseline == NULL;
    free(slot->baseline);
    slot->baseline = baseline;
    return true;
}

static struct resting_rule *find(const struct resting_table *table, uint64_t fingerprint)
{
    if (table->count == 0 || fingerprint == 0) {
        return NULL;
    }
    struct resting_rule *slot = find_slot(table, fingerprint);
    return slot->fingerprint == fingerprint ? slot : NULL;
}

struct baseline *resting_table_baseline(const struct resting_table *table, uint64_t fingerprint)
{
    const struct resting_rule *slot = find(table, fingerprint);
    return slot == NULL ? NULL : slot->baseline;
}

bool resting_table_take(struct resting_table *table, uint64_t fingerprint, struct resting_rule *out)
{
    struct resting_rule *slot = find(table, fingerprint);
    if (slot == NULL) {
        return false;
    }
    *out = *slot;
    *slot = (struct resting_rule){0};
    table->count--;
    table->baseline_count -= out->baseline != NULL;
    /* Members of the probe run behind the hole are put in again. */
    size_t mask = table->slot_count - 1;
    for (size_t at = ((size_t)(slot - table->slots) + 1) & mask; table->slots[at].fingerprint != 0;
         at = (at + 1) & mask) {
        struct resting_rule moved = table->slots[at];
        table->slots[at] = (struct resting_rule){0};
        *find_slot(table, moved.fingerprint) = moved;
    }
    return out->has_state || out->baseline != NULL;
}

uint64_t resting_table_drop_baseline(struct resting_table *table, int64_t before_hour, size_t *at)
{
    for (; *at < table->slot_count; ++*at) {
        struct resting_rule *slot = &table->slots[*at];
        if (slot->baseline != NULL && slot->baseline->hour < before_hour) {
            free(slot->baseline);
            slot->baseline = NULL;
            table->baseline_count--;
            return slot->fingerprint;
        }
    }
    return 0;
}

size_t resting_table_memory(const struct resting_table *table)
{
    return table->slot_count * sizeof table->slots[0] + table->baseline_count * sizeof(struct baseline);
}
