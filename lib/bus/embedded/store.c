#include "bus/embedded/store.h"

#include "bus/embedded/byte_order.h"
#include "bus/embedded/writer_gate.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define FORMAT_VERSION  1
#define MAX_TABLES      16
#define MAX_READERS     512
#define SMALLEST_MAP    ((size_t)1 << 30)
#define LARGEST_MAP     ((size_t)1 << 40)
#define GATE_PATIENCE   3000
#define CHECK_EVERY_MS  1000
#define FULL_DISK_BYTES ((uint64_t)1 << 20)

/* Stores that this process has open. */
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct store *registry;

int store_result(int result, const char *what, struct error *error)
{
    switch (result) {
    case MDB_SUCCESS:
        return BUS_OK;
    case MDB_MAP_FULL:
        return error_set(error, BUS_FULL, "%s: the store has reached its size limit (store_limit_bytes)",
                         what);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return error_set(error, BUS_FULL, "%s: no room on the disk", what);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PANIC:
    case MDB_INVALID:
        return error_set(error, BUS_FATAL,
                         "%s: the store is damaged (%s); restore it, or move its directory away", what,
                         mdb_strerror(result));
    default:
        return error_set(error, BUS_FATAL, "%s: %s", what, mdb_strerror(result));
    }
}

/* --- opening ---- */

/* mkdir -p: missing parents too, since the default is var/bus. */
static int make_directory(const char *path, struct error *error)
{
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof part) {
        return error_set(error, BUS_REFUSED, "embedded:%s: the directory's name is too long", path);
    }
    for (size_t i = 1; i <= length; i++) {
        if (path[i] == '/' || path[i] == '\0') {
            memcpy(part, path, i);
            part[i] = '\0';
            if (mkdir(part, 0750) != 0 && errno != EEXIST) {
                return error_set_errno(error, BUS_REFUSED, errno, "embedded:%s: cannot make the directory",
                                       path);
            }
        }
    }
    return BUS_OK;
}

/* The map is address space, not memory or disk: as large as the disk, so that it never has to grow under its
 * users. */
static size_t map_size(const struct store *store, const struct bus_url *url)
{
    struct statvfs disk;
    size_t size = LARGEST_MAP / 16;
    if (url->store_limit_bytes > 0) {
        size = (size_t)url->store_limit_bytes;
    } else if (statvfs(store->directory, &disk) == 0) {
        size = (size_t)disk.f_blocks * disk.f_frsize;
        size = size < SMALLEST_MAP ? SMALLEST_MAP : size > LARGEST_MAP ? LARGEST_MAP : size;
    }
    return size & ~(size_t)0xfffff;
}

static int open_tables(struct store *store, MDB_txn *txn, unsigned flags)
{
    struct store_tables *t = &store->tables;
    const struct {
        const char *name;
        MDB_dbi *table;
    } tables[] = {{"meta", &t->meta},     {"topics", &t->topics},  {"heads", &t->heads},
                  {"log", &t->log},       {"latest", &t->latest},  {"members", &t->members},
                  {"owners", &t->owners}, {"offsets", &t->offsets}};
    int result = MDB_SUCCESS;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && result == MDB_SUCCESS; i++) {
        result = mdb_dbi_open(txn, tables[i].name, flags, tables[i].table);
    }
    return result;
}

static int check_format(struct store *store, MDB_txn *txn, struct error *error)
{
    unsigned char version[4];
    MDB_val key = {6, (void *)(uintptr_t) "format"};
    MDB_val value;
    int result = mdb_get(txn, store->tables.meta, &key, &value);
    if (result == MDB_NOTFOUND) {
        put_le32(version, FORMAT_VERSION);
        value = (MDB_val){sizeof version, version};
        return store_result(mdb_put(txn, store->tables.meta, &key, &value, 0), "writing the store's format",
                            error);
    }
    if (result == MDB_SUCCESS && (value.mv_size != 4 || get_le32(value.mv_data) != FORMAT_VERSION)) {
        return error_set(error, BUS_REFUSED, "embedded:%s: the store has format %u, this program knows %d",
                         store->directory, value.mv_size == 4 ? get_le32(value.mv_data) : 0, FORMAT_VERSION);
    }
    return store_result(result, "reading the store's format", error);
}

