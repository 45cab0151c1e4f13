/* embedded:DIR: the calls of bus.h on a store of this machine. */
#include "bus/embedded/embedded_bus.h"
#include "bus/embedded/partition_log.h"
#include "bus/embedded/topic_table.h"
#include "clock/clock.h"
#include "log/log.h"

#include <stdlib.h>
#include <string.h>

#define SAY_EVERY_MS 10000

static void say_dropped(struct embedded_bus *bus)
{
    int64_t dropped = atomic_load(&bus->dropped);
    if (atomic_exchange(&bus->said_dropped, dropped) != dropped) {
        log_warn_with(bus->log, "oldest records dropped (retention_policy=drop_oldest)",
                      log_text("bus", bus->store->directory), log_integer("dropped_in_all", dropped));
    }
}

void embedded_note_dropped(struct embedded_bus *bus, int64_t dropped)
{
    int64_t now_ms = clock_steady_ms(clock_system());
    int64_t due_ms = atomic_load(&bus->next_say_ms);
    if (dropped == 0) {
        return;
    }
    (void)atomic_fetch_add(&bus->dropped, dropped);
    if (now_ms >= due_ms &&
        atomic_compare_exchange_strong(&bus->next_say_ms, &due_ms, now_ms + SAY_EVERY_MS)) {
        say_dropped(bus);
    }
}

static int embedded_open(struct bus **out, const struct bus_url *url, const struct bus_settings *settings,
                         struct error *error)
{
    struct embedded_bus *bus = calloc(1, sizeof *bus);
    if (bus == NULL) {
        return error_set(error, BUS_FATAL, "no memory for the bus");
    }
    *bus = (struct embedded_bus){
        .base = {.driver = &bus_driver_embedded},
        .clock = settings->clock,
        .log = settings->log,
        .retention = {.hard_bytes = url->retention_hard_bytes, .drop_oldest = url->drop_oldest},
        .queue_limit_bytes = settings->queue_limit_bytes,
        .lease_ms = url->lease_ms,
        .survive_power_cut = url->survive_power_cut};
    int result = store_open(&bus->store, url, error);
    if (result != BUS_OK) {
        free(bus);
        return result;
    }
    *out = &bus->base;
    return BUS_OK;
}

static bool embedded_is_connected(const struct bus *bus)
{
    return atomic_load(&((const struct embedded_bus *)(const void *)bus)->store->writable);
}

static void embedded_close(struct bus *bus)
{
    say_dropped(embedded_bus_of(bus));
    store_close(embedded_bus_of(bus)->store);
    free(bus);
}

static int embedded_create_topics(struct bus *base, const struct bus_topic *topics, size_t count,
                                  struct error *error)
{
    struct embedded_bus *bus = embedded_bus_of(base);
    return topic_table_ensure(bus->store, topics, count, bus->survive_power_cut, bus->log, error);
}

static int embedded_partition_count(struct bus *base, const char *name, int32_t *count, struct error *error)
{
    const struct topic *topic;
    int result = topic_table_find(embedded_bus_of(base)->store, name, &topic, error);
    *count = result == BUS_OK ? topic->partitions : 0;
    return result;
}

static int embedded_read_offsets(struct bus *base, const char *name, int32_t partition, int64_t *begin,
                                 int64_t *end, struct error *error)
{
    struct store *store = embedded_bus_of(base)->store;
    const struct topic *topic;
    struct store_txn txn;
    struct partition_bounds bounds;
    int result = topic_table_find(store, name, &topic, error);
    if (result == BUS_OK && (partition < 0 || partition >= topic->partitions)) {
        result = error_set(error, BUS_REFUSED, "topic %s has no partition %d (it has %d)", name, partition,
                           topic->partitions);
    }
    if (result == BUS_OK) {
        result = store_begin_read(store, &txn, error);
    }
    if (result != BUS_OK) {
        return result;
    }
    result = partition_log_bounds(&txn, topic, partition, &bounds, error);
    store_end_read(&txn);
    *begin = bounds.begin;
    *end = bounds.end;
    return result;
}

struct topic_list {
    struct bus_topic_info *topics;
    size_t limit, count;
};

static void add_topic(void *context, const struct topic *topic)
{
    struct topic_list *list = context;
    if (list->count < list->limit) {
        struct bus_topic_info *info = &list->topics[list->count];
        memcpy(info->name, topic->name, sizeof info->name);
        info->partitions = topic->partitions;
    }
    list->count++;
}

static int embedded_list_topics(struct bus *base, struct bus_topic_info *topics, size_t limit, size_t *count,
                                struct error *error)
{
    struct topic_list list = {.topics = topics, .limit = limit};
    int result = topic_table_each(embedded_bus_of(base)->store, add_topic, &list, error);
    *count = list.count;
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
