/* lib/bus: topics of keyed records, groups that read them, and ONE atomic commit of outputs + state + input
 * positions.
 *
 * Two drivers behind one interface: kafka://host:port[,host:port] (librdkafka) and
 * embedded:DIR[?durability=power|process] (a log on this machine). What a program sees is the same on both;
 * the same test suite runs over both.
 *
 * Threads: struct bus may be used by any thread. A member and a producer belong to one thread each; N threads
 * join N members of one group, the group spreads the partitions, and so no two threads ever share a series or
 * a lock. No callbacks: rebalances, restored state and acknowledgements are results of a poll, on the
 * caller's own thread.
 *
 * The life of a partition, the only one there is:
 *
 *   ASSIGNED -> bus_start -> STATE* -> RESTORED -> (RECORDS | END)* -> REVOKING (bus_commit, bus_release) |
 * LOST (forget it)
 *
 *   After ASSIGNED the caller first gets the partition's STATE and RESTORED (at once when there is no state
 * topic), then calls bus_start with the offset from which it wants records; nothing is read before. An
 * aborted or unclear commit, a fencing and a lost session all look the same: LOST for every partition, then
 * ASSIGNED again, from the committed state. REVOKING names partitions to give up: commit what is done for
 * them, then bus_release. Until then no other member has them (unless the group's patience ends: then the
 * commit is refused with BUS_RESET).
 *
 * Visibility: a commit's outputs, state and positions become visible together to every process; readers
 * always read committed. Memory: what a turn points to is the member's until its next bus_poll. What the
 * caller passes in is copied before return. Back-pressure: queues are bounded by queue_limit_bytes; a full
 * one answers BUS_FULL and drops nothing. */
#ifndef OBS_BUS_BUS_H
#define OBS_BUS_BUS_H

#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bus;
struct bus_member;
struct bus_producer;
struct clock;
struct log;

enum bus_status {
    BUS_OK = 0,
    BUS_FULL = -1,    /* the bounded queue is full: poll, wait, call again; nothing was taken */
    BUS_RESET = -2,   /* nothing put since the last commit holds; polls now say LOST, then begin anew from the
                         committed state */
    BUS_REFUSED = -3, /* this call's input is wrong: unknown topic, too large, offset not in the log, wrong
                         topic settings */
    BUS_FATAL = -4,   /* damaged store, authorisation, fatal client error: leave and exit 1 */
    BUS_AWAY = -5     /* the broker can't be reached in time; try again later */
};

#define BUS_PARTITION_BY_KEY (-1)
#define BUS_TOPIC_BYTES      250 /* the longest topic name with NUL */

struct bus_bytes {
    const void *data; /* NULL: absent; as a value: a tombstone */
    size_t size_bytes;
};

struct bus_header {
    const char *name;
    struct bus_bytes value;
};

struct bus_record {
    const char *topic;
    int32_t partition;           /* out: BUS_PARTITION_BY_KEY = murmur2 of the key (no key: any) */
    int64_t offset, appended_ms; /* in: given by the bus */
    struct bus_bytes key, value;
    const struct bus_header *headers;
    size_t header_count;
    bool replayed; /* in: below the committed offset: rebuild memory, decide nothing */
};

struct bus_settings {
    const char *url, *client_id;
    const char *const
        *properties; /* "name=value" for librdkafka, NULL-ended; NULL: none. The embedded bus ignores them */
    size_t queue_limit_bytes; /* 0: 32 MiB per producer or member */
    const struct clock *clock;
    struct log *log; /* may be NULL */
};

/* An absent broker is no error: the bus connects in the background. Settings are copied, clock and log
 * borrowed. */
int bus_open(struct bus **out, const struct bus_settings *settings, struct error *error);
bool bus_is_connected(const struct bus *bus); /* for /readyz; no I/O */
void bus_close(struct bus *bus);              /* after its members and producers; NULL is fine */

/* --- Topics
 * ------------------------------------------------------------------------------------------------------ */

struct bus_topic {
    const char *name;
    int32_t partitions;
    bool compacted;
    int64_t retention_ms;      /* 0: for ever (compacted topics) */
    int64_t retention_bytes;   /* per partition; 0: no bound */
    int64_t max_message_bytes; /* 0: 1 MiB */
};

/* Creates what is missing (and says so in the log), checks what exists: partitions, timestamp type, clean-up
 * policy and max.message.bytes. A wrong one is BUS_REFUSED with the command that repairs it. BUS_AWAY: ask
 * again later. */
int bus_create_topics(struct bus *bus, const struct bus_topic *topics, size_t count, struct error *error);
int bus_partition_count(struct bus *bus, const char *topic, int32_t *count, struct error *error);
/* begin: the oldest offset kept; end: one past the newest record that a committed reader may see. */
int bus_read_offsets(struct bus *bus, const char *topic, int32_t partition, int64_t *begin, int64_t *end,
                     struct error *error);

struct bus_topic_info {
    char name[BUS_TOPIC_BYTES];
    int32_t partitions;
};
/* Sorted by name, without the bus's own. *count: how many there are, even when that is more than limit. */
int bus_list_topics(struct bus *bus, struct bus_topic_info *topics, size_t limit, size_t *count,
                    struct error *error);

/* The partition that Java's murmur2 partitioner gives the key; the same on both drivers. */
int32_t bus_partition_for_key(const void *key, size_t key_bytes, int32_t partition_count);

/* --- Lag: asked of the bus, not of the reader, so that it is there when the reader is dead.
 * ------------------------ */

