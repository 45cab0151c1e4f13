/* replay_guard: does the topic hold events later than those about to be replayed? Then their series have
 * moved on, and the replayed ones would only be counted as late. */
#ifndef SIMULATOR_REPLAY_GUARD_H
#define SIMULATOR_REPLAY_GUARD_H

#include "error/error.h"

#include <stdint.h>

struct bus;
struct program;

enum replay_guard_result {
    REPLAY_GUARD_FREE = 0,
    REPLAY_GUARD_STOPPED = 1,
    REPLAY_GUARD_REFUSED = -1 /* error names both times, or says why the topic can't be read */
};

/* Looks at the newest records of each partition of metrics.raw. */
enum replay_guard_result replay_guard_check(struct program *program, struct bus *bus, int64_t first_unix_ms,
                                            struct error *error);

#endif
