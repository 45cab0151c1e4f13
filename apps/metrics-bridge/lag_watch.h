/* How far every group of the platform is behind, asked of the bus every few seconds on a thread of its own:
 * so it is there when the consumer is dead, and a scrape does no I/O. A group that has never committed on a
 * topic has no rows. When the bus can't be asked the last answer stands; its time is exposed too. */
#ifndef METRICS_BRIDGE_LAG_WATCH_H
#define METRICS_BRIDGE_LAG_WATCH_H

#include "bus/bus.h"
#include "error/error.h"

struct buffer;
struct lag_watch;
struct program;

int lag_watch_start(struct lag_watch **out, struct program *program, struct bus *bus, int64_t interval_ms,
                    struct error *error);
void lag_watch_stop(struct lag_watch *watch);
/* The kafka_consumergroup_* families and the time of the answer, in text format. rows false: headers only.
 * Any thread. */
void lag_watch_encode(struct lag_watch *watch, struct buffer *out, bool rows);

#endif
