#include "window/series_time.h"
#include "window/window_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t longest(const struct window_layout *layout)
{
    return layout->lengths_s[layout->length_count - 1];
}

struct window *window_create(const struct window_layout *layout, struct block_pool *pool, int64_t now)
{
    struct window *window = calloc(1, sizeof *window + layout->length_count * sizeof window->totals[0]);
    if (window == NULL) {
        return NULL;
    }
    window->now = now;
    window->layout = layout;
    window->pool = pool;
    window->ring_length = longest(layout);
    window->cell_count = 2 + layout->threshold_count;
    window->last_gauge = INT64_MIN;
    window->changed_older = INT64_MAX;
    window->ring = calloc((size_t)window->ring_length * window->cell_count, sizeof(uint16_t));
    window->bins = calloc((size_t)WINDOW_BIN_SECONDS * (window->cell_count - 1), sizeof *window->bins);
    if (layout->gauges) {
        window->gauges = calloc(window->ring_length, sizeof *window->gauges);
    }
    if (window->ring == NULL || window->bins == NULL || (layout->gauges && window->gauges == NULL)) {
        window_destroy(window);
        return NULL;
    }
    return window;
}

void window_destroy(struct window *window)
{
    if (window == NULL) {
        return;
    }
    for (int i = 0; i < WINDOW_VALUE_SECONDS; i++) {
        second_values_clear(&window->values[i], window->pool);
    }
    free(window->ring);
    free(window->bins);
    free(window->weights);
    free(window->gauges);
    free(window);
}

int64_t window_now(const struct window *window)
{
    return window->now;
}

/* --- the ring ---- */

/* A second with more than 65 535 records: the ring gets 32 bits a cell and keeps them. */
bool window_widen(struct window *window)
{
    size_t cells = (size_t)window->ring_length * window->cell_count;
    uint32_t *wide = calloc(cells, sizeof *wide);
    if (wide == NULL) {
        return false;
    }
    for (size_t i = 0; i < cells; i++) {
        wide[i] = ((const uint16_t *)window->ring)[i];
    }
    free(window->ring);
    window->ring = wide;
    window->is_wide = true;
    return true;
}

static bool fits(const struct window *window, uint32_t slot, const struct cells *added)
{
    struct cells before = {{0}};
    window_read_ring(window, slot, &before);
    /* Records are the largest cell. */
    return before.of[0] + added->of[0] <= (window->is_wide ? UINT32_MAX : UINT16_MAX);
}

/* False: no memory, or 2^32 records in a second; then the second goes uncounted. */
static bool add_to_ring(struct window *window, uint32_t slot, const struct cells *added,
                        const struct cells *weights)
{
    if (!fits(window, slot, added) &&
        (window->is_wide || !window_widen(window) || !fits(window, slot, added))) {
        return false;
    }
    size_t first = (size_t)slot * window->cell_count;
    for (uint32_t i = 0; i < window->cell_count; i++) {
        if (window->is_wide) {
            ((uint32_t *)window->ring)[first + i] += (uint32_t)added->of[i];
        } else {
            uint16_t *cell = &((uint16_t *)window->ring)[first + i];
            *cell = (uint16_t)(*cell + added->of[i]);
        }
        if (window->weights != NULL) {
            window->weights[first + i] += weights->of[i];
        }
    }
    return true;
}

static void clear_slot(struct window *window, uint32_t slot)
{
    size_t bytes = window->cell_count * (window->is_wide ? sizeof(uint32_t) : sizeof(uint16_t));
    memset((unsigned char *)window->ring + slot * bytes, 0, bytes);
    if (window->weights != NULL) {
        memset(&window->weights[(size_t)slot * window->cell_count], 0,
               window->cell_count * sizeof *window->weights);
    }
    if (window->gauges != NULL) {
        memset(&window->gauges[slot], 0, sizeof window->gauges[slot]);
    }
}

/* --- adding ---- */

static void subtract_cells(struct cells *from, const struct cells *what, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        from->of[i] -= what->of[i];
    }
}

