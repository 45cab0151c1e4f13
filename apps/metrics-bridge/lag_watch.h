/* How far every group of the platform is behind, asked of the bus every few seconds on a thread of its own:
 * so it is there when the consumer is dead, and a scrape does no I/O. A group that has never committed on a
 * topic has no rows. When the bus can't be asked the last answer stands; its time is exposed too. */
#ifndef METRICS_BRIDGE_LAG_WATCH_H
#define METRICS_BRIDGE_LAG_WATCH_H

#include "bus/bus.h"
#include "error/error.h"

struct lag_watch;
struct program;

/* What a scrape shows of one group, topic and partition. */
struct lag_row {
    char labels[320]; /* as the text format wants them */
    double records, seconds;
    double committed_s; /* Unix time of the last commit; 0: unknown */
};

struct lag_snapshot {
    struct lag_row *rows;
    size_t count;
    double read_s; /* Unix time of the bus's answer; 0: none yet */
};

int lag_watch_start(struct lag_watch **out, struct program *program, struct bus *bus, int64_t interval_ms,
                    struct error *error);
void lag_watch_stop(struct lag_watch *watch);
/* A copy of the last answer. with_rows false: its time alone. Any thread. -1: no memory. */
int lag_watch_take(struct lag_watch *watch, bool with_rows, struct lag_snapshot *snapshot);
void lag_snapshot_release(struct lag_snapshot *snapshot); /* safe on a zeroed one */

#endif
