/* The way of one partition's records into its detector: checked, put together with the ticks that were
 * recorded among them, in batches, in the right mode. The same for the live processor and for who reads the
 * log again (--backtest, --verify), so that both decide the same.
 *
 *   records before decide_from    fill windows, nothing is judged (DETECTOR_REBUILD)
 *   record_feed_settle            the line between: once, before the first record at or after decide_from
 *   records from there on         are judged: DETECTOR_HISTORY, then DETECTOR_DECIDE
 *
 * Threads: one; what reads detectors beside it takes the lock that is held around each call of the detector.
 * Memory: one batch of events, whatever the number of partitions. */
#ifndef STREAM_PROCESSOR_RECORD_FEED_H
#define STREAM_PROCESSOR_RECORD_FEED_H

#include "partition_clock.h"
#include "tick_log.h"

#include "bus/bus.h"
#include "detect/detector.h"
#include "error/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct alert_transition;
struct event_fault;
struct record_feed;

/* Where one partition stands. Filled in by its owner; clock, next_tick and is_settled are the feed's from
 * then on. */
struct feed_place {
    int32_t partition;
    struct detector *detector;
    struct partition_clock clock; /* as it was saved at decide_from */
    struct tick_log ticks;        /* recorded ones */
    size_t next_tick;
    int64_t decide_from;
    bool is_settled;
    void *owner; /* for the calls */
};

/* Calls that return int: 0, or -1 with error filled, which ends the feeding. */
struct record_feed_calls {
    /* What was decided. appended_ms: of the first record of the batch that decided; of a tick: wall time, or
     * the tick's clock when ticks are read from the log. */
    int (*decided)(void *context, struct feed_place *place, struct alert_transition *transition,
                   int64_t appended_ms, struct error *error);
    /* A record at or after decide_from that isn't one of the contract's. NULL: passed over. */
    int (*malformed)(void *context, struct feed_place *place, const struct bus_record *record,
                     const struct event_fault *fault, struct error *error);
    /* What became of each record at or after decide_from that is. NULL: nobody asks. */
    void (*judged)(void *context, struct feed_place *place, const struct detector_input *input);
};

/* lock may be NULL; calls and context are borrowed. partition_count: of the input topic. */
int record_feed_create(struct record_feed **out, const struct record_feed_calls *calls, void *context,
                       int32_t partition_count, pthread_mutex_t *lock, struct error *error);
void record_feed_destroy(struct record_feed *feed);

/* Records of the place's partition, in order; count >= 1. */
int record_feed_records(struct record_feed *feed, struct feed_place *place, const struct bus_record *records,
                        size_t count, struct error *error);
/* All that was committed before decide_from has been read: from here on the rules judge. Done once, also by
 * the first record that is to be judged. */
int record_feed_settle(struct record_feed *feed, struct feed_place *place, struct error *error);
/* A tick. appended_ms: as decided gets it. */
int record_feed_tick(struct record_feed *feed, struct feed_place *place, int64_t clock_ms,
                     int64_t appended_ms, struct error *error);
/* Recorded ticks up to the one at the offset, when no record is to come before it. */
int record_feed_pass_ticks(struct record_feed *feed, struct feed_place *place, int64_t offset,
                           struct error *error);

/* Ticks before the first record that will be read are in the checkpoint, or past any window. */
void feed_place_skip_ticks(struct feed_place *place, int64_t from);

#endif
