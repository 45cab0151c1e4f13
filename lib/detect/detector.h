/* lib/detect: events of ONE input partition in, alert transitions and changed state out. A plain function of
 * its inputs: no clock, no I/O, no global, no thread. The same calls give the same outputs, so a replay
 * decides the same. One detector per partition: a revoked partition is one detector_destroy. Memory is taken
 * at series creation, never per event; the limit is exact.
 *
 * What it decides and when is docs/detection.md. */
#ifndef OBS_DETECT_DETECTOR_H
#define OBS_DETECT_DETECTOR_H

#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct detector;
struct rule_set;
struct event;
struct alert_transition;
struct buffer;

struct detector_limits {
    uint32_t series;       /* most series at a time */
    int64_t lateness_ms;   /* --allowed-lateness */
    int64_t idle_after_ms; /* --idle-after */
    uint32_t id_window_s;  /* 0: from lateness */
};

enum detector_verdict {
    DETECTOR_COUNTED,
    DETECTOR_DUPLICATE,
    DETECTOR_LATE,
    DETECTOR_NO_ROOM /* a new series past the limit */
};
enum detector_mode {
    DETECTOR_DECIDE,
    DETECTOR_HISTORY, /* decide and build state, but announce nothing: a first start's old records */
    DETECTOR_REBUILD  /* fill windows, ids and clocks; no rule is judged */
};

struct detector_input {
    const struct event *event;
    int64_t offset, appended_ms;
    enum detector_verdict verdict; /* filled in */
};

struct detector_state {
    const void *key, *value;
    size_t key_bytes,
        value_bytes; /* value NULL: forget the key. First byte of a value: the format's version */
};

/* rules are borrowed: alive until the detector is destroyed. seed keys the hashes against chosen
 * ids. */
int detector_create(struct detector **out, const struct rule_set *rules, const struct detector_limits *limits,
                    uint64_t seed, struct error *error);
void detector_destroy(struct detector *detector);
int detector_load_state(struct detector *detector, const struct detector_state *state,
                        struct error *error); /* before events */

enum detector_start {
    DETECTOR_START_WHOLE,      /* no checkpoint is there: read again all that feeds a window */
    DETECTOR_START_CHECKPOINT, /* windows and ids are as of *from: read again from there */
    DETECTOR_START_REFUSED,    /* there is one that cannot be used, error says why: as WHOLE */
    DETECTOR_START_FAILED = -1 /* no memory; error filled */
};
/* After the last state, once: windows and ids from the loaded checkpoint. begin: the oldest offset that can
 * still be read; committed: where deciding goes on. From *from to committed records come with
 * DETECTOR_REBUILD. */
enum detector_start detector_restore_windows(struct detector *detector, int64_t begin, int64_t committed,
                                             int64_t *from, struct error *error);

/* A batch, because the cost per event is cache misses: look up and prefetch, then apply in order. Any count
 * >= 1. */
void detector_observe(struct detector *detector, enum detector_mode mode, struct detector_input *inputs,
                      size_t count);
/* A tick: the partition's clock is at least clock_ms (event time). For silent partitions: on_no_data, idle
 * series. Clocks in whole seconds: then one call is as good as many that lead to the same clock. */
void detector_pass_time(struct detector *detector, enum detector_mode mode, int64_t clock_ms);
int64_t detector_clock_ms(
    const struct detector *detector); /* the partition's clock; INT64_MIN before the first event */

/* Draining, after each observe or pass_time. Borrowed until the next call on the detector. False: no more. */
bool detector_next_transition(struct detector *detector, struct alert_transition *out);
bool detector_next_state(struct detector *detector,
                         struct detector_state *out); /* keys changed since they were last drained */
/* Before the states of a commit are drained: when it is time (CHECKPOINT_SECONDS of the clock have passed, or
 * a series has gone), they will hold what has changed of windows and ids since the last time. is_busy: the
 * next commit will do, if it can wait. */
void detector_take_checkpoint(struct detector *detector, bool is_busy);
/* So many records since the last checkpoint that another should not wait for the next regular commit. */
bool detector_wants_commit(const struct detector *detector);
int64_t detector_replay_from(
    const struct detector *detector); /* smallest offset that still feeds a live window, id or clock */

struct detector_totals {
    uint64_t counted, duplicate, late, refused, evaluations;
    uint64_t routes_refused; /* counted for their service, but their route's series had no room */
    uint32_t series, firing;
    size_t memory_bytes;
};
void detector_read_totals(const struct detector *detector, struct detector_totals *out);

/* For people: JSON, appended as items of an array the caller has open (struct json_writer). */
struct json_writer;
void detector_write_series(const struct detector *detector, struct json_writer *writer); /* GET /series */
void detector_write_alerts(const struct detector *detector, struct json_writer *writer); /* GET /alerts */
/* GET /series/history: the members of an object that the caller has open: the series' last seconds (at most
 * HISTORY_SECONDS), a row each. route NULL: the series of service and region. False: there is none. */
bool detector_write_history(const struct detector *detector, struct json_writer *writer, const char *service,
                            const char *region, const char *route, int64_t seconds);
/* GET /stream: the series whose time is past since_ms (INT64_MIN: all), a few figures each. Returns the
 * newest of their times, to be asked with the next time. */
int64_t detector_write_tiles(const struct detector *detector, struct json_writer *writer, int64_t since_ms);

#endif
