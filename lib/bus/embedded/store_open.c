/* Opening a store: is DIR ours, is it whole, of which version; and the registry that opens it once a process.
 */
#include "bus/embedded/store.h"

#include "bus/bus.h"
#include "bus/embedded/topic_table.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT_NAME     "obs-bus"
#define FORMAT_VERSION  1
#define MAP_BYTES       ((size_t)64 << 30)
#define LOCK_FILE_BYTES 65536 /* room for about a thousand reader slots */
#define FILE_MODE       0640
#define DIRECTORY_MODE  0750

static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct store *registry;

/* --- the directory ---- */

static int make_directories(const char *directory, struct error *error)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s", directory) >= sizeof path - NAME_MAX) {
        return error_set(error, BUS_REFUSED, "its name is too long");
    }
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL) {
            *slash = '\0';
        }
        if (mkdir(path, DIRECTORY_MODE) != 0 && errno != EEXIST) {
            return error_set_errno(error, BUS_REFUSED, errno, "%s can't be made", path);
        }
        if (slash == NULL) {
            return BUS_OK;
        }
        *slash = '/';
    }
}

/* Our programs only ever make these; anything else in a directory without a store says that it is somebody's,
 * and no store is made there. */
static bool is_ours(const char *name)
{
    static const char *const names[] = {".",        "..",       "bus.lock",  "bus.shared",
                                        "data.mdb", "lock.mdb", "lost+found"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int check_directory(const char *directory, struct error *error)
{
    DIR *entries = opendir(directory);
    if (entries == NULL) {
        return error_set_errno(error, BUS_REFUSED, errno, "it can't be read");
    }
    char strange[NAME_MAX + 1] = "";
    bool has_store = false;
    const struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        has_store |= strcmp(entry->d_name, "data.mdb") == 0;
        if (!is_ours(entry->d_name)) {
            (void)snprintf(strange, sizeof strange, "%s", entry->d_name);
        }
    }
    (void)closedir(entries);
    return has_store || strange[0] == '\0'
               ? BUS_OK
               : error_set(
                     error, BUS_REFUSED,
                     "it holds \"%.100s\", which is none of the bus's: name an empty or a new directory",
                     strange);
}

static int sync_directory(const char *directory, struct error *error)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result =
        fd >= 0 && fsync(fd) == 0 ? BUS_OK : error_set_errno(error, BUS_REFUSED, errno, "can't be synced");
    if (fd >= 0) {
        (void)close(fd);
    }
    return result;
}

/* LMDB maps this file writable and sparse: without blocks behind it a full disk would be a SIGBUS. */
static int fill_lock_file(const char *directory, struct error *error)
{
    static const char zeros[LOCK_FILE_BYTES];
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/lock.mdb", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0) {
        return error_set_errno(error, BUS_REFUSED, errno, "lock.mdb can't be opened for writing");
    }
    struct stat status;
    int result = BUS_OK;
    if (fstat(fd, &status) != 0 || status.st_size < LOCK_FILE_BYTES) {
        ssize_t written = pwrite(fd, zeros, sizeof zeros, 0);
        if (written != (ssize_t)sizeof zeros) {
            result =
                error_set_errno(error, BUS_FULL, written < 0 ? errno : ENOSPC, "lock.mdb can't be written");
        }
    }
    (void)close(fd);
    return result;
}

/* --- the environment ---- */

static int foreign(int code, struct error *error)
{
    return error_set(error, BUS_REFUSED, "data.mdb isn't a bus's store (%s): name another directory",
                     mdb_strerror(code));
}

static int open_environment(struct store *store, const struct bus_url *url, struct error *error)
{
    int result = mdb_env_create(&store->env);
    if (result == 0) {
        store->limited = url->store_limit_bytes > 0;
        size_t bytes = store->limited ? (size_t)url->store_limit_bytes & ~(size_t)4095 : MAP_BYTES;
        result = mdb_env_set_mapsize(store->env, bytes);
    }
    if (result == 0) {
        result = mdb_env_open(store->env, store->directory, MDB_NOTLS, FILE_MODE);
    }
    switch (result) {
    case 0:
        return BUS_OK;
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_CORRUPTED:
        return foreign(result, error);
    case ENOMEM:
        return error_set(error, BUS_REFUSED,
                         "64 GiB of address space can't be had (ulimit -v?): set store_limit_bytes");
    default:
        return error_set(error, BUS_REFUSED, "data.mdb can't be opened: %s", mdb_strerror(result));
    }
}

/* A file cut short would be a SIGBUS at the first look behind its end. */
static int check_length(const struct store *store, struct error *error)
{
    MDB_envinfo info;
    MDB_stat stat_of_tree;
    struct stat status;
    int fd = -1;
    if (mdb_env_info(store->env, &info) != 0 || mdb_env_stat(store->env, &stat_of_tree) != 0 ||
        mdb_env_get_fd(store->env, &fd) != 0 || fstat(fd, &status) != 0) {
        return error_set(error, BUS_FATAL, "data.mdb can't be looked at");
    }
    size_t wanted = (info.me_last_pgno + 1) * stat_of_tree.ms_psize;
    if ((size_t)status.st_size < wanted) {
        return error_set(error, BUS_FATAL,
                         "data.mdb is damaged: %lld bytes of %zu are left; restore it or begin anew",
                         (long long)status.st_size, wanted);
    }
    return BUS_OK;
}

static int write_format(struct store_txn *txn, struct store_key *key, struct error *error)
{
    struct buffer row;
    buffer_init(&row, 0);
    (void)store_row_add_text(&row, FORMAT_NAME);
    (void)store_row_add_u32(&row, FORMAT_VERSION);
    int result = store_put_row(txn, key, &row, error);
    buffer_free(&row);
    return result;
}

