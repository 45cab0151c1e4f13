#include "window/window_save.h"

#include "window/window_private.h"

#include <string.h>

/* --- saving ---- */

bool window_has_changed(const struct window *window)
{
    return window->changed != 0 || window->changed_older != INT64_MAX;
}

static bool is_changed(const struct window *window, int64_t second)
{
    return window->now - second < CHANGED_SECONDS
               ? (window->changed >> ((uint64_t)second % CHANGED_SECONDS) & 1) != 0
               : second >= window->changed_older;
}

bool window_next_changed(const struct window *window, int64_t *second)
{
    int64_t first = window->now - window->ring_length + 1;
    if (window->changed_older == INT64_MAX && first <= window->now - CHANGED_SECONDS) {
        first = window->now - CHANGED_SECONDS + 1;
    }
    for (int64_t next = *second < first ? first : *second + 1; next <= window->now; next++) {
        if (is_changed(window, next)) {
            *second = next;
            return true;
        }
    }
    return false;
}

static void copy_second(const struct window *window, const struct cells *records, const struct cells *weights,
                        struct window_second *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->records, records->of, window->cell_count * sizeof out->records[0]);
    memcpy(out->weights, weights->of, window->cell_count * sizeof out->weights[0]);
}

void window_save_second(const struct window *window, int64_t second, struct window_second *out)
{
    uint32_t slot = window_slot(second, window->ring_length);
    if (second == window->now) {
        copy_second(window, &window->running, &window->running_weights, out);
    } else {
        struct cells records = {{0}};
        struct cells weights = {{0}};
        window_read_ring(window, slot, &records);
        window_read_weights(window, slot, &weights);
        copy_second(window, &records, &weights, out);
    }
    out->second = second;
    for (uint32_t bad = 0; bad + 1 < window->cell_count; bad++) {
        window_read_bins(window, second, bad, out->bins[bad]);
    }
    for (int gauge = 0; window->gauges != NULL && gauge < WINDOW_GAUGES; gauge++) {
        out->gauge_sums[gauge] = window->gauges[slot].sum[gauge];
        out->gauge_counts[gauge] = window->gauges[slot].count[gauge];
    }
}

size_t window_save_values(const struct window *window, int64_t second, struct value_run *runs,
                          struct histogram *sums)
{
    if (window->now - second >= WINDOW_VALUE_SECONDS) {
        return 0;
    }
    return second_values_list(&window->values[window_slot(second, WINDOW_VALUE_SECONDS)], window->pool, runs,
                              sums);
}

void window_save_late(const struct window *window, struct window_second *out)
{
    copy_second(window, &window->late, &window->late_weights, out);
    out->second = window->now;
}

void window_note_saved(struct window *window)
{
    window->changed = 0;
    window->changed_older = INT64_MAX;
}

/* --- putting it back ---- */

static bool is_possible(const struct window *window, const struct window_second *saved)
{
    for (uint32_t i = 0; i < WINDOW_CELLS; i++) {
        if (saved->records[i] > saved->records[0] || saved->weights[i] > saved->weights[0] ||
            saved->weights[i] < saved->records[i] || (i >= window->cell_count && saved->weights[i] > 0)) {
            return false;
        }
    }
    return saved->records[0] <= UINT32_MAX;
}

static bool make_room(struct window *window, const struct window_second *saved)
{
    if (saved->records[0] > UINT16_MAX && !window->is_wide && !window_widen(window)) {
        return false;
    }
    bool is_weighted = memcmp(saved->records, saved->weights, sizeof saved->records) != 0;
    return !is_weighted || window->weights != NULL || window_begin_weights(window);
}

static void write_slot(struct window *window, uint32_t slot, const struct window_second *saved)
{
    size_t first = (size_t)slot * window->cell_count;
    for (uint32_t i = 0; i < window->cell_count; i++) {
        if (window->is_wide) {
            ((uint32_t *)window->ring)[first + i] = (uint32_t)saved->records[i];
        } else {
            ((uint16_t *)window->ring)[first + i] = (uint16_t)saved->records[i];
        }
        if (window->weights != NULL) {
            window->weights[first + i] = saved->weights[i];
        }
    }
}

static void restore_gauges(struct window *window, uint32_t slot, const struct window_second *saved)
{
    for (int gauge = 0; window->gauges != NULL && gauge < WINDOW_GAUGES; gauge++) {
        window->gauges[slot].sum[gauge] = saved->gauge_sums[gauge];
        window->gauges[slot].count[gauge] = saved->gauge_counts[gauge];
        if (saved->gauge_counts[gauge] > 0 && saved->second > window->last_gauge) {
            window->last_gauge = saved->second;
        }
    }
}

bool window_restore_second(struct window *window, const struct window_second *saved)
{
    int64_t now = window->now;
    if (saved->second > now || saved->second <= now - window->ring_length) {
        return true;
    }
    if (!is_possible(window, saved) || !make_room(window, saved)) {
        return false;
    }
    uint32_t slot = window_slot(saved->second, window->ring_length);
    if (saved->second == now) {
        memcpy(window->running.of, saved->records, sizeof saved->records);
        memcpy(window->running_weights.of, saved->weights, sizeof saved->weights);
    } else {
        write_slot(window, slot, saved);
    }
    restore_gauges(window, slot, saved);
    for (uint32_t bad = 0; now - saved->second < WINDOW_BIN_SECONDS && bad + 1 < window->cell_count; bad++) {
        memcpy(window_bins_at(window, saved->second, bad)->of, saved->bins[bad], WINDOW_BINS);
    }
    return true;
}

bool window_restore_value(struct window *window, int64_t second, struct value_run run, bool is_first)
{
    if (second > window->now || second <= window->now - WINDOW_VALUE_SECONDS) {
        return true;
    }
    struct second_values *values = &window->values[window_slot(second, WINDOW_VALUE_SECONDS)];
    if (is_first) {
        second_values_clear(values, window->pool);
    }
    return second_values_add(values, window->pool, run.bucket, run.weight);
}

void window_restore_late(struct window *window, const struct window_second *late)
{
    memset(&window->late, 0, sizeof window->late);
    memset(&window->late_weights, 0, sizeof window->late_weights);
    if (late != NULL) {
        memcpy(window->late.of, late->records, sizeof late->records);
        memcpy(window->late_weights.of, late->weights, sizeof late->weights);
    }
}

void window_restore_done(struct window *window)
{
    const struct window_layout *layout = window->layout;
    memset(window->totals, 0, layout->length_count * sizeof window->totals[0]);
    for (uint32_t i = 0; i < layout->length_count; i++) {
        for (int64_t second = window->now - layout->lengths_s[i] + 1; second < window->now; second++) {
            struct cells cells = {{0}};
            uint32_t slot = window_slot(second, window->ring_length);
            window_read_ring(window, slot, &cells);
            window_add_cells(&window->totals[i].records, &cells, window->cell_count);
            window_read_weights(window, slot, &cells);
            window_add_cells(&window->totals[i].weights, &cells, window->cell_count);
        }
    }
    window->has_running = window->running.of[0] > 0 || window->late.of[0] > 0;
    window_note_saved(window);
}
