#include "detect/series.h"

#include "detect/history.h"

#include "event/event.h"
#include "window/series_time.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define FIRST_SLOTS 64

int series_table_init(struct series_table *table, size_t limit, uint64_t seed)
{
    *table = (struct series_table){.limit = limit, .seed = seed, .slot_count = FIRST_SLOTS};
    block_pool_init(&table->pool);
    table->slots = calloc(table->slot_count, sizeof(struct series *));
    return table->slots == NULL ? -1 : 0;
}

static void destroy_series(struct series *series)
{
    window_destroy(series->window);
    recent_ids_destroy(series->ids);
    history_destroy(series->history);
    for (size_t i = 0; i < series->rule_count; i++) {
        free(series->rules[i].baseline);
    }
    free(series);
}

void series_table_deinit(struct series_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        destroy_series(table->all[i]);
    }
    free(table->all);
    free(table->slots);
    block_pool_deinit(&table->pool);
}

uint64_t series_table_hash(const struct series_table *table, const struct event_text *service,
                           const struct event_text *region, const struct event_text *route)
{
    uint64_t hash = XXH3_64bits_withSeed(service->data, service->size, table->seed);
    hash = XXH3_64bits_withSeed(region->data, region->size, hash);
    return route == NULL ? hash : XXH3_64bits_withSeed(route->data, route->size, ~hash);
}

void series_table_prefetch_slot(const struct series_table *table, uint64_t hash)
{
    __builtin_prefetch(&table->slots[hash & (table->slot_count - 1)]);
}

struct series *series_table_prefetch(const struct series_table *table, uint64_t hash)
{
    struct series *series = table->slots[hash & (table->slot_count - 1)];
    if (series != NULL) {
        __builtin_prefetch(series, 1);
        __builtin_prefetch((const char *)series + 64);
    }
    return series;
}

static bool same_text(const char *mine, size_t size, const struct event_text *other)
{
    return size == other->size && memcmp(mine, other->data, size) == 0;
}

static bool is_named(const struct series *series, const struct event_text *service,
                     const struct event_text *region, const struct event_text *route)
{
    bool same_route = route == NULL
                          ? series->route == NULL
                          : series->route != NULL && same_text(series->route, series->route_bytes, route);
    return same_route && same_text(series->service, series->service_bytes, service) &&
           same_text(series->region, series->region_bytes, region);
}

struct series *series_table_find(const struct series_table *table, uint64_t hash,
                                 const struct event_text *service, const struct event_text *region,
                                 const struct event_text *route)
{
    size_t mask = table->slot_count - 1;
    for (size_t at = hash & mask; table->slots[at] != NULL; at = (at + 1) & mask) {
        if (table->slots[at]->hash == hash && is_named(table->slots[at], service, region, route)) {
            return table->slots[at];
        }
    }
    return NULL;
}

static void insert_slot(struct series_table *table, struct series *series)
{
    size_t mask = table->slot_count - 1;
    size_t at = series->hash & mask;
    while (table->slots[at] != NULL) {
        at = (at + 1) & mask;
    }
    table->slots[at] = series;
}

/* At most half full; one growth moves all, and happens as often as the number of series doubles. */
static bool make_room(struct series_table *table)
{
    if ((table->count + 1) * 2 > table->slot_count) {
        struct series **slots = calloc(table->slot_count * 2, sizeof(struct series *));
        if (slots == NULL) {
            return false;
        }
        free(table->slots);
        table->slots = slots;
        table->slot_count *= 2;
        for (size_t i = 0; i < table->count; i++) {
            insert_slot(table, table->all[i]);
        }
    }
    if (table->count == table->all_capacity) {
        size_t capacity = table->all_capacity == 0 ? FIRST_SLOTS : table->all_capacity * 2;
        struct series **all = realloc(table->all, capacity * sizeof(struct series *));
        if (all == NULL) {
            return false;
        }
        table->all = all;
        table->all_capacity = capacity;
    }
    return true;
}

static bool matches(const char *wanted, const struct event_text *text)
{
    return wanted[0] == '\0' || (strlen(wanted) == text->size && memcmp(wanted, text->data, text->size) == 0);
}

bool series_is_watched(const struct rule *rule, const struct event_text *service,
                       const struct event_text *region, const struct event_text *route)
{
    return rule->by_route == (route != NULL) && matches(rule->match_service, service) &&
           matches(rule->match_region, region) && (route == NULL || matches(rule->match_route, route));
}

size_t series_count_rules(const struct rule_set *rules, const struct event_text *service,
                          const struct event_text *region, const struct event_text *route)
{
    size_t count = 0;
    for (size_t i = 0; i < rules->count; i++) {
        count += series_is_watched(&rules->rules[i], service, region, route);
    }
    return count;
}

static char *copy_text(char *at, const struct event_text *text)
{
    memcpy(at, text->data, text->size);
    at[text->size] = '\0';
    return at;
}

/* Nothing to do but for baseline rules. False: no memory. */
static bool create_baseline(struct watched_rule *watched, const struct rule *rule,
                            const struct window_layout *layout)
{
    if (!rule->is_baseline) {
        return true;
    }
    watched->baseline = malloc(sizeof *watched->baseline);
    if (watched->baseline == NULL) {
        return false;
    }
    const struct baseline_terms terms = rule_baseline_terms(rule, layout, watched->fingerprint);
    baseline_init(watched->baseline, &terms, (uint8_t)rule->signal);
    return true;
}

