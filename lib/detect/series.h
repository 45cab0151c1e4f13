/* lib/detect/series: the series of one partition: names interned once, found by a keyed hash, bounded in
 * number; each with its windows, its recent ids and what every rule that applies to it thinks. For the
 * detector alone.
 *
 * A series is service x region; a rule that groups by route has series of service x region x route beside it,
 * without ids of their own (the event was judged already). Kept in the order of creation, so that one input
 * has one output. */
#ifndef OBS_DETECT_SERIES_H
#define OBS_DETECT_SERIES_H

#include "alert/transition.h"
#include "rule/rule_state.h"
#include "window/recent_ids.h"
#include "window/window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_text;

struct watched_rule {
    uint16_t rule; /* index in the rule set */
    bool changed;  /* since its state was last drained */
    uint64_t fingerprint;
    struct rule_state state;
};

struct series {
    uint64_t hash;
    size_t index; /* in the table's order */
    struct window *window;
    struct recent_ids *ids; /* NULL for a series of a route */
    int64_t newest_ms;      /* the series' time */
    int64_t born_s, last_record_s;
    struct window_counts pending; /* since the last evaluated step */
    double last_cpu, last_memory; /* NaN: none yet */
    const char *service, *region, *route;
    uint16_t service_bytes, region_bytes, route_bytes;
    uint16_t rule_count;
    struct watched_rule rules[];
};

struct series_table {
    struct series **slots; /* open addressing; NULL: free */
    size_t slot_count;
    struct series **all; /* in order of creation */
    size_t count, limit;
    uint64_t seed;
    size_t memory_bytes; /* without what windows and ids have grown to */
};

int series_table_init(struct series_table *table, size_t limit, uint64_t seed);
void series_table_deinit(struct series_table *table);

/* route NULL: the series of the service and region. */
uint64_t series_table_hash(const struct series_table *table, const struct event_text *service,
                           const struct event_text *region, const struct event_text *route);
void series_table_prefetch(const struct series_table *table, uint64_t hash);
struct series *series_table_find(const struct series_table *table, uint64_t hash,
                                 const struct event_text *service, const struct event_text *region,
                                 const struct event_text *route);
/* NULL: past the limit, or no memory. The series begins at start_ms; id_seconds 0: without ids. */
struct series *series_table_add(struct series_table *table, uint64_t hash, const struct event_text *service,
                                const struct event_text *region, const struct event_text *route,
                                const struct rule_set *rules, int64_t start_ms, uint32_t id_seconds);
void series_table_remove(struct series_table *table, struct series *series);
/* Which of the rules watch the series, with fresh states; their count. Used by add and when rules are
 * replaced. */
size_t series_count_rules(const struct rule_set *rules, const struct event_text *service,
                          const struct event_text *region, const struct event_text *route);
size_t series_memory(const struct series *series);

#endif