struct bus_lag {
    char group[128], topic[BUS_TOPIC_BYTES];
    int32_t partition;
    int64_t committed; /* -1: never */
    int64_t end;       /* last stable end */
    int64_t lag;       /* records, never negative; with committed -1: all that are kept */
    int64_t lag_ms;    /* now minus the append time of the record at the committed offset; 0 when lag is 0 */
    int64_t last_commit_ms; /* when the group last moved, as far as the bus knows; 0: unknown */
};
/* Rows for every (group, topic, partition) of the named topics; *count as in bus_list_topics. May take as
 * long as the broker. */
int bus_read_lag(struct bus *bus, const char *const *groups, size_t group_count, const char *const *topics,
                 size_t topic_count, struct bus_lag *rows, size_t limit, size_t *count, struct error *error);

/* --- Producing with acknowledgement, outside any commit (simulator, gateway, buscat)
 * ------------------------------ */

struct bus_ack {
    uint64_t tag;
    enum bus_status status;
};
int bus_producer_create(struct bus *bus, struct bus_producer **out, struct error *error);
/* BUS_OK: taken, exactly one ack with this tag will come, in any order. BUS_FULL: poll acks, then call again.
 */
int bus_produce(struct bus_producer *producer, const struct bus_record *record, uint64_t tag,
                struct error *error);
/* Waits up to timeout_ms for the first ack, then takes what is there. Returns how many; also drives the
 * sending. */
size_t bus_producer_poll(struct bus_producer *producer, int timeout_ms, struct bus_ack *acks, size_t limit);
size_t bus_producer_pending(
    const struct bus_producer *producer);                 /* produced, not yet acknowledged by a poll */
void bus_producer_destroy(struct bus_producer *producer); /* waits for nothing: drain with polls first */

/* --- Reading, and the commit
 * -------------------------------------------------------------------------------------- */

struct bus_member_settings {
    const char *group;     /* NULL: reads every partition alone, never commits */
    const char *member_id; /* stable per thread: names the transactional.id, the lease; NULL: a random one */
    const char *const *topics;  /* NULL-ended */
    const char *state_topic;    /* compacted, one partition per input partition; NULL: none */
    size_t batch_records;       /* most records a turn brings; 0: 1 000 */
    size_t batch_bytes;         /* 0: 4 MiB */
    int64_t session_timeout_ms; /* 0: 10 000 on Kafka, the 5 s lease on the embedded bus */
};

struct bus_partition {
    const char *topic;
    int32_t partition;
    int64_t committed; /* next offset to read by the committed state; -1: none yet */
    int64_t position;  /* END: the offset to commit when everything up to here is done (past transaction
                          markers) */
    const char *note;  /* what bus_advance stored beside it; "" when none */
};

enum bus_turn_kind {
    BUS_IDLE,     /* nothing within the time-out (or bus_wake) */
    BUS_ASSIGNED, /* partitions: now this member's; STATE and RESTORED follow for each, then it waits for
                     bus_start */
    BUS_STATE,    /* records: the last value of each live key of partitions[0], some at a time */
    BUS_RESTORED, /* partitions[0] has all its state: call bus_start */
    BUS_RECORDS,  /* records: of one or more partitions, in order within each */
    BUS_END,      /* partitions: read to the end as of now; said once each time the end is reached */
    BUS_REVOKING, /* partitions: commit, then bus_release */
    BUS_LOST /* partitions: no longer this member's, what is uncommitted for them is void: forget their memory
              */
};

struct bus_turn {
    enum bus_turn_kind kind;
    const struct bus_partition *partitions;
    size_t partition_count;
    const struct bus_record *records;
    size_t record_count;
};

int bus_join(struct bus *bus, const struct bus_member_settings *settings, struct bus_member **out,
             struct error *error);
/* BUS_OK, or BUS_FATAL. A broker that is away is BUS_IDLE turns. Call at least every session_timeout / 3. */
int bus_poll(struct bus_member *member, int timeout_ms, struct bus_turn *turn, struct error *error);

#define BUS_FROM_COMMITTED (-1) /* the committed offset; without one: the beginning */
#define BUS_FROM_BEGINNING (-2)
#define BUS_FROM_END       (-3)
/* From an offset or one of BUS_FROM_*. Records below the committed offset come with replayed = true. An
 * offset that retention has already taken is BUS_REFUSED (the message names what is left): going on is the
 * operator's decision. */
int bus_start(struct bus_member *member, const char *topic, int32_t partition, int64_t from,
              struct error *error);
int bus_release(struct bus_member *member,
                struct error *error);                /* answers REVOKING, after the last bus_commit */
void bus_hold(struct bus_member *member, bool held); /* poll stays a member, brings no RECORDS */
void bus_wake(struct bus_member *member); /* any thread, any signal handler: poll returns at once */

/* put, put_state and advance collect; bus_commit makes all of it visible at once, or none (BUS_RESET). */
int bus_put(struct bus_member *member, const struct bus_record *output, struct error *error);
/* partition: the input partition that the key's state belongs to. A value with NULL data removes the key. */
int bus_put_state(struct bus_member *member, int32_t partition, struct bus_bytes key, struct bus_bytes value,
                  struct error *error);
/* next: the offset after the last record done. note: at most 1 KiB of text that comes back with ASSIGNED;
 * NULL: "". */
int bus_advance(struct bus_member *member, const char *topic, int32_t partition, int64_t next,
                const char *note, struct error *error);
int bus_commit(struct bus_member *member, struct error *error); /* nothing collected: BUS_OK at once */
/* Uncommitted work is dropped; frees the member in every case. */
int bus_leave(struct bus_member *member, struct error *error);

#endif