/* One piece of memory holds the series, its rules and its names. */
static struct series *create_series(const struct event_text *service, const struct event_text *region,
                                    const struct event_text *route, const struct rule_set *rules)
{
    size_t rule_count = series_count_rules(rules, service, region, route);
    size_t names = offsetof(struct series, rules) + rule_count * sizeof(struct watched_rule);
    size_t text_bytes = service->size + region->size + (route == NULL ? 0 : route->size) + 3;
    struct series *series = calloc(1, names + text_bytes);
    if (series == NULL) {
        return NULL;
    }
    char *at = (char *)series + names;
    series->service = copy_text(at, service);
    series->region = copy_text(at + service->size + 1, region);
    series->route = route == NULL ? NULL : copy_text(at + service->size + region->size + 2, route);
    series->service_bytes = (uint16_t)service->size;
    series->region_bytes = (uint16_t)region->size;
    series->route_bytes = route == NULL ? 0 : (uint16_t)route->size;
    for (size_t i = 0; i < rules->count; i++) {
        if (series_is_watched(&rules->rules[i], service, region, route)) {
            struct watched_rule *watched = &series->rules[series->rule_count++];
            watched->rule = (uint16_t)i;
            watched->fingerprint = alert_fingerprint(rules->rules[i].name, series->service, series->region,
                                                     series->route == NULL ? "" : series->route);
            rule_state_init(&watched->state);
            if (!create_baseline(watched, &rules->rules[i], &rules->layout)) {
                destroy_series(series);
                return NULL;
            }
        }
    }
    return series;
}

bool series_table_empty_one(struct series_table *table, struct series *series, const struct rule_set *rules,
                            int64_t start_ms, uint32_t id_past_s, uint32_t id_future_s)
{
    int64_t second = series_time_second(start_ms);
    struct window *window = window_create(&rules->layout, &table->pool, second);
    struct recent_ids *ids =
        id_past_s == 0 ? NULL : recent_ids_create(&table->pool, second, id_past_s, id_future_s);
    if (window == NULL || (id_past_s > 0 && ids == NULL)) {
        window_destroy(window);
        recent_ids_destroy(ids);
        return false;
    }
    window_destroy(series->window);
    recent_ids_destroy(series->ids);
    series->window = window;
    series->ids = ids;
    series->newest_ms = start_ms;
    series->last_record_s = RULE_NEVER;
    series->last_gauge_s = RULE_NEVER;
    series->last_cpu = NAN;
    series->last_memory = NAN;
    return true;
}

struct series *series_table_add(struct series_table *table, uint64_t hash, const struct event_text *service,
                                const struct event_text *region, const struct event_text *route,
                                const struct rule_set *rules, int64_t start_ms, uint32_t id_past_s,
                                uint32_t id_future_s)
{
    if (!make_room(table)) {
        return NULL;
    }
    struct series *series = create_series(service, region, route, rules);
    if (series == NULL) {
        return NULL;
    }
    series->hash = hash;
    series->saved_period = INT64_MIN;
    series->history = history_create(&rules->layout, series->rule_count, hash);
    series->is_touched = true;
    series->born_s = series_time_second(start_ms);
    if (series->history == NULL ||
        !series_table_empty_one(table, series, rules, start_ms, id_past_s, id_future_s)) {
        destroy_series(series);
        return NULL;
    }
    table->all[table->count++] = series;
    insert_slot(table, series);
    return series;
}

/* Backward-shift deletion: later members of the probe run move up, so no marks are left behind
 * (D. Knuth, The Art of Computer Programming, vol. 3, 6.4, algorithm R). */
static void delete_slot(struct series_table *table, const struct series *series)
{
    size_t mask = table->slot_count - 1;
    size_t hole = series->hash & mask;
    while (table->slots[hole] != series) {
        hole = (hole + 1) & mask;
    }
    for (size_t at = (hole + 1) & mask; table->slots[at] != NULL; at = (at + 1) & mask) {
        size_t home = table->slots[at]->hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            table->slots[hole] = table->slots[at];
            hole = at;
        }
    }
    table->slots[hole] = NULL;
}

static int by_ordinal(const void *a, const void *b)
{
    uint64_t x = (*(struct series *const *)a)->ordinal;
    uint64_t y = (*(struct series *const *)b)->ordinal;
    return (x > y) - (x < y);
}

void series_table_sort(struct series_table *table)
{
    if (table->count > 0) {
        qsort(table->all, table->count, sizeof(struct series *), by_ordinal);
    }
}

void series_table_retain(struct series_table *table, bool (*stays)(void *context, struct series *series),
                         void *context)
{
    size_t kept = 0;
    for (size_t i = 0; i < table->count; i++) {
        struct series *series = table->all[i];
        if (stays(context, series)) {
            table->all[kept++] = series;
        } else {
            delete_slot(table, series);
            destroy_series(series);
        }
    }
    table->count = kept;
}

size_t series_table_memory(const struct series_table *table)
{
    size_t bytes = block_pool_memory(&table->pool) + table->slot_count * sizeof table->slots[0] +
                   table->all_capacity * sizeof table->all[0];
    for (size_t i = 0; i < table->count; i++) {
        const struct series *series = table->all[i];
        bytes += sizeof *series + series->rule_count * sizeof series->rules[0] + series->service_bytes +
                 series->region_bytes + series->route_bytes + 3u;
        for (size_t r = 0; r < series->rule_count; r++) {
            bytes += series->rules[r].baseline == NULL ? 0 : sizeof *series->rules[r].baseline;
        }
        bytes += history_memory(series->history) + window_memory(series->window) +
                 (series->ids == NULL ? 0 : recent_ids_memory(series->ids));
    }
    return bytes;
}
