/* lib/window/window_save: what a window holds as plain numbers, second by second, so that it can be saved and
 * put back: a restored window reads, steps and goes on exactly as the saved one would have.
 *
 * A window remembers which seconds were added to since it was last saved, so a saving costs what is new. A
 * second is saved whole, not as a difference: saved again, its later version replaces the earlier one. */
#ifndef OBS_WINDOW_WINDOW_SAVE_H
#define OBS_WINDOW_WINDOW_SAVE_H

#include "window/second_values.h"
#include "window/window.h"

struct window_second {
    int64_t second;
    uint64_t records[WINDOW_CELLS], weights[WINDOW_CELLS]; /* records, errors, slow[k] */
    uint8_t bins[WINDOW_CELLS - 1][WINDOW_BINS];           /* window_read_bins; 0 in older seconds */
    float gauge_sums[WINDOW_GAUGES];
    uint16_t gauge_counts[WINDOW_GAUGES];
};

/* --- saving ---- */

bool window_has_changed(const struct window *window);
/* The first second after *second that was added to since the last saving and is still in the longest window;
 * begin with WINDOW_BEGINNING. False: none. */
bool window_next_changed(const struct window *window, int64_t *second);
void window_save_second(const struct window *window, int64_t second, struct window_second *out);
/* The second's durations, if they are still kept; returns how many runs (second_values_list). */
size_t window_save_values(const struct window *window, int64_t second, struct value_run *runs,
                          struct histogram *sums);
/* What was added to earlier seconds since the last step. */
void window_save_late(const struct window *window, struct window_second *out);
void window_note_saved(struct window *window); /* nothing has changed since now */

/* --- putting it back: into a new window that was advanced to the saved one's `now` ---- */

/* Replaces the second; one that isn't in the longest window is left out. False: no memory, or not a second of
 * such a window. */
bool window_restore_second(struct window *window, const struct window_second *saved);
/* The next run of the second's durations; is_first: those that were there are replaced. False: no memory. */
bool window_restore_value(struct window *window, int64_t second, struct value_run run, bool is_first);
/* What was added to earlier seconds in the present step; NULL: nothing. */
void window_restore_late(struct window *window, const struct window_second *late);
void window_restore_done(struct window *window); /* after the last second: sums up, nothing has changed */

#endif
