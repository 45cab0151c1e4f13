/* The burn-rate alerts that every SLO gets: this table is the one place of their factors, windows and
 * severities. */
#ifndef SLO_RULES_BURN_ALERT_H
#define SLO_RULES_BURN_ALERT_H

#include "rule_writer.h"

#include <stdbool.h>
#include <stddef.h>

struct burn_alert {
    const char *name, *severity;
    int factor; /* times as fast as would use the budget up at the period's end */
    struct window window,
        short_window;   /* both must burn so: the long one proves it, the short one says it goes on */
    bool is_urgent;     /* evaluated with all rules, from the counters; else with the counts */
    bool needs_history; /* not before the long window has been watched */
};

enum { BURN_ALERT_COUNT = 3 };
extern const struct burn_alert burn_alerts[BURN_ALERT_COUNT];

/* A lone failure of a quiet service is a high rate and no incident: there must be so many bad events in the
 * long window. */
#define BURN_MIN_BAD           10
/* Unless the service is down: nearly all events of the long window are bad, and there are so many. */
#define BURN_MIN_BAD_WHEN_DOWN 5
#define BURN_DOWN_RATIO        0.99

void burn_alert_write(struct rule_writer *writer, const struct burn_alert *alert);

#endif
