/* lib/bus/kafka/kafka_restore: the last value of each live key of some partitions of a compacted topic.
 *
 * Read from the beginning to the high watermarks as they were at the start, as committed reader: where a
 * transaction of a former owner is still open the reading waits at the last stable offset until it ends or
 * times out (Kafka Streams' KAFKA-10167).
 *
 * One client reads all partitions at once: a client of its own for each would cost each a connection, a look
 * at the metadata and the waiting for its end. Memory: what the partitions hold, each until
 * kafka_restore_done_with. */
#ifndef OBS_BUS_KAFKA_KAFKA_RESTORE_H
#define OBS_BUS_KAFKA_KAFKA_RESTORE_H

#include "bus/kafka/kafka_bus.h"

struct kafka_restore;

/* partitions: may name one twice, for two input topics that share it. */
int kafka_restore_begin(struct kafka_restore **out, struct kafka_bus *bus, const char *topic,
                        const int32_t *partitions, size_t count, struct error *error);
/* Is it one of those it was begun with? */
bool kafka_restore_has(const struct kafka_restore *restore, int32_t partition);
/* Is all of it there? */
bool kafka_restore_is_done(const struct kafka_restore *restore, int32_t partition);
/* Reads on for up to timeout_ms, until one more partition is done. */
int kafka_restore_read(struct kafka_restore *restore, int timeout_ms, struct error *error);
/* The partition's next keys and values, at most limit, when it is done; 0: no more. They live until
 * kafka_restore_done_with. */
size_t kafka_restore_take(struct kafka_restore *restore, int32_t partition, struct bus_record *records,
                          size_t limit);
void kafka_restore_done_with(struct kafka_restore *restore, int32_t partition);
void kafka_restore_rewind(struct kafka_restore *restore, int32_t partition); /* take begins again */
void kafka_restore_end(struct kafka_restore *restore);                       /* NULL is fine */

#endif
