/* lib/worker/topic_scan: a stretch of a topic's committed records, read once by nobody's member: no group,
 * nothing is committed, and nobody else notices. */
#ifndef OBS_WORKER_TOPIC_SCAN_H
#define OBS_WORKER_TOPIC_SCAN_H

#include "bus/bus.h"
#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct program;

#define TOPIC_SCAN_ENOUGH  1    /* from a call: stop here, all is well */
#define TOPIC_SCAN_NOTHING (-1) /* as from: nothing of the partition */

struct topic_scan {
    const char *topic;
    /* For each of the topic's partitions; until is not read any more. from: an offset that is still kept, or
     * BUS_FROM_BEGINNING for whatever is. from >= until: nothing of it, unless follow. */
    int32_t partition_count;
    const int64_t *from, *until;
    bool follow; /* until is not looked at: it goes on at the end, until a call or the program says stop */
    /* Records of one partition, in order, count >= 1. 0: go on; -1: error filled, the scan ends with it. */
    int (*take)(void *context, const struct bus_record *records, size_t count, struct error *error);
    int (*end_turn)(void *context); /* nothing more for now; 0 or TOPIC_SCAN_ENOUGH. NULL: nobody asks */
    void *context;
};

/* 0: all was read, a call said enough, or the program is asked to stop. */
int topic_scan_run(struct program *program, struct bus *bus, const struct topic_scan *scan,
                   struct error *error);

/* begin and end of every partition as of now; arrays of partition_count each. */
int topic_read_bounds(struct bus *bus, const char *topic, int32_t partition_count, int64_t *begin,
                      int64_t *end, struct error *error);

#endif