/* Weights are kept from here on. */
bool window_begin_weights(struct window *window)
{
    window->weights = calloc((size_t)window->ring_length * window->cell_count, sizeof *window->weights);
    if (window->weights == NULL) {
        return false;
    }
    for (uint32_t slot = 0; slot < window->ring_length; slot++) {
        struct cells records = {{0}};
        window_read_ring(window, slot, &records);
        memcpy(&window->weights[(size_t)slot * window->cell_count], records.of,
               window->cell_count * sizeof *window->weights);
    }
    for (uint32_t i = 0; i < window->layout->length_count; i++) {
        window->totals[i].weights = window->totals[i].records;
    }
    return true;
}

/* The second will be saved. */
static void note_change(struct window *window, int64_t second)
{
    if (window->now - second < CHANGED_SECONDS) {
        window->changed |= UINT64_C(1) << ((uint64_t)second % CHANGED_SECONDS);
    } else if (second < window->changed_older) {
        window->changed_older = second;
    }
}

/* The second `now` takes the bit of the one 64 s before it. */
static void move_changes(struct window *window)
{
    uint64_t bit = UINT64_C(1) << ((uint64_t)window->now % CHANGED_SECONDS);
    if ((window->changed & bit) != 0) {
        window->changed &= ~bit;
        int64_t second = window->now - CHANGED_SECONDS;
        window->changed_older = second < window->changed_older ? second : window->changed_older;
    }
}

static void forget_changes(struct window *window)
{
    window->changed = 0;
    window->changed_older = INT64_MAX;
}

static void cells_of_record(const struct window_layout *layout, double duration_s, bool is_error,
                            uint32_t weight, struct cells *cells)
{
    cells->of[0] = weight;
    cells->of[1] = is_error ? weight : 0;
    for (uint32_t k = 0; k < layout->threshold_count; k++) {
        cells->of[2 + k] = duration_s > layout->thresholds_s[k] ? weight : 0;
    }
}

/* To the ring and to the totals of the windows that hold the second. */
static void add_to_past(struct window *window, int64_t second, const struct cells *records,
                        const struct cells *weights)
{
    const struct window_layout *layout = window->layout;
    int64_t age = window->now - second;
    if (!add_to_ring(window, window_slot(second, window->ring_length), records, weights)) {
        return;
    }
    for (uint32_t i = layout->length_count; i > 0 && age < layout->lengths_s[i - 1]; i--) {
        window_add_cells(&window->totals[i - 1].records, records, window->cell_count);
        if (window->weights != NULL) {
            window_add_cells(&window->totals[i - 1].weights, weights, window->cell_count);
        }
    }
}

bool window_add(struct window *window, int64_t time_ms, double duration_s, bool is_error, uint32_t weight)
{
    int64_t second = series_time_second(time_ms);
    int64_t age = window->now - second;
    if (age < 0 || age >= window->ring_length) {
        return false;
    }
    if (weight > 1 && window->weights == NULL && !window_begin_weights(window)) {
        weight = 1;
    }
    struct cells record;
    struct cells weights;
    cells_of_record(window->layout, duration_s, is_error, 1, &record);
    cells_of_record(window->layout, duration_s, is_error, weight, &weights);
    window->has_running = true;
    note_change(window, second);
    if (age == 0) {
        window_add_cells(&window->running, &record, window->cell_count);
        window_add_cells(&window->running_weights, &weights, window->cell_count);
    } else {
        add_to_past(window, second, &record, &weights);
        window_add_cells(&window->late, &record, window->cell_count);
        window_add_cells(&window->late_weights, &weights, window->cell_count);
    }
    if (age < WINDOW_VALUE_SECONDS) {
        (void)second_values_add(&window->values[window_slot(second, WINDOW_VALUE_SECONDS)], window->pool,
                                histogram_bucket(duration_s), weight);
    }
    return window_add_to_bins(window, time_ms, &record);
}

void window_add_gauge(struct window *window, int64_t second, enum window_gauge gauge, double value)
{
    int64_t age = window->now - second;
    if (window->gauges == NULL || isnan(value) || age < 0 || age >= window->ring_length) {
        return;
    }
    struct gauge_second *slot = &window->gauges[window_slot(second, window->ring_length)];
    if (slot->count[gauge] < UINT16_MAX) {
        slot->sum[gauge] += (float)value;
        slot->count[gauge]++;
        note_change(window, second);
    }
    if (second > window->last_gauge) {
        window->last_gauge = second;
    }
}

