#include "bus/embedded/group_rows.h"

#include "bus/embedded/byte_order.h"

#include <stdlib.h>
#include <string.h>

static int too_short(const struct store *store, const char *group, struct error *error)
{
    return error_set(error, BUS_FATAL, "%s is damaged: a row of the group %s is too short", store->directory,
                     group);
}

/* --- offsets ---- */

static void offset_key(struct store_key *key, const char *group, const struct topic *topic, int32_t partition)
{
    store_key_init(key, 'O');
    store_key_add_u32(key, topic->id);
    store_key_add_u32(key, (uint32_t)partition);
    store_key_add_bytes(key, group, strlen(group));
}

int group_rows_get_offset(const struct store_txn *txn, const char *group, const struct topic *topic,
                          int32_t partition, struct offset_row *out, bool *found, struct error *error)
{
    struct store_key key;
    struct store_row row;
    offset_key(&key, group, topic, partition);
    out->committed = -1;
    out->commit_ms = 0;
    out->note[0] = '\0';
    int result = store_get_row(txn, &key, &row, found, error);
    if (result != BUS_OK || !*found) {
        return result;
    }
    out->committed = store_row_i64(&row);
    out->commit_ms = store_row_i64(&row);
    store_row_text(&row, out->note, sizeof out->note);
    return row.ok ? BUS_OK : too_short(txn->store, group, error);
}

int group_rows_put_offset(struct store_txn *txn, const char *group, const struct topic *topic,
                          int32_t partition, const struct offset_row *row, struct error *error)
{
    struct store_key key;
    struct buffer bytes;
    char storage[BUS_NOTE_BYTES + 32];
    offset_key(&key, group, topic, partition);
    buffer_init_fixed(&bytes, storage, sizeof storage);
    (void)store_row_add_i64(&bytes, row->committed);
    (void)store_row_add_i64(&bytes, row->commit_ms);
    (void)store_row_add_text(&bytes, row->note);
    return store_put_row(txn, &key, &bytes, error);
}

int group_rows_floor(const struct store_txn *txn, const struct topic *topic, int32_t partition,
                     int64_t *floor, struct error *error)
{
    struct store_key prefix;
    MDB_cursor *cursor;
    offset_key(&prefix, "", topic, partition);
    *floor = INT64_MAX;
    int result = store_open_cursor(txn, &cursor, error);
    if (result != BUS_OK) {
        return result;
    }
    MDB_val key = store_key_value(&prefix), value;
    MDB_cursor_op operation = MDB_SET_RANGE;
    for (;;) {
        bool found;
        struct store_row row;
        result = store_seek(txn, cursor, operation, &prefix, &key, &value, &found, error);
        if (result == BUS_OK && found) {
            result = store_open_row(txn->store, &key, &value, &row, error);
        }
        if (result != BUS_OK || !found) {
            break;
        }
        int64_t committed = store_row_i64(&row);
        committed = committed < 0 ? 0 : committed;
        *floor = committed < *floor ? committed : *floor;
        operation = MDB_NEXT;
    }
    mdb_cursor_close(cursor);
    return result;
}

/* --- members ---- */

static void group_key(struct store_key *key, char kind, const char *group)
{
    store_key_init(key, kind);
    store_key_add_bytes(key, group, strlen(group) + (kind != 'g'));
}

static void member_key(struct store_key *key, const char *group, const char *member_id)
{
    group_key(key, 'm', group);
    store_key_add_bytes(key, member_id, strlen(member_id));
}

int group_rows_next_generation(struct store_txn *txn, const char *group, int64_t *generation,
                               struct error *error)
{
    struct store_key key;
    struct store_row row;
    struct buffer bytes;
    char storage[16];
    bool found;
    group_key(&key, 'g', group);
    int result = store_get_row(txn, &key, &row, &found, error);
    if (result != BUS_OK) {
        return result;
    }
    *generation = (found ? store_row_i64(&row) : 0) + 1;
    buffer_init_fixed(&bytes, storage, sizeof storage);
    (void)store_row_add_i64(&bytes, *generation);
    return store_put_row(txn, &key, &bytes, error);
}

