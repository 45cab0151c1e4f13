#include "bus/embedded/group.h"

#include "bus/embedded/byte_order.h"
#include "bus/embedded/crc32c.h"
#include "clock/clock.h"

#include <stdlib.h>
#include <string.h>

#define KEY_BYTES        511 /* LMDB's limit; names are shorter by bus.h */
#define MEMBER_BYTES     16  /* token, process; the topics' names follow, each with its NUL */
#define OFFSET_BYTES     20  /* checksum, committed, when; the note follows */
#define MAX_TOPICS_BYTES 2048

/* --- heartbeats ---- */

void group_beat(struct shared_slot *slot)
{
    atomic_store_explicit(&slot->heartbeat_ns, clock_steady_ns(clock_system()), memory_order_relaxed);
}

struct shared_slot *group_take_slot(struct store *store, uint64_t token)
{
    for (int i = 0; i < SHARED_SLOTS; i++) {
        struct shared_slot *slot = &store->page->slots[i];
        uint64_t process = atomic_load(&slot->process);
        if (process != 0 && presence_is_alive(&store->presence, process)) {
            continue;
        }
        if (atomic_compare_exchange_strong(&slot->process, &process, store->presence.process)) {
            group_beat(slot);
            atomic_store(&slot->token, token);
            return slot;
        }
    }
    return NULL;
}

void group_free_slot(struct shared_slot *slot)
{
    atomic_store(&slot->token, 0);
    atomic_store(&slot->process, 0);
}

static bool is_alive(struct store *store, uint64_t token, uint64_t process, int64_t lease_ms)
{
    if (!presence_is_alive(&store->presence, process)) {
        return false;
    }
    for (int i = 0; i < SHARED_SLOTS; i++) {
        struct shared_slot *slot = &store->page->slots[i];
        if (atomic_load_explicit(&slot->token, memory_order_acquire) == token) {
            int64_t silent_ns = clock_steady_ns(clock_system()) - atomic_load(&slot->heartbeat_ns);
            return silent_ns < lease_ms * 1000000;
        }
    }
    return false; /* the page was made anew since */
}

/* --- keys ---- */

static size_t put_name(char *out, size_t used, const char *name)
{
    size_t length = strlen(name) + 1;
    if (used + length > KEY_BYTES - 4) {
        length = KEY_BYTES - 4 - used;
    }
    memcpy(out + used, name, length);
    return used + length;
}

static MDB_val member_key(char out[KEY_BYTES], const char *group, const char *member_id)
{
    size_t used = put_name(out, 0, group);
    used = put_name(out, used, member_id);
    return (MDB_val){used, out};
}

static MDB_val partition_key(char out[KEY_BYTES], const char *group, const char *topic, int32_t partition)
{
    size_t used = put_name(out, 0, group);
    used = put_name(out, used, topic);
    put_be32(out + used, (uint32_t)partition);
    return (MDB_val){used + 4, out};
}

/* --- members ---- */

static int free_owned(struct store *store, MDB_txn *txn, const char *group, uint64_t token,
                      struct error *error)
{
    MDB_cursor *cursor = NULL;
    size_t prefix = strlen(group) + 1;
    MDB_val key = {prefix, (void *)(uintptr_t)group};
    MDB_val value;
    int result = mdb_cursor_open(txn, store->tables.owners, &cursor);
    if (result != MDB_SUCCESS) {
        return store_result(result, "freeing partitions", error);
    }
    result = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (result == MDB_SUCCESS && key.mv_size > prefix && memcmp(key.mv_data, group, prefix) == 0) {
        if (value.mv_size == 8 && get_le64(value.mv_data) == token) {
            result = mdb_cursor_del(cursor, 0);
        }
        if (result == MDB_SUCCESS) {
            result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        }
    }
    mdb_cursor_close(cursor);
    return result == MDB_NOTFOUND ? BUS_OK : store_result(result, "freeing partitions", error);
}

/* Changes of the group that the others must look at. */
static void note_change(struct store *store)
{
    (void)atomic_fetch_add(&store->page->group_changes, 1);
}

int group_join(struct store *store, MDB_txn *txn, const struct group_member *member,
               const char *const *topics, struct error *error)
{
    char key_bytes[KEY_BYTES];
    char bytes[MEMBER_BYTES + MAX_TOPICS_BYTES];
    MDB_val key = member_key(key_bytes, member->group, member->member_id);
    MDB_val value;
    int result = mdb_get(txn, store->tables.members, &key, &value);
    if (result == MDB_SUCCESS &&
        value.mv_size >= MEMBER_BYTES) { /* the same name again: the newer one holds */
        result = free_owned(store, txn, member->group, get_le64(value.mv_data), error);
        if (result != BUS_OK) {
            return result;
        }
    }
    size_t used = MEMBER_BYTES;
    put_le64(bytes, member->token);
    put_le64(bytes + 8, store->presence.process);
    for (; *topics != NULL; topics++) {
        size_t length = strlen(*topics) + 1;
        if (used + length > sizeof bytes) {
            return error_set(error, BUS_REFUSED, "too many topics for one member");
        }
        memcpy(bytes + used, *topics, length);
        used += length;
    }
    value = (MDB_val){used, bytes};
    result = mdb_put(txn, store->tables.members, &key, &value, 0);
    note_change(store);
    return store_result(result, "joining the group", error);
}

