#include "fault_set.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS (2 * FAULT_SET_LIMIT)

struct fault_set {
    pthread_mutex_t lock;
    int64_t start_unix_ms;
    int64_t horizon_ms; /* announced: nothing before it can change */
    uint64_t next_id;
    size_t count;
    struct fault faults[SLOTS]; /* by id */
};

struct fault_set *fault_set_create(int64_t start_unix_ms)
{
    struct fault_set *set = calloc(1, sizeof *set);
    if (set != NULL) {
        (void)pthread_mutex_init(&set->lock, NULL);
        set->start_unix_ms = start_unix_ms;
        set->next_id = 1;
    }
    return set;
}

void fault_set_destroy(struct fault_set *set)
{
    if (set != NULL) {
        (void)pthread_mutex_destroy(&set->lock);
        free(set);
    }
}

int64_t fault_set_start_unix_ms(const struct fault_set *set)
{
    return set->start_unix_ms;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* --- adding and ending ---- */

static size_t count_open(const struct fault_set *set)
{
    size_t open = 0;
    for (size_t i = 0; i < set->count; i++) {
        open += set->faults[i].ended ? 0 : 1;
    }
    return open;
}

static void remove_at(struct fault_set *set, size_t index)
{
    memmove(&set->faults[index], &set->faults[index + 1], (set->count - index - 1) * sizeof set->faults[0]);
    set->count--;
}

/* There is one: fewer than half of the slots are open. */
static void forget_oldest_ended(struct fault_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->faults[i].ended) {
            remove_at(set, i);
            return;
        }
    }
}

static enum fault_set_result add_locked(struct fault_set *set, const struct fault_spec *spec, int64_t now_ms,
                                        struct fault *out)
{
    int64_t begin_ms = now_ms + spec->start_ms;
    if (spec->at_unix_ms >= 0) {
        begin_ms = spec->at_unix_ms - set->start_unix_ms;
        if (begin_ms < now_ms) {
            return FAULT_SET_PAST;
        }
    }
    if (count_open(set) >= FAULT_SET_LIMIT) {
        return FAULT_SET_FULL;
    }
    if (set->count == SLOTS) {
        forget_oldest_ended(set);
    }
    struct fault *fault = &set->faults[set->count++];
    *fault = (struct fault){.id = set->next_id++, .spec = *spec, .end_ms = FAULT_NEVER};
    fault->begin_ms = later(begin_ms, set->horizon_ms);
    if (spec->duration_ms > 0) {
        fault->end_ms = fault->begin_ms + spec->duration_ms;
    }
    *out = *fault;
    return FAULT_SET_OK;
}

enum fault_set_result fault_set_add(struct fault_set *set, const struct fault_spec *spec, int64_t now_ms,
                                    struct fault *out)
{
    (void)pthread_mutex_lock(&set->lock);
    enum fault_set_result result = add_locked(set, spec, now_ms, out);
    (void)pthread_mutex_unlock(&set->lock);
    return result;
}

static struct fault *find(struct fault_set *set, uint64_t id)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->faults[i].id == id) {
            return &set->faults[i];
        }
    }
    return NULL;
}

static enum fault_set_result end_locked(struct fault_set *set, uint64_t id, int64_t now_ms, struct fault *out)
{
    struct fault *fault = find(set, id);
    if (fault == NULL) {
        return FAULT_SET_UNKNOWN;
    }
    now_ms = later(now_ms, set->horizon_ms);
    if (fault->ended || fault->end_ms <= now_ms) {
        return FAULT_SET_ENDED;
    }
    if (!fault->begun && fault->begin_ms > now_ms) {
        fault->begin_ms = now_ms; /* cancelled: it never happens */
        fault->ended = true;
    }
    fault->end_ms = now_ms;
    *out = *fault;
    return FAULT_SET_OK;
}

enum fault_set_result fault_set_end(struct fault_set *set, uint64_t id, int64_t now_ms, struct fault *out)
{
    (void)pthread_mutex_lock(&set->lock);
    enum fault_set_result result = end_locked(set, id, now_ms, out);
    (void)pthread_mutex_unlock(&set->lock);
    return result;
}

