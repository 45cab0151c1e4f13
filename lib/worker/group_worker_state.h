/* lib/worker/group_worker_state: what a group's worker holds, for the two files that make it: its life and
 * turns (group_worker.c) and its commits (group_worker_commit.c). Nobody else includes this. */
#ifndef OBS_WORKER_GROUP_WORKER_STATE_H
#define OBS_WORKER_GROUP_WORKER_STATE_H

#include "clock/clock.h"
#include "log/log.h"
#include "worker/group_worker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct partition {
    char topic[BUS_TOPIC_BYTES];
    int32_t number;
    int64_t next;      /* the offset after the last record processed; -1: none yet */
    int64_t done;      /* what the commit under way says; next, unless the program holds it back */
    int64_t committed; /* what the last commit said; -1: none */
    bool touched;      /* something was put for it, or it asked for a commit, since its last one */
    bool saved;        /* it is part of the commit under way */
    void *state;
};

struct group_worker {
    const struct group_worker_spec *spec;
    const struct clock *clock;
    struct log *log;
    struct bus_member *member;
    struct partition *partitions;
    size_t partition_count, partition_capacity;
    struct partition *current; /* whose call is running; NULL: none */
    size_t output_bytes;       /* put since the last commit */
    bool dirty;                /* something to commit besides positions */
    bool hurry;
    bool whole;      /* the next commit has to be of all partitions: nobody knows whose an output is */
    bool is_early;   /* the commit under way is one that was hurried to */
    bool is_refused; /* the last commit was */
    bool leaving;    /* to be run again */
    int64_t next_commit_ms, next_tick_ms;
    size_t share; /* whose turn the next regular commit is */
    struct log_throttle full_throttle;
};

static inline int64_t group_worker_now_ms(const struct group_worker *worker)
{
    return clock_steady_ms(worker->clock);
}

#endif
