/* lib/detect/series: the series of one partition: names interned once, found by a keyed hash, bounded in
 * number by who calls; each with its windows, its recent ids and what every rule that applies to it thinks.
 * For the detector alone.
 *
 * A series is service x region; a rule that groups by route has series of service x region x route beside it,
 * without ids of their own (the event was judged already). Kept in the order of creation, so that one input
 * has one output. */
#ifndef OBS_DETECT_SERIES_H
#define OBS_DETECT_SERIES_H

#include "alert/transition.h"
#include "rule/rule_state.h"
#include "window/block_pool.h"
#include "window/recent_ids.h"
#include "window/window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_text;
struct history;

struct watched_rule {
    uint16_t rule;          /* index in the rule set */
    bool changed;           /* since its state was last drained */
    bool is_saved;          /* there is a state record of it */
    bool is_baseline_saved; /* there are records of what the baseline has learned */
    uint64_t fingerprint;
    struct rule_state state;
    struct baseline *baseline; /* of a baseline rule; owned */
};

struct series {
    uint64_t hash;
    uint64_t ordinal;     /* which series of the partition it is, counted from 1; 0: loaded, not known yet */
    int64_t saved_period; /* of the checkpoint that last held its clocks; INT64_MIN: none yet */
    struct window *window;
    struct recent_ids *ids;              /* NULL for a series of a route */
    struct history *history;             /* for people; not saved */
    int64_t newest_ms;                   /* the series' time */
    int64_t born_s;                      /* its first second; INT64_MIN: loaded, not known yet */
    int64_t last_record_s, last_gauge_s; /* RULE_NEVER: none yet */
    double last_cpu, last_memory;        /* NaN: none yet */
    bool is_touched;                     /* since the last checkpoint */
    bool is_new;                         /* admitted since states were last drained */
    bool is_loaded; /* out of the saved state; until the first record that is judged, only replay fills it */
    const char *service, *region, *route;
    uint16_t service_bytes, region_bytes, route_bytes;
    uint16_t rule_count;
    struct watched_rule rules[];
};

struct series_table {
    struct block_pool pool; /* of all windows and ids */
    struct series **slots;  /* open addressing; NULL: free */
    size_t slot_count;
    struct series **all; /* in order of creation */
    size_t count, all_capacity, limit;
    uint64_t seed;
};

int series_table_init(struct series_table *table, size_t limit, uint64_t seed);
void series_table_deinit(struct series_table *table);

/* route NULL: the series of the service and region. */
uint64_t series_table_hash(const struct series_table *table, const struct event_text *service,
                           const struct event_text *region, const struct event_text *route);
/* What a look-up will touch: first the slot, then (when that has come) the series there, which is most likely
 * the one; NULL when there is none. */
void series_table_prefetch_slot(const struct series_table *table, uint64_t hash);
struct series *series_table_prefetch(const struct series_table *table, uint64_t hash);
struct series *series_table_find(const struct series_table *table, uint64_t hash,
                                 const struct event_text *service, const struct event_text *region,
                                 const struct event_text *route);
/* NULL: no memory. The series begins at start_ms; id_past_s 0: without ids. */
struct series *series_table_add(struct series_table *table, uint64_t hash, const struct event_text *service,
                                const struct event_text *region, const struct event_text *route,
                                const struct rule_set *rules, int64_t start_ms, uint32_t id_past_s,
                                uint32_t id_future_s);
/* Asks for each series in order whether it stays, and destroys the others. */
/* By ordinal, as they were admitted. */
void series_table_sort(struct series_table *table);
/* The series as it was when it was added: empty windows that begin at start_ms. False: no memory; nothing is
 * changed. */
bool series_table_empty_one(struct series_table *table, struct series *series, const struct rule_set *rules,
                            int64_t start_ms, uint32_t id_past_s, uint32_t id_future_s);
void series_table_retain(struct series_table *table, bool (*stays)(void *context, struct series *series),
                         void *context);
/* Does the rule watch such a series? How many of the rules do? */
bool series_is_watched(const struct rule *rule, const struct event_text *service,
                       const struct event_text *region, const struct event_text *route);
size_t series_count_rules(const struct rule_set *rules, const struct event_text *service,
                          const struct event_text *region, const struct event_text *route);
size_t series_table_memory(const struct series_table *table);

#endif
