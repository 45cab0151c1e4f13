#include "series_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS     32768 /* a power of two, over SERIES_MOST / 0.7 */
#define RULE_MOST 256

struct series_table {
    struct series_row *rows[SERIES_MOST];
    size_t count;
    uint32_t slots[SLOTS]; /* index into rows + 1; 0: free */
    char rule_names[RULE_MOST][SERIES_RULE_BYTES];
    uint16_t rule_count;
    uint64_t turn, refused;
    int64_t newest_ms;
};

struct series_table *series_table_create(void)
{
    struct series_table *table = calloc(1, sizeof *table);
    if (table != NULL) {
        table->turn = 1; /* 0 is before all that is in it */
    }
    return table;
}

void series_table_destroy(struct series_table *table)
{
    if (table != NULL) {
        for (size_t i = 0; i < table->count; i++) {
            free(table->rows[i]->service);
            free(table->rows[i]);
        }
        free(table);
    }
}

/* FNV-1a over the three names with their ends. */
static uint32_t hash_names(const struct series_tile *tile)
{
    const char *const names[] = {tile->service, tile->region, tile->route};
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < 3; i++) {
        const char *at = names[i];
        do {
            hash = (hash ^ (unsigned char)*at) * 16777619U;
        } while (*at++ != '\0');
    }
    return hash;
}

static bool is_named(const struct series_row *row, const struct series_tile *tile)
{
    return strcmp(row->service, tile->service) == 0 && strcmp(row->region, tile->region) == 0 &&
           strcmp(row->route, tile->route) == 0;
}

static struct series_row *make_row(const struct series_tile *tile)
{
    const size_t service = strlen(tile->service) + 1;
    const size_t region = strlen(tile->region) + 1;
    const size_t route = strlen(tile->route) + 1;
    struct series_row *row = calloc(1, sizeof *row);
    char *names = malloc(service + region + route);
    if (row == NULL || names == NULL) {
        free(row);
        free(names);
        return NULL;
    }
    row->service = names;
    row->region = names + service;
    row->route = names + service + region;
    memcpy(row->service, tile->service, service);
    memcpy(row->region, tile->region, region);
    memcpy(row->route, tile->route, route);
    for (size_t i = 0; i < SERIES_BARS; i++) {
        row->bars[i] = (struct series_values){NAN, NAN, NAN};
    }
    return row;
}

static struct series_row *find_or_add(struct series_table *table, const struct series_tile *tile)
{
    uint32_t slot = hash_names(tile) & (SLOTS - 1);
    while (table->slots[slot] != 0) {
        struct series_row *row = table->rows[table->slots[slot] - 1];
        if (is_named(row, tile)) {
            return row;
        }
        slot = (slot + 1) & (SLOTS - 1);
    }
    struct series_row *row = table->count < SERIES_MOST ? make_row(tile) : NULL;
    if (row == NULL) {
        table->refused++;
        return NULL;
    }
    row->born = table->turn;
    table->rows[table->count++] = row;
    table->slots[slot] = (uint32_t)table->count;
    return row;
}

static uint16_t find_rule(struct series_table *table, const char *name)
{
    for (uint16_t i = 0; i < table->rule_count; i++) {
        if (strcmp(table->rule_names[i], name) == 0) {
            return i;
        }
    }
    if (table->rule_count == RULE_MOST) {
        return RULE_MOST - 1;
    }
    memcpy(table->rule_names[table->rule_count], name, SERIES_RULE_BYTES);
    return table->rule_count++;
}

static void note_bar(struct series_row *row, const struct series_tile *tile)
{
    const int64_t slot = tile->time_unix_ms / SERIES_BAR_MS;
    int64_t first = slot - row->bar_slot > SERIES_BARS ? slot - SERIES_BARS + 1 : row->bar_slot + 1;
    for (; row->bar_slot != 0 && first < slot; first++) {
        row->bars[first % SERIES_BARS] = (struct series_values){NAN, NAN, NAN};
    }
    row->bars[slot % SERIES_BARS] = tile->window;
    row->bar_slot = slot;
}

bool series_table_update(struct series_table *table, const struct series_tile *tile)
{
    struct series_row *row = tile->time_unix_ms < 0 ? NULL : find_or_add(table, tile);
    if (row == NULL) {
        return false;
    }
    if (tile->time_unix_ms < row->time_unix_ms) {
        return true;
    }
    row->time_unix_ms = tile->time_unix_ms;
    row->window = tile->window;
    row->minute = tile->minute;
    row->changed = table->turn;
    row->firing_count = (uint16_t)tile->firing_count;
    for (size_t i = 0; i < tile->firing_count; i++) {
        row->firing[i] = find_rule(table, tile->firing[i]);
    }
    note_bar(row, tile);
    table->newest_ms = tile->time_unix_ms > table->newest_ms ? tile->time_unix_ms : table->newest_ms;
    return true;
}

void series_table_fill(struct series_table *table, size_t index, int64_t slot,
                       const struct series_values *values)
{
    struct series_row *row = table->rows[index];
    if (slot < row->bar_slot && slot > row->bar_slot - SERIES_BARS &&
        isnan(row->bars[slot % SERIES_BARS].rate)) {
        row->bars[slot % SERIES_BARS] = *values;
    }
}

uint64_t series_table_turn(struct series_table *table)
{
    return table->turn++;
}

size_t series_table_count(const struct series_table *table)
{
    return table->count;
}

const struct series_row *series_table_row(const struct series_table *table, size_t index)
{
    return table->rows[index];
}

const char *series_table_rule(const struct series_table *table, uint16_t rule)
{
    return table->rule_names[rule];
}

uint64_t series_table_refused(const struct series_table *table)
{
    return table->refused;
}

int64_t series_table_newest_ms(const struct series_table *table)
{
    return table->newest_ms;
}
