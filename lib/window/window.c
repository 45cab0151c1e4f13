/* The ring, one slot a second, slot = second mod ring length:
 *
 *     seconds[]  records errors slow[k]      what counts as evidence, four bytes each
 *     weights[]  the same, as weights        only from the first record that weighs more than one
 *     values[]   bucket codes                the last 60 seconds
 *     gauges[]   sums and counts             only when a rule or a page wants utilisation
 */
#include "window/window.h"

#include "window/second_values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct second {
    uint32_t records, errors, slow[WINDOW_THRESHOLDS];
};

struct gauge_second {
    float sum[WINDOW_GAUGES];
    uint16_t count[WINDOW_GAUGES];
};

struct window {
    const struct window_layout *layout;
    int64_t now;
    uint32_t ring_length;
    uint32_t second_bytes; /* a second without the thresholds that the layout doesn't have */
    unsigned char *seconds;
    struct second *weights;
    struct gauge_second *gauges;
    struct window_counts totals[WINDOW_LENGTHS];
    struct second_values values[WINDOW_VALUE_SECONDS];
};

static uint32_t longest(const struct window_layout *layout)
{
    return layout->lengths_s[layout->length_count - 1];
}

static uint32_t slot_of(const struct window *window, int64_t second)
{
    int64_t slot = second % window->ring_length;
    return (uint32_t)(slot < 0 ? slot + window->ring_length : slot);
}

static struct second *second_at(const struct window *window, uint32_t slot)
{
    return (struct second *)(void *)(window->seconds + (size_t)slot * window->second_bytes);
}

static struct second_values *values_at(struct window *window, int64_t second)
{
    int64_t slot = second % WINDOW_VALUE_SECONDS;
    return &window->values[slot < 0 ? slot + WINDOW_VALUE_SECONDS : slot];
}

struct window *window_create(const struct window_layout *layout, int64_t now)
{
    struct window *window = calloc(1, sizeof *window);
    if (window == NULL) {
        return NULL;
    }
    window->layout = layout;
    window->now = now;
    window->ring_length = longest(layout);
    window->second_bytes =
        (uint32_t)(offsetof(struct second, slow) + layout->threshold_count * sizeof(uint32_t));
    window->seconds = calloc(window->ring_length, window->second_bytes);
    if (layout->gauges) {
        window->gauges = calloc(window->ring_length, sizeof *window->gauges);
    }
    if (window->seconds == NULL || (layout->gauges && window->gauges == NULL)) {
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
        second_values_free(&window->values[i]);
    }
    free(window->seconds);
    free(window->weights);
    free(window->gauges);
    free(window);
}

int64_t window_now(const struct window *window)
{
    return window->now;
}

/* --- adding ---- */

/* Weights are kept from here on: so far each record weighed one. */
static bool begin_weights(struct window *window)
{
    window->weights = calloc(window->ring_length, sizeof *window->weights);
    if (window->weights == NULL) {
        return false;
    }
    for (uint32_t slot = 0; slot < window->ring_length; slot++) {
        memcpy(&window->weights[slot], second_at(window, slot), window->second_bytes);
    }
    return true;
}

static void add_to_second(const struct window_layout *layout, struct second *second, double duration_s,
                          bool is_error, uint32_t weight)
{
    second->records += weight;
    second->errors += is_error ? weight : 0;
    for (uint32_t k = 0; k < layout->threshold_count; k++) {
        second->slow[k] += duration_s > layout->thresholds_s[k] ? weight : 0;
    }
}

static void add_to_totals(const struct window_layout *layout, struct window_counts *totals, double duration_s,
                          bool is_error, uint32_t weight)
{
    totals->records++;
    totals->weight += weight;
    totals->errors += is_error;
    totals->error_weight += is_error ? weight : 0;
    for (uint32_t k = 0; k < layout->threshold_count; k++) {
        bool is_slow = duration_s > layout->thresholds_s[k];
        totals->slow[k] += is_slow;
        totals->slow_weight[k] += is_slow ? weight : 0;
    }
}

void window_add(struct window *window, int64_t second, double duration_s, bool is_error, uint32_t weight)
{
    const struct window_layout *layout = window->layout;
    int64_t age = window->now - second;
    if (age < 0 || age >= window->ring_length) {
        return;
    }
    if (weight > 1 && window->weights == NULL && !begin_weights(window)) {
        weight = 1;
    }
    uint32_t slot = slot_of(window, second);
    add_to_second(layout, second_at(window, slot), duration_s, is_error, 1);
    if (window->weights != NULL) {
        add_to_second(layout, &window->weights[slot], duration_s, is_error, weight);
    }
    for (uint32_t i = layout->length_count; i > 0 && age < layout->lengths_s[i - 1]; i--) {
        add_to_totals(layout, &window->totals[i - 1], duration_s, is_error, weight);
    }
    if (age < WINDOW_VALUE_SECONDS) {
        (void)second_values_add(values_at(window, second), histogram_bucket(duration_s), weight);
    }
}

