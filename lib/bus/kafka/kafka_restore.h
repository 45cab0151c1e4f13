/* lib/bus/kafka/kafka_restore: the last value of each live key of one partition of a compacted topic.
 *
 * Read from the beginning to the high watermark as it was at the start, as committed reader: where a
 * transaction of a former owner is still open the reading waits at the last stable offset until it ends or
 * times out (Kafka Streams' KAFKA-10167). */
#ifndef OBS_BUS_KAFKA_KAFKA_RESTORE_H
#define OBS_BUS_KAFKA_KAFKA_RESTORE_H

#include "bus/kafka/kafka_bus.h"

struct kafka_restore;

int kafka_restore_begin(struct kafka_restore **out, struct kafka_bus *bus, const char *topic,
                        int32_t partition, struct error *error);
/* Reads on for up to timeout_ms; *done: all is there. */
int kafka_restore_read(struct kafka_restore *restore, int timeout_ms, bool *done, struct error *error);
/* The next keys and values, at most limit, when done; 0: no more. They live until kafka_restore_end. */
size_t kafka_restore_take(struct kafka_restore *restore, struct bus_record *records, size_t limit);
void kafka_restore_end(struct kafka_restore *restore); /* NULL is fine */

#endif