static int check_format(const struct store_txn *txn, struct store_key *key, bool *found, struct error *error)
{
    struct store_row row;
    int result = store_get_row(txn, key, &row, found, error);
    if (result != BUS_OK || !*found) {
        return result;
    }
    char name[16];
    store_row_text(&row, name, sizeof name);
    uint32_t version = store_row_u32(&row);
    if (!row.ok || strcmp(name, FORMAT_NAME) != 0) {
        return foreign(MDB_INVALID, error);
    }
    if (version != FORMAT_VERSION) {
        return error_set(error, BUS_REFUSED, "it was written in format %u; this program reads %d", version,
                         FORMAT_VERSION);
    }
    return BUS_OK;
}

/* In a write transaction also when there is nothing to write: it is the same path for the first and for all.
 */
static int prepare_format(struct store *store, struct error *error)
{
    struct store_txn txn;
    struct store_key key;
    bool found = false;
    store_key_init(&key, 'M');
    int result = store_begin_read(store, &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    result = mdb_dbi_open(txn.txn, NULL, 0, &store->tree);
    result = result == 0 ? check_format(&txn, &key, &found, error)
                         : store_error(store, result, "the tree can't be opened", error);
    store_end_read(&txn);
    if (result != BUS_OK || found) {
        return result;
    }
    MDB_stat entries;
    if (mdb_env_stat(store->env, &entries) != 0 || entries.ms_entries > 0) {
        return foreign(MDB_INVALID, error);
    }
    result = store_begin_write(store, true, &txn, error);
    if (result == BUS_OK) {
        result = write_format(&txn, &key, error);
        if (result == BUS_OK) {
            result = store_commit(&txn, error);
        } else {
            store_abort(&txn);
        }
    }
    return result;
}

/* --- one store ---- */

static void destroy(struct store *store)
{
    topic_table_destroy(store->topics);
    if (store->env != NULL) {
        mdb_env_close(store->env);
    }
    shared_page_close(store->page);
    presence_close(&store->presence);
    (void)pthread_rwlock_destroy(&store->map_lock);
    free(store->directory);
    free(store);
}

static int open_files(struct store *store, const struct bus_url *url, struct error *error)
{
    bool first = false;
    int result = presence_open(&store->presence, store->directory, &first, error);
    if (result == BUS_OK) {
        result = shared_page_open(&store->page, store->directory, first, error);
    }
    if (result == BUS_OK && first) {
        result = fill_lock_file(store->directory, error);
    }
    if (result == BUS_OK) {
        result = open_environment(store, url, error);
    }
    if (result == BUS_OK) {
        result = check_length(store, error);
    }
    if (result == BUS_OK) {
        result = prepare_format(store, error);
    }
    if (result == BUS_OK && first) {
        result = sync_directory(store->directory, error);
        result = result == BUS_OK ? presence_share(&store->presence, error) : result;
    }
    return result;
}

static int create(struct store **out, const struct bus_url *url, const struct stat *status,
                  struct error *error)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return error_set(error, BUS_FATAL, "no memory for the store");
    }
    *store = (struct store){.presence = {.fd = -1},
                            .device = status->st_dev,
                            .inode = status->st_ino,
                            .pid = getpid(),
                            .references = 1,
                            .directory = strdup(url->location),
                            .topics = topic_table_create()};
    (void)pthread_rwlock_init(&store->map_lock, NULL);
    atomic_store(&store->writable, true);
    int result = store->directory == NULL || store->topics == NULL
                     ? error_set(error, BUS_FATAL, "no memory for the store")
                     : open_files(store, url, error);
    if (result != BUS_OK) {
        destroy(store);
        return result;
    }
    *out = store;
    return BUS_OK;
}

/* A parent's store that fork has copied into this process is none of ours. */
static struct store *find_open(const struct stat *status)
{
    for (struct store *store = registry; store != NULL; store = store->next) {
        if (store->device == status->st_dev && store->inode == status->st_ino && store->pid == getpid()) {
            return store;
        }
    }
    return NULL;
}

static int open_or_share(struct store **out, const struct bus_url *url, struct error *error)
{
    struct stat status;
    int result = make_directories(url->location, error);
    if (result == BUS_OK) {
        result = check_directory(url->location, error);
    }
    if (result == BUS_OK && stat(url->location, &status) != 0) {
        result = error_set_errno(error, BUS_REFUSED, errno, "it can't be looked at");
    }
    if (result != BUS_OK) {
        return result;
    }
    *out = find_open(&status);
    if (*out != NULL) {
        (*out)->references++;
        return BUS_OK;
    }
    struct store *store = NULL;
    result = create(&store, url, &status, error);
    if (store != NULL) {
        store->next = registry;
        registry = store;
    }
    *out = store;
    return result;
}

int store_open(struct store **out, const struct bus_url *url, struct error *error)
{
    *out = NULL;
    (void)pthread_mutex_lock(&registry_mutex);
    int result = open_or_share(out, url, error);
    (void)pthread_mutex_unlock(&registry_mutex);
    if (result != BUS_OK) {
        error_add_context(error, "embedded:%s", url->location);
    }
    return result;
}

static void unregister(const struct store *store)
{
    for (struct store **link = &registry; *link != NULL; link = &(*link)->next) {
        if (*link == store) {
            *link = store->next;
            return;
        }
    }
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&registry_mutex);
    if (--store->references == 0) {
        unregister(store);
        destroy(store);
    }
    (void)pthread_mutex_unlock(&registry_mutex);
}
