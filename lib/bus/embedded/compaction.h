/* lib/bus/embedded/compaction: a compacted topic holds the newest record of each key, at once: the append
 * that brings a key again deletes the older record. So there is no cleaner, and a restore reads no more than
 * what lives.
 *
 *   'K' topic partition key    the offset of the key's record. A key that is too long for LMDB stands as its
 * beginning and its XXH3 (128 bits); the record found by it must have the whole key. 'X' topic partition
 * offset a tombstone: it goes TOMBSTONE_MS later, when every reader may be thought to have seen it
 */
#ifndef OBS_BUS_EMBEDDED_COMPACTION_H
#define OBS_BUS_EMBEDDED_COMPACTION_H

#include "bus/embedded/partition_log.h"

#define TOMBSTONE_MS ((int64_t)24 * 3600 * 1000)

/* A batch of one record has just been appended. */
int compaction_note_append(struct store_txn *txn, const struct topic *topic, const struct batch *batch,
                           struct partition_bounds *bounds, struct error *error);
/* Deletes up to limit tombstones appended before before_ms; *deleted: how many. */
int compaction_drop_tombstones(struct store_txn *txn, const struct topic *topic, int32_t partition,
                               int64_t before_ms, size_t limit, size_t *deleted, struct error *error);

#endif
