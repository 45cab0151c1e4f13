/* lib/bus/embedded/retention: what goes when, oldest batch first.
 *
 * A batch may go when it is past the topic's age or size (as in Kafka: retention.ms, retention.bytes per
 * partition) and no known group still needs it: a group is known for a topic from its first join on, and
 * needs what lies at and behind its committed offset. When the topic as a whole would pass
 * retention_hard_bytes, what no group needs goes however young it is; if that isn't enough, `block` refuses
 * the append (BUS_FULL: the producer waits) and `drop_oldest` deletes what is needed, counted in the
 * partition's bounds.
 *
 * Each append makes room in its own partition, a little more than it brings, in the same commit; partitions
 * without appends are looked at by a sweep, a bounded step a commit. Compacted topics only lose old
 * tombstones. */
#ifndef OBS_BUS_EMBEDDED_RETENTION_H
#define OBS_BUS_EMBEDDED_RETENTION_H

#include "bus/embedded/store.h"
#include "bus/embedded/topic_table.h"

struct retention_policy {
    int64_t hard_bytes; /* per topic */
    bool drop_oldest;
};

/* A topic while one transaction appends to it. */
struct retention_room {
    const struct retention_policy *policy;
    const struct topic *topic;
    int64_t now_ms;
    int64_t total_bytes; /* of all its partitions */
};

int retention_room_init(struct retention_room *room, const struct store_txn *txn,
                        const struct retention_policy *policy, const struct topic *topic, int64_t now_ms,
                        struct error *error);
/* Before bytes are appended to the partition. BUS_FULL: block. */
int retention_make_room(struct retention_room *room, struct store_txn *txn, int32_t partition, size_t bytes,
                        struct error *error);

/* From time to time, by whoever polls or produces; does nothing unless it is due, over all processes. */
int retention_sweep_if_due(struct store *store, bool survive_power_cut, int64_t now_ms, struct error *error);
/* When the disk is full: a small step at once, in a commit of its own, because what one frees only the next
 * one can use. *freed: whether there was something to delete. */
int retention_sweep_now(struct store *store, bool survive_power_cut, int64_t now_ms, bool *freed,
                        struct error *error);

#endif
