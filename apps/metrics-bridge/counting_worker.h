/* The bridge's work on its partitions: records in, counters up; counters, dead letters of logs and positions
 * out in one commit. */
#ifndef METRICS_BRIDGE_COUNTING_WORKER_H
#define METRICS_BRIDGE_COUNTING_WORKER_H

#include "error/error.h"
#include "worker/group_worker.h"

#include <stdbool.h>
#include <stdint.h>

struct counting_worker;
struct program;
struct series_counters;

/* counters: borrowed. partition_count: of metrics.raw and logs.raw. */
int counting_worker_create(struct counting_worker **out, struct program *program,
                           struct series_counters *counters, int32_t partition_count, struct error *error);
void counting_worker_destroy(struct counting_worker *worker);
const struct group_worker_calls *counting_worker_calls(void); /* their context is the worker */
/* Any thread: does this replica own partition 0 of metrics.raw? It is the one that exposes lag. */
bool counting_worker_owns_first(const struct counting_worker *worker);

#endif
