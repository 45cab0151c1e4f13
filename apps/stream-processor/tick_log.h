/* The ticks of one partition, as they were committed: where in the input each stands and what it made the
 * partition's clock. Whoever reads the log again gives them to the detector at the same places, and so
 * decides the same.
 *
 * Many ticks at one place are as good as the last of them (detector_pass_time), so a silence is one tick,
 * however long. Saved one by one under "tick|<offset>" (16 hex digits): 1 (version), the clock (64 bits,
 * little-endian, ms). Memory: 16 bytes for each silence that the retained log remembers. */
#ifndef STREAM_PROCESSOR_TICK_LOG_H
#define STREAM_PROCESSOR_TICK_LOG_H

#include "bus/bus.h"
#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TICK_PREFIX    "tick|"
#define TICK_KEY_BYTES (5 + 16)

struct buffer;

struct tick {
    int64_t offset;   /* it comes before the record of this offset, and after those before */
    int64_t clock_ms; /* whole seconds of event time */
};

struct tick_log {       /* all zero: empty */
    struct tick *ticks; /* by offset, each once */
    size_t count, capacity;
};

void tick_log_free(struct tick_log *log);
/* In any order of offsets; one of the same offset is replaced if its clock is older. False: no memory. */
bool tick_log_put(struct tick_log *log, int64_t offset, int64_t clock_ms);
/* How many stand before the offset; forgets them. */
size_t tick_log_drop_before(struct tick_log *log, int64_t offset);

void tick_key_write(char out[TICK_KEY_BYTES + 1], int64_t offset);
void tick_value_write(struct buffer *out, int64_t clock_ms);
bool tick_is_key(struct bus_bytes key);
/* Takes a saved one in; -1: damaged. */
int tick_log_restore(struct tick_log *log, struct bus_bytes key, struct bus_bytes value, struct error *error);

#endif
