#include "support/outside.h"

#include "bus/bus.h"
#include "clock/clock.h"
#include "topics/topics.h"

#include "cmocka_all.h"

#define ACKS        256
#define PATIENCE_MS 60000

static void take_acks(struct bus_producer *producer, int timeout_ms)
{
    struct bus_ack acks[ACKS];
    size_t count = bus_producer_poll(producer, timeout_ms, acks, ACKS);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(acks[i].status, BUS_OK);
    }
}

void outside_open(const char *url, struct bus **bus, struct bus_producer **producer)
{
    struct error error;
    const struct bus_settings settings = {.url = url, .client_id = "test", .clock = clock_system()};
    error_clear(&error);
    if (bus_open(bus, &settings, &error) != BUS_OK ||
        bus_create_topics(*bus, topics_all(), TOPIC_COUNT, &error) != BUS_OK ||
        bus_producer_create(*bus, producer, &error) != BUS_OK) {
        fail_msg("%s: %s", url, error.message);
    }
}

void outside_close(struct bus *bus, struct bus_producer *producer)
{
    bus_producer_destroy(producer);
    bus_close(bus);
}

void outside_put(struct bus_producer *producer, const struct bus_record *record)
{
    struct error error;
    int result = BUS_OK;
    while ((result = bus_produce(producer, record, 0, &error)) == BUS_FULL) {
        take_acks(producer, 100);
    }
    if (result != BUS_OK) {
        fail_msg("not produced: %s", error.message);
    }
}

void outside_wait_for_acks(struct bus_producer *producer)
{
    int64_t deadline_ms = clock_steady_ms(clock_system()) + PATIENCE_MS;
    while (bus_producer_pending(producer) > 0) {
        take_acks(producer, 1000);
        assert_true(clock_steady_ms(clock_system()) < deadline_ms);
    }
}
