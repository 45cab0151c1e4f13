/* play: one scenario from its plan to who found what. */
#ifndef SCORE_PLAY_H
#define SCORE_PLAY_H

#include "matcher.h"

#include "error/error.h"

#include <stdint.h>

struct rule_set;

/* The same seed makes the same traffic and faults. -1: error says why. Free with play_free. */
int play_scenario(struct result *result, const struct scenario *scenario, const struct rule_set *rules,
                  uint64_t seed, struct error *error);
void play_free(struct result *result);

#endif
