/* lib/bus/embedded/partition_log: a partition as batches, row 'L' topic partition base-offset each, and one
 * row 'P' that says where it begins and ends.
 *
 * A batch holds as many records of one append as fit BATCH_BYTES: a value of LMDB costs a search and whole
 * pages, a record in it a copy. 65 520 bytes are exactly 16 pages. In a compacted topic every record is a
 * batch of its own, so that it can go when its key comes again. Within a transaction; any thread. */
#ifndef OBS_BUS_EMBEDDED_PARTITION_LOG_H
#define OBS_BUS_EMBEDDED_PARTITION_LOG_H

#include "bus/embedded/record_frame.h"
#include "bus/embedded/store.h"
#include "bus/embedded/topic_table.h"

#define BATCH_BYTES 65520

struct partition_bounds {
    int64_t begin, end; /* the oldest offset kept, one past the newest */
    int64_t begin_ms;   /* append time of the oldest batch; 0: empty */
    int64_t last_ms;    /* newest append time ever: appended_ms never goes back */
    int64_t bytes;      /* of the kept batches */
    int64_t dropped;    /* records deleted although a group still needed them */
};

int partition_log_bounds(const struct store_txn *txn, const struct topic *topic, int32_t partition,
                         struct partition_bounds *out, struct error *error);
int partition_log_set_bounds(struct store_txn *txn, const struct topic *topic, int32_t partition,
                             const struct partition_bounds *bounds, struct error *error);

/* Appends record_count frames that lie one behind the other, at now_ms (or the partition's newest time, if
 * later). */
int partition_log_append(struct store_txn *txn, const struct topic *topic, int32_t partition,
                         const char *frames, size_t frames_bytes, int64_t now_ms, struct error *error);

void partition_log_key(struct store_key *key, const struct topic *topic, int32_t partition, int64_t offset);
int partition_log_damaged(const struct store *store, const struct topic *topic, int32_t partition,
                          int64_t offset, const char *what, struct error *error);

/* Walks the batches. Zero-initialise, then _seek, then _next until *found is false, then _close. */
struct log_cursor {
    const struct store_txn *txn;
    const struct topic *topic;
    int32_t partition;
    MDB_cursor *cursor;
    MDB_cursor_op operation;
    MDB_val key;
    int64_t expected; /* where the next batch must begin; -1: anywhere (compacted) */
};

/* To the batch that holds offset, or the first one behind it. */
int log_cursor_seek(struct log_cursor *cursor, const struct store_txn *txn, const struct topic *topic,
                    int32_t partition, int64_t offset, struct error *error);
/* Unchecked bytes, valid within the transaction; to be copied and then opened with log_batch_open. base: by
 * the key.
 */
int log_cursor_next(struct log_cursor *cursor, MDB_val *value, int64_t *base, bool *found,
                    struct error *error);
void log_cursor_close(struct log_cursor *cursor);

/* Checks a batch's bytes and that they are this partition's at this offset. BUS_FATAL: damaged. */
int log_batch_open(const struct store *store, const struct topic *topic, int32_t partition, int64_t base,
                   const void *data, size_t size, struct batch *out, struct error *error);

/* Append time of the record at offset (or the next one kept); *found false: none. */
int partition_log_time(const struct store_txn *txn, const struct topic *topic, int32_t partition,
                       int64_t offset, int64_t *appended_ms, bool *found, struct error *error);

#endif
