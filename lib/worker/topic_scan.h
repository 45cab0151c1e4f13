/* lib/worker/topic_scan: a stretch of a topic's committed records, read once by nobody's member: no group,
 * nothing is committed, and nobody else notices. */
#ifndef OBS_WORKER_TOPIC_SCAN_H
#define OBS_WORKER_TOPIC_SCAN_H

#include "bus/bus.h"
#include "error/error.h"

#include <stddef.h>
#include <stdint.h>

struct program;

struct topic_scan {
    const char *topic;
    /* For each of the topic's partitions; until is not read any more. from >= until: nothing of it. */
    int32_t partition_count;
    const int64_t *from, *until;
    /* Records of one partition, in order, count >= 1. Not 0: the scan ends with -1. */
    int (*take)(void *context, const struct bus_record *records, size_t count, struct error *error);
    void *context;
};

/* 0: all was read, or the program is asked to stop. What retention has taken since is passed over. */
int topic_scan_run(struct program *program, struct bus *bus, const struct topic_scan *scan,
                   struct error *error);

/* begin and end of every partition as of now; arrays of partition_count each. */
int topic_read_bounds(struct bus *bus, const char *topic, int32_t partition_count, int64_t *begin,
                      int64_t *end, struct error *error);

#endif
