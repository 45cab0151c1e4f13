/* lib/bus/embedded: what the driver's parts know of a bus. */
#ifndef OBS_BUS_EMBEDDED_EMBEDDED_BUS_H
#define OBS_BUS_EMBEDDED_EMBEDDED_BUS_H

#include "bus/driver.h"
#include "bus/embedded/retention.h"
#include "bus/embedded/store.h"

struct embedded_bus {
    struct bus base; /* first */
    struct store *store;
    const struct clock *clock;
    struct log *log;
    struct retention_policy retention;
    size_t queue_limit_bytes;
    int64_t lease_ms;
    bool survive_power_cut;
    _Atomic int64_t dropped, said_dropped; /* records, by this bus's commits under drop_oldest */
    _Atomic int64_t next_say_ms;
};

/* After a commit: counts what it dropped and says so, not more often than every ten seconds; the rest at
 * close. */
void embedded_note_dropped(struct embedded_bus *bus, int64_t dropped);

static inline struct embedded_bus *embedded_bus_of(struct bus *bus)
{
    return (struct embedded_bus *)(void *)bus;
}

int embedded_producer_create(struct bus *bus, struct bus_producer **out, struct error *error);
int embedded_produce(struct bus_producer *producer, const struct bus_record *record, uint64_t tag,
                     struct error *error);
size_t embedded_producer_poll(struct bus_producer *producer, int timeout_ms, struct bus_ack *acks,
                              size_t limit);
size_t embedded_producer_pending(const struct bus_producer *producer);
void embedded_producer_destroy(struct bus_producer *producer);

int embedded_join(struct bus *bus, const struct bus_member_settings *settings, struct bus_member **out,
                  struct error *error);
int embedded_poll(struct bus_member *member, int timeout_ms, struct bus_turn *turn, struct error *error);
int embedded_start(struct bus_member *member, const char *topic, int32_t partition, int64_t from,
                   struct error *error);
int embedded_release(struct bus_member *member, struct error *error);
void embedded_hold(struct bus_member *member, bool held);
void embedded_wake(struct bus_member *member);
int embedded_put(struct bus_member *member, const struct bus_record *output, struct error *error);
int embedded_put_state(struct bus_member *member, int32_t partition, struct bus_bytes key,
                       struct bus_bytes value, struct error *error);
int embedded_advance(struct bus_member *member, const char *topic, int32_t partition, int64_t next,
                     const char *note, struct error *error);
int embedded_commit(struct bus_member *member, struct error *error);
int embedded_leave(struct bus_member *member, struct error *error);

int embedded_read_lag(struct bus *bus, const char *const *groups, size_t group_count,
                      const char *const *topics, size_t topic_count, struct bus_lag *rows, size_t limit,
                      size_t *count, struct error *error);

#endif
