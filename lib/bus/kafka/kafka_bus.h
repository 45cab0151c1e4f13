/* lib/bus/kafka/kafka_bus: what the parts of the Kafka driver share. Only this folder knows librdkafka.
 *
 * A bus has one client for questions (topics, lag); each producer and each member has clients of its own.
 * Whether a broker answers is noted from what all of them hear. */
#ifndef OBS_BUS_KAFKA_KAFKA_BUS_H
#define OBS_BUS_KAFKA_KAFKA_BUS_H

#include "bus/driver.h"

#include "log/log.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

/* How long a question may take; with no broker in sight it is one try to see one. */
#define KAFKA_ASK_MS      3000
#define KAFKA_ASK_AWAY_MS 2000

/* What is known of a topic without asking again. */
struct kafka_topic {
    char name[BUS_TOPIC_BYTES];
    int32_t partitions;
    int64_t max_message_bytes;
};

/* When a group's committed offset was first seen. */
struct kafka_commit_seen {
    char group[128], topic[BUS_TOPIC_BYTES];
    int32_t partition;
    int64_t committed, seen_ms;
};

/* What a client's callbacks get, the first field of a larger one. */
struct kafka_client {
    struct kafka_bus *bus;
};

struct kafka_group_asker;

struct kafka_bus {
    struct bus base; /* first */
    char *brokers;
    char *client_id;
    char **properties; /* NULL-ended */
    size_t queue_limit_bytes;
    const struct clock *clock;
    struct log *log;
    rd_kafka_t *asker; /* a producer that never produces */
    struct kafka_client asker_opaque;
    atomic_bool connected;
    pthread_mutex_t lock;                   /* of what follows */
    struct kafka_group_asker *group_askers; /* kafka_committed.c; the newest first */
    struct kafka_topic *topics;
    size_t topic_count;
    struct kafka_commit_seen *seen;
    size_t seen_count;
    struct log_throttle away_throttle;
};

struct kafka_bus *kafka_bus_of(struct bus *bus);

/* kafka_settings.c: a client with the bus's settings, then extra ones (name, value, …, NULL), then the -X
 * properties. callbacks: sets rebalance and the like; may be NULL. opaque: what callbacks get. */
int kafka_client_create(struct kafka_bus *bus, rd_kafka_type_t type, const char *const *settings,
                        void (*callbacks)(rd_kafka_conf_t *conf), struct kafka_client *opaque,
                        rd_kafka_t **out, struct error *error);
/* Is every -X property one that librdkafka knows? */
int kafka_check_properties(const struct kafka_bus *bus, struct error *error);

/* kafka_admin.c */
int kafka_ask_ms(const struct kafka_bus *bus);
int kafka_result(struct kafka_bus *bus, rd_kafka_resp_err_t code, const char *what, struct error *error);
void kafka_note_away(struct kafka_bus *bus, const char *why);
void kafka_note_connected(struct kafka_bus *bus);
/* From memory, or asked; BUS_REFUSED: there is none. */
int kafka_find_topic(struct kafka_bus *bus, const char *name, struct kafka_topic *topic, struct error *error);
void kafka_remember_topic(struct kafka_bus *bus, const struct kafka_topic *topic);
int kafka_partition_count(struct bus *bus, const char *topic, int32_t *count, struct error *error);
int kafka_list_topics(struct bus *bus, struct bus_topic_info *topics, size_t limit, size_t *count,
                      struct error *error);

/* kafka_offsets.c: which: RD_KAFKA_OFFSET_BEGINNING or RD_KAFKA_OFFSET_END, as the client's isolation level
 * sees it; fills the offsets of all places. BUS_AWAY: not now. */
int kafka_ask_offsets(struct kafka_bus *bus, rd_kafka_t *client, rd_kafka_topic_partition_list_t *places,
                      int64_t which, struct error *error);
/* Of each place, as a committed reader sees it. */
int kafka_ask_bounds(struct kafka_bus *bus, rd_kafka_topic_partition_list_t *places, int64_t *begins,
                     int64_t *ends, struct error *error);
int kafka_read_offsets(struct bus *bus, const char *topic, int32_t partition, int64_t *begin, int64_t *end,
                       struct error *error);

/* kafka_topics.c */
int kafka_create_topics(struct bus *bus, const struct bus_topic *topics, size_t count, struct error *error);

/* kafka_committed.c: what the group has committed of each place; an offset below 0: nothing. */
int kafka_ask_committed(struct kafka_bus *bus, const char *group, rd_kafka_topic_partition_list_t *places,
                        struct error *error);
void kafka_group_askers_destroy(struct kafka_bus *bus);

/* kafka_lag.c */
int kafka_read_lag(struct bus *bus, const char *const *groups, size_t group_count, const char *const *topics,
                   size_t topic_count, struct bus_lag *rows, size_t limit, size_t *count,
                   struct error *error);

/* kafka_producer.c */
int kafka_producer_create(struct bus *bus, struct bus_producer **out, struct error *error);
int kafka_produce(struct bus_producer *producer, const struct bus_record *record, uint64_t tag,
                  struct error *error);
size_t kafka_producer_poll(struct bus_producer *producer, int timeout_ms, struct bus_ack *acks, size_t limit);
size_t kafka_producer_pending(const struct bus_producer *producer);
void kafka_producer_destroy(struct bus_producer *producer);
/* One record into a client's queue; shared with the transactions. partition: already chosen. */
int kafka_enqueue(struct kafka_bus *bus, rd_kafka_t *client, const char *topic, int32_t partition,
                  const struct bus_record *record, void *opaque, struct error *error);
int kafka_choose_partition(struct kafka_bus *bus, const struct bus_record *record, uint32_t *round_robin,
                           int32_t *partition, struct error *error);

/* kafka_member.c, kafka_commit.c */
int kafka_join(struct bus *bus, const struct bus_member_settings *settings, struct bus_member **out,
               struct error *error);
int kafka_poll(struct bus_member *member, int timeout_ms, struct bus_turn *turn, struct error *error);
int kafka_start(struct bus_member *member, const char *topic, int32_t partition, int64_t from,
                struct error *error);
int kafka_release(struct bus_member *member, struct error *error);
void kafka_hold(struct bus_member *member, bool held);
void kafka_wake(struct bus_member *member);
int kafka_put(struct bus_member *member, const struct bus_record *output, struct error *error);
int kafka_put_state(struct bus_member *member, int32_t partition, struct bus_bytes key,
                    struct bus_bytes value, struct error *error);
int kafka_advance(struct bus_member *member, const char *topic, int32_t partition, int64_t next,
                  const char *note, struct error *error);
int kafka_commit(struct bus_member *member, struct error *error);
int kafka_leave(struct bus_member *member, struct error *error);

#endif
