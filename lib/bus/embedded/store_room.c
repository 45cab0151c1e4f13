#include "bus/embedded/store_room.h"

#include "bus/bus.h"

#include <string.h>
#include <sys/statvfs.h>

#define LARGEST_RESERVE ((uint64_t)4 << 20)
#define SMALLEST_SHARE  8 /* of a small disk or limit, an eighth is kept back */
#define PAGES_A_COMMIT  64

struct room {
    uint64_t total,
        left; /* bytes: by the limit or the disk, whichever is nearer; left: behind the file's end */
};

static bool look_at_disk(const struct store *store, const MDB_envinfo *info, uint64_t page_bytes,
                         struct room *room)
{
    struct statvfs disk;
    if (statvfs(store->directory, &disk) != 0) {
        return false;
    }
    *room = (struct room){(uint64_t)disk.f_blocks * disk.f_frsize, (uint64_t)disk.f_bavail * disk.f_frsize};
    if (store->limited) {
        uint64_t used = (info->me_last_pgno + 1) * page_bytes;
        uint64_t left = info->me_mapsize > used ? info->me_mapsize - used : 0;
        room->total = info->me_mapsize < room->total ? info->me_mapsize : room->total;
        room->left = left < room->left ? left : room->left;
    }
    return true;
}

/* Pages inside the file that a transaction may use again: LMDB's free list, but for the newest entry. */
static uint64_t count_free_pages(const struct store *store, size_t newest)
{
    MDB_txn *txn = NULL;
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    uint64_t pages = 0;
    if (mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn) != 0) {
        return 0;
    }
    if (mdb_cursor_open(txn, 0, &cursor) == 0) {
        while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
            size_t id, count;
            memcpy(&id, key.mv_data, sizeof id);
            memcpy(&count, value.mv_data, sizeof count);
            pages += id < newest ? count : 0;
        }
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    return pages;
}

int store_check_room(const struct store_txn *txn, size_t bytes, enum store_claim claim, struct error *error)
{
    MDB_envinfo info;
    MDB_stat tree;
    struct room room;
    if (mdb_env_info(txn->store->env, &info) != 0 || mdb_env_stat(txn->store->env, &tree) != 0 ||
        !look_at_disk(txn->store, &info, tree.ms_psize, &room)) {
        return BUS_OK; /* unknown: the write itself will tell */
    }
    uint64_t reserve =
        room.total / SMALLEST_SHARE < LARGEST_RESERVE ? room.total / SMALLEST_SHARE : LARGEST_RESERVE;
    reserve = claim == STORE_CLAIM_PRODUCER ? reserve : reserve / 4;
    uint64_t needed = bytes + bytes / 8 + (uint64_t)PAGES_A_COMMIT * tree.ms_psize + reserve;
    if (room.left >= needed ||
        room.left + count_free_pages(txn->store, info.me_last_txnid) * tree.ms_psize >= needed) {
        return BUS_OK;
    }
    return error_set(error, BUS_FULL, "%s: no room: %s (the last %llu KiB are kept for deleting)",
                     txn->store->directory,
                     txn->store->limited ? "store_limit_bytes or the disk" : "the disk",
                     (unsigned long long)(reserve >> 10));
}