static int read_member(const struct store *store, const char *group, struct store_row *row,
                       struct member_row *out, struct error *error)
{
    out->generation = store_row_i64(row);
    out->process = (uint64_t)store_row_i64(row);
    out->token = (uint64_t)store_row_i64(row);
    out->slot = store_row_u32(row);
    out->pid = (int32_t)store_row_u32(row);
    out->lease_ms = store_row_i64(row);
    out->topic_count = store_row_u32(row);
    if (!row->ok || out->topic_count > MEMBER_TOPICS || out->slot >= SHARED_SLOTS) {
        return too_short(store, group, error);
    }
    for (size_t i = 0; i < out->topic_count; i++) {
        out->topics[i] = store_row_u32(row);
    }
    return row->ok ? BUS_OK : too_short(store, group, error);
}

int group_rows_get_member(const struct store_txn *txn, const char *group, const char *member_id,
                          struct member_row *out, bool *found, struct error *error)
{
    struct store_key key;
    struct store_row row;
    member_key(&key, group, member_id);
    int result = store_get_row(txn, &key, &row, found, error);
    if (result != BUS_OK || !*found) {
        return result;
    }
    memcpy(out->member_id, member_id, strlen(member_id) + 1);
    return read_member(txn->store, group, &row, out, error);
}

int group_rows_put_member(struct store_txn *txn, const char *group, const struct member_row *row,
                          struct error *error)
{
    struct store_key key;
    struct buffer bytes;
    char storage[64 + MEMBER_TOPICS * 4];
    member_key(&key, group, row->member_id);
    buffer_init_fixed(&bytes, storage, sizeof storage);
    (void)store_row_add_i64(&bytes, row->generation);
    (void)store_row_add_i64(&bytes, (int64_t)row->process);
    (void)store_row_add_i64(&bytes, (int64_t)row->token);
    (void)store_row_add_u32(&bytes, row->slot);
    (void)store_row_add_u32(&bytes, (uint32_t)row->pid);
    (void)store_row_add_i64(&bytes, row->lease_ms);
    (void)store_row_add_u32(&bytes, (uint32_t)row->topic_count);
    for (size_t i = 0; i < row->topic_count; i++) {
        (void)store_row_add_u32(&bytes, row->topics[i]);
    }
    return store_put_row(txn, &key, &bytes, error);
}

int group_rows_delete_member(struct store_txn *txn, const char *group, const char *member_id,
                             struct error *error)
{
    struct store_key key;
    member_key(&key, group, member_id);
    return store_delete(txn, &key, error);
}

/* --- lists of rows with one prefix ---- */

struct row_list {
    char *items;
    size_t count, item_bytes;
};

typedef int read_item(const struct store *store, const char *group, const MDB_val *key, size_t prefix_size,
                      struct store_row *row, void *item, struct error *error);

static int list_rows(const struct store_txn *txn, const char *group, char kind, read_item *read,
                     struct row_list *list, struct error *error)
{
    struct store_key prefix;
    MDB_cursor *cursor;
    group_key(&prefix, kind, group);
    int result = store_open_cursor(txn, &cursor, error);
    if (result != BUS_OK) {
        return result;
    }
    MDB_val key = store_key_value(&prefix), value;
    MDB_cursor_op operation = MDB_SET_RANGE;
    for (;;) {
        bool found;
        struct store_row row;
        result = store_seek(txn, cursor, operation, &prefix, &key, &value, &found, error);
        if (result == BUS_OK && found) {
            result = store_open_row(txn->store, &key, &value, &row, error);
        }
        if (result != BUS_OK || !found) {
            break;
        }
        char *items = realloc(list->items, (list->count + 1) * list->item_bytes);
        if (items == NULL) {
            result = error_set(error, BUS_FATAL, "no memory for the rows of group %s", group);
            break;
        }
        list->items = items;
        result =
            read(txn->store, group, &key, prefix.size, &row, items + list->count * list->item_bytes, error);
        if (result != BUS_OK) {
            break;
        }
        list->count++;
        operation = MDB_NEXT;
    }
    mdb_cursor_close(cursor);
    if (result != BUS_OK) {
        free(list->items);
        *list = (struct row_list){0};
    }
    return result;
}

