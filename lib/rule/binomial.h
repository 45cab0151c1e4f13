/* lib/rule/binomial: how unlikely is it that chance alone made so many bad records? */
#ifndef OBS_RULE_BINOMIAL_H
#define OBS_RULE_BINOMIAL_H

#include <stdbool.h>
#include <stdint.h>

/* Is P(X >= bad) <= limit for X binomial with n trials of probability p? p in (0, 1), bad <= n, limit below
 * one half. The tail is summed upwards from `bad`, each term from the one before; the sum stops as soon as it
 * is past the limit, or a geometric series shows that the rest can't reach it (W. Feller, An Introduction to
 * Probability Theory, vol. 1, VI.3). */
bool binomial_tail_is_at_most(uint64_t n, uint64_t bad, double p, double limit);

#endif
