#include "bus/kafka/kafka_bus.h"

#include <stdlib.h>
#include <string.h>

struct kafka_bus *kafka_bus_of(struct bus *bus)
{
    return (struct kafka_bus *)(void *)bus;
}

static char **copy_properties(const char *const *properties)
{
    size_t count = 0;
    while (properties != NULL && properties[count] != NULL) {
        count++;
    }
    char **copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy != NULL && i < count; i++) {
        copy[i] = strdup(properties[i]);
    }
    return copy;
}

static void driver_close(struct bus *base)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    if (bus->asker != NULL) {
        rd_kafka_destroy(bus->asker);
    }
    kafka_group_askers_destroy(bus);
    for (char **property = bus->properties; property != NULL && *property != NULL; property++) {
        free(*property);
    }
    (void)pthread_mutex_destroy(&bus->lock);
    free(bus->properties);
    free(bus->topics);
    free(bus->seen);
    free(bus->brokers);
    free(bus->client_id);
    free(bus);
}

static int driver_open(struct bus **out, const struct bus_url *url, const struct bus_settings *settings,
                       struct error *error)
{
    struct kafka_bus *bus = calloc(1, sizeof *bus);
    if (bus == NULL) {
        return error_set(error, BUS_FATAL, "no memory for the bus");
    }
    bus->base.driver = &bus_driver_kafka;
    (void)pthread_mutex_init(&bus->lock, NULL);
    bus->brokers = strdup(url->location);
    bus->client_id = strdup(settings->client_id);
    bus->properties = copy_properties(settings->properties);
    bus->queue_limit_bytes = settings->queue_limit_bytes;
    bus->clock = settings->clock;
    bus->log = settings->log;
    int result = bus->brokers == NULL || bus->client_id == NULL || bus->properties == NULL
                     ? error_set(error, BUS_FATAL, "no memory for the bus")
                     : kafka_check_properties(bus, error);
    /* A question that a broker never answers holds up the ones behind it for so long, a minute by default. */
    static const char *const asking[] = {"socket.timeout.ms", "5000", NULL};
    bus->asker_opaque.bus = bus;
    if (result == BUS_OK) {
        result =
            kafka_client_create(bus, RD_KAFKA_PRODUCER, asking, NULL, &bus->asker_opaque, &bus->asker, error);
    }
    if (result != BUS_OK) {
        driver_close(&bus->base);
        return result;
    }
    *out = &bus->base;
    return BUS_OK;
}

static bool driver_is_connected(const struct bus *base)
{
    return atomic_load(&((const struct kafka_bus *)(const void *)base)->connected);
}

const struct bus_driver bus_driver_kafka = {
    .open = driver_open,
    .is_connected = driver_is_connected,
    .close = driver_close,
    .create_topics = kafka_create_topics,
    .partition_count = kafka_partition_count,
    .read_offsets = kafka_read_offsets,
    .list_topics = kafka_list_topics,
    .read_lag = kafka_read_lag,
    .producer_create = kafka_producer_create,
    .produce = kafka_produce,
    .producer_poll = kafka_producer_poll,
    .producer_pending = kafka_producer_pending,
    .producer_destroy = kafka_producer_destroy,
    .join = kafka_join,
    .poll = kafka_poll,
    .start = kafka_start,
    .release = kafka_release,
    .hold = kafka_hold,
    .wake = kafka_wake,
    .put = kafka_put,
    .put_state = kafka_put_state,
    .advance = kafka_advance,
    .commit = kafka_commit,
    .leave = kafka_leave,
};