static int read_member_item(const struct store *store, const char *group, const MDB_val *key,
                            size_t prefix_size, struct store_row *row, void *item, struct error *error)
{
    struct member_row *member = item;
    size_t id_size = key->mv_size - prefix_size;
    if (id_size >= sizeof member->member_id) {
        return too_short(store, group, error);
    }
    memcpy(member->member_id, (const char *)key->mv_data + prefix_size, id_size);
    member->member_id[id_size] = '\0';
    return read_member(store, group, row, member, error);
}

int group_rows_list_members(const struct store_txn *txn, const char *group, struct member_row **out,
                            size_t *count, struct error *error)
{
    struct row_list list = {.item_bytes = sizeof **out};
    int result = list_rows(txn, group, 'm', read_member_item, &list, error);
    *out = (struct member_row *)(void *)list.items;
    *count = list.count;
    return result;
}

/* --- owners ---- */

static void owner_key(struct store_key *key, const char *group, uint32_t topic, int32_t partition)
{
    group_key(key, 'a', group);
    store_key_add_u32(key, topic);
    store_key_add_u32(key, (uint32_t)partition);
}

static int read_owner_item(const struct store *store, const char *group, const MDB_val *key,
                           size_t prefix_size, struct store_row *row, void *item, struct error *error)
{
    struct owner_row *owner = item;
    if (key->mv_size != prefix_size + 8) {
        return too_short(store, group, error);
    }
    const char *numbers = (const char *)key->mv_data + prefix_size;
    owner->topic = get_be32(numbers);
    owner->partition = (int32_t)get_be32(numbers + 4);
    owner->generation = store_row_i64(row);
    owner->revoked_ms = store_row_i64(row);
    return row->ok ? BUS_OK : too_short(store, group, error);
}

int group_rows_list_owners(const struct store_txn *txn, const char *group, struct owner_row **out,
                           size_t *count, struct error *error)
{
    struct row_list list = {.item_bytes = sizeof **out};
    int result = list_rows(txn, group, 'a', read_owner_item, &list, error);
    *out = (struct owner_row *)(void *)list.items;
    *count = list.count;
    return result;
}

int group_rows_get_owner(const struct store_txn *txn, const char *group, const struct topic *topic,
                         int32_t partition, struct owner_row *out, bool *found, struct error *error)
{
    struct store_key key;
    struct store_row row;
    owner_key(&key, group, topic->id, partition);
    int result = store_get_row(txn, &key, &row, found, error);
    if (result != BUS_OK || !*found) {
        return result;
    }
    *out = (struct owner_row){.topic = topic->id, .partition = partition};
    out->generation = store_row_i64(&row);
    out->revoked_ms = store_row_i64(&row);
    return row.ok ? BUS_OK : too_short(txn->store, group, error);
}

int group_rows_put_owner(struct store_txn *txn, const char *group, const struct owner_row *row,
                         struct error *error)
{
    struct store_key key;
    struct buffer bytes;
    char storage[32];
    owner_key(&key, group, row->topic, row->partition);
    buffer_init_fixed(&bytes, storage, sizeof storage);
    (void)store_row_add_i64(&bytes, row->generation);
    (void)store_row_add_i64(&bytes, row->revoked_ms);
    return store_put_row(txn, &key, &bytes, error);
}

int group_rows_delete_owner(struct store_txn *txn, const char *group, const struct owner_row *row,
                            struct error *error)
{
    struct store_key key;
    owner_key(&key, group, row->topic, row->partition);
    return store_delete(txn, &key, error);
}
