#include "bus/embedded/topic_table.h"

#include "bus/driver.h"
#include "log/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct topic_table {
    pthread_mutex_t mutex;
    struct topic **topics;
    size_t count, capacity;
};

struct topic_table *topic_table_create(void)
{
    struct topic_table *table = calloc(1, sizeof *table);
    if (table != NULL) {
        (void)pthread_mutex_init(&table->mutex, NULL);
    }
    return table;
}

void topic_table_destroy(struct topic_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->count; i++) {
        free(table->topics[i]);
    }
    free(table->topics);
    (void)pthread_mutex_destroy(&table->mutex);
    free(table);
}

/* --- rows ---- */

static void topic_key(struct store_key *key, const char *name)
{
    store_key_init(key, 'T');
    store_key_add_bytes(key, name, strlen(name));
}

static int read_topic(const struct store *store, const MDB_val *key, const MDB_val *value,
                      struct topic *topic, struct error *error)
{
    struct store_row row;
    int result = store_open_row(store, key, value, &row, error);
    if (result != BUS_OK) {
        return result;
    }
    size_t name_size = key->mv_size - 1;
    *topic = (struct topic){.id = store_row_u32(&row)};
    topic->partitions = (int32_t)store_row_u32(&row);
    topic->compacted = store_row_u32(&row) != 0;
    topic->retention_ms = store_row_i64(&row);
    topic->retention_bytes = store_row_i64(&row);
    topic->max_message_bytes = store_row_i64(&row);
    if (!row.ok || name_size >= sizeof topic->name) {
        return error_set(error, BUS_FATAL, "%s is damaged: a topic's row is too short", store->directory);
    }
    memcpy(topic->name, (const char *)key->mv_data + 1, name_size);
    return BUS_OK;
}

static int write_topic(struct store_txn *txn, const struct topic *topic, struct error *error)
{
    struct store_key key;
    struct buffer row;
    topic_key(&key, topic->name);
    buffer_init(&row, 0);
    (void)store_row_add_u32(&row, topic->id);
    (void)store_row_add_u32(&row, (uint32_t)topic->partitions);
    (void)store_row_add_u32(&row, topic->compacted);
    (void)store_row_add_i64(&row, topic->retention_ms);
    (void)store_row_add_i64(&row, topic->retention_bytes);
    (void)store_row_add_i64(&row, topic->max_message_bytes);
    int result = store_put_row(txn, &key, &row, error);
    buffer_free(&row);
    return result;
}

/* Every topic of the store, in order of name, into *topics (to be freed). */
static int read_all(const struct store_txn *txn, struct topic **topics, size_t *count, struct error *error)
{
    MDB_cursor *cursor = NULL;
    struct store_key prefix;
    store_key_init(&prefix, 'T');
    *topics = NULL;
    *count = 0;
    int result = store_open_cursor(txn, &cursor, error);
    MDB_val key = store_key_value(&prefix);
    MDB_val value;
    MDB_cursor_op operation = MDB_SET_RANGE;
    bool found = result == BUS_OK;
    while (found) {
        result = store_seek(txn, cursor, operation, &prefix, &key, &value, &found, error);
        if (result != BUS_OK || !found) {
            break;
        }
        struct topic *larger = realloc(*topics, (*count + 1) * sizeof **topics);
        if (larger == NULL) {
            result = error_set(error, BUS_FATAL, "no memory for %zu topics", *count + 1);
            break;
        }
        *topics = larger;
        result = read_topic(txn->store, &key, &value, &larger[*count], error);
        found = result == BUS_OK;
        *count += found;
        operation = MDB_NEXT;
    }
    if (cursor != NULL) {
        mdb_cursor_close(cursor);
    }
    if (result != BUS_OK) {
        free(*topics);
        *topics = NULL;
        *count = 0;
    }
    return result;
}

/* --- what the process remembers ---- */

static const struct topic *find_known(const struct topic_table *table, const char *name, uint32_t id)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct topic *topic = table->topics[i];
        if (name != NULL ? strcmp(topic->name, name) == 0 : topic->id == id) {
            return topic;
        }
    }
    return NULL;
}

static const struct topic *remember(struct topic_table *table, const struct topic *topic)
{
    const struct topic *known = find_known(table, topic->name, 0);
    if (known != NULL) {
        return known;
    }
    if (table->count == table->capacity) {
        size_t capacity = table->capacity * 2 + 16;
        struct topic **larger = realloc(table->topics, capacity * sizeof *larger);
        if (larger == NULL) {
            return NULL;
        }
        table->topics = larger;
        table->capacity = capacity;
    }
    struct topic *copy = malloc(sizeof *copy);
    if (copy == NULL) {
        return NULL;
    }
    *copy = *topic;
    table->topics[table->count++] = copy;
    return copy;
}

/* By name, or with name NULL by id. A write transaction's own topics aren't remembered: it may yet be
 * aborted. */
static int find(const struct store_txn *txn, const char *name, uint32_t id, const struct topic **out,
                struct error *error)
{
    struct topic_table *table = txn->store->topics;
    struct topic *topics;
    size_t count;
    int result = read_all(txn, &topics, &count, error);
    (void)pthread_mutex_lock(&table->mutex);
    for (size_t i = 0; i < count; i++) {
        (void)remember(table, &topics[i]);
    }
    *out = find_known(table, name, id);
    (void)pthread_mutex_unlock(&table->mutex);
    free(topics);
    return result;
}

