#include "bus/embedded/embedded_bus.h"

#include "bus/embedded/group.h"
#include "log/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct embedded_bus *self(struct bus *bus)
{
    return (struct embedded_bus *)(void *)bus;
}

/* --- topics ---- */

static int check_topic(const struct embedded_bus *bus, const struct topic *found,
                       const struct bus_topic *wanted, struct error *error)
{
    int64_t max_bytes =
        wanted->max_message_bytes == 0 ? BUS_DEFAULT_MESSAGE_BYTES : wanted->max_message_bytes;
    char what[160] = "";
    if (found->partitions != wanted->partitions) {
        (void)snprintf(what, sizeof what, "%d partitions instead of %d", found->partitions,
                       wanted->partitions);
    } else if (found->compacted != wanted->compacted) {
        (void)snprintf(what, sizeof what, "clean-up policy %s instead of %s",
                       found->compacted ? "compact" : "delete", wanted->compacted ? "compact" : "delete");
    } else if (found->max_message_bytes != max_bytes) {
        (void)snprintf(what, sizeof what, "max.message.bytes %" PRId64 " instead of %" PRId64,
                       found->max_message_bytes, max_bytes);
    }
    if (what[0] == '\0') {
        return BUS_OK;
    }
    return error_set(error, BUS_REFUSED,
                     "topic %s has %s; the embedded bus cannot change it: stop all programs and move the "
                     "store away with 'mv %s "
                     "%s.old'",
                     wanted->name, what, bus->store->directory, bus->store->directory);
}

static int create_topic(struct embedded_bus *bus, MDB_txn *txn, const struct bus_topic *wanted,
                        struct error *error)
{
    struct topic topic = {.partitions = wanted->partitions,
                          .compacted = wanted->compacted,
                          .retention_ms = wanted->retention_ms,
                          .retention_bytes = wanted->retention_bytes,
                          .max_message_bytes = wanted->max_message_bytes == 0 ? BUS_DEFAULT_MESSAGE_BYTES
                                                                              : wanted->max_message_bytes};
    (void)snprintf(topic.name, sizeof topic.name, "%s", wanted->name);
    int result = topic_next_id(bus->store, txn, &topic.id, error);
    return result != BUS_OK ? result : topic_put(bus->store, txn, &topic, error);
}

/* How many of the topics aren't there; the others are checked. */
static int check_topics(struct embedded_bus *bus, MDB_txn *txn, const struct bus_topic *topics, size_t count,
                        size_t *missing, struct error *error)
{
    *missing = 0;
    for (size_t i = 0; i < count; i++) {
        struct topic found;
        int result = topic_find(bus->store, txn, topics[i].name, &found, error);
        if (result == BUS_REFUSED) {
            ++*missing;
        } else if (result != BUS_OK || (result = check_topic(bus, &found, &topics[i], error)) != BUS_OK) {
            return result;
        }
    }
    return BUS_OK;
}

static int create_missing(struct embedded_bus *bus, MDB_txn *txn, const struct bus_topic *topics,
                          size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        struct topic found;
        int result = topic_find(bus->store, txn, topics[i].name, &found, error);
        if (result == BUS_REFUSED) {
            result = create_topic(bus, txn, &topics[i], error);
            if (result == BUS_OK) {
                log_info_with(bus->log, "topic created", log_text("topic", topics[i].name),
                              log_integer("partitions", topics[i].partitions));
            }
        } else if (result == BUS_OK) {
            result = check_topic(bus, &found, &topics[i], error); /* made by somebody else just now */
        }
        if (result != BUS_OK) {
            return result;
        }
    }
    return BUS_OK;
}

