/* Keys, rows and cursors of the store. */
#include "bus/embedded/store.h"

#include "bus/bus.h"
#include "bus/embedded/byte_order.h"
#include "bus/embedded/crc32c.h"

#define CRC_BYTES 4

/* --- keys ---- */

void store_key_init(struct store_key *key, char kind)
{
    key->bytes[0] = kind;
    key->size = 1;
}

void store_key_add_bytes(struct store_key *key, const void *data, size_t size)
{
    size_t room = STORE_KEY_BYTES - key->size;
    size = size < room ? size : room;
    if (size > 0) {
        memcpy(key->bytes + key->size, data, size);
    }
    key->size += size;
}

void store_key_add_u32(struct store_key *key, uint32_t value)
{
    char bytes[4];
    put_be32(bytes, value);
    store_key_add_bytes(key, bytes, sizeof bytes);
}

void store_key_add_u64(struct store_key *key, uint64_t value)
{
    char bytes[8];
    put_be64(bytes, value);
    store_key_add_bytes(key, bytes, sizeof bytes);
}

bool store_key_begins(const MDB_val *key, const struct store_key *prefix)
{
    return key->mv_size >= prefix->size && memcmp(key->mv_data, prefix->bytes, prefix->size) == 0;
}

MDB_val store_key_value(struct store_key *key)
{
    return (MDB_val){.mv_size = key->size, .mv_data = key->bytes};
}

/* --- rows ---- */

static const char *take(struct store_row *row, size_t size)
{
    if ((size_t)(row->end - row->at) < size) {
        row->ok = false;
        return NULL;
    }
    const char *at = row->at;
    row->at += size;
    return at;
}

uint32_t store_row_u32(struct store_row *row)
{
    const char *at = take(row, 4);
    return at == NULL ? 0 : get_le32(at);
}

int64_t store_row_i64(struct store_row *row)
{
    const char *at = take(row, 8);
    return at == NULL ? 0 : (int64_t)get_le64(at);
}

void store_row_text(struct store_row *row, char *out, size_t out_size)
{
    size_t size = store_row_u32(row);
    const char *at = take(row, size);
    if (at == NULL || size >= out_size) {
        row->ok = false;
        size = 0;
    }
    if (size > 0) {
        memcpy(out, at, size);
    }
    out[size] = '\0';
}

bool store_row_add_u32(struct buffer *out, uint32_t value)
{
    char bytes[4];
    put_le32(bytes, value);
    return buffer_append(out, bytes, sizeof bytes);
}

bool store_row_add_i64(struct buffer *out, int64_t value)
{
    char bytes[8];
    put_le64(bytes, (uint64_t)value);
    return buffer_append(out, bytes, sizeof bytes);
}

bool store_row_add_text(struct buffer *out, const char *text)
{
    size_t size = strlen(text);
    return store_row_add_u32(out, (uint32_t)size) && buffer_append(out, text, size);
}

int store_open_row(const struct store *store, const MDB_val *key, const MDB_val *value, struct store_row *row,
                   struct error *error)
{
    const char *data = value->mv_data;
    size_t size = value->mv_size < CRC_BYTES ? 0 : value->mv_size - CRC_BYTES;
    uint32_t crc = crc32c(crc32c(0, key->mv_data, key->mv_size), data, size);
    if (value->mv_size < CRC_BYTES || crc != get_le32(data + size)) {
        return error_set(
            error, BUS_FATAL,
            "%s is damaged: the checksum of a row of kind '%c' differs; stop all programs, move the "
            "directory away and restore or begin anew",
            store->directory, ((const char *)key->mv_data)[0]);
    }
    *row = (struct store_row){.at = data, .end = data + size, .ok = true};
    return BUS_OK;
}

int store_get_row(const struct store_txn *txn, struct store_key *key, struct store_row *row, bool *found,
                  struct error *error)
{
    MDB_val name = store_key_value(key);
    MDB_val value;
    int result = mdb_get(txn->txn, txn->store->tree, &name, &value);
    *found = result == 0;
    if (result == MDB_NOTFOUND) {
        return BUS_OK;
    }
    return result != 0 ? store_error(txn->store, result, "a row can't be read", error)
                       : store_open_row(txn->store, &name, &value, row, error);
}

int store_put_row(struct store_txn *txn, struct store_key *key, struct buffer *row, struct error *error)
{
    uint32_t crc = crc32c(crc32c(0, key->bytes, key->size), row->data, row->size);
    if (!store_row_add_u32(row, crc)) {
        return error_set(error, BUS_FATAL, "no memory for a row of kind '%c'", key->bytes[0]);
    }
    MDB_val name = store_key_value(key);
    MDB_val value = {.mv_size = row->size, .mv_data = row->data};
    int result = mdb_put(txn->txn, txn->store->tree, &name, &value, 0);
    return result == 0 ? BUS_OK : store_error(txn->store, result, "a row can't be written", error);
}

int store_delete(struct store_txn *txn, struct store_key *key, struct error *error)
{
    MDB_val name = store_key_value(key);
    int result = mdb_del(txn->txn, txn->store->tree, &name, NULL);
    return result == 0 || result == MDB_NOTFOUND
               ? BUS_OK
               : store_error(txn->store, result, "a row can't be deleted", error);
}

int store_open_cursor(const struct store_txn *txn, MDB_cursor **cursor, struct error *error)
{
    int result = mdb_cursor_open(txn->txn, txn->store->tree, cursor);
    return result == 0 ? BUS_OK : store_error(txn->store, result, "no cursor", error);
}

int store_seek(const struct store_txn *txn, MDB_cursor *cursor, MDB_cursor_op operation,
               const struct store_key *prefix, MDB_val *key, MDB_val *value, bool *found, struct error *error)
{
    int result = mdb_cursor_get(cursor, key, value, operation);
    *found = result == 0 && store_key_begins(key, prefix);
    return result == 0 || result == MDB_NOTFOUND
               ? BUS_OK
               : store_error(txn->store, result, "can't be searched", error);
}