/* --- time passes ---- */

/* The running second ends: it becomes a second of the ring. */
static void end_running_second(struct window *window)
{
    if (!window->has_running) {
        return;
    }
    if (window->running.of[0] > 0) {
        add_to_past(window, window->now, &window->running, &window->running_weights);
    }
    memset(&window->running, 0, sizeof window->running);
    memset(&window->running_weights, 0, sizeof window->running_weights);
    memset(&window->late, 0, sizeof window->late);
    memset(&window->late_weights, 0, sizeof window->late_weights);
    window->has_running = false;
}

static void advance_one(struct window *window)
{
    const struct window_layout *layout = window->layout;
    window->now++;
    move_changes(window);
    for (uint32_t i = 0; i < layout->length_count; i++) {
        struct cells gone = {{0}};
        uint32_t slot = window_slot(window->now - layout->lengths_s[i], window->ring_length);
        window_read_ring(window, slot, &gone);
        if (gone.of[0] == 0) {
            continue;
        }
        subtract_cells(&window->totals[i].records, &gone, window->cell_count);
        if (window->weights != NULL) {
            window_read_weights(window, slot, &gone);
            subtract_cells(&window->totals[i].weights, &gone, window->cell_count);
        }
    }
    /* The longest window's oldest second has the new one's slot. */
    clear_slot(window, window_slot(window->now, window->ring_length));
    second_values_clear(&window->values[window_slot(window->now, WINDOW_VALUE_SECONDS)], window->pool);
    window_clear_bins(window, window->now);
}

static void clear_all(struct window *window)
{
    size_t cells = (size_t)window->ring_length * window->cell_count;
    memset(window->totals, 0, window->layout->length_count * sizeof window->totals[0]);
    memset(window->ring, 0, cells * (window->is_wide ? sizeof(uint32_t) : sizeof(uint16_t)));
    window_clear_all_bins(window);
    if (window->weights != NULL) {
        memset(window->weights, 0, cells * sizeof *window->weights);
    }
    if (window->gauges != NULL) {
        memset(window->gauges, 0, window->ring_length * sizeof *window->gauges);
    }
    for (int i = 0; i < WINDOW_VALUE_SECONDS; i++) {
        second_values_clear(&window->values[i], window->pool);
    }
}

bool window_is_empty(const struct window *window)
{
    bool has_gauges =
        window->last_gauge != INT64_MIN && window->now - window->last_gauge < window->ring_length;
    return !window->has_running && window->totals[window->layout->length_count - 1].records.of[0] == 0 &&
           !has_gauges;
}

void window_advance(struct window *window, int64_t now)
{
    if (now <= window->now) {
        return;
    }
    if (now - window->now > window->ring_length) {
        end_running_second(window);
        clear_all(window);
        forget_changes(window);
        window->now = now;
    } else if (window_is_empty(window)) {
        forget_changes(window);
        window->now = now;
    } else {
        end_running_second(window);
        while (window->now < now) {
            advance_one(window);
        }
    }
}

/* --- beside it ---- */

void window_prefetch(const struct window *window, int64_t second)
{
    __builtin_prefetch(window, 1);
    __builtin_prefetch(&window->running_weights, 1);
    __builtin_prefetch(&window->values[window_slot(second, WINDOW_VALUE_SECONDS)], 1);
}

void window_prefetch_values(const struct window *window, int64_t second)
{
    second_values_prefetch(&window->values[window_slot(second, WINDOW_VALUE_SECONDS)], window->pool);
}

size_t window_memory(const struct window *window)
{
    size_t cells = (size_t)window->ring_length * window->cell_count;
    size_t bytes = sizeof *window + window->layout->length_count * sizeof window->totals[0];
    bytes += cells * (window->is_wide ? sizeof(uint32_t) : sizeof(uint16_t));
    bytes += (size_t)WINDOW_BIN_SECONDS * (window->cell_count - 1) * sizeof *window->bins;
    bytes += window->weights == NULL ? 0 : cells * sizeof *window->weights;
    return bytes + (window->gauges == NULL ? 0 : window->ring_length * sizeof *window->gauges);
}
