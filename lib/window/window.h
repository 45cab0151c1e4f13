/* lib/window/window: what one series did in its last seconds: sliding windows of several lengths in steps of
 * one second.
 *
 * The second that runs is counted in one cache line; when it ends it is put into a ring of seconds and into a
 * running total for each window, and what falls out of a window is taken from its total: O(1) an event,
 * O(windows) a step. A late record goes to its own second at once. Records are evidence and count once; what
 * they stand for (their weight) is kept beside them, from the first record that weighs more than one.
 * Bad records are counted in eighths of the last seconds too, to tell how long a burst took.
 * Durations are kept as bucket codes for WINDOW_VALUE_SECONDS, for quantiles; they are read when somebody
 * asks.
 *
 * Time is in whole seconds (of event time); the newest is `now`; a window of W seconds holds now-W+1 … now.
 * Knows no event, rule or bus. One thread at a time. Memory: 6 bytes for each second of the longest window
 * (with one threshold), 2 bytes a value; taken at creation and from the pool (ADR-005 has the figures). */
#ifndef OBS_WINDOW_WINDOW_H
#define OBS_WINDOW_WINDOW_H

#include "window/block_pool.h"
#include "window/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOW_LENGTHS       8
#define WINDOW_THRESHOLDS    4
#define WINDOW_CELLS         (2 + WINDOW_THRESHOLDS) /* records, errors, slow[k] */
#define WINDOW_VALUE_SECONDS 60
#define WINDOW_MAX_SECONDS   3600
#define WINDOW_BIN_SECONDS   16        /* of so many seconds it is known when in them a record was bad, … */
#define WINDOW_BINS          8         /* … to an eighth of a second */
#define WINDOW_BEGINNING     INT64_MIN /* as `after`: nothing is left out */

/* The same for all series of a detector; borrowed for the windows' lives. */
struct window_layout {
    uint32_t lengths_s[WINDOW_LENGTHS]; /* ascending; the longest at least WINDOW_VALUE_SECONDS */
    uint32_t length_count;
    double thresholds_s[WINDOW_THRESHOLDS]; /* a record is slow for k when its duration is above
                                               thresholds_s[k] */
    uint32_t threshold_count;
    bool gauges; /* keep utilisation too */
};

struct window_counts {
    uint64_t records, errors, slow[WINDOW_THRESHOLDS];
    uint64_t weight, error_weight, slow_weight[WINDOW_THRESHOLDS];
};

enum window_gauge { WINDOW_CPU, WINDOW_MEMORY, WINDOW_GAUGES };

struct window;

/* Begins at second `now`; the pool is borrowed for its life. NULL: no memory. */
struct window *window_create(const struct window_layout *layout, struct block_pool *pool, int64_t now);
void window_destroy(struct window *window);

int64_t window_now(const struct window *window);
/* The running second and all up to `now` have ended. More than the longest window at once, or any time while
 * the window is empty, costs as much as one step. */
void window_advance(struct window *window, int64_t now);
/* Nothing in it that time could take out. */
bool window_is_empty(const struct window *window);
/* A request of a second in (now - longest, now]; others are ignored. weight >= 1. True: it is news: an error
 * or a slow one where the eighth of a second had none before. */
bool window_add(struct window *window, int64_t time_ms, double duration_s, bool is_error, uint32_t weight);
/* A sample of utilisation; a NaN is none. */
void window_add_gauge(struct window *window, int64_t second, enum window_gauge gauge, double value);

/* The window layout->lengths_s[index], the running second included; without seconds up to and including
 * `after`, which costs O(seconds). */
void window_read_counts(const struct window *window, uint32_t index, int64_t after,
                        struct window_counts *counts);
/* One second of the longest window. */
void window_read_second(const struct window *window, int64_t second, struct window_counts *counts);
/* How many records of one second were bad in each of its WINDOW_BINS parts, at most 255 in each; bad: 0
 * errors, 1 + k slow for k. Nothing is known of seconds further back than WINDOW_BIN_SECONDS. */
void window_read_bins(const struct window *window, int64_t second, uint32_t bad, uint8_t bins[WINDOW_BINS]);
/* What was added since the last step, whichever second it belongs to. */
void window_read_step(const struct window *window, struct window_counts *counts);
/* Adds the durations of the last `seconds` (at most WINDOW_VALUE_SECONDS), without those up to `after`. */
void window_read_values(const struct window *window, uint32_t seconds, int64_t after, struct histogram *into);
/* The quantile of those; NaN: there are none. */
double window_quantile(const struct window *window, uint32_t seconds, int64_t after, double quantile);
/* The mean over the last seconds after `after`; NaN: no sample. */
double window_gauge_mean(const struct window *window, enum window_gauge gauge, uint32_t seconds,
                         int64_t after);
/* What window_add will touch: first the window itself, then (when that has come) the second's values. */
void window_prefetch(const struct window *window, int64_t second);
void window_prefetch_values(const struct window *window, int64_t second);
size_t window_memory(const struct window *window); /* without its blocks, which are the pool's */

#endif
