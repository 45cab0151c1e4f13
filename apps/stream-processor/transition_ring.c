#include "transition_ring.h"

#include "rule/rule.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

struct transition_ring {
    pthread_mutex_t lock;
    uint64_t next;
    struct kept_transition kept[TRANSITION_RING_COUNT]; /* sequence 0: free */
};

int transition_ring_create(struct transition_ring **out, struct error *error)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return error_set(error, -1, "no memory for transitions");
    }
    (void)pthread_mutex_init(&(*out)->lock, NULL);
    return 0;
}

void transition_ring_destroy(struct transition_ring *ring)
{
    if (ring != NULL) {
        (void)pthread_mutex_destroy(&ring->lock);
        free(ring);
    }
}

void transition_ring_add(struct transition_ring *ring, int32_t partition,
                         const struct alert_transition *transition, const struct rule *rule)
{
    struct kept_transition kept = {
        .transition = *transition, .partition = partition, .confidence = NAN, .clear_odds = NAN};
    if (rule != NULL) {
        bool is_share = rule_is_share(rule) && !rule->is_baseline;
        kept.for_violations = rule->for_violations;
        kept.for_clear = rule->for_clear;
        kept.min_samples = rule->confidence > 0 ? 0 : rule->min_samples;
        kept.min_bad = is_share ? rule->min_bad : 0;
        kept.confidence = is_share && rule->confidence > 0 ? rule->confidence : NAN;
        kept.clear_odds = is_share ? rule->clear_odds : NAN;
    }
    (void)pthread_mutex_lock(&ring->lock);
    ring->kept[ring->next++ % TRANSITION_RING_COUNT] = kept;
    (void)pthread_mutex_unlock(&ring->lock);
}

void transition_ring_commit(struct transition_ring *ring, int32_t partition)
{
    (void)pthread_mutex_lock(&ring->lock);
    for (size_t i = 0; i < TRANSITION_RING_COUNT; i++) {
        ring->kept[i].is_committed |= ring->kept[i].partition == partition;
    }
    (void)pthread_mutex_unlock(&ring->lock);
}

void transition_ring_forget(struct transition_ring *ring, int32_t partition)
{
    (void)pthread_mutex_lock(&ring->lock);
    for (size_t i = 0; i < TRANSITION_RING_COUNT; i++) {
        if (ring->kept[i].partition == partition && !ring->kept[i].is_committed) {
            ring->kept[i].transition.sequence = 0;
        }
    }
    (void)pthread_mutex_unlock(&ring->lock);
}

bool transition_ring_find(struct transition_ring *ring, uint64_t fingerprint, uint32_t sequence,
                          struct kept_transition *out)
{
    bool found = false;
    (void)pthread_mutex_lock(&ring->lock);
    for (size_t i = 0; i < TRANSITION_RING_COUNT && !found && sequence > 0; i++) {
        const struct kept_transition *kept = &ring->kept[i];
        if (kept->is_committed && kept->transition.fingerprint == fingerprint &&
            kept->transition.sequence == sequence) {
            *out = *kept;
            found = true;
        }
    }
    (void)pthread_mutex_unlock(&ring->lock);
    return found;
}
