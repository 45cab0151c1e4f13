/* lib/bus/embedded/embedded_member: how a member is laid out; for the three files that make it:
 * embedded_member.c (its life and the polls), member_read.c (records and state out of the log),
 * member_commit.c (what it collects, and the commit). */
#ifndef OBS_BUS_EMBEDDED_EMBEDDED_MEMBER_H
#define OBS_BUS_EMBEDDED_EMBEDDED_MEMBER_H

#include "bus/embedded/embedded_bus.h"
#include "bus/embedded/group.h"

#include "buffer/buffer.h"

#define MEMBER_TOPICS 16

enum member_phase { PHASE_NEW, PHASE_RESTORING, PHASE_WAITING, PHASE_RUNNING, PHASE_REVOKING };

struct member_partition {
    const struct topic *topic;
    int32_t number;
    enum member_phase phase, phase_before; /* before a revocation that isn't committed yet */
    int64_t committed, next, state_next;
    bool end_said;
    struct group_offset offset; /* as it was when assigned */
};

/* An output that waits for the commit; its frame is in the member's frames. */
struct member_output {
    const struct topic *topic;
    int32_t partition;
    size_t frame_at, frame_bytes;
};

struct member_advance {
    const struct topic *topic;
    int32_t partition;
    int64_t next;
    char note[GROUP_NOTE_BYTES];
};

struct embedded_member {
    struct bus_member base; /* first */
    struct embedded_bus *bus;
    char group[256], member_id[256];
    bool has_group;
    struct group_member identity; /* points into group and member_id */
    struct shared_slot *slot;
    struct topic topics[MEMBER_TOPICS]; /* it reads */
    size_t topic_count;
    struct topic state_topic;
    bool has_state;
    struct topic output_topics[MEMBER_TOPICS]; /* it has put to */
    size_t output_topic_count;
    size_t batch_records, batch_bytes;

    struct member_partition *partitions;
    size_t partition_count, partition_capacity;
    size_t read_next; /* where the next reading turn begins, so that all get theirs */
    bool joined, reset, held;
    uint32_t seen_changes;
    int64_t next_sync_ms;
    atomic_bool woken;

    /* What a turn points to. */
    struct bus_partition *turn_partitions;
    struct bus_record *records;
    size_t record_count, record_capacity;
    struct bus_header *headers;
    size_t header_count, header_capacity;
    char *arena;
    size_t arena_used, arena_capacity;

    /* What the next commit holds. */
    struct buffer frames;
    struct member_output *outputs;
    size_t output_count, output_capacity;
    struct member_advance *advances;
    size_t advance_count, advance_capacity;
    uint32_t round_robin;
};

struct embedded_member *embedded_member_of(struct bus_member *member);
struct member_partition *member_find(struct embedded_member *member, const char *topic, int32_t partition);

/* member_read.c. Both: BUS_OK with *any telling whether the turn has something. */
int member_read_state(struct embedded_member *member, struct member_partition *partition,
                      struct bus_turn *turn, bool *any, struct error *error);
int member_read_records(struct embedded_member *member, struct bus_turn *turn, bool *any,
                        struct error *error);

/* member_commit.c */
void member_drop_collected(struct embedded_member *member);
void member_free_collected(struct embedded_member *member);

#endif
