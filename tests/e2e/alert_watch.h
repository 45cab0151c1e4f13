/* tests/e2e/alert_watch: what fires, as Prometheus says. Functions fail the running test themselves. */
#ifndef OBS_TESTS_E2E_ALERT_WATCH_H
#define OBS_TESTS_E2E_ALERT_WATCH_H

#include <stddef.h>

struct stack;

/* How many alerts fire that match: a selector's inside, e.g. alertname="PlatformTargetDown",job="prometheus".
 */
size_t alerts_firing(const struct stack *stack, const char *matchers);
/* Until at least one fires, or none any more; fails after timeout_ms with all that fire. The seconds waited.
 */
double alerts_wait_firing(const struct stack *stack, const char *matchers, int timeout_ms);
double alerts_wait_quiet(const struct stack *stack, const char *matchers, int timeout_ms);

#endif