static int prepare_tables(struct store *store, struct error *error)
{
    MDB_txn *txn = NULL;
    int result = store_result(mdb_txn_begin(store->env, NULL, 0, &txn), "opening the store", error);
    if (result != BUS_OK) {
        return result;
    }
    result = store_result(open_tables(store, txn, MDB_CREATE), "opening the store's tables", error);
    if (result == BUS_OK) {
        result = check_format(store, txn, error);
    }
    if (result != BUS_OK) {
        mdb_txn_abort(txn);
        return result;
    }
    return store_result(mdb_txn_commit(txn), "preparing the store", error);
}

static int open_environment(struct store *store, const struct bus_url *url, struct error *error)
{
    int result = mdb_env_create(&store->env);
    if (result == MDB_SUCCESS) {
        (void)mdb_env_set_maxdbs(store->env, MAX_TABLES);
        (void)mdb_env_set_maxreaders(store->env, MAX_READERS);
        result = mdb_env_set_mapsize(store->env, map_size(store, url));
    }
    if (result == MDB_SUCCESS) {
        /* Without the second sync a power cut may take the last commits, never the store. */
        unsigned flags = MDB_NOTLS | (url->survive_power_cut ? 0 : MDB_NOMETASYNC);
        result = mdb_env_open(store->env, store->directory, flags, 0640);
    }
    if (result == MDB_INVALID || result == MDB_VERSION_MISMATCH) {
        return error_set(error, BUS_REFUSED, "embedded:%s: data.mdb there is no store of this program",
                         store->directory);
    }
    if (result == EACCES || result == EROFS) {
        return error_set_errno(error, BUS_REFUSED, result, "embedded:%s: cannot write there",
                               store->directory);
    }
    return store_result(result, store->directory, error);
}

static int open_files(struct store *store, const struct bus_url *url, struct error *error)
{
    bool first = false;
    int result = presence_open(&store->presence, store->directory, &first, error);
    if (result == BUS_OK) {
        result = shared_page_open(&store->page, store->directory, first, error);
    }
    if (result == BUS_OK) {
        result = open_environment(store, url, error);
    }
    if (result == BUS_OK) {
        int dead = 0;
        (void)mdb_reader_check(store->env, &dead);
        result = prepare_tables(store, error);
    }
    if (result == BUS_OK && first) {
        result = presence_share(&store->presence, error);
    }
    return result;
}

static void destroy_store(struct store *store)
{
    if (store->env != NULL) {
        mdb_env_close(store->env);
    }
    shared_page_close(store->page);
    presence_close(&store->presence);
    (void)pthread_mutex_destroy(&store->lock);
    free(store->directory);
    free(store);
}

static int create_store(struct store **out, char *directory, const struct bus_url *url, struct error *error)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        free(directory);
        return error_set(error, BUS_FATAL, "no memory for the store");
    }
    store->directory = directory;
    store->limit_bytes = url->store_limit_bytes > 0 ? (size_t)url->store_limit_bytes : 0;
    store->presence.fd = -1;
    store->users = 1;
    (void)pthread_mutex_init(&store->lock, NULL);
    int result = open_files(store, url, error);
    if (result != BUS_OK) {
        destroy_store(store);
        return result;
    }
    store->next = registry;
    registry = store;
    *out = store;
    return BUS_OK;
}

int store_open(struct store **out, const struct bus_url *url, struct error *error)
{
    *out = NULL;
    if (make_directory(url->location, error) != BUS_OK) {
        return BUS_REFUSED;
    }
    char *directory = realpath(url->location, NULL);
    if (directory == NULL) {
        return error_set_errno(error, BUS_REFUSED, errno, "embedded:%s", url->location);
    }
    (void)pthread_mutex_lock(&registry_lock);
    int result = BUS_OK;
    for (struct store *store = registry; store != NULL && *out == NULL; store = store->next) {
        if (strcmp(store->directory, directory) == 0) {
            store->users++;
            *out = store;
        }
    }
    if (*out == NULL) {
        result = create_store(out, directory, url, error);
    } else {
        free(directory);
    }
    (void)pthread_mutex_unlock(&registry_lock);
    return result;
}

