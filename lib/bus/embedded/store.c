#include "bus/embedded/store.h"

#include "bus/bus.h"
#include "bus/embedded/wakeup.h"
#include "bus/embedded/writer_gate.h"
#include "clock/clock.h"

#include <errno.h>
#include <sys/statvfs.h>

#define READER_CHECK_MS 1000
#define FULL_DISK_BYTES ((uint64_t)1 << 20)

int store_error(const struct store *store, int code, const char *what, struct error *error)
{
    switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return error_set_errno(error, BUS_FULL, code, "%s: %s", store->directory, what);
    case MDB_MAP_FULL:
        return error_set(error, BUS_FULL, "%s: %s: store_limit_bytes is reached", store->directory, what);
    case MDB_TXN_FULL:
        return error_set(error, BUS_REFUSED, "%s: %s: more than 512 MiB in one commit", store->directory,
                         what);
    case MDB_READERS_FULL:
        return error_set(error, BUS_AWAY, "%s: %s: too many readers at once", store->directory, what);
    default:
        return error_set(error, BUS_FATAL, "%s: %s: %s", store->directory, what, mdb_strerror(code));
    }
}

/* --- the map's size ---- */

/* size 0: another process has made it larger, follow. Waits until no transaction of this process is open. */
static int resize_map(struct store *store, size_t size)
{
    (void)pthread_rwlock_wrlock(&store->map_lock);
    int result = mdb_env_set_mapsize(store->env, size);
    (void)pthread_rwlock_unlock(&store->map_lock);
    return result;
}

static int grow_map(struct store *store)
{
    MDB_envinfo info;
    int result = mdb_env_info(store->env, &info);
    return result != 0 ? result : resize_map(store, info.me_mapsize * 2);
}

/* Begins with the map's lock shared; keeps it on success. */
static int begin(struct store *store, unsigned flags, MDB_txn **out)
{
    for (;;) {
        (void)pthread_rwlock_rdlock(&store->map_lock);
        int result = mdb_txn_begin(store->env, NULL, flags, out);
        if (result == 0) {
            return 0;
        }
        (void)pthread_rwlock_unlock(&store->map_lock);
        if (result != MDB_MAP_RESIZED) {
            return result;
        }
        result = resize_map(store, 0);
        if (result != 0) {
            return result;
        }
    }
}

/* --- reading ---- */

int store_begin_read(struct store *store, struct store_txn *txn, struct error *error)
{
    *txn = (struct store_txn){.store = store};
    int result = begin(store, MDB_RDONLY, &txn->txn);
    return result == 0 ? BUS_OK : store_error(store, result, "can't be read", error);
}

void store_end_read(struct store_txn *txn)
{
    mdb_txn_abort(txn->txn);
    txn->txn = NULL;
    (void)pthread_rwlock_unlock(&txn->store->map_lock);
}

int store_begin_read_again(struct store *store, struct store_reader *reader, struct store_txn *txn,
                           struct error *error)
{
    if (reader->txn != NULL) {
        *txn = (struct store_txn){.store = store, .txn = reader->txn};
        (void)pthread_rwlock_rdlock(&store->map_lock);
        if (mdb_txn_renew(reader->txn) == 0) {
            return BUS_OK;
        }
        (void)pthread_rwlock_unlock(&store->map_lock);
        store_reader_free(store, reader); /* the map was resized, say: begin tells */
    }
    int result = store_begin_read(store, txn, error);
    reader->txn = result == BUS_OK ? txn->txn : NULL;
    return result;
}

void store_end_read_again(struct store_txn *txn)
{
    mdb_txn_reset(txn->txn);
    txn->txn = NULL;
    (void)pthread_rwlock_unlock(&txn->store->map_lock);
}

void store_reader_free(struct store *store, struct store_reader *reader)
{
    if (reader->txn != NULL) {
        (void)pthread_rwlock_rdlock(&store->map_lock);
        mdb_txn_abort(reader->txn);
        (void)pthread_rwlock_unlock(&store->map_lock);
        reader->txn = NULL;
    }
}

/* --- writing ---- */

/* A reader that was killed holds on to the pages it saw; without this the file would grow. */
static void check_readers(struct store *store)
{
    int64_t now_ms = clock_steady_ms(clock_system());
    if (now_ms >= atomic_load(&store->next_reader_check_ms)) {
        atomic_store(&store->next_reader_check_ms, now_ms + READER_CHECK_MS);
        int dead = 0;
        (void)mdb_reader_check(store->env, &dead);
    }
}

int store_begin_write(struct store *store, bool survive_power_cut, struct store_txn *txn, struct error *error)
{
    *txn = (struct store_txn){.store = store, .writing = true};
    if (atomic_exchange(&store->wants_growth, false)) {
        (void)grow_map(store);
    }
    int result = writer_gate_enter(store->page, STORE_PATIENCE_MS, error);
    if (result != BUS_OK) {
        atomic_store(&store->writable, false);
        error_add_context(error, "%s", store->directory);
        return result;
    }
    check_readers(store);
    /* The flag is the environment's, and only a writer reads it: the gate makes it this transaction's own. */
    (void)mdb_env_set_flags(store->env, MDB_NOMETASYNC, !survive_power_cut);
    result = begin(store, 0, &txn->txn);
    if (result != 0) {
        writer_gate_leave(store->page);
        return store_error(store, result, "no write transaction", error);
    }
    return BUS_OK;
}

static void end_write(struct store_txn *txn)
{
    txn->txn = NULL;
    (void)pthread_rwlock_unlock(&txn->store->map_lock);
    writer_gate_leave(txn->store->page);
}

/* A disk that fills up in the middle of a write makes it a short one, and LMDB calls that EIO. */
static bool is_disk_full(const struct store *store)
{
    struct statvfs disk;
    return statvfs(store->directory, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < FULL_DISK_BYTES;
}

int store_commit(struct store_txn *txn, struct error *error)
{
    struct store *store = txn->store;
    int result = mdb_txn_commit(txn->txn);
    end_write(txn);
    if (result == EIO && is_disk_full(store)) {
        result = ENOSPC;
    }
    atomic_store(&store->writable, result == 0);
    if (result != 0) {
        if (result == MDB_MAP_FULL && !store->limited) {
            atomic_store(&store->wants_growth, true);
        }
        return store_error(store, result, "the commit failed", error);
    }
    if (txn->wake_mask != 0) {
        if ((txn->wake_mask & WAKEUP_GROUPS) != 0) {
            (void)atomic_fetch_add(&store->page->group_changes, 1);
        }
        wakeup_signal(store->page, txn->wake_mask);
    }
    return BUS_OK;
}

void store_abort(struct store_txn *txn)
{
    if (txn->txn != NULL) {
        mdb_txn_abort(txn->txn);
        end_write(txn);
    }
}
