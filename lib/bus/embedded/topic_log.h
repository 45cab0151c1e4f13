/* lib/bus/embedded/topic_log: topics and the records in them, inside a transaction of the store.
 *
 * Appending gives offsets without gaps and times that never go back within a partition. A compacted topic
 * keeps one record a batch: a new record of a key takes the one before away in the same transaction, so it is
 * always compacted; tombstones go by age. */
#ifndef OBS_BUS_EMBEDDED_TOPIC_LOG_H
#define OBS_BUS_EMBEDDED_TOPIC_LOG_H

#include "bus/embedded/record_frame.h"
#include "bus/embedded/store.h"

#define TOMBSTONE_MS INT64_C(86400000)

struct topic {
    char name[BUS_TOPIC_BYTES];
    uint32_t id;
    int32_t partitions;
    bool compacted;
    int64_t retention_ms, retention_bytes, max_message_bytes;
};

struct partition_head {
    int64_t begin, end, last_appended_ms, bytes;
};

/* BUS_REFUSED: there is none of that name. */
int topic_find(struct store *store, MDB_txn *txn, const char *name, struct topic *topic, struct error *error);
int topic_put(struct store *store, MDB_txn *txn, const struct topic *topic, struct error *error);
/* Id for a new topic; calls visit for each existing one, by name. */
int topic_next_id(struct store *store, MDB_txn *txn, uint32_t *id, struct error *error);
int topic_visit(struct store *store, MDB_txn *txn, void (*visit)(void *context, const struct topic *topic),
                void *context, struct error *error);

int head_read(struct store *store, MDB_txn *txn, uint32_t topic, int32_t partition,
              struct partition_head *head, struct error *error);

/* Appends count records, framed one behind the other. hard_bytes: most bytes the partition may hold; BUS_FULL
 * past it (0: no bound). */
int log_append(struct store *store, MDB_txn *txn, const struct topic *topic, int32_t partition,
               const char *frames, size_t frames_bytes, uint32_t count, int64_t now_ms, int64_t hard_bytes,
               struct error *error);

/* The batch that holds offset, or the first after it; false in *found: none. What batch points to is the
 * transaction's. */
int log_find(struct store *store, MDB_txn *txn, const struct topic *topic, int32_t partition, int64_t offset,
             struct batch *batch, bool *found, struct error *error);

/* Takes the oldest batch away and moves the head's begin on. *next_begin: the first offset that is left. */
int log_drop_batch(struct store *store, MDB_txn *txn, const struct topic *topic, int32_t partition,
                   const struct batch *batch, struct error *error);

#endif
