/* tests/bus/scene: a bus, names for topics of the case's own, two readers and a producer: what most cases of
 * the contract play with. Every function fails the running test itself; what may find the bus away waits for
 * it. */
#ifndef OBS_TESTS_BUS_SCENE_H
#define OBS_TESTS_BUS_SCENE_H

#include "bus_reader.h"

#include "bus/bus.h"

#include "cmocka_all.h"

struct scene {
    struct bus *bus;
    char prefix[48];
    char topic[64], output[64], state[64], group[64]; /* only named; scene_make_topic makes them */
    struct bus_reader a, b;
    struct bus_producer *producer;
    struct error error;
};

void scene_set_url(const char *url); /* before the cases */

/* cmocka's set-up and tear-down: *state is a struct scene. */
int scene_make(void **state);
int scene_free(void **state);
#define SCENE_CASE(f) cmocka_unit_test_setup_teardown(f, scene_make, scene_free)

struct bus *scene_open_bus(size_t queue_limit_bytes);             /* a further one; 0: the default limit */
int scene_create(struct scene *s, const struct bus_topic *topic); /* what the bus answered */
void scene_make_topic(struct scene *s, const char *name, int32_t partitions, bool compacted);

/* --- producing ---- */

struct bus_producer *scene_producer(struct scene *s);                  /* made at the first call */
size_t scene_take_acks(struct bus_producer *producer, int timeout_ms); /* all are BUS_OK; how many */
void scene_drain(struct bus_producer *producer);
/* Until it is taken; returns how often the queue was full. */
size_t scene_produce(struct scene *s, struct bus_producer *producer, const struct bus_record *record);
void scene_produce_text(struct scene *s, const char *topic, int32_t partition, const char *key,
                        const char *value);
/* The numbers first … as text, to one partition, acknowledged. */
void scene_produce_numbers(struct scene *s, int32_t partition, int first, int count);
void scene_assert_numbers(const struct bus_reader *reader, size_t from, int first, int count);

/* --- joining and committing ---- */

void scene_join_as(struct scene *s, struct bus_reader *reader, const char *group, const char *member_id,
                   bool with_state, int64_t from);
void scene_join(struct scene *s, struct bus_reader *reader); /* the scene's group, from what is committed */
/* Everything that is in a topic, by a reader without a group on a bus handle of its own. */
void scene_read_topic(const char *topic, size_t partitions, struct bus_reader *reader, struct bus *other);
void scene_advance(struct bus_reader *reader, int32_t partition, int64_t next, const char *note);
void scene_put_text(struct bus_reader *reader, const char *topic, int32_t partition, const char *value);
void scene_put_state(struct bus_reader *reader, int32_t partition, const char *key, const char *value);
void scene_commit(struct bus_reader *reader);
struct bus_lag scene_lag(struct scene *s, const char *topic, int32_t partition);

#endif