void window_add_gauge(struct window *window, int64_t second, enum window_gauge gauge, double value)
{
    int64_t age = window->now - second;
    if (window->gauges == NULL || isnan(value) || age < 0 || age >= window->ring_length) {
        return;
    }
    struct gauge_second *slot = &window->gauges[slot_of(window, second)];
    if (slot->count[gauge] < UINT16_MAX) {
        slot->sum[gauge] += (float)value;
        slot->count[gauge]++;
    }
}

/* --- time passes ---- */

static void subtract_second(const struct window *window, struct window_counts *totals, uint32_t slot)
{
    const struct second *records = second_at(window, slot);
    const struct second *weights = window->weights != NULL ? &window->weights[slot] : records;
    totals->records -= records->records;
    totals->errors -= records->errors;
    totals->weight -= weights->records;
    totals->error_weight -= weights->errors;
    for (uint32_t k = 0; k < window->layout->threshold_count; k++) {
        totals->slow[k] -= records->slow[k];
        totals->slow_weight[k] -= weights->slow[k];
    }
}

static void clear_slot(struct window *window, uint32_t slot)
{
    memset(second_at(window, slot), 0, window->second_bytes);
    if (window->weights != NULL) {
        memset(&window->weights[slot], 0, sizeof window->weights[slot]);
    }
    if (window->gauges != NULL) {
        memset(&window->gauges[slot], 0, sizeof window->gauges[slot]);
    }
}

static void clear_all(struct window *window)
{
    memset(window->totals, 0, sizeof window->totals);
    for (uint32_t slot = 0; slot < window->ring_length; slot++) {
        clear_slot(window, slot);
    }
    for (int i = 0; i < WINDOW_VALUE_SECONDS; i++) {
        second_values_clear(&window->values[i]);
    }
}

static void advance_one(struct window *window)
{
    const struct window_layout *layout = window->layout;
    window->now++;
    for (uint32_t i = 0; i < layout->length_count; i++) {
        subtract_second(window, &window->totals[i], slot_of(window, window->now - layout->lengths_s[i]));
    }
    /* The longest window's oldest second has the new one's slot. */
    clear_slot(window, slot_of(window, window->now));
    second_values_clear(values_at(window, window->now));
}

void window_advance(struct window *window, int64_t now)
{
    if (now - window->now > window->ring_length && now - window->now > WINDOW_VALUE_SECONDS) {
        clear_all(window);
        window->now = now;
        return;
    }
    while (window->now < now) {
        advance_one(window);
    }
}

/* --- reading ---- */

const struct window_counts *window_counts(const struct window *window, uint32_t index)
{
    return &window->totals[index];
}

static void add_slot(const struct window *window, struct window_counts *counts, uint32_t slot)
{
    const struct second *records = second_at(window, slot);
    const struct second *weights = window->weights != NULL ? &window->weights[slot] : records;
    counts->records += records->records;
    counts->errors += records->errors;
    counts->weight += weights->records;
    counts->error_weight += weights->errors;
    for (uint32_t k = 0; k < window->layout->threshold_count; k++) {
        counts->slow[k] += records->slow[k];
        counts->slow_weight[k] += weights->slow[k];
    }
}

void window_counts_after(const struct window *window, uint32_t index, int64_t after,
                         struct window_counts *counts)
{
    memset(counts, 0, sizeof *counts);
    int64_t first = window->now - window->layout->lengths_s[index] + 1;
    for (int64_t second = first > after ? first : after + 1; second <= window->now; second++) {
        add_slot(window, counts, slot_of(window, second));
    }
}

void window_read_values(const struct window *window, uint32_t seconds, int64_t after, struct histogram *into)
{
    int64_t first = window->now - (seconds < WINDOW_VALUE_SECONDS ? seconds : WINDOW_VALUE_SECONDS) + 1;
    for (int64_t second = first > after ? first : after + 1; second <= window->now; second++) {
        int64_t slot = second % WINDOW_VALUE_SECONDS;
        second_values_read(&window->values[slot < 0 ? slot + WINDOW_VALUE_SECONDS : slot], into);
    }
}

double window_gauge_mean(const struct window *window, enum window_gauge gauge, uint32_t seconds)
{
    double sum = 0;
    uint64_t count = 0;
    for (int64_t second = window->now - seconds + 1; window->gauges != NULL && second <= window->now;
         second++) {
        const struct gauge_second *slot = &window->gauges[slot_of(window, second)];
        sum += slot->sum[gauge];
        count += slot->count[gauge];
    }
    return count == 0 ? NAN : sum / (double)count;
}

size_t window_memory(const struct window *window)
{
    size_t bytes = sizeof *window + (size_t)window->ring_length * window->second_bytes;
    bytes += window->weights == NULL ? 0 : window->ring_length * sizeof *window->weights;
    bytes += window->gauges == NULL ? 0 : window->ring_length * sizeof *window->gauges;
    for (int i = 0; i < WINDOW_VALUE_SECONDS; i++) {
        bytes += second_values_memory(&window->values[i]);
    }
    return bytes;
}
