/* lib/window/window: what one series did in its last seconds: sliding windows of several lengths in steps of
 * one second.
 *
 * A ring of seconds, each with its counts: records, errors, and records slower than each threshold. Each
 * window keeps running totals: a record adds to the windows that hold its second, a step takes the second
 * that falls out away, so both cost O(windows). Records are evidence and count once; what they stand for
 * (their weight) is kept beside them, from the first record that weighs more than one. Durations are kept as
 * bucket codes for WINDOW_VALUE_SECONDS, for quantiles; they are read when somebody asks.
 *
 * Time is in whole seconds (of event time); the newest is `now`; a window of W seconds holds now-W+1 … now.
 * Knows no event, rule or bus. One thread at a time. Memory is taken at creation, and by lists of codes as
 * seconds fill. */
#ifndef OBS_WINDOW_WINDOW_H
#define OBS_WINDOW_WINDOW_H

#include "window/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOW_LENGTHS       8
#define WINDOW_THRESHOLDS    4
#define WINDOW_VALUE_SECONDS 60
#define WINDOW_MAX_SECONDS   3600

/* The same for all series of a detector; borrowed for the windows' lives. */
struct window_layout {
    uint32_t lengths_s[WINDOW_LENGTHS]; /* ascending */
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

/* begins at second `now`. NULL: no memory. */
struct window *window_create(const struct window_layout *layout, int64_t now);
void window_destroy(struct window *window);

int64_t window_now(const struct window *window);
/* The series' second ended; steps that hold nothing cost nothing when more than the longest window passes at
 * once. */
void window_advance(struct window *window, int64_t now);
/* A request of a second in (now - longest, now]; older ones are ignored. weight >= 1. */
void window_add(struct window *window, int64_t second, double duration_s, bool is_error, uint32_t weight);
/* A sample of utilisation; a NaN is none. */
void window_add_gauge(struct window *window, int64_t second, enum window_gauge gauge, double value);

/* Totals of the window layout->lengths_s[index]. */
const struct window_counts *window_counts(const struct window *window, uint32_t index);
/* The same, without seconds up to and including `after`: O(seconds). */
void window_counts_after(const struct window *window, uint32_t index, int64_t after,
                         struct window_counts *counts);
/* Adds the durations of the last `seconds` (at most WINDOW_VALUE_SECONDS), without those up to `after`. */
void window_read_values(const struct window *window, uint32_t seconds, int64_t after, struct histogram *into);
/* The mean over the last seconds; NaN: no sample. */
double window_gauge_mean(const struct window *window, enum window_gauge gauge, uint32_t seconds);
size_t window_memory(const struct window *window);

#endif
