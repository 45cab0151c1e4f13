/* What all processors said last of each series, and five minutes of it: the console's one picture, which
 * every open page is drawn from.
 *
 * A series belongs to one processor at a time; when it moves, the newer word wins. The table is bounded: past
 * SERIES_MOST new series are refused and counted. Size: about 1 KiB a series with its five minutes (60 bars
 * of 5 s). Not locked: live.c owns it. */
#ifndef CONSOLE_SERIES_TABLE_H
#define CONSOLE_SERIES_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIES_MOST        20000
#define SERIES_BARS        60
#define SERIES_BAR_MS      5000
#define SERIES_RULES       8 /* rules of one series that may fire at once; more aren't shown */
#define SERIES_RULE_BYTES  65
#define SERIES_NAME_BYTES  132
#define SERIES_ROUTE_BYTES 260

/* Rates in requests a second, ratios 0 to 1, latencies in seconds; NAN: unknown. */
struct series_values {
    float rate, error_ratio, p99;
};

/* One series as an event of GET /stream has it. */
struct series_tile {
    char service[SERIES_NAME_BYTES], region[SERIES_NAME_BYTES],
        route[SERIES_ROUTE_BYTES]; /* route "": none */
    int64_t time_unix_ms;
    struct series_values window; /* of the shortest window */
    struct series_values minute;
    char firing[SERIES_RULES][SERIES_RULE_BYTES];
    size_t firing_count;
};

struct series_row {
    char *service, *region, *route; /* one allocation at service */
    int64_t time_unix_ms;
    struct series_values window, minute;
    uint16_t firing[SERIES_RULES]; /* into rule_names */
    uint16_t firing_count;
    uint64_t changed; /* the table's turn at which it last changed */
    uint64_t born;    /* … and at which it appeared */
    int64_t bar_slot; /* of bars[bar_slot % SERIES_BARS], the newest; time / SERIES_BAR_MS */
    struct series_values bars[SERIES_BARS];
};

struct series_table;

struct series_table *series_table_create(void); /* NULL: no memory */
void series_table_destroy(struct series_table *table);

/* Takes over what the tile says. False: refused (no room, no memory). An older word than the last is passed
 * over. */
bool series_table_update(struct series_table *table, const struct series_tile *tile);
/* A bar of before the series was first heard of; one that is known stays. */
void series_table_fill(struct series_table *table, size_t index, int64_t slot,
                       const struct series_values *values);
/* Begins a new turn; what is updated from now on has changed > the returned number, which is 1 at the first.
 */
uint64_t series_table_turn(struct series_table *table);
size_t series_table_count(const struct series_table *table);
const struct series_row *series_table_row(const struct series_table *table, size_t index);
const char *series_table_rule(const struct series_table *table, uint16_t rule);
uint64_t series_table_refused(const struct series_table *table);
int64_t series_table_newest_ms(const struct series_table *table); /* 0: nothing yet */

#endif
