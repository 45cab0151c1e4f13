/* What a window holds: counts, durations, utilisation. */
#include "window/window_private.h"

#include <math.h>

void window_read_ring(const struct window *window, uint32_t slot, struct cells *cells)
{
    size_t first = (size_t)slot * window->cell_count;
    for (uint32_t i = 0; i < window->cell_count; i++) {
        cells->of[i] = window->is_wide ? ((const uint32_t *)window->ring)[first + i]
                                       : ((const uint16_t *)window->ring)[first + i];
    }
}

void window_read_weights(const struct window *window, uint32_t slot, struct cells *cells)
{
    if (window->weights == NULL) {
        window_read_ring(window, slot, cells); /* so far each record weighed one */
        return;
    }
    for (uint32_t i = 0; i < window->cell_count; i++) {
        cells->of[i] = window->weights[(size_t)slot * window->cell_count + i];
    }
}

static void copy_cells(const struct cells *records, const struct cells *weights, uint32_t cell_count,
                       struct window_counts *counts)
{
    counts->records = records->of[0];
    counts->errors = records->of[1];
    counts->weight = weights->of[0];
    counts->error_weight = weights->of[1];
    for (uint32_t k = 0; k < WINDOW_THRESHOLDS; k++) {
        counts->slow[k] = k + 2 < cell_count ? records->of[2 + k] : 0;
        counts->slow_weight[k] = k + 2 < cell_count ? weights->of[2 + k] : 0;
    }
}

static void sum_seconds(const struct window *window, int64_t first, struct cells *records,
                        struct cells *weights)
{
    for (int64_t second = first; second <= window->now; second++) {
        struct cells cells = {{0}};
        uint32_t slot = window_slot(second, window->ring_length);
        window_read_ring(window, slot, &cells);
        window_add_cells(records, &cells, window->cell_count);
        window_read_weights(window, slot, &cells);
        window_add_cells(weights, &cells, window->cell_count);
    }
}

void window_read_counts(const struct window *window, uint32_t index, int64_t after,
                        struct window_counts *counts)
{
    int64_t first = window->now - window->layout->lengths_s[index] + 1;
    struct cells records = {{0}};
    struct cells weights = {{0}};
    if (after < first) {
        records = window->totals[index].records;
        weights = window->weights != NULL ? window->totals[index].weights : records;
    } else {
        sum_seconds(window, after + 1, &records, &weights);
    }
    if (after < window->now) {
        window_add_cells(&records, &window->running, window->cell_count);
        window_add_cells(&weights, &window->running_weights, window->cell_count);
    }
    copy_cells(&records, &weights, window->cell_count, counts);
}

void window_read_second(const struct window *window, int64_t second, struct window_counts *counts)
{
    struct cells records = {{0}};
    struct cells weights = {{0}};
    int64_t age = window->now - second;
    if (age == 0) {
        records = window->running;
        weights = window->running_weights;
    } else if (age > 0 && age < window->ring_length) {
        window_read_ring(window, window_slot(second, window->ring_length), &records);
        window_read_weights(window, window_slot(second, window->ring_length), &weights);
    }
    copy_cells(&records, &weights, window->cell_count, counts);
}

void window_read_step(const struct window *window, struct window_counts *counts)
{
    struct cells records = window->running;
    struct cells weights = window->running_weights;
    window_add_cells(&records, &window->late, window->cell_count);
    window_add_cells(&weights, &window->late_weights, window->cell_count);
    copy_cells(&records, &weights, window->cell_count, counts);
}

void window_read_values(const struct window *window, uint32_t seconds, int64_t after, struct histogram *into)
{
    int64_t first = window->now - (seconds < WINDOW_VALUE_SECONDS ? seconds : WINDOW_VALUE_SECONDS) + 1;
    for (int64_t second = first > after ? first : after + 1; second <= window->now; second++) {
        second_values_read(&window->values[window_slot(second, WINDOW_VALUE_SECONDS)], window->pool, into);
    }
}

double window_quantile(const struct window *window, uint32_t seconds, int64_t after, double quantile)
{
    struct histogram values;
    histogram_clear(&values);
    window_read_values(window, seconds, after, &values);
    return histogram_quantile(&values, quantile);
}

double window_gauge_mean(const struct window *window, enum window_gauge gauge, uint32_t seconds,
                         int64_t after)
{
    double sum = 0;
    uint64_t count = 0;
    int64_t first = window->now - seconds + 1;
    for (int64_t second = first > after ? first : after + 1; window->gauges != NULL && second <= window->now;
         second++) {
        const struct gauge_second *slot = &window->gauges[window_slot(second, window->ring_length)];
        sum += (double)slot->sum[gauge];
        count += slot->count[gauge];
    }
    return count == 0 ? NAN : sum / (double)count;
}
