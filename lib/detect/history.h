/* lib/detect/history: the last five minutes of one series as its rules saw them, a row a second: what each
 * rule made of it, the P99 of each window up to a minute, and the error ratio of the windows that are too
 * long to be summed up again from their seconds (window_read_second has those). For people; nothing is
 * decided by it and it isn't saved, so after a restart the rows before it are not known.
 *
 * Kept small, because a series may hold 40 KiB in all: bits without gaps.
 *
 *   each second   known (1) · for each rule verdict (2), firing (1) · P99 of each window <= HISTORY_SHORT_S
 * (12) each 5 s      P99 of each other window <= WINDOW_VALUE_SECONDS (12) · ratio of each long one (12)
 *
 * A P99 is its bucket (histogram.h), a ratio its square root in 4 094 steps: 0.05 % of all at worst, far less
 * where ratios are small. A P99 costs as much as its window has values; that is why those of longer windows
 * come every HISTORY_LONG_STEP_S seconds, each series in a second of its own. With the shipped rules and
 * windows: 1 KiB, taken at creation. One thread at a time. */
#ifndef OBS_DETECT_HISTORY_H
#define OBS_DETECT_HISTORY_H

#include "rule/rule_state.h"
#include "window/window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_SECONDS     300
#define HISTORY_SHORT_S     10
#define HISTORY_LONG_STEP_S 5

struct history;

struct history_evaluation {
    enum rule_verdict verdict;
    bool is_firing;
};

struct history_row {
    double p99_s[WINDOW_LENGTHS]; /* NaN: no requests, or none kept for so long a window */
    double error_ratio[WINDOW_LENGTHS];
    struct history_evaluation evaluations[RULE_MAX];
};

/* The layout is borrowed; phase spreads the work of many series. NULL: no memory. */
struct history *history_create(const struct window_layout *layout, uint16_t rule_count, uint64_t phase);
void history_destroy(struct history *history);
size_t history_memory(const struct history *history);

/* The second at which the window stands was judged: one evaluation for each rule. */
void history_add(struct history *history, const struct window *window,
                 const struct history_evaluation *evaluations);
/* Nothing came since and nothing changed: the seconds up to this one are like the last. */
void history_repeat(struct history *history, int64_t second);
/* The row of a second, with the window as it is now. False: it wasn't judged, or isn't known any more. */
bool history_read(struct history *history, const struct window *window, int64_t second,
                  struct history_row *row);

#endif
