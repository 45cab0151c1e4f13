/* tests/bus/world: a bus under test, topics of the test's own, and a reader that writes down what it is told.
 *
 * The URL comes from the program's first argument; without one it is an embedded bus in a temporary
 * directory. Every function fails the running test itself. */
#ifndef OBS_TESTS_BUS_WORLD_H
#define OBS_TESTS_BUS_WORLD_H

#include "cases.h"

#include "bus/bus.h"
#include "support/files.h"

#include "cmocka_all.h"

#define WORLD_PATIENCE_MS 60000
#define NAME_BYTES        64

struct world {
    struct bus *bus;
    char url[TEST_PATH_BYTES + 64];
    char run[NAME_BYTES]; /* in front of every name, so that tests on one broker don't meet */
};

const char *world_program(void);
bool world_is_embedded(void);
void world_clean_up(void);

/* cmocka's set-up and tear-down: *state is a struct world. */
int world_set_up(void **state);
int world_tear_down(void **state);

struct bus *world_open_bus(const char *url, size_t queue_limit_bytes);
/* "run-name", in static storage that is used in turn (eight at a time). */
const char *world_name(const struct world *world, const char *name);
/* Creates the topic of that name and returns its full name. */
const char *world_topic(struct world *world, const char *name, int32_t partitions, bool compacted);

void produce(struct world *world, const struct bus_record *record); /* and waits for its acknowledgement */
void produce_text(struct world *world, const char *topic, int32_t partition, const char *key,
                  const char *value);
/* "prefix0", "prefix1" …, acknowledged. */
void produce_many(struct world *world, const char *topic, int32_t partition, const char *prefix, int count);
void drain(struct bus_producer *producer);

struct bus_bytes bytes_of(const char *text); /* NULL: absent */
void assert_bytes_are(struct bus_bytes bytes, const char *text);
void check(int result, const struct error *error); /* is BUS_OK, or the test fails with the sentence */

#endif