bool fault_set_find(struct fault_set *set, uint64_t id, struct fault *out)
{
    (void)pthread_mutex_lock(&set->lock);
    const struct fault *fault = find(set, id);
    if (fault != NULL) {
        *out = *fault;
    }
    (void)pthread_mutex_unlock(&set->lock);
    return fault != NULL;
}

size_t fault_set_list(struct fault_set *set, struct fault *faults, size_t limit)
{
    (void)pthread_mutex_lock(&set->lock);
    size_t count = set->count < limit ? set->count : limit;
    memcpy(faults, set->faults, count * sizeof faults[0]);
    (void)pthread_mutex_unlock(&set->lock);
    return count;
}

size_t fault_set_count_active(struct fault_set *set)
{
    size_t active = 0;
    (void)pthread_mutex_lock(&set->lock);
    for (size_t i = 0; i < set->count; i++) {
        active += set->faults[i].begun && !set->faults[i].ended ? 1 : 0;
    }
    (void)pthread_mutex_unlock(&set->lock);
    return active;
}

/* --- the traffic's side ---- */

/* The fault's next begin or end that hasn't been taken; FAULT_NEVER: none. */
static int64_t next_edge(const struct fault *fault)
{
    if (fault->ended) {
        return FAULT_NEVER;
    }
    return fault->begun ? fault->end_ms : fault->begin_ms;
}

int64_t fault_set_advance(struct fault_set *set, int64_t until_ms)
{
    (void)pthread_mutex_lock(&set->lock);
    for (size_t i = 0; i < set->count; i++) {
        int64_t edge_ms = next_edge(&set->faults[i]);
        until_ms = edge_ms < until_ms ? edge_ms : until_ms;
    }
    set->horizon_ms = later(until_ms, set->horizon_ms);
    until_ms = set->horizon_ms;
    (void)pthread_mutex_unlock(&set->lock);
    return until_ms;
}

/* Ends before begins at one time, so that a fault may follow another without both being active. */
static bool comes_first(const struct fault *a, const struct fault *b)
{
    int64_t edge_a = next_edge(a), edge_b = next_edge(b);
    return edge_a != edge_b ? edge_a < edge_b : a->begun && !b->begun;
}

bool fault_set_take_change(struct fault_set *set, int64_t now_ms, struct fault_change *change)
{
    struct fault *first = NULL;
    (void)pthread_mutex_lock(&set->lock);
    for (size_t i = 0; i < set->count; i++) {
        struct fault *fault = &set->faults[i];
        if (next_edge(fault) <= now_ms && (first == NULL || comes_first(fault, first))) {
            first = fault;
        }
    }
    if (first != NULL) {
        change->kind = first->begun ? FAULT_ENDS : FAULT_BEGINS;
        change->at_ms = next_edge(first);
        first->ended = first->begun;
        first->begun = true;
        change->fault = *first;
    }
    (void)pthread_mutex_unlock(&set->lock);
    return first != NULL;
}

void fault_set_read_effect(struct fault_set *set, int service, int region, struct fault_effect *effect)
{
    fault_effect_init(effect);
    (void)pthread_mutex_lock(&set->lock);
    for (size_t i = 0; i < set->count; i++) {
        if (set->faults[i].begun && !set->faults[i].ended) {
            fault_effect_add(effect, &set->faults[i].spec, service, region);
        }
    }
    (void)pthread_mutex_unlock(&set->lock);
}

void fault_set_finish(struct fault_set *set, int64_t now_ms)
{
    (void)pthread_mutex_lock(&set->lock);
    set->horizon_ms = later(set->horizon_ms, now_ms);
    for (size_t i = 0; i < set->count; i++) {
        struct fault *fault = &set->faults[i];
        if (fault->begun && !fault->ended && fault->end_ms > now_ms) {
            fault->end_ms = now_ms;
        } else if (!fault->begun && fault->begin_ms >= now_ms) {
            fault->end_ms = fault->begin_ms = now_ms;
            fault->ended = true;
        }
    }
    (void)pthread_mutex_unlock(&set->lock);
}
