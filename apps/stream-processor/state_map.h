/* Saved state in memory: the last value of each key, as the compacted topic would have it. */
#ifndef STREAM_PROCESSOR_STATE_MAP_H
#define STREAM_PROCESSOR_STATE_MAP_H

#include "detect/detector.h"
#include "error/error.h"

struct state_map { /* all zero: empty */
    void *root;    /* of tsearch(3) */
};

/* A copy is kept; a value of NULL forgets the key. -1: no memory. */
int state_map_put(struct state_map *map, const struct detector_state *state, struct error *error);
/* Into a detector that has seen no event yet. */
int state_map_load(const struct state_map *map, struct detector *detector, struct error *error);
void state_map_free(struct state_map *map);

#endif
