/* lib/bus/embedded/embedded_bus: what the parts of the embedded driver share. */
#ifndef OBS_BUS_EMBEDDED_EMBEDDED_BUS_H
#define OBS_BUS_EMBEDDED_EMBEDDED_BUS_H

#include "bus/driver.h"
#include "bus/embedded/store.h"
#include "bus/embedded/topic_log.h"

#include <stdatomic.h>

struct embedded_bus {
    struct bus base; /* first */
    struct store *store;
    const struct clock *clock;
    struct log *log;
    size_t queue_limit_bytes;
    int64_t lease_ms, retention_hard_bytes;
    bool drop_oldest;
    _Atomic uint64_t dropped; /* records that a group needed, under drop_oldest */
};

int64_t embedded_now_ms(const struct embedded_bus *bus); /* wall */
int64_t embedded_steady_ms(void);

/* log_append under the bus's hard limit: past it BUS_FULL, or with drop_oldest the oldest records go. */
int embedded_append(struct embedded_bus *bus, MDB_txn *txn, const struct topic *topic, int32_t partition,
                    const char *frames, size_t frames_bytes, uint32_t count, struct error *error);

/* embedded_admin.c */
int embedded_create_topics(struct bus *bus, const struct bus_topic *topics, size_t count,
                           struct error *error);
int embedded_partition_count(struct bus *bus, const char *topic, int32_t *count, struct error *error);
int embedded_read_offsets(struct bus *bus, const char *topic, int32_t partition, int64_t *begin, int64_t *end,
                          struct error *error);
int embedded_list_topics(struct bus *bus, struct bus_topic_info *topics, size_t limit, size_t *count,
                         struct error *error);
int embedded_read_lag(struct bus *bus, const char *const *groups, size_t group_count,
                      const char *const *topics, size_t topic_count, struct bus_lag *rows, size_t limit,
                      size_t *count, struct error *error);

/* embedded_producer.c */
int embedded_producer_create(struct bus *bus, struct bus_producer **out, struct error *error);
int embedded_produce(struct bus_producer *producer, const struct bus_record *record, uint64_t tag,
                     struct error *error);
size_t embedded_producer_poll(struct bus_producer *producer, int timeout_ms, struct bus_ack *acks,
                              size_t limit);
size_t embedded_producer_pending(const struct bus_producer *producer);
void embedded_producer_destroy(struct bus_producer *producer);

/* embedded_member.c */
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

/* retention.c: when a sweep is due (any process, every few seconds), does a bounded part of it. */
void embedded_sweep(struct embedded_bus *bus);

#endif
