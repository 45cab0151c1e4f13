/* lib/detect/resting: what must be remembered of a rule whose series isn't there: its alert's sequence and
 * the damping of a flapping one, and what its baseline has learned. For the detector alone.
 *
 * A table by fingerprint (open addressing, at most half full). It grows with the alerts that ever fired, and
 * so does the saved state: a sequence has no gaps, however long its series was away. Baselines are bounded by
 * who calls. */
#ifndef OBS_DETECT_RESTING_H
#define OBS_DETECT_RESTING_H

#include "rule/baseline.h"
#include "rule/rule_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct resting_rule {
    uint64_t fingerprint;      /* 0: free slot */
    bool has_state;            /* an alert rests */
    struct rule_state state;   /* otherwise as it begins */
    struct baseline *baseline; /* NULL: none rests; owned */
};

struct resting_table { /* all zero: empty */
    struct resting_rule *slots;
    size_t slot_count, count, baseline_count;
};

void resting_table_free(struct resting_table *table);
/* False: no memory. An alert of the same fingerprint is replaced. */
bool resting_table_put(struct resting_table *table, uint64_t fingerprint, const struct rule_state *state);
/* The same for a baseline, which is the table's from then on; at false it is still the caller's. */
bool resting_table_put_baseline(struct resting_table *table, uint64_t fingerprint, struct baseline *baseline);
/* NULL: none rests. Still the table's. */
struct baseline *resting_table_baseline(const struct resting_table *table, uint64_t fingerprint);
/* Moves what is kept of a fingerprint out of rest, the baseline to the caller; false: nothing rests. */
bool resting_table_take(struct resting_table *table, uint64_t fingerprint, struct resting_rule *out);
/* A baseline that has learned nothing since before the hour, whose fingerprint is told; it is gone then. 0:
 * no more. *at is where the search stands, 0 at first; nothing may be put or taken meanwhile. */
uint64_t resting_table_drop_baseline(struct resting_table *table, int64_t before_hour, size_t *at);
size_t resting_table_memory(const struct resting_table *table);

#endif
