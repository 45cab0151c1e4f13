/* lib/bus/embedded: a member: the partitions it holds, what it collects for the next commit, and the memory
 * of its turn. Its parts: embedded_member.c (life), member_group.c (the group's view), member_reader.c
 * (state, records), member_commit.c. One thread, but for `woken`. */
#ifndef OBS_BUS_EMBEDDED_EMBEDDED_MEMBER_H
#define OBS_BUS_EMBEDDED_EMBEDDED_MEMBER_H

#include "bus/embedded/append_set.h"
#include "bus/embedded/embedded_bus.h"
#include "bus/embedded/group_rows.h"
#include "bus/embedded/membership.h"
#include "log/log.h"

enum held_phase {
    HELD_NEW,       /* ASSIGNED is still to be said */
    HELD_RESTORING, /* STATE and RESTORED are */
    HELD_WAITING,   /* for bus_start */
    HELD_READING
};

struct held_partition {
    const struct topic *topic;
    int32_t number;
    enum held_phase phase;
    bool asked_for; /* the group wants it back */
    bool told;      /* … and REVOKING was said: no more records */
    bool released;  /* … and answered; its row goes with the next write that succeeds */
    bool at_end;    /* as of the last look */
    bool end_said;
    bool still_mine;   /* while the group's rows are read */
    int64_t committed; /* -1: none */
    int64_t position;  /* the next offset to read: of its state while restoring, then of itself */
    int64_t advance;   /* for the next commit; -1: none */
    char note[BUS_NOTE_BYTES + 1], advance_note[BUS_NOTE_BYTES + 1];
};

/* A batch that was copied out of the store. */
struct slice {
    struct held_partition *held;
    const struct topic *topic; /* held's, or the state topic */
    int64_t base;
    size_t at, size; /* in the turn's bytes */
};

struct turn_memory {
    struct buffer bytes;
    struct slice *slices;
    size_t slice_count, slice_capacity;
    struct bus_record *records;
    size_t record_count;
    struct bus_header *headers;
    size_t header_capacity;
    struct bus_partition *partitions;
    char (*notes)[BUS_NOTE_BYTES + 1];
    size_t partition_count, partition_capacity;
};

struct embedded_member {
    struct bus_member base; /* first */
    struct embedded_bus *bus;
    struct store *store;
    struct store_reader reader;
    const struct topic *topics[MEMBER_TOPICS];
    size_t topic_count;
    const struct topic *state_topic; /* NULL: none */
    size_t batch_records, batch_bytes;
    uint32_t topic_mask;
    bool held;
    _Atomic bool woken;

    struct held_partition *partitions;
    size_t partition_count, partition_capacity;
    size_t next_read; /* takes turns among the partitions */
    struct turn_memory turn;

    /* As a member of a group. */
    char *group;            /* NULL: reads alone */
    struct member_row self; /* generation valid while entered */
    struct shared_slot *slot;
    bool entered;
    bool was_in; /* has held its id once */
    bool reset;  /* everything is void; LOST is still to be said */
    bool releases_wait, revocations_wait;
    uint32_t seen_group_changes;
    int64_t next_tick_ms, tick_every_ms;
    struct member_row *others;
    size_t other_count;
    struct append_set collected;
    struct log_throttle trouble;
};

static inline struct embedded_member *embedded_member_of(struct bus_member *member)
{
    return (struct embedded_member *)(void *)member;
}

struct held_partition *embedded_member_find(struct embedded_member *member, const char *topic,
                                            int32_t number);
int embedded_member_add(struct embedded_member *member, const struct topic *topic, int32_t number,
                        struct held_partition **out, struct error *error);
void embedded_member_forget(struct embedded_member *member, size_t index);
/* Everything uncommitted is void from here on. */
void embedded_member_reset(struct embedded_member *member, const char *why);

/* member_group.c: joins, looks for changes, takes dead ones out. Trouble that passes is logged, not returned.
 */
int member_look(struct embedded_member *member, struct error *error);
int member_group_release(struct embedded_member *member, struct error *error);
int member_group_leave(struct embedded_member *member, struct error *error);
/* True for what passes by itself (BUS_FULL, BUS_AWAY): says so once a minute. */
bool member_group_tolerates(struct embedded_member *member, int result, const struct error *error);

/* member_reader.c. *found false: nothing there. */
int member_read_state(struct embedded_member *member, struct held_partition *held, bool *found,
                      struct error *error);
int member_read_records(struct embedded_member *member, bool *found, struct error *error);
void turn_memory_free(struct turn_memory *turn);

void member_drop_collected(struct embedded_member *member);

#endif