void store_close(struct store *store)
{
    (void)pthread_mutex_lock(&registry_lock);
    if (--store->users == 0) {
        struct store **link = &registry;
        while (*link != store) {
            link = &(*link)->next;
        }
        *link = store->next;
        destroy_store(store);
    }
    (void)pthread_mutex_unlock(&registry_lock);
}

/* --- transactions ---- */

int store_begin(struct store *store, MDB_txn **txn, struct error *error)
{
    int result = writer_gate_enter(store->page, GATE_PATIENCE, error);
    if (result != BUS_OK) {
        return result;
    }
    store->pending_bytes = 0;
    result = store_result(mdb_txn_begin(store->env, NULL, 0, txn), "beginning a write", error);
    if (result != BUS_OK) {
        writer_gate_leave(store->page);
    }
    return result;
}

/* A disk that fills up in the middle of a write makes it a short one, and LMDB calls that EIO. */
static bool is_disk_full(const struct store *store)
{
    struct statvfs disk;
    return statvfs(store->directory, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < FULL_DISK_BYTES;
}

int store_commit(struct store *store, MDB_txn *txn, struct error *error)
{
    int result = mdb_txn_commit(txn);
    if (result == EIO && is_disk_full(store)) {
        result = ENOSPC;
    }
    result = store_result(result, "committing", error);
    writer_gate_leave(store->page);
    return result;
}

#define FREE_LIST                                                                                            \
    ((MDB_dbi)0) /* LMDB's own table of free pages; a value's first word says how many (as mdb_stat reads    \
                    it) */

/* As of the last commit: LMDB shows the table to readers only. */
static int count_free_pages(struct store *store, size_t *pages)
{
    MDB_txn *txn = NULL;
    MDB_cursor *cursor = NULL;
    MDB_val key;
    MDB_val value;
    *pages = 0;
    int result = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    if (result != MDB_SUCCESS) {
        return result;
    }
    result = mdb_cursor_open(txn, FREE_LIST, &cursor);
    while (result == MDB_SUCCESS &&
           (result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        size_t count;
        memcpy(&count, value.mv_data, sizeof count);
        *pages += count;
    }
    if (cursor != NULL) {
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    return result == MDB_NOTFOUND ? MDB_SUCCESS : result;
}

int store_take_room(struct store *store, size_t size, struct error *error)
{
    MDB_envinfo info;
    MDB_stat stat;
    if (store->limit_bytes == 0) {
        return BUS_OK;
    }
    (void)mdb_env_info(store->env, &info);
    (void)mdb_env_stat(store->env, &stat);
    size_t reserve = store->limit_bytes / 8;
    size_t wanted = store->pending_bytes + size;
    store->pending_bytes = wanted;
    if ((info.me_last_pgno + 1) * stat.ms_psize + wanted <= store->limit_bytes - reserve) {
        return BUS_OK;
    }
    size_t free_pages = 0;
    int result = count_free_pages(store, &free_pages);
    if (result == MDB_SUCCESS && free_pages * stat.ms_psize < wanted + reserve) {
        result = MDB_MAP_FULL;
    }
    return store_result(result, "appending", error);
}

void store_abort(struct store *store, MDB_txn *txn)
{
    mdb_txn_abort(txn);
    writer_gate_leave(store->page);
}

int store_begin_read(struct store *store, MDB_txn **txn, struct error *error)
{
    return store_result(mdb_txn_begin(store->env, NULL, MDB_RDONLY, txn), "beginning a read", error);
}

void store_check_readers(struct store *store, int64_t now_ms)
{
    (void)pthread_mutex_lock(&store->lock);
    bool due = now_ms - store->last_check_ms >= CHECK_EVERY_MS;
    if (due) {
        store->last_check_ms = now_ms;
    }
    (void)pthread_mutex_unlock(&store->lock);
    if (due) {
        int dead = 0;
        (void)mdb_reader_check(store->env, &dead);
    }
}
