/* What the state topic says of the log, for who decides it again: ticks, rules, and where deciding began. */
#ifndef STREAM_PROCESSOR_SAVED_LOG_H
#define STREAM_PROCESSOR_SAVED_LOG_H

#include "partition_clock.h"
#include "rules_record.h"
#include "tick_log.h"

#include "bus/bus.h"
#include "error/error.h"

#include <stddef.h>
#include <stdint.h>

struct program;

struct saved_partition {
    struct partition_clock clock;
    struct tick_log ticks;
    struct rules_record *rules; /* in order; their texts are owned */
    size_t rules_count;
};

/* One for each partition; *out is to be freed with saved_log_free. */
int saved_log_read(struct saved_partition **out, int32_t partition_count, struct program *program,
                   struct bus *bus, struct error *error);
void saved_log_free(struct saved_partition *partitions, int32_t partition_count);

#endif