int embedded_create_topics(struct bus *base, const struct bus_topic *topics, size_t count,
                           struct error *error)
{
    struct embedded_bus *bus = self(base);
    MDB_txn *txn = NULL;
    size_t missing = 0;
    int result = store_begin_read(bus->store, &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    result = check_topics(bus, txn, topics, count, &missing, error);
    mdb_txn_abort(txn);
    if (result != BUS_OK || missing == 0) {
        return result;
    }
    result = store_begin(bus->store, &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    result = create_missing(bus, txn, topics, count, error);
    if (result != BUS_OK) {
        store_abort(bus->store, txn);
        return result;
    }
    return store_commit(bus->store, txn, error);
}

/* Finds the topic in a read transaction that the caller ends, unless this fails. */
static int begin_with_topic(struct embedded_bus *bus, const char *name, MDB_txn **txn, struct topic *topic,
                            struct error *error)
{
    int result = store_begin_read(bus->store, txn, error);
    if (result == BUS_OK) {
        result = topic_find(bus->store, *txn, name, topic, error);
        if (result != BUS_OK) {
            mdb_txn_abort(*txn);
        }
    }
    return result;
}

int embedded_partition_count(struct bus *bus, const char *name, int32_t *count, struct error *error)
{
    MDB_txn *txn = NULL;
    struct topic topic;
    int result = begin_with_topic(self(bus), name, &txn, &topic, error);
    if (result == BUS_OK) {
        *count = topic.partitions;
        mdb_txn_abort(txn);
    }
    return result;
}

int embedded_read_offsets(struct bus *base, const char *name, int32_t partition, int64_t *begin, int64_t *end,
                          struct error *error)
{
    struct embedded_bus *bus = self(base);
    MDB_txn *txn = NULL;
    struct topic topic;
    struct partition_head head;
    int result = begin_with_topic(bus, name, &txn, &topic, error);
    if (result != BUS_OK) {
        return result;
    }
    if (partition < 0 || partition >= topic.partitions) {
        result = error_set(error, BUS_REFUSED, "topic %s has no partition %d", name, partition);
    } else {
        result = head_read(bus->store, txn, topic.id, partition, &head, error);
        *begin = head.begin;
        *end = head.end;
    }
    mdb_txn_abort(txn);
    return result;
}

struct listing {
    struct bus_topic_info *topics;
    size_t limit, count;
};

static void list_topic(void *context, const struct topic *topic)
{
    struct listing *listing = context;
    if (listing->count < listing->limit) {
        struct bus_topic_info *info = &listing->topics[listing->count];
        memcpy(info->name, topic->name, sizeof info->name);
        info->partitions = topic->partitions;
    }
    listing->count++;
}

int embedded_list_topics(struct bus *base, struct bus_topic_info *topics, size_t limit, size_t *count,
                         struct error *error)
{
    struct embedded_bus *bus = self(base);
    MDB_txn *txn = NULL;
    struct listing listing = {.topics = topics, .limit = limit};
    int result = store_begin_read(bus->store, &txn, error);
    if (result == BUS_OK) {
        result = topic_visit(bus->store, txn, list_topic, &listing, error); /* in the order of their names */
        mdb_txn_abort(txn);
    }
    *count = listing.count;
    return result;
}

/* --- lag ---- */

/* The age of the record at the offset; 0 when it can't be told. */
static int read_lag_ms(struct embedded_bus *bus, MDB_txn *txn, const struct topic *topic, int32_t partition,
                       int64_t offset, int64_t *lag_ms, struct error *error)
{
    struct batch batch;
    bool found = false;
    int result = log_find(bus->store, txn, topic, partition, offset, &batch, &found, error);
    int64_t age_ms = found ? embedded_now_ms(bus) - batch.appended_ms : 0;
    *lag_ms = age_ms > 0 ? age_ms : 0;
    return result;
}

static int read_row(struct embedded_bus *bus, MDB_txn *txn, const char *group, const struct topic *topic,
                    int32_t partition, struct bus_lag *row, struct error *error)
{
    struct partition_head head;
    struct group_offset offset;
    int result = head_read(bus->store, txn, topic->id, partition, &head, error);
    if (result == BUS_OK) {
        result = group_read_offset(bus->store, txn, group, topic->name, partition, &offset, error);
    }
    if (result != BUS_OK) {
        return result;
    }
    *row = (struct bus_lag){.partition = partition,
                            .committed = offset.committed,
                            .end = head.end,
                            .last_commit_ms = offset.commit_ms};
    (void)snprintf(row->group, sizeof row->group, "%s", group);
    (void)snprintf(row->topic, sizeof row->topic, "%s", topic->name);
    int64_t from = offset.committed > head.begin ? offset.committed : head.begin;
    row->lag = head.end > from ? head.end - from : 0;
    return row->lag == 0 ? BUS_OK : read_lag_ms(bus, txn, topic, partition, from, &row->lag_ms, error);
}

static int read_rows(struct embedded_bus *bus, MDB_txn *txn, const char *group, const char *name,
                     struct bus_lag *rows, size_t limit, size_t *count, struct error *error)
{
    struct topic topic;
    int result = topic_find(bus->store, txn, name, &topic, error);
    if (result == BUS_REFUSED) {
        return BUS_OK; /* not created yet: nobody is behind on it */
    }
    for (int32_t p = 0; result == BUS_OK && p < topic.partitions; p++) {
        if (*count < limit) {
            result = read_row(bus, txn, group, &topic, p, &rows[*count], error);
        }
        ++*count;
    }
    return result;
}

int embedded_read_lag(struct bus *base, const char *const *groups, size_t group_count,
                      const char *const *topics, size_t topic_count, struct bus_lag *rows, size_t limit,
                      size_t *count, struct error *error)
{
    struct embedded_bus *bus = self(base);
    MDB_txn *txn = NULL;
    *count = 0;
    int result = store_begin_read(bus->store, &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    for (size_t g = 0; g < group_count && result == BUS_OK; g++) {
        for (size_t t = 0; t < topic_count && result == BUS_OK; t++) {
            result = read_rows(bus, txn, groups[g], topics[t], rows, limit, count, error);
        }
    }
    mdb_txn_abort(txn);
    return result;
}
