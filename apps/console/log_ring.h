/* The last lines of logs.raw, for the Logs page: a ring of records as they came, bounded in count and bytes,
 * with what the page filters by kept beside each. Any thread. */
#ifndef CONSOLE_LOG_RING_H
#define CONSOLE_LOG_RING_H

#include "event/log_record.h"

#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bus_record;
struct buffer;
struct log_ring;

#define LOG_RING_LINES  50000
#define LOG_RING_BYTES  ((size_t)24 * 1048576)
#define LOG_RING_VALUES 16 /* of a filter */
#define LOG_BAR_MS      3000
#define LOG_BARS        100

/* NULL or 0: any. */
struct log_filter {
    const char *services[LOG_RING_VALUES]; /* any of them */
    size_t service_count;
    const char *region, *trace;
    const char *text; /* in the body, letter case aside; or how a trace id begins */
    enum log_severity at_least;
    uint64_t after;            /* lines with a larger number only */
    int64_t from_ms, until_ms; /* event time; 0: open */
    size_t most;               /* newest lines */
    bool with_bars;
};

int log_ring_create(struct log_ring **out, struct error *error);
void log_ring_destroy(struct log_ring *ring);
/* A record of logs.raw; a malformed one is passed over. One thread. */
void log_ring_take(void *ring, const struct bus_record *record);
/* {"lines":[…newest first…],"last":N,"matched":M,"kept":K,"oldest_unix_ms":…,"bars":[[start, error, warn,
 * other],…]} */
void log_ring_write(struct log_ring *ring, const struct log_filter *filter, struct buffer *out);

#endif
