/* The families that the bridge exposes, in the page's order: the one place of their names, helps and types
 * (docs/metrics.md lists them). Made over a snapshot of the counters and of the lag; for any format. */
#ifndef METRICS_BRIDGE_FAMILIES_H
#define METRICS_BRIDGE_FAMILIES_H

#include "counter_snapshot.h"
#include "lag_watch.h"

#include "metrics/metric_source.h"

struct families {
    struct counter_snapshot counters;
    struct lag_snapshot lag;
    struct label_numbers numbers; /* of the row that is being looked at; families_init makes it */
};

/* Over snapshots that were taken; frees nothing of them. */
void families_init(struct families *families);
void families_deinit(struct families *families);

/* The family of that number; false: there are no more. The source borrows families. */
bool families_source(struct families *families, size_t number, struct metric_source *out);

#endif
