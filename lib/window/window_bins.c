/* When in its second a record was bad: a ring of the last seconds, by second mod WINDOW_BIN_SECONDS; in each,
 * for errors and each threshold, a byte an eighth of a second. A byte that is full stays so: whoever asks
 * wants to know whether there were many. */
#include "window/series_time.h"
#include "window/window_private.h"

#include <string.h>

#define BIN_MS (1000 / WINDOW_BINS)

struct bad_bins *window_bins_at(const struct window *window, int64_t second, uint32_t bad_cell)
{
    return &window->bins[window_slot(second, WINDOW_BIN_SECONDS) * (window->cell_count - 1) + bad_cell];
}

bool window_add_to_bins(struct window *window, int64_t time_ms, const struct cells *record)
{
    int64_t second = series_time_second(time_ms);
    if (window->now - second >= WINDOW_BIN_SECONDS) {
        return false;
    }
    bool is_first = false;
    uint32_t bin = (uint32_t)(time_ms - second * 1000) / BIN_MS;
    for (uint32_t i = 1; i < window->cell_count; i++) {
        uint8_t *count = &window_bins_at(window, second, i - 1)->of[bin];
        if (record->of[i] > 0 && *count < UINT8_MAX) {
            is_first |= *count == 0;
            ++*count;
        }
    }
    return is_first;
}

void window_clear_bins(struct window *window, int64_t second)
{
    memset(window_bins_at(window, second, 0), 0, (window->cell_count - 1) * sizeof *window->bins);
}

void window_clear_all_bins(struct window *window)
{
    memset(window->bins, 0, WINDOW_BIN_SECONDS * (window->cell_count - 1) * sizeof *window->bins);
}

void window_read_bins(const struct window *window, int64_t second, uint32_t bad, uint8_t bins[WINDOW_BINS])
{
    int64_t age = window->now - second;
    memset(bins, 0, WINDOW_BINS);
    if (age >= 0 && age < WINDOW_BIN_SECONDS && bad + 1 < window->cell_count) {
        memcpy(bins, window_bins_at(window, second, bad)->of, WINDOW_BINS);
    }
}