int topic_table_find(struct store *store, const char *name, const struct topic **out, struct error *error)
{
    (void)pthread_mutex_lock(&store->topics->mutex);
    *out = find_known(store->topics, name, 0);
    (void)pthread_mutex_unlock(&store->topics->mutex);
    if (*out != NULL) {
        return BUS_OK;
    }
    struct store_txn txn;
    int result = store_begin_read(store, &txn, error);
    if (result == BUS_OK) {
        result = find(&txn, name, 0, out, error);
        store_end_read(&txn);
    }
    if (result == BUS_OK && *out == NULL) {
        result =
            error_set(error, BUS_REFUSED, "%s has no topic %.*s", store->directory, BUS_TOPIC_BYTES, name);
    }
    return result;
}

int topic_table_find_id(const struct store_txn *txn, uint32_t id, const struct topic **out,
                        struct error *error)
{
    struct topic_table *table = txn->store->topics;
    (void)pthread_mutex_lock(&table->mutex);
    *out = find_known(table, NULL, id);
    (void)pthread_mutex_unlock(&table->mutex);
    return *out != NULL ? BUS_OK : find(txn, NULL, id, out, error);
}

int topic_table_each(struct store *store, void (*visit)(void *context, const struct topic *topic),
                     void *context, struct error *error)
{
    struct store_txn txn;
    struct topic *topics;
    size_t count;
    int result = store_begin_read(store, &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    result = read_all(&txn, &topics, &count, error);
    store_end_read(&txn);
    for (size_t i = 0; i < count; i++) {
        visit(context, &topics[i]);
    }
    free(topics);
    return result;
}

/* --- creating and checking ---- */

static void wanted_topic(const struct bus_topic *settings, uint32_t id, struct topic *out)
{
    *out =
        (struct topic){.id = id,
                       .partitions = settings->partitions,
                       .compacted = settings->compacted,
                       .retention_ms = settings->retention_ms,
                       .retention_bytes = settings->retention_bytes,
                       .max_message_bytes = settings->max_message_bytes == 0 ? BUS_DEFAULT_MESSAGE_BYTES
                                                                             : settings->max_message_bytes};
    memcpy(out->name, settings->name, strlen(settings->name) + 1);
}

/* Retention isn't compared, as on Kafka: an operator may have other wishes than the program. */
static int check_topic(const struct store *store, const struct topic *there, const struct topic *wanted,
                       struct error *error)
{
    char what[128] = "";
    if (there->partitions != wanted->partitions) {
        (void)snprintf(what, sizeof what, "%d partitions instead of %d", there->partitions,
                       wanted->partitions);
    } else if (there->compacted != wanted->compacted) {
        (void)snprintf(what, sizeof what, "the clean-up policy %s", there->compacted ? "compact" : "delete");
    } else if (there->max_message_bytes != wanted->max_message_bytes) {
        (void)snprintf(what, sizeof what, "max.message.bytes %lld instead of %lld",
                       (long long)there->max_message_bytes, (long long)wanted->max_message_bytes);
    } else {
        return BUS_OK;
    }
    return error_set(
        error, BUS_REFUSED,
        "topic %s has %s, fixed when it was made: run with the settings that made it, or stop all "
        "programs and begin anew: 'mv %s %s.old'",
        there->name, what, store->directory, store->directory);
}

static const struct topic *find_by_name(const struct topic *topics, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(topics[i].name, name) == 0) {
            return &topics[i];
        }
    }
    return NULL;
}

/* *missing: how many of the wanted topics aren't there. */
static int check_all(const struct store_txn *txn, const struct bus_topic *wanted, size_t wanted_count,
                     size_t *missing, uint32_t *largest_id, struct error *error)
{
    struct topic *topics;
    size_t count;
    int result = read_all(txn, &topics, &count, error);
    *missing = 0;
    *largest_id = 0;
    for (size_t i = 0; i < count; i++) {
        *largest_id = topics[i].id > *largest_id ? topics[i].id : *largest_id;
    }
    for (size_t i = 0; i < wanted_count && result == BUS_OK; i++) {
        const struct topic *there = find_by_name(topics, count, wanted[i].name);
        struct topic settings;
        wanted_topic(&wanted[i], 0, &settings);
        *missing += there == NULL;
        result = there == NULL ? BUS_OK : check_topic(txn->store, there, &settings, error);
    }
    free(topics);
    return result;
}

static int create_missing(struct store_txn *txn, const struct bus_topic *wanted, size_t count, uint32_t id,
                          struct log *log, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        struct store_key key;
        struct store_row row;
        struct topic topic;
        bool found;
        topic_key(&key, wanted[i].name);
        int result = store_get_row(txn, &key, &row, &found, error);
        if (result != BUS_OK || found) {
            if (result != BUS_OK) {
                return result;
            }
            continue;
        }
        wanted_topic(&wanted[i], ++id, &topic);
        result = write_topic(txn, &topic, error);
        if (result != BUS_OK) {
            return result;
        }
        log_info_with(log, "topic created", log_text("topic", topic.name),
                      log_integer("partitions", topic.partitions),
                      log_text("cleanup", topic.compacted ? "compact" : "delete"),
                      log_integer("retention_ms", topic.retention_ms));
    }
    return BUS_OK;
}

int topic_table_ensure(struct store *store, const struct bus_topic *topics, size_t count,
                       bool survive_power_cut, struct log *log, struct error *error)
{
    struct store_txn txn;
    size_t missing;
    uint32_t largest_id;
    int result = store_begin_read(store, &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    result = check_all(&txn, topics, count, &missing, &largest_id, error);
    store_end_read(&txn);
    if (result != BUS_OK || missing == 0) {
        return result;
    }
    result = store_begin_write(store, survive_power_cut, &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    /* Again: another process may have made them meanwhile. */
    result = check_all(&txn, topics, count, &missing, &largest_id, error);
    if (result == BUS_OK) {
        result = create_missing(&txn, topics, count, largest_id, log, error);
    }
    if (result == BUS_OK) {
        return store_commit(&txn, error);
    }
    store_abort(&txn);
    return result;
}
