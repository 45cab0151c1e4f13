/* What a partition's owner remembers beside the alerts: where its event time stands and from where to read
 * again. Saved with each commit under the key "clock|", so that the next owner, or the same after a kill,
 * goes on where this one was.
 *
 *   value  2 (version), then little-endian: partition count (32 bits), history_until, last_effective,
 * last_appended, tick_clock, replay_from (64 bits each) */
#ifndef STREAM_PROCESSOR_PARTITION_CLOCK_H
#define STREAM_PROCESSOR_PARTITION_CLOCK_H

#include "bus/bus.h"
#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARTITION_CLOCK_KEY   "clock|"
#define PARTITION_CLOCK_BYTES (1 + 4 + 5 * 8)

struct buffer;

struct partition_clock {
    int32_t partition_count;   /* of the input topic; another one means that keys have moved */
    int64_t history_until_ms;  /* records appended before are judged but not announced: the first start's old
                                  ones */
    int64_t last_effective_ms; /* of the last record; INT64_MIN: none yet */
    int64_t last_appended_ms;
    int64_t tick_clock_ms; /* what the last tick made the partition's clock; INT64_MIN: none yet */
    int64_t replay_from;   /* the smallest offset that still feeds a window; -1: none */
};

void partition_clock_init(struct partition_clock *clock);
/* Where records and ticks have brought it; INT64_MIN: nowhere yet. */
int64_t partition_clock_now_ms(const struct partition_clock *clock);
void partition_clock_write(struct buffer *out, const struct partition_clock *clock);
int partition_clock_read(struct partition_clock *clock, struct bus_bytes value, struct error *error);

#endif
