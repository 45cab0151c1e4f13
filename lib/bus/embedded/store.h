/* lib/bus/embedded/store: the files of an embedded bus: an LMDB environment, the lock file and the shared
 * page, in one directory.
 *
 *   table      key                                          value
 *   meta       "format"                                     version
 *   topics     name                                         id, partitions, clean-up, retention, largest
 * record heads      topic id, partition                          first offset kept, end offset, last append
 * time, bytes log        topic id, partition, base offset             a sealed batch (record_frame.h) latest
 * topic id, partition, 128-bit hash of a key   offset of the key's last record; compacted topics only members
 * group NUL member id                          token, process, topics owners     group NUL topic NUL
 * partition                token of the member that has the partition offsets    group NUL topic NUL
 * partition                committed offset, when, note; checksummed
 *
 * Numbers in keys are big-endian, so that they sort; in values little-endian. Every process opens the
 * environment once (LMDB's rule), so buses on the same directory share one store. No writable map and no
 * unsynced commits: a full disk is an error return, a power cut takes at most what wasn't acknowledged.
 * Readers copy out and end their transaction before they return. Threads: any; write transactions are one at
 * a time over all processes (writer_gate.h). */
#ifndef OBS_BUS_EMBEDDED_STORE_H
#define OBS_BUS_EMBEDDED_STORE_H

#include "bus/bus_url.h"
#include "bus/driver.h"
#include "bus/embedded/presence.h"
#include "bus/embedded/shared_page.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct store_tables {
    MDB_dbi meta, topics, heads, log, latest, members, owners, offsets;
};

struct store {
    struct store *next; /* in the process's registry */
    unsigned users;
    char *directory;
    MDB_env *env;
    struct store_tables tables;
    struct presence presence;
    struct shared_page *page;
    pthread_mutex_t lock; /* of last_check_ms */
    int64_t last_check_ms;
    size_t limit_bytes;   /* store_limit_bytes; 0: as large as the disk */
    size_t pending_bytes; /* appended in the present write transaction; the writer's */
};

int store_open(struct store **out, const struct bus_url *url, struct error *error);
void store_close(struct store *store);

/* A write transaction; BUS_AWAY names a process that holds the others up. End with store_commit or
 * store_abort. */
int store_begin(struct store *store, MDB_txn **txn, struct error *error);
/* BUS_OK: durable. BUS_FULL: no room on the disk or under the limit; nothing happened. */
int store_commit(struct store *store, MDB_txn *txn, struct error *error);
void store_abort(struct store *store, MDB_txn *txn);
int store_begin_read(struct store *store, MDB_txn **txn, struct error *error); /* end with mdb_txn_abort */

/* Is there room for size more bytes in the present write transaction? An eighth of a limited store is kept
 * for what makes room: deleting needs new pages too, and a store filled to its last page could never be
 * emptied. BUS_FULL: no. */
int store_take_room(struct store *store, size_t size, struct error *error);

/* What an LMDB result means here: BUS_OK, BUS_FULL or BUS_FATAL, with error filled ("what: why"). */
int store_result(int lmdb_result, const char *what, struct error *error);
/* About once a second, any thread: gives up the slots of readers that were killed. */
void store_check_readers(struct store *store, int64_t now_ms);

#endif
