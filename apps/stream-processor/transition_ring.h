/* The last transitions that this processor published, each with what its rule needed: GET
 * /alerts/FINGERPRINT/SEQUENCE. In memory alone; alerts.fired has them all. Any thread. */
#ifndef STREAM_PROCESSOR_TRANSITION_RING_H
#define STREAM_PROCESSOR_TRANSITION_RING_H

#include "alert/transition.h"
#include "error/error.h"

#include <stdbool.h>
#include <stdint.h>

struct rule;
struct transition_ring;

#define TRANSITION_RING_COUNT 256

struct kept_transition {
    struct alert_transition transition;
    int32_t partition; /* whose commit it waits for */
    bool is_committed;
    /* what was needed; 0 and NaN where the rule doesn't ask for it */
    uint64_t min_samples, min_bad;
    uint32_t for_violations, for_clear;
    double confidence, clear_odds;
};

int transition_ring_create(struct transition_ring **out, struct error *error);
void transition_ring_destroy(struct transition_ring *ring); /* NULL is fine */

/* Published with the partition's next commit. rule NULL: it is no longer in the file. */
void transition_ring_add(struct transition_ring *ring, int32_t partition,
                         const struct alert_transition *transition, const struct rule *rule);
/* The commit holds; or it never came, and so did none of them. */
void transition_ring_commit(struct transition_ring *ring, int32_t partition);
void transition_ring_forget(struct transition_ring *ring, int32_t partition);
/* Only committed ones. */
bool transition_ring_find(struct transition_ring *ring, uint64_t fingerprint, uint32_t sequence,
                          struct kept_transition *out);

#endif