int group_leave(struct store *store, MDB_txn *txn, const struct group_member *member, struct error *error)
{
    bool is_member = false;
    char key_bytes[KEY_BYTES];
    int result = group_is_member(store, txn, member, &is_member, error);
    if (result == BUS_OK && is_member) {
        MDB_val key = member_key(key_bytes, member->group, member->member_id);
        result = store_result(mdb_del(txn, store->tables.members, &key, NULL), "leaving the group", error);
    }
    if (result == BUS_OK) {
        result = free_owned(store, txn, member->group, member->token, error);
    }
    note_change(store);
    return result;
}

int group_is_member(struct store *store, MDB_txn *txn, const struct group_member *member, bool *is_member,
                    struct error *error)
{
    char key_bytes[KEY_BYTES];
    MDB_val key = member_key(key_bytes, member->group, member->member_id);
    MDB_val value;
    int result = mdb_get(txn, store->tables.members, &key, &value);
    *is_member =
        result == MDB_SUCCESS && value.mv_size >= MEMBER_BYTES && get_le64(value.mv_data) == member->token;
    return result == MDB_NOTFOUND ? BUS_OK : store_result(result, "reading the group", error);
}

int group_find_dead(struct store *store, MDB_txn *txn, const char *group, int64_t lease_ms, bool take,
                    size_t *dead, struct error *error)
{
    MDB_cursor *cursor = NULL;
    size_t prefix = strlen(group) + 1;
    MDB_val key = {prefix, (void *)(uintptr_t)group};
    MDB_val value;
    *dead = 0;
    int outcome = BUS_OK;
    int result = mdb_cursor_open(txn, store->tables.members, &cursor);
    if (result != MDB_SUCCESS) {
        return store_result(result, "reading the group", error);
    }
    result = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (result == MDB_SUCCESS && outcome == BUS_OK && key.mv_size > prefix &&
           memcmp(key.mv_data, group, prefix) == 0) {
        uint64_t token = value.mv_size >= MEMBER_BYTES ? get_le64(value.mv_data) : 0;
        uint64_t process = value.mv_size >= MEMBER_BYTES ? get_le64((const char *)value.mv_data + 8) : 0;
        if (!is_alive(store, token, process, lease_ms)) {
            ++*dead;
            if (take) {
                result = mdb_cursor_del(cursor, 0);
                outcome = result == MDB_SUCCESS ? free_owned(store, txn, group, token, error) : BUS_OK;
                note_change(store);
            }
        }
        if (result == MDB_SUCCESS) {
            result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        }
    }
    mdb_cursor_close(cursor);
    return outcome != BUS_OK || result == MDB_NOTFOUND ? outcome
                                                       : store_result(result, "reading the group", error);
}

static bool wants_topic(const MDB_val *value, const char *topic)
{
    const char *at = (const char *)value->mv_data + MEMBER_BYTES;
    const char *end = (const char *)value->mv_data + value->mv_size;
    for (; value->mv_size >= MEMBER_BYTES && at < end; at += strlen(at) + 1) {
        if (strcmp(at, topic) == 0) {
            return true;
        }
    }
    return false;
}

