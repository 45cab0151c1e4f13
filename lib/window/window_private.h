/* lib/window/window_private: how a window is laid out, for the files of lib/window alone:
 *
 *   window.c       adding, and time that passes
 *   window_read.c  what it holds
 *   window_bins.c  when in its second a record was bad
 *   window_save.c  what has changed, and putting it back
 *
 * One piece of memory, and a ring in which a second has the slot: second mod the longest window.
 *
 *     running     the second `now`: what was added to it since it began
 *     late        what was added to earlier seconds since then, only to tell a step's records
 *     totals[]    one for each length, without the running second
 *     values[60]  chains of bucket codes, slot: second mod 60
 *     bins[]      how many records were bad in each eighth of the last 16 seconds, up to 255
 *     ring        records errors slow[k]  16 bits each; 32 from the first second that needs more
 *     weights     the same as 64-bit weights, from the first record that weighs more than one
 *     gauges      sums and counts, only when a rule wants utilisation
 *     changed     which seconds were added to since the last saving */
#ifndef OBS_WINDOW_WINDOW_PRIVATE_H
#define OBS_WINDOW_WINDOW_PRIVATE_H

#include "window/window.h"

#include "window/second_values.h"

#define MAX_CELLS       WINDOW_CELLS
#define CHANGED_SECONDS 64

/* One second, or the sum of several: either records or weights. */
struct cells {
    uint64_t of[MAX_CELLS];
};

struct gauge_second {
    float sum[WINDOW_GAUGES];
    uint16_t count[WINDOW_GAUGES];
};

struct bad_bins {
    uint8_t of[WINDOW_BINS];
};

struct total {
    struct cells records, weights; /* weights only while window->weights is there */
};

struct window {
    int64_t now;
    const struct window_layout *layout;
    struct block_pool *pool;
    struct cells running, running_weights;
    struct cells late, late_weights;
    uint32_t ring_length, cell_count;
    bool is_wide;     /* the ring has 32 bits a cell */
    bool has_running; /* something was added since the last step */
    int64_t last_gauge;
    uint64_t changed;      /* since the last saving: bit second mod 64, of the last 64 seconds … */
    int64_t changed_older; /* … and the oldest one before them; INT64_MAX: none */
    void *ring;
    uint64_t *weights;
    struct gauge_second *gauges;
    struct second_values values[WINDOW_VALUE_SECONDS];
    struct bad_bins *bins; /* cell_count - 1 for each of WINDOW_BIN_SECONDS */
    struct total totals[];
};

static inline uint32_t window_slot(int64_t second, uint32_t length)
{
    int64_t slot = second % length;
    return (uint32_t)(slot < 0 ? slot + length : slot);
}

static inline void window_add_cells(struct cells *to, const struct cells *what, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        to->of[i] += what->of[i];
    }
}

void window_read_ring(const struct window *window, uint32_t slot, struct cells *cells);
void window_read_weights(const struct window *window, uint32_t slot, struct cells *cells);
/* Of one kind of bad records in one of the last WINDOW_BIN_SECONDS. */
struct bad_bins *window_bins_at(const struct window *window, int64_t second, uint32_t bad_cell);
/* True: the record is the first bad one of its kind in its bin. */
bool window_add_to_bins(struct window *window, int64_t time_ms, const struct cells *record);
void window_clear_bins(struct window *window, int64_t second);
void window_clear_all_bins(struct window *window);
/* False: no memory. Weights are kept from here on; 32 bits a cell, so that more than 65 535 records fit. */
bool window_begin_weights(struct window *window);
bool window_widen(struct window *window);

#endif
