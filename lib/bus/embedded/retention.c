/* Retention: old records go by age and by size, in steps of a few batches, so that writers never wait long.
 * What a group that has committed on the partition still needs stays, until the hard limit (embedded_append).
 * One process sweeps at a time, whichever comes by when it is due. */
#include "bus/embedded/embedded_bus.h"

#include "bus/embedded/group.h"
#include "log/log.h"

#include <stdlib.h>
#include <string.h>

#define SWEEP_EVERY_MS 5000
#define BATCHES_A_STEP 64
#define STEPS_A_SWEEP  32
#define TOMBSTONE_SCAN 2000
#define MAX_TOPICS     128

struct sweep {
    struct topic topics[MAX_TOPICS];
    size_t count;
};

static void add_topic(void *context, const struct topic *topic)
{
    struct sweep *sweep = context;
    if (sweep->count < MAX_TOPICS) {
        sweep->topics[sweep->count++] = *topic;
    }
}

static bool is_expired(const struct topic *topic, const struct partition_head *head,
                       const struct batch *batch, int64_t now_ms)
{
    return (topic->retention_ms > 0 && batch->appended_ms < now_ms - topic->retention_ms) ||
           (topic->retention_bytes > 0 && head->bytes > topic->retention_bytes);
}

/* One step inside a transaction; *more: there may be more to drop. */
static int drop_expired(struct embedded_bus *bus, MDB_txn *txn, const struct topic *topic, int32_t partition,
                        int64_t now_ms, bool *more, struct error *error)
{
    int64_t needed = INT64_MAX;
    int result = group_needed_from(bus->store, txn, topic->name, partition, &needed, error);
    *more = result == BUS_OK;
    for (int i = 0; i < BATCHES_A_STEP && *more; i++) {
        struct partition_head head;
        struct batch batch;
        bool found = false;
        result = head_read(bus->store, txn, topic->id, partition, &head, error);
        if (result == BUS_OK) {
            result = log_find(bus->store, txn, topic, partition, head.begin, &batch, &found, error);
        }
        *more = result == BUS_OK && found && is_expired(topic, &head, &batch, now_ms) &&
                batch.base_offset + batch.record_count <= needed;
        if (*more) {
            result = log_drop_batch(bus->store, txn, topic, partition, &batch, error);
            *more = result == BUS_OK;
        }
    }
    return result;
}

static bool is_tombstone(const struct batch *batch)
{
    struct bus_record record = {0};
    size_t size = 0;
    size_t headers = 0;
    return record_frame_measure(batch->records, batch->records_bytes, &size, &headers) && headers == 0 &&
           record_frame_read(batch->records, size, &record, NULL) && record.value.data == NULL;
}

static int drop_tombstones(struct embedded_bus *bus, MDB_txn *txn, const struct topic *topic,
                           int32_t partition, int64_t now_ms, struct error *error)
{
    int64_t offset = 0;
    for (int i = 0; i < TOMBSTONE_SCAN; i++) {
        struct batch batch;
        bool found = false;
        int result = log_find(bus->store, txn, topic, partition, offset, &batch, &found, error);
        if (result != BUS_OK || !found) {
            return result;
        }
        offset = batch.base_offset + batch.record_count;
        if (batch.appended_ms < now_ms - TOMBSTONE_MS && is_tombstone(&batch)) {
            result = log_drop_batch(bus->store, txn, topic, partition, &batch, error);
            if (result != BUS_OK) {
                return result;
            }
        }
    }
    return BUS_OK;
}

/* Is there anything to drop at all? Asked in a read transaction, so that an idle bus writes nothing. */
static bool has_expired(struct embedded_bus *bus, const struct topic *topic, int32_t partition,
                        int64_t now_ms)
{
    MDB_txn *txn = NULL;
    struct partition_head head = {0};
    struct batch batch;
    bool found = false;
    if (store_begin_read(bus->store, &txn, NULL) != BUS_OK) {
        return false;
    }
    if (head_read(bus->store, txn, topic->id, partition, &head, NULL) != BUS_OK ||
        log_find(bus->store, txn, topic, partition, head.begin, &batch, &found, NULL) != BUS_OK) {
        found = false;
    }
    bool expired = found && (topic->compacted ? batch.appended_ms < now_ms - TOMBSTONE_MS
                                              : is_expired(topic, &head, &batch, now_ms));
    mdb_txn_abort(txn);
    return expired;
}

static bool sweep_step(struct embedded_bus *bus, const struct topic *topic, int32_t partition, int64_t now_ms)
{
    MDB_txn *txn = NULL;
    struct error error;
    bool more = false;
    if (store_begin(bus->store, &txn, &error) != BUS_OK) {
        return false;
    }
    int result = topic->compacted ? drop_tombstones(bus, txn, topic, partition, now_ms, &error)
                                  : drop_expired(bus, txn, topic, partition, now_ms, &more, &error);
    if (result != BUS_OK) {
        store_abort(bus->store, txn);
    } else {
        result = store_commit(bus->store, txn, &error);
    }
    if (result != BUS_OK) {
        log_warn_with(bus->log, "old records not deleted", log_text("why", error.message));
        more = false;
    }
    return more;
}

static void sweep_topics(struct embedded_bus *bus, const struct sweep *sweep)
{
    int64_t now_ms = embedded_now_ms(bus);
    for (size_t i = 0; i < sweep->count; i++) {
        for (int32_t p = 0; p < sweep->topics[i].partitions; p++) {
            int steps = has_expired(bus, &sweep->topics[i], p, now_ms) ? STEPS_A_SWEEP : 0;
            while (steps > 0 && sweep_step(bus, &sweep->topics[i], p, now_ms)) {
                steps--;
            }
        }
    }
}

void embedded_sweep(struct embedded_bus *bus)
{
    int64_t now_ms = embedded_steady_ms();
    store_check_readers(bus->store, now_ms);
    int64_t due_ms = atomic_load(&bus->store->page->next_sweep_ms);
    if (now_ms < due_ms ||
        !atomic_compare_exchange_strong(&bus->store->page->next_sweep_ms, &due_ms, now_ms + SWEEP_EVERY_MS)) {
        return;
    }
    struct sweep *sweep = calloc(1, sizeof *sweep);
    MDB_txn *txn = NULL;
    if (sweep != NULL && store_begin_read(bus->store, &txn, NULL) == BUS_OK) {
        int result = topic_visit(bus->store, txn, add_topic, sweep, NULL);
        mdb_txn_abort(txn);
        if (result == BUS_OK) {
            sweep_topics(bus, sweep);
        }
    }
    free(sweep);
}
