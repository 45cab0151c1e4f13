/* lib/detect/detector_private: how a detector is laid out, for the files of lib/detect alone:
 *
 *   detector.c        the way of an event
 *   evaluate.c        steps: the rules judge, transitions are queued
 *   series_life.c     series come, are taken along by the clock, and go
 *   detector_state.c  what is saved with each commit and loaded after a restart
 *   checkpoint*.c     windows and ids as they are saved and put back
 *   baseline_state.c  what baselines have learned, likewise; and how it rests while their series isn't there
 *   explain.c         what people see
 */
#ifndef OBS_DETECT_DETECTOR_PRIVATE_H
#define OBS_DETECT_DETECTOR_PRIVATE_H

#include "detect/checkpoint.h"
#include "detect/detector.h"
#include "detect/outbox.h"
#include "detect/resting.h"
#include "detect/series.h"

#include "alert/transition.h"
#include "buffer/buffer.h"
#include "event/event.h"

#define DETECTOR_ID_FUTURE_S                                                                                 \
    (EVENT_FUTURE_MS / 1000 + 1) /* ids so far ahead of the series are remembered                            \
                                  */

/* One alert as it is saved. */
struct saved_alert {
    uint64_t fingerprint;
    struct rule_state state;
    enum rule_severity severity;
    enum rule_signal signal;
    bool below;
    double threshold;
    char rule[RULE_NAME_BYTES], runbook[RULE_RUNBOOK_BYTES];
    struct alert_labels labels;
};

/* The first offset at which the partition's clock stood at a second. */
struct replay_mark {
    int64_t second, offset;
};

struct detector {
    const struct rule_set *rules;
    struct detector_limits limits;
    struct series_table table;
    struct resting_table resting;
    struct saved_alert *orphans; /* loaded and firing, but no rule watches them any more */
    size_t orphan_count;
    int64_t clock_ms;      /* INT64_MIN before the first event */
    int64_t swept_s;       /* the clock's second at the last sweep over idle series … */
    int64_t swept_idle_ms; /* … and where it took them along to; INT64_MIN: none yet */
    int64_t next_offset;   /* after the last record observed; -1: none yet */
    uint64_t last_ordinal; /* of the series admitted so far */
    uint64_t id_seed;      /* of the hashes of ids; saved with them */
    bool is_numbered;      /* every series has its ordinal, and they ascend */
    int64_t close_after_s; /* without records for so long, a series that fires nothing is closed */
    bool is_placed;        /* loaded series stand in time */
    bool is_settled;       /* the first record to be judged has come */
    struct replay_mark *marks;
    size_t mark_count;
    struct alert_transition *queue; /* transitions not drained yet */
    size_t queue_count, queue_next, queue_capacity;
    bool any_changed;                /* some series or alert is to be saved */
    size_t drain_series, drain_rule; /* where the draining of states stands */
    bool drained_series_record;
    struct outbox outbox; /* states of what is no longer there to be asked */
    struct checkpoint checkpoint;
    struct buffer state_key, state_value; /* what the last detector_next_state pointed to */
    struct detector_totals totals;
};

/* detector.c: where the mark of a second is, or would be */
struct replay_mark *detector_replay_mark(const struct detector *detector, int64_t second);

/* evaluate.c */
/* The series' time moves on to the second; each one that it leaves behind is judged, unless the mode is
 * DETECTOR_REBUILD. */
void detector_advance_series(struct detector *detector, struct series *series, int64_t second,
                             enum detector_mode mode);
/* A bad record has come into the running second: a rule that is about to fire needn't wait for its end. */
void detector_judge_early(struct detector *detector, struct series *series, enum detector_mode mode);
void detector_resolve_orphan(struct detector *detector, struct saved_alert *alert);

/* series_life.c */
/* A series that begins at start_ms; NULL: no memory. Who admits it minds the limit. */
uint32_t detector_id_past_s(const struct detector *detector); /* how long ids are remembered */
struct series *detector_add_series(struct detector *detector, uint64_t hash, const struct event_text *service,
                                   const struct event_text *region, const struct event_text *route,
                                   int64_t start_ms);
/* Where a series that is new now begins: not behind what the partition's clock lets an idle one be. */
int64_t detector_start_of_new_series(const struct detector *detector, int64_t effective_ms);
/* The partition's clock has moved: loaded series find their place, idle ones follow, silent ones are closed.
 */
void detector_follow_clock(struct detector *detector, enum detector_mode mode);

/* detector_state.c */
/* The series goes: what is saved of it is to be forgotten, or to rest. */
void detector_save_closed(struct detector *detector, struct series *series);
void detector_save_orphan(struct detector *detector, const struct saved_alert *alert);
/* Into state_key: the prefix and the fingerprint's hex digits. */
void detector_write_key(struct detector *detector, const char *prefix, uint64_t fingerprint);
/* What state_key and state_value hold is to be drained, ahead of what changes later; without a value the key
 * is to be forgotten. */
void detector_post(struct detector *detector, bool has_value);

/* baseline_state.c */
#define DETECTOR_BASELINE_PREFIX  "baseline|"
#define DETECTOR_SEASON_PREFIX    "season|"
#define DETECTOR_BASELINE_VERSION 1 /* of both */
struct reader;
/* Into state_key and state_value, what is to be saved of it; false: nothing more. */
bool detector_write_baseline(struct detector *detector, struct watched_rule *watched);
/* The series goes: what was learned rests, or is forgotten. */
void detector_rest_baseline(struct detector *detector, struct watched_rule *watched);
/* The same without saving: it was loaded, and the series will come again. */
void detector_lay_down_baseline(struct detector *detector, struct watched_rule *watched);
/* The series is there: what rests of the rule is its own again. */
void detector_wake_rule(struct detector *detector, struct watched_rule *watched);
/* The same for all loaded series, once all states are there. */
void detector_wake_all(struct detector *detector);
int detector_load_baseline(struct detector *detector, uint64_t fingerprint, struct reader *reader,
                           bool is_season, const char *name, struct error *error);

#endif
