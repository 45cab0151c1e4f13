/* A real bridge on a real embedded bus in a temporary directory, for tests that look at it from outside.
 * Functions fail the running test themselves. */
#ifndef OBS_TESTS_INTEGRATION_BRIDGE_WORLD_H
#define OBS_TESTS_INTEGRATION_BRIDGE_WORLD_H

#include "buffer/buffer.h"
#include "bus/bus.h"
#include "event/event.h"
#include "event/log_record.h"
#include "support/files.h"

#include <stdint.h>

#define PATIENCE_MS 30000

struct process;

struct bridge_world {
    char directory[TEST_PATH_BYTES], log_path[TEST_PATH_BYTES], url[TEST_PATH_BYTES + 64];
    struct bus *bus;
    struct bus_producer *producer;
    struct process *bridge;
    uint16_t port;
    struct buffer page;
    uint64_t produced; /* records of metrics.raw */
};

/* A broker for all tests of a program; NULL: each has an embedded bus of its own. */
extern const char *bridge_kafka_url;

int bridge_world_begin(void **state); /* for cmocka's set-up and tear-down */
int bridge_world_end(void **state);

/* With short times, so that a test needn't wait; extra: its own arguments, NULL-ended, may be NULL. */
void bridge_start(struct bridge_world *world, const char *const *extra);
void bridge_wait_until_ready(struct bridge_world *world);

/* The text page, also kept in world->page; "" when there is none. */
const char *bridge_scrape(struct bridge_world *world);
/* The sum of the kept page's series of that name whose line contains text. */
double bridge_shown(struct bridge_world *world, const char *name, const char *text);
void bridge_wait_for_value(struct bridge_world *world, const char *name, const char *text, double value);
void bridge_wait_until_all_is_counted(struct bridge_world *world);

/* The i-th of an endless series of events: 4 services, 3 regions, 5 routes, a few statuses. */
struct event bridge_make_event(uint64_t i, char id[32]);
/* Without waiting for acknowledgements. */
void bridge_produce(struct bridge_world *world, const char *topic, struct bus_bytes key, const void *data,
                    size_t size);
void bridge_produce_event(struct bridge_world *world, const struct event *event);
void bridge_produce_log(struct bridge_world *world, enum log_severity severity);
/* With. */
void bridge_produce_events(struct bridge_world *world, uint64_t first, uint64_t count);

#endif