int group_share(struct store *store, MDB_txn *txn, const struct group_member *member,
                const struct topic *topic, int32_t *first, int32_t *count, struct error *error)
{
    MDB_cursor *cursor = NULL;
    size_t prefix = strlen(member->group) + 1;
    MDB_val key = {prefix, (void *)(uintptr_t)member->group};
    MDB_val value;
    int32_t members = 0;
    int32_t place = -1;
    *first = 0;
    *count = 0;
    int result = mdb_cursor_open(txn, store->tables.members, &cursor);
    if (result != MDB_SUCCESS) {
        return store_result(result, "reading the group", error);
    }
    result = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (result == MDB_SUCCESS && key.mv_size > prefix && memcmp(key.mv_data, member->group, prefix) == 0) {
        if (wants_topic(&value, topic->name)) {
            place = get_le64(value.mv_data) == member->token ? members : place;
            members++;
        }
        result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (result != MDB_SUCCESS && result != MDB_NOTFOUND) {
        return store_result(result, "reading the group", error);
    }
    if (place >= 0) {
        int32_t each = topic->partitions / members;
        int32_t more = topic->partitions % members; /* the first ones have one more */
        *first = place * each + (place < more ? place : more);
        *count = each + (place < more ? 1 : 0);
    }
    return BUS_OK;
}

/* --- owners ---- */

int group_read_owner(struct store *store, MDB_txn *txn, const char *group, const char *topic,
                     int32_t partition, uint64_t *token, struct error *error)
{
    char key_bytes[KEY_BYTES];
    MDB_val key = partition_key(key_bytes, group, topic, partition);
    MDB_val value;
    int result = mdb_get(txn, store->tables.owners, &key, &value);
    *token = result == MDB_SUCCESS && value.mv_size == 8 ? get_le64(value.mv_data) : 0;
    return result == MDB_NOTFOUND ? BUS_OK : store_result(result, "reading an owner", error);
}

int group_write_owner(struct store *store, MDB_txn *txn, const char *group, const char *topic,
                      int32_t partition, uint64_t token, struct error *error)
{
    char key_bytes[KEY_BYTES];
    unsigned char bytes[8];
    MDB_val key = partition_key(key_bytes, group, topic, partition);
    int result;
    if (token == 0) {
        result = mdb_del(txn, store->tables.owners, &key, NULL);
        result = result == MDB_NOTFOUND ? MDB_SUCCESS : result;
    } else {
        put_le64(bytes, token);
        MDB_val value = {sizeof bytes, bytes};
        result = mdb_put(txn, store->tables.owners, &key, &value, 0);
    }
    note_change(store);
    return store_result(result, "writing an owner", error);
}

/* --- offsets ---- */

static int unpack_offset(const MDB_val *value, struct group_offset *offset, const char *group,
                         const char *topic, int32_t partition, struct error *error)
{
    const unsigned char *at = value->mv_data;
    if (value->mv_size < OFFSET_BYTES || value->mv_size >= OFFSET_BYTES + GROUP_NOTE_BYTES ||
        get_le32(at) != crc32c(0, (const char *)at + 4, value->mv_size - 4)) {
        return error_set(
            error, BUS_FATAL,
            "the position of group %s on topic %s partition %d is damaged (its checksum differs)", group,
            topic, partition);
    }
    offset->committed = (int64_t)get_le64(at + 4);
    offset->commit_ms = (int64_t)get_le64(at + 12);
    memcpy(offset->note, at + OFFSET_BYTES, value->mv_size - OFFSET_BYTES);
    offset->note[value->mv_size - OFFSET_BYTES] = '\0';
    return BUS_OK;
}

int group_read_offset(struct store *store, MDB_txn *txn, const char *group, const char *topic,
                      int32_t partition, struct group_offset *offset, struct error *error)
{
    char key_bytes[KEY_BYTES];
    MDB_val key = partition_key(key_bytes, group, topic, partition);
    MDB_val value;
    *offset = (struct group_offset){.committed = -1};
    int result = mdb_get(txn, store->tables.offsets, &key, &value);
    if (result == MDB_SUCCESS) {
        return unpack_offset(&value, offset, group, topic, partition, error);
    }
    return result == MDB_NOTFOUND ? BUS_OK : store_result(result, "reading a position", error);
}

int group_write_offset(struct store *store, MDB_txn *txn, const char *group, const char *topic,
                       int32_t partition, const struct group_offset *offset, struct error *error)
{
    char key_bytes[KEY_BYTES];
    char bytes[OFFSET_BYTES + GROUP_NOTE_BYTES];
    size_t note = strlen(offset->note);
    MDB_val key = partition_key(key_bytes, group, topic, partition);
    MDB_val value = {OFFSET_BYTES + note, bytes};
    put_le64(bytes + 4, (uint64_t)offset->committed);
    put_le64(bytes + 12, (uint64_t)offset->commit_ms);
    memcpy(bytes + OFFSET_BYTES, offset->note, note);
    put_le32(bytes, crc32c(0, bytes + 4, value.mv_size - 4));
    return store_result(mdb_put(txn, store->tables.offsets, &key, &value, 0), "writing a position", error);
}

int group_needed_from(struct store *store, MDB_txn *txn, const char *topic, int32_t partition,
                      int64_t *needed, struct error *error)
{
    char suffix[KEY_BYTES];
    size_t topic_bytes = strlen(topic) + 1;
    MDB_cursor *cursor = NULL;
    MDB_val key;
    MDB_val value;
    *needed = INT64_MAX;
    memcpy(suffix, topic, topic_bytes);
    put_be32(suffix + topic_bytes, (uint32_t)partition);
    int result = mdb_cursor_open(txn, store->tables.offsets, &cursor);
    while (result == MDB_SUCCESS &&
           (result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        /* group NUL topic NUL partition: what stands behind the group's NUL must be the suffix */
        size_t group_bytes = strlen(key.mv_data) + 1;
        if (key.mv_size == group_bytes + topic_bytes + 4 && value.mv_size >= OFFSET_BYTES &&
            memcmp((const char *)key.mv_data + group_bytes, suffix, topic_bytes + 4) == 0) {
            int64_t committed = (int64_t)get_le64((const char *)value.mv_data + 4);
            *needed = committed < *needed ? committed : *needed;
        }
    }
    mdb_cursor_close(cursor);
    return result == MDB_NOTFOUND ? BUS_OK : store_result(result, "reading positions", error);
}
