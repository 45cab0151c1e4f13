/* lib/bus/embedded/append_set: records that wait for a commit, as frames in one run for each (topic,
 * partition), so that the commit copies whole runs. What a producer's queue and a member's outputs are made
 * of.
 *
 * The memory of the runs is kept by append_set_clear: a busy producer allocates nothing. One thread at a
 * time. */
#ifndef OBS_BUS_EMBEDDED_APPEND_SET_H
#define OBS_BUS_EMBEDDED_APPEND_SET_H

#include "buffer/buffer.h"
#include "bus/embedded/store_room.h"
#include "bus/embedded/topic_table.h"

struct append_run {
    const struct topic *topic;
    int32_t partition;
    struct buffer frames;
};

struct append_topic {
    const struct topic *topic;
    struct append_run *runs; /* one for each partition */
};

struct append_set {
    struct append_topic *topics;
    size_t topic_count;
    size_t bytes, limit_bytes; /* of all frames */
    size_t record_count;
    uint32_t keyless; /* where the next record without a key goes */
};

void append_set_init(struct append_set *set, size_t limit_bytes);
void append_set_free(struct append_set *set);
void append_set_clear(struct append_set *set);

/* BUS_FULL: over the limit, or no memory. BUS_REFUSED: too large, no such partition, no key for a compacted
 * topic. */
int append_set_add(struct append_set *set, const struct topic *topic, const struct bus_record *record,
                   struct error *error);

/* Into the transaction, at now_ms; makes room by retention first. BUS_FULL: no room in the store for that
 * claim, or a topic is at retention_hard_bytes and a group still needs its oldest records. */
struct retention_policy;
int append_set_write(const struct append_set *set, struct store_txn *txn,
                     const struct retention_policy *policy, enum store_claim claim, int64_t now_ms,
                     struct error *error);

#endif
