/* A topic's committed records, read alone (no group, nothing is committed), to its end or for ever. */
#ifndef BUSCAT_TOPIC_READER_H
#define BUSCAT_TOPIC_READER_H

#include "bus/bus.h"
#include "error/error.h"

#include <stdbool.h>
#include <stdint.h>

struct program;

enum topic_read_result { TOPIC_READ_DONE = 0, TOPIC_READ_FAILED = -1 };

struct topic_reading {
    const char *topic;
    int32_t partition; /* -1: all */
    bool from_beginning;
    bool follow; /* goes on at the end, until it is told to stop */
    /* False: enough, stop. */
    bool (*take)(void *context, const struct bus_record *record);
    bool (*end_turn)(void *context); /* nothing more for now: flush; NULL: nothing to do */
    void *context;
};

/* Returns when take or end_turn said enough, the end was reached, or the program is asked to stop: all DONE.
 * What is appended after the call's begin may be read too, or not. */
enum topic_read_result topic_read(struct program *program, struct bus *bus,
                                  const struct topic_reading *reading, struct error *error);

#endif
