/* lib/bus/embedded/store: one ordered map of bytes on disk (LMDB), shared by processes, with checked values.
 *
 *   DIR/data.mdb, lock.mdb   LMDB's; DIR/bus.lock: presence.h; DIR/bus.shared: shared_page.h
 *
 * One tree; a key's first byte says what it is (numbers big-endian, so that they sort):
 *
 *   'M'                                    format of the store
 *   'T' name                               a topic's id and settings                        topic_table.h
 *   'P' topic(4) partition(4)              where its log begins and ends, how large it is   partition_log.h
 *   'L' topic(4) partition(4) offset(8)    a batch of records                               record_frame.h
 *   'K' topic(4) partition(4) key          compacted topics: the newest offset of the key   compaction.h
 *   'X' topic(4) partition(4) offset(8)    compacted topics: a tombstone that may go later  compaction.h
 *   'O' topic(4) partition(4) group        a group's committed offset and note              group_rows.h
 *   'g' group                              the group's generation                           group_rows.h
 *   'm' group NUL member                   a member: process, heartbeat slot, topics        group_rows.h
 *   'a' group NUL topic(4) partition(4)    whose the partition is                           group_rows.h
 *
 * Every value carries a CRC-32C: batches their own, rows one over key and value. LMDB itself reads a flipped
 * bit without complaint.
 *
 * The map is larger than any disk it will meet (64 GiB, then doubled when needed): address space, not memory,
 * and the file grows as it is written. It is mapped for reading only: a full disk is an error of write(2),
 * never a signal. No MDB_NOSYNC: a power cut could take the whole store with it. durability=process is
 * MDB_NOMETASYNC: one flush a commit instead of two, and a power cut takes the last commits but leaves the
 * store whole.
 *
 * Threads: any; each transaction belongs to the thread that began it, and is short: nothing waits inside one.
 * A store is opened once per process and counted (LMDB and POSIX locks want it so); a child of fork opens its
 * own. */
#ifndef OBS_BUS_EMBEDDED_STORE_H
#define OBS_BUS_EMBEDDED_STORE_H

#include "buffer/buffer.h"
#include "bus/bus_url.h"
#include "bus/embedded/presence.h"
#include "bus/embedded/shared_page.h"
#include "error/error.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log;
struct topic_table;
struct group_commit;

struct store {
    char *directory;
    MDB_env *env;
    MDB_dbi tree;
    struct presence presence;
    struct shared_page *page;
    pthread_rwlock_t map_lock; /* shared: any transaction; exclusive: changing the map's size */
    bool limited;              /* store_limit_bytes was given: the map never grows */
    _Atomic bool wants_growth;
    _Atomic bool writable; /* the last attempt to write went well: for bus_is_connected */
    _Atomic int64_t next_reader_check_ms;
    struct topic_table *topics;
    struct group_commit *committer;

    struct store *next; /* the registry's */
    dev_t device;
    ino_t inode;
    pid_t pid;
    int references;
};

int store_open(struct store **out, const struct bus_url *url, struct error *error);
void store_close(struct store *store); /* NULL is fine */

/* --- transactions ---- */

struct store_txn {
    struct store *store;
    MDB_txn *txn;
    uint32_t wake_mask; /* whom a commit wakes: WAKEUP_… and topics; the callers or it together */
    bool writing;
    int64_t dropped; /* records that retention_policy=drop_oldest took although a group needed them */
};

/* A read transaction that is kept between uses spares the look-up of a reader slot. Zero-initialise; one
 * thread. */
struct store_reader {
    MDB_txn *txn;
};

int store_begin_read(struct store *store, struct store_txn *txn, struct error *error);
void store_end_read(struct store_txn *txn);
int store_begin_read_again(struct store *store, struct store_reader *reader, struct store_txn *txn,
                           struct error *error);
void store_end_read_again(struct store_txn *txn);
void store_reader_free(struct store *store, struct store_reader *reader);

/* Waits for its turn; BUS_AWAY after STORE_PATIENCE_MS. */
#define STORE_PATIENCE_MS 3000
int store_begin_write(struct store *store, bool survive_power_cut, struct store_txn *txn,
                      struct error *error);
/* BUS_FULL: no room on the disk (or in store_limit_bytes): nothing was written, try again later. */
int store_commit(struct store_txn *txn, struct error *error);
void store_abort(struct store_txn *txn);

/* What LMDB's error means to the bus, with a sentence. */
int store_error(const struct store *store, int code, const char *what, struct error *error);

/* --- keys and rows ---- */

#define STORE_KEY_BYTES 511 /* LMDB's bound */

struct store_key {
    size_t size;
    char bytes[STORE_KEY_BYTES + 1];
};

void store_key_init(struct store_key *key, char kind);
void store_key_add_u32(struct store_key *key, uint32_t value);
void store_key_add_u64(struct store_key *key, uint64_t value);
void store_key_add_bytes(struct store_key *key, const void *data, size_t size); /* cut at the bound */
bool store_key_begins(const MDB_val *key, const struct store_key *prefix);
MDB_val store_key_value(struct store_key *key);

/* A row: little-endian numbers and texts, then the checksum. Reading past the end clears ok and gives 0. */
struct store_row {
    const char *at, *end;
    bool ok;
};
uint32_t store_row_u32(struct store_row *row);
int64_t store_row_i64(struct store_row *row);
void store_row_text(struct store_row *row, char *out,
                    size_t out_size); /* ok = false: longer than out_size - 1 */
bool store_row_add_u32(struct buffer *out, uint32_t value);
bool store_row_add_i64(struct buffer *out, int64_t value);
bool store_row_add_text(struct buffer *out, const char *text);

/* BUS_OK, or BUS_FATAL when the checksum differs. *found false: there is none. */
int store_get_row(const struct store_txn *txn, struct store_key *key, struct store_row *row, bool *found,
                  struct error *error);
int store_open_row(const struct store *store, const MDB_val *key, const MDB_val *value, struct store_row *row,
                   struct error *error);
/* Adds the checksum to row and stores it. */
int store_put_row(struct store_txn *txn, struct store_key *key, struct buffer *row, struct error *error);
int store_delete(struct store_txn *txn, struct store_key *key, struct error *error); /* none there: BUS_OK */
int store_open_cursor(const struct store_txn *txn, MDB_cursor **cursor, struct error *error);
/* The first pair at or behind key that begins with prefix (or, with MDB_NEXT, the next one). */
int store_seek(const struct store_txn *txn, MDB_cursor *cursor, MDB_cursor_op operation,
               const struct store_key *prefix, MDB_val *key, MDB_val *value, bool *found,
               struct error *error);

#endif
