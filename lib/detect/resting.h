/* lib/detect/resting: what must be remembered of an alert whose series isn't there: its sequence, and the
 * damping of a flapping one. For the detector alone.
 *
 * A table by fingerprint (open addressing, at most half full). It grows with the alerts that ever fired, and
 * so does the saved state: a sequence has no gaps, however long its series was away. */
#ifndef OBS_DETECT_RESTING_H
#define OBS_DETECT_RESTING_H

#include "rule/rule_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct resting_alert {
    uint64_t fingerprint; /* 0: free slot */
    struct rule_state state;
};

struct resting_table { /* all zero: empty */
    struct resting_alert *slots;
    size_t slot_count, count;
};

void resting_table_free(struct resting_table *table);
/* False: no memory. An alert of the same fingerprint is replaced. */
bool resting_table_put(struct resting_table *table, uint64_t fingerprint, const struct rule_state *state);
/* Moves the state of a fingerprint out of rest; false: none rests. */
bool resting_table_take(struct resting_table *table, uint64_t fingerprint, struct rule_state *state);

#endif
