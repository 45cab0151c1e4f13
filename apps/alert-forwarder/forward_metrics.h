/* The forwarder's own metrics: made at start, so that every one of them is there at 0. */
#ifndef OBS_ALERT_FORWARDER_FORWARD_METRICS_H
#define OBS_ALERT_FORWARDER_FORWARD_METRICS_H

#include "alert_table.h"

struct metric;
struct metric_set;

struct forward_metrics {
    struct metric *sent, *failed, *refused; /* alerts, of all targets */
    struct metric *fired, *resolved, *unreadable, *no_room;
    struct metric *active, *untold;
    struct metric *delay;
    struct metric *up[ALERT_TABLE_TARGETS], *last_success[ALERT_TABLE_TARGETS];
};

/* urls: one per target. */
void forward_metrics_init(struct forward_metrics *metrics, struct metric_set *set, const char *const *urls,
                          unsigned targets);

#endif
