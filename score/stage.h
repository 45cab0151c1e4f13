/* stage: plays one scenario: the simulator's requests, changed as the plan says, go to our detector as the
 * processor would feed it, and to both references. Millions of records a second; nothing waits.
 *
 * Series are spread over four partitions, a detector each. A partition that is silent for 5 s gets a tick a
 * second: the effective time of its last record and what has passed since that was appended. A record is
 * appended 20 ms after it is made, unless the scenario makes it late. */
#ifndef SCORE_STAGE_H
#define SCORE_STAGE_H

#include "error/error.h"
#include "firings.h"
#include "plan.h"

struct rule_set;

/* Fills in the incidents' counts and the firings. Returns the records fed, or -1. */
int64_t stage_play(const struct scenario *scenario, struct plan *plan, const struct rule_set *rules,
                   uint64_t seed, struct firings *firings, struct error *error);

/* What the shipped rules ask. -1: a rule is missing that is scored (traffic may be). */
int stage_read_limits(const struct rule_set *rules, struct plan_limits *limits, struct error *error);

#endif
