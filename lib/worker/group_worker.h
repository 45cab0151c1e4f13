/* lib/worker/group_worker: the one loop of every program that reads as a member of a group: the bus's turns
 * become calls on the partition they are about, positions are kept, and what was done is committed in one go.
 *
 *   open -> restore* -> start_offset -> (process | reached_end | tick)* -> close
 *   before each commit: save for every partition of it; after it: committed.
 *
 * Each partition is committed once in commit_interval_ms, a third or a quarter of them at a time, and all of
 * them before partitions are given up or the program stops. When a call asks for it (group_worker_hurry), one
 * is made at once of that partition and of those that have put something. A commit holds every output put,
 * every state put and the positions of its partitions, or nothing: then all partitions are closed and opened
 * anew from what is committed, so a call never has to undo anything. Memory per turn is bounded by the batch
 * (1 000 records, 4 MiB), and so are the outputs between two commits. Threads: a worker, its calls and its
 * member live on one thread. */
#ifndef OBS_WORKER_GROUP_WORKER_H
#define OBS_WORKER_GROUP_WORKER_H

#include "bus/bus.h"
#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct group_worker;
struct program;

/* state: what open made for the partition. Calls that return int: 0, or -1 with error filled: the program
 * stops with exit 1. Calls marked (optional) may be NULL. */
struct group_worker_calls {
    /* A partition begins. partition->committed -1: the group was never here. */
    int (*open)(void *context, const struct bus_partition *partition, void **state, struct error *error);
    /* The last value of each live key of the partition's state. (optional) */
    int (*restore)(void *context, void *state, const struct bus_record *records, size_t count,
                   struct error *error);
    /* From where to read, an offset or BUS_FROM_*; called once, after the last restore. NULL: from the
     * committed offset. (optional) */
    int64_t (*start_offset)(void *context, void *state, const struct bus_partition *partition);
    /* Records of one partition, in order. Outputs go through group_worker_put. */
    int (*process)(void *context, struct group_worker *worker, void *state, const struct bus_record *records,
                   size_t count, struct error *error);
    /* The partition has been read to its end as of now. (optional) */
    int (*reached_end)(void *context, struct group_worker *worker, void *state, struct error *error);
    /* About once a second for each open partition, records or not. (optional) */
    int (*tick)(void *context, struct group_worker *worker, void *state, struct error *error);
    /* Between two turns, whether the member has partitions or not. (optional) */
    int (*between_turns)(void *context, struct group_worker *worker, struct error *error);
    /* Just before a commit: put what state has changed (group_worker_put_state). (optional) */
    int (*save)(void *context, struct group_worker *worker, void *state, struct error *error);
    /* Up to which offset everything is done, where that is later than process returned (an answer from
     * elsewhere); at most next, the offset after the last record processed. What is behind it comes again
     * after a restart. NULL: next. (optional) */
    int64_t (*position)(void *context, void *state, int64_t next);
    /* The commit holds: what was put is visible to everybody. (optional) */
    void (*committed)(void *context, void *state);
    /* It is lost and not given up: nobody knows yet who has it. close follows. (optional) */
    void (*lost)(void *context, void *state);
    /* The partition goes: given up after a commit, or lost (what wasn't committed never happened). Frees
     * state. */
    void (*close)(void *context, void *state);
};

struct group_worker_spec {
    struct program *program; /* readiness, stop, log */
    struct bus *bus;
    const char *group;
    const char *member_id;     /* NULL: the host's name */
    const char *const *topics; /* NULL-ended */
    const char *state_topic;   /* NULL: none */
    int64_t commit_interval_ms;
    const struct group_worker_calls *calls;
    void *context;
};

#define GROUP_WORKER_AGAIN 3

/* Runs until the program is asked to stop: PROGRAM_DONE when all was committed, else PROGRAM_FAILED with the
 * error logged. GROUP_WORKER_AGAIN: a call asked for it (group_worker_leave); all was committed. */
int group_worker_run(const struct group_worker_spec *spec);

int group_worker_put(struct group_worker *worker, const struct bus_record *output, struct error *error);
/* partition: the one whose state it is. value.data NULL: forget the key. */
int group_worker_put_state(struct group_worker *worker, int32_t partition, struct bus_bytes key,
                           struct bus_bytes value, struct error *error);
size_t group_worker_output_bytes(
    const struct group_worker *worker); /* put since the last commit, states too */
/* Commit this partition as soon as the current turn is done. */
void group_worker_hurry(struct group_worker *worker);
/* During save: somebody waits for this commit; what can wait for the next regular one should. */
bool group_worker_is_early(const struct group_worker *worker);
/* Commits and leaves the group as soon as the current turn is done: the caller of group_worker_run may change
 * what only an opened partition depends on, and run again. */
void group_worker_leave(struct group_worker *worker);

#endif
