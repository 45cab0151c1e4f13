/* fault_set: the faults of a run: scheduled, active and ended ones, in the run's own time (ms since its
 * start).
 *
 * Two sides share it. The HTTP server's thread adds, ends and lists. The traffic's thread works through the
 * time: it announces how far it will generate next (fault_set_advance), takes the begins and ends up to there
 * in order, and asks what is active now. Nothing that comes later can change a time that has been announced:
 * a fault added or ended "now" begins or ends at the announced time at the earliest. So every begin and end
 * is exactly true for the events. A lock inside; every call may come from any thread.
 *
 * Bounded: FAULT_SET_LIMIT faults that haven't ended; of the ended ones the newest are kept for listing. */
#ifndef SIMULATOR_FAULT_SET_H
#define SIMULATOR_FAULT_SET_H

#include "error/error.h"
#include "fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAULT_SET_LIMIT 256
#define FAULT_NEVER     INT64_MAX

struct fault_set;

struct fault {
    uint64_t id; /* 1, 2, 3 … in the order they were handed in */
    struct fault_spec spec;
    int64_t begin_ms, end_ms; /* end_ms FAULT_NEVER: open */
    bool begun, ended;        /* the traffic has passed these times; ended without begun: cancelled */
};

struct fault_set *fault_set_create(int64_t start_unix_ms); /* NULL: no memory */
void fault_set_destroy(struct fault_set *set);
int64_t fault_set_start_unix_ms(const struct fault_set *set);

enum fault_set_result {
    FAULT_SET_OK = 0,
    FAULT_SET_FULL = -1,    /* too many that haven't ended */
    FAULT_SET_UNKNOWN = -2, /* no fault has this id (or it ended long ago) */
    FAULT_SET_ENDED = -3,   /* it has ended already */
    FAULT_SET_PAST = -4     /* it should begin, or be over, before now */
};

/* now_ms: the moment when it is handed in. *out: a copy of what was added. */
enum fault_set_result fault_set_add(struct fault_set *set, const struct fault_spec *spec, int64_t now_ms,
                                    struct fault *out);
/* Ends an active fault now, cancels a scheduled one. */
enum fault_set_result fault_set_end(struct fault_set *set, uint64_t id, int64_t now_ms, struct fault *out);
bool fault_set_find(struct fault_set *set, uint64_t id, struct fault *out);
/* Copies of all, in the order of their ids. Returns how many, at most limit (2 × FAULT_SET_LIMIT are all). */
size_t fault_set_list(struct fault_set *set, struct fault *faults, size_t limit);
size_t fault_set_count_active(struct fault_set *set); /* begun, not ended */

/* --- the traffic's side --- */

enum fault_change_kind { FAULT_BEGINS, FAULT_ENDS };

struct fault_change {
    enum fault_change_kind kind;
    int64_t at_ms;
    struct fault fault;
};

/* I am going to generate up to until_ms, or up to the first begin or end before it. Returns which. */
int64_t fault_set_advance(struct fault_set *set, int64_t until_ms);
/* Takes the next begin or end at or before now_ms, in the order of time and ids (at one time, ends first). */
bool fault_set_take_change(struct fault_set *set, int64_t now_ms, struct fault_change *change);
/* What the faults that have begun and not ended do to the series. */
void fault_set_read_effect(struct fault_set *set, int service, int region, struct fault_effect *effect);
/* The run is over at now_ms: active faults end there, scheduled ones are cancelled; then take the changes. */
void fault_set_finish(struct fault_set *set, int64_t now_ms);

#endif
