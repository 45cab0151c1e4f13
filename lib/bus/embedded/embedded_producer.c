/* A producer: a queue of the process's committer. */
#include "bus/embedded/embedded_bus.h"
#include "bus/embedded/group_commit.h"

#include <stdlib.h>
#include <string.h>

struct embedded_producer {
    struct bus_producer base; /* first */
    struct store *store;
    struct commit_queue *queue;
    const struct topic *topic; /* the last one, which is mostly the next one */
};

static struct embedded_producer *producer_of(struct bus_producer *producer)
{
    return (struct embedded_producer *)(void *)producer;
}

int embedded_producer_create(struct bus *base, struct bus_producer **out, struct error *error)
{
    struct embedded_bus *bus = embedded_bus_of(base);
    struct embedded_producer *producer = calloc(1, sizeof *producer);
    if (producer == NULL) {
        return error_set(error, BUS_FATAL, "no memory for a producer");
    }
    producer->base.driver = base->driver;
    producer->store = bus->store;
    if (commit_queue_open(bus, &producer->queue, error) != BUS_OK) {
        free(producer);
        return BUS_FATAL;
    }
    *out = &producer->base;
    return BUS_OK;
}

int embedded_produce(struct bus_producer *base, const struct bus_record *record, uint64_t tag,
                     struct error *error)
{
    struct embedded_producer *producer = producer_of(base);
    if (producer->topic == NULL || strcmp(producer->topic->name, record->topic) != 0) {
        int result = topic_table_find(producer->store, record->topic, &producer->topic, error);
        if (result != BUS_OK) {
            producer->topic = NULL;
            return result;
        }
    }
    return commit_queue_add(producer->queue, producer->topic, record, tag, error);
}

size_t embedded_producer_poll(struct bus_producer *base, int timeout_ms, struct bus_ack *acks, size_t limit)
{
    return commit_queue_take_acks(producer_of(base)->queue, timeout_ms, acks, limit);
}

size_t embedded_producer_pending(const struct bus_producer *base)
{
    return commit_queue_pending(((const struct embedded_producer *)(const void *)base)->queue);
}

void embedded_producer_destroy(struct bus_producer *base)
{
    struct embedded_producer *producer = producer_of(base);
    commit_queue_close(producer->queue);
    free(producer);
}
