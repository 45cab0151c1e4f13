#include "incident.h"

#include <stdlib.h>
#include <string.h>

static struct incident *find_open(struct incident_list *list, uint64_t fingerprint)
{
    for (size_t i = list->count; i > 0; i--) {
        struct incident *incident = &list->items[i - 1];
        if (incident->transition.fingerprint == fingerprint) {
            return incident->ends_ms == INT64_MAX ? incident : NULL;
        }
    }
    return NULL;
}

int incident_list_add(struct incident_list *list, const struct alert_transition *transition,
                      struct error *error)
{
    bool is_firing = transition->state == ALERT_FIRING;
    struct incident *open = is_firing ? NULL : find_open(list, transition->fingerprint);
    if (open != NULL) {
        open->ends_ms = transition->ends_ms;
        return 0;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        struct incident *items = realloc(list->items, capacity * sizeof *items);
        if (items == NULL) {
            return error_set(error, -1, "no memory for %zu incidents", capacity);
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = (struct incident){.transition = *transition,
                                                   .starts_ms = transition->starts_ms,
                                                   .ends_ms = is_firing ? INT64_MAX : transition->ends_ms};
    return 0;
}

int incident_compare_series(const struct incident *a, const struct incident *b)
{
    const struct alert_transition *s = &a->transition;
    const struct alert_transition *t = &b->transition;
    int order = strcmp(s->rule, t->rule);
    order = order != 0 ? order : strcmp(s->labels.service, t->labels.service);
    order = order != 0 ? order : strcmp(s->labels.region, t->labels.region);
    return order != 0 ? order : strcmp(s->labels.route, t->labels.route);
}

static int compare(const void *left, const void *right)
{
    const struct incident *a = left;
    const struct incident *b = right;
    int order = incident_compare_series(a, b);
    return order != 0 ? order : (a->starts_ms > b->starts_ms) - (a->starts_ms < b->starts_ms);
}

void incident_list_finish(struct incident_list *list, int64_t since_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].ends_ms >= since_ms) {
            list->items[kept++] = list->items[i];
        }
    }
    list->count = kept;
    if (kept > 1) {
        qsort(list->items, kept, sizeof list->items[0], compare);
    }
}

static bool overlap(const struct incident *a, const struct incident *b, int64_t slack_ms)
{
    return (b->ends_ms == INT64_MAX || a->starts_ms <= b->ends_ms + slack_ms) &&
           (a->ends_ms == INT64_MAX || b->starts_ms <= a->ends_ms + slack_ms);
}

static void pair(struct incident *a, struct incident *b)
{
    if (!a->is_paired) {
        a->is_paired = true;
        a->paired_starts_ms = b->starts_ms;
    }
    if (!b->is_paired) {
        b->is_paired = true;
        b->paired_starts_ms = a->starts_ms;
    }
}

void incident_lists_pair(struct incident_list *a, struct incident_list *b, int64_t slack_ms)
{
    size_t first = 0; /* of b: of the same series as a's or behind */
    for (size_t i = 0; i < a->count; i++) {
        while (first < b->count && incident_compare_series(&b->items[first], &a->items[i]) < 0) {
            first++;
        }
        for (size_t j = first; j < b->count && incident_compare_series(&b->items[j], &a->items[i]) == 0;
             j++) {
            if (overlap(&a->items[i], &b->items[j], slack_ms)) {
                pair(&a->items[i], &b->items[j]);
            }
        }
    }
}

void incident_list_free(struct incident_list *list)
{
    free(list->items);
    *list = (struct incident_list){0};
}
