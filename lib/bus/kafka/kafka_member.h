/* lib/bus/kafka/kafka_member: how a member is laid out; for kafka_member.c (its life), kafka_turns.c (polls),
 * kafka_restoring.c (state), kafka_read.c (records out of messages) and kafka_commit.c (transactions). */
#ifndef OBS_BUS_KAFKA_KAFKA_MEMBER_H
#define OBS_BUS_KAFKA_KAFKA_MEMBER_H

#include "bus/kafka/kafka_bus.h"
#include "bus/kafka/kafka_restore.h"

#define KAFKA_MEMBER_TOPICS 16
#define KAFKA_COMMIT_MS                                                                                      \
    5000 /* a commit takes no longer: then the brokers abort it (transaction.timeout.ms) */

/* How long one wait lasts at most: bus_wake sets a flag, a signal handler can do no more. */
#define KAFKA_SLICE_MS 100

/* ASKING: its committed offset isn't known yet. */
enum kafka_phase { KAFKA_ASKING, KAFKA_NEW, KAFKA_RESTORING, KAFKA_WAITING, KAFKA_STARTED };

struct kafka_partition {
    char topic[BUS_TOPIC_BYTES];
    int32_t number;
    enum kafka_phase phase;
    int64_t committed, start, ended_at; /* ended_at: position of an end that is still to be said; -1: none */
    int64_t begin, end;                 /* when it was assigned; end -1: not known */
    char note[BUS_NOTE_BYTES + 1];
};

struct kafka_advance {
    char topic[BUS_TOPIC_BYTES];
    int32_t partition;
    int64_t next;
    char note[BUS_NOTE_BYTES + 1];
};

struct kafka_member {
    struct bus_member base; /* first */
    struct kafka_client opaque;
    struct kafka_bus *bus;
    char group[256], member_id[BUS_MEMBER_ID_BYTES];
    bool has_group, has_name;
    char topics[KAFKA_MEMBER_TOPICS][BUS_TOPIC_BYTES];
    size_t topic_count;
    char state_topic[BUS_TOPIC_BYTES]; /* "": none */
    size_t batch_records, batch_bytes;
    int64_t session_timeout_ms, fenced_ms; /* fenced_ms: when it was last put out by its own name; 0: never */
    rd_kafka_t *consumer;

    struct kafka_partition *partitions;
    size_t partition_count, partition_capacity;
    bool assigned_to_client; /* rd_kafka_assign holds the present partitions */
    bool revoking, lost, reset, held, closing;
    bool listed;       /* without a group: the partitions are known */
    size_t last_found; /* where kafka_member_find begins to look */
    struct kafka_restore *restore;
    atomic_bool woken;

    /* What a turn points to. */
    struct bus_partition *turn_partitions;
    rd_kafka_message_t **messages;
    size_t message_count, message_capacity;
    struct bus_record *records;
    size_t record_count;
    struct bus_header *headers;
    size_t header_count, header_capacity;

    /* The transaction. */
    rd_kafka_t *producer;
    bool producer_ready, in_transaction;
    struct kafka_client producer_opaque;
    struct kafka_advance *advances;
    size_t advance_count, advance_capacity;
    uint32_t round_robin;
};

struct kafka_member *kafka_member_of(struct bus_member *member);
struct kafka_partition *kafka_member_find(struct kafka_member *member, const char *topic, int32_t partition);
bool kafka_member_add(struct kafka_member *member, const char *topic, int32_t number, enum kafka_phase phase);
int kafka_member_open_consumer(struct kafka_member *member, struct error *error);
void kafka_member_close_consumer(struct kafka_member *member);
/* The started ones and their offsets; the caller destroys the list. */
rd_kafka_topic_partition_list_t *kafka_member_list_started(const struct kafka_member *member);
/* The client fetches nothing any more. */
void kafka_member_take_from_client(struct kafka_member *member);

/* kafka_read.c: *any: the turn has records or ends. */
int kafka_member_read(struct kafka_member *member, int timeout_ms, struct bus_turn *turn, bool *any,
                      struct error *error);
void kafka_member_free_messages(struct kafka_member *member);
/* What came in a message's clothes: an end, an error. BUS_FATAL: the member can't go on. */
int kafka_member_take_event(struct kafka_member *member, const rd_kafka_message_t *message,
                            struct error *error);

/* kafka_restoring.c */
void kafka_member_add_to_turn(struct kafka_member *member, struct bus_turn *turn,
                              const struct kafka_partition *partition);
/* *any: a turn, if one of the partitions that wait for their state can go on. */
int kafka_member_restoring_turn(struct kafka_member *member, struct bus_turn *turn, bool *any,
                                struct error *error);

/* kafka_commit.c: a transactional producer that is ready to begin; BUS_AWAY: not yet. */
int kafka_member_prepare(struct kafka_member *member, struct error *error);
void kafka_member_drop_transaction(struct kafka_member *member, int timeout_ms);
void kafka_member_close_producer(struct kafka_member *member);

#endif
