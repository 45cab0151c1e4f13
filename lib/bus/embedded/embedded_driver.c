#include "bus/embedded/embedded_bus.h"

#include "bus/embedded/group.h"

#include "clock/clock.h"
#include "log/log.h"

#include <stdlib.h>

#define PAGE_BYTES   4096 /* what a batch may waste at its end */

#define DROP_AT_ONCE 64 /* batches that one append may take away */

static int embedded_open(struct bus **out, const struct bus_url *url, const struct bus_settings *settings,
                         struct error *error)
{
    struct embedded_bus *bus = calloc(1, sizeof *bus);
    if (bus == NULL) {
        return error_set(error, BUS_FATAL, "no memory for the bus");
    }
    int result = store_open(&bus->store, url, error);
    if (result != BUS_OK) {
        free(bus);
        return result;
    }
    bus->base.driver = &bus_driver_embedded;
    bus->clock = settings->clock;
    bus->log = settings->log;
    bus->queue_limit_bytes = settings->queue_limit_bytes;
    bus->lease_ms = url->lease_ms;
    bus->retention_hard_bytes = url->retention_hard_bytes;
    bus->drop_oldest = url->drop_oldest;
    *out = &bus->base;
    return BUS_OK;
}

static bool embedded_is_connected(const struct bus *bus)
{
    (void)bus; /* an open store is all there is to it */
    return true;
}

static void embedded_close(struct bus *bus)
{
    struct embedded_bus *embedded = (struct embedded_bus *)(void *)bus;
    store_close(embedded->store);
    free(embedded);
}

int64_t embedded_now_ms(const struct embedded_bus *bus)
{
    return clock_wall_ms(bus->clock);
}

int64_t embedded_steady_ms(void)
{
    return clock_steady_ms(clock_system());
}

/* Takes the oldest batches that end at or below `below`, a bounded number. */
static int drop_some(struct embedded_bus *bus, MDB_txn *txn, const struct topic *topic, int32_t partition,
                     int64_t below, uint64_t *dropped, struct error *error)
{
    *dropped = 0;
    for (int i = 0; i < DROP_AT_ONCE; i++) {
        struct batch batch;
        bool found = false;
        int result = log_find(bus->store, txn, topic, partition, 0, &batch, &found, error);
        if (result != BUS_OK || !found || batch.base_offset + batch.record_count > below) {
            return result;
        }
        *dropped += batch.record_count;
        result = log_drop_batch(bus->store, txn, topic, partition, &batch, error);
        if (result != BUS_OK) {
            return result;
        }
    }
    return BUS_OK;
}

/* Makes room under the hard limit: first by what no group needs any more, then, with drop_oldest, by what one
 * does. */
static int make_room(struct embedded_bus *bus, MDB_txn *txn, const struct topic *topic, int32_t partition,
                     uint64_t *dropped, struct error *error)
{
    int64_t needed = INT64_MAX;
    uint64_t unneeded = 0;
    *dropped = 0;
    int result = group_needed_from(bus->store, txn, topic->name, partition, &needed, error);
    if (result == BUS_OK) {
        result = drop_some(bus, txn, topic, partition, needed, &unneeded, error);
    }
    if (result == BUS_OK && unneeded == 0 && bus->drop_oldest) {
        result = drop_some(bus, txn, topic, partition, INT64_MAX, dropped, error);
    }
    return result == BUS_OK && unneeded == 0 && *dropped == 0 ? BUS_FULL : result;
}

static void say_dropped(struct embedded_bus *bus, const struct topic *topic, int32_t partition,
                        uint64_t dropped)
{
    uint64_t in_all = atomic_fetch_add(&bus->dropped, dropped) + dropped;
    log_warn_with(bus->log, "oldest records dropped (retention_policy=drop_oldest)",
                  log_text("topic", topic->name), log_integer("partition", partition),
                  log_integer("dropped_in_all", (int64_t)in_all));
}

int embedded_append(struct embedded_bus *bus, MDB_txn *txn, const struct topic *topic, int32_t partition,
                    const char *frames, size_t frames_bytes, uint32_t count, struct error *error)
{
    int64_t hard_bytes = topic->compacted ? 0 : bus->retention_hard_bytes / topic->partitions;
    int64_t now_ms = embedded_now_ms(bus);
    uint64_t dropped = 0;
    int result = store_take_room(bus->store, frames_bytes + frames_bytes / 8 + PAGE_BYTES, error);
    if (result != BUS_OK) {
        return result;
    }
    result =
        log_append(bus->store, txn, topic, partition, frames, frames_bytes, count, now_ms, hard_bytes, error);
    while (result == BUS_FULL && hard_bytes > 0 &&
           make_room(bus, txn, topic, partition, &dropped, NULL) == BUS_OK) {
        if (dropped > 0) {
            say_dropped(bus, topic, partition, dropped);
        }
        result = log_append(bus->store, txn, topic, partition, frames, frames_bytes, count, now_ms,
                            hard_bytes, error);
    }
    return result;
}

const struct bus_driver bus_driver_embedded = {
    .open = embedded_open,
    .is_connected = embedded_is_connected,
    .close = embedded_close,
    .create_topics = embedded_create_topics,
    .partition_count = embedded_partition_count,
    .read_offsets = embedded_read_offsets,
    .list_topics = embedded_list_topics,
    .read_lag = embedded_read_lag,
    .producer_create = embedded_producer_create,
    .produce = embedded_produce,
    .producer_poll = embedded_producer_poll,
    .producer_pending = embedded_producer_pending,
    .producer_destroy = embedded_producer_destroy,
    .join = embedded_join,
    .poll = embedded_poll,
    .start = embedded_start,
    .release = embedded_release,
    .hold = embedded_hold,
    .wake = embedded_wake,
    .put = embedded_put,
    .put_state = embedded_put_state,
    .advance = embedded_advance,
    .commit = embedded_commit,
    .leave = embedded_leave,
};
