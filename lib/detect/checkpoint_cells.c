#include "detect/checkpoint_cells.h"

#include <string.h>

#define CELLS_WEIGHTS 32u /* the weights aren't the records */
#define CELLS_GAUGES  64u
#define CELLS_BINS    128u

/* --- bins ---- */

static bool has_bins(const struct window_second *second)
{
    static const uint8_t none[sizeof second->bins];
    return memcmp(second->bins, none, sizeof none) != 0;
}

static void put_bins(struct buffer *out, const uint8_t bins[WINDOW_BINS])
{
    unsigned which = 0;
    for (unsigned i = 0; i < WINDOW_BINS; i++) {
        which |= bins[i] > 0 ? 1u << i : 0;
    }
    put_number(out, which, 1);
    for (unsigned i = 0; i < WINDOW_BINS; i++) {
        if (bins[i] > 0) {
            put_number(out, bins[i], 1);
        }
    }
}

static void take_bins(struct reader *in, uint8_t bins[WINDOW_BINS])
{
    unsigned which = (unsigned)take_number(in, 1);
    for (unsigned i = 0; i < WINDOW_BINS; i++) {
        bins[i] = (which & 1u << i) != 0 ? (uint8_t)take_number(in, 1) : 0;
    }
}

/* --- a second ---- */

void checkpoint_put_cells(struct buffer *out, const struct window_second *second)
{
    unsigned mask = 0;
    for (unsigned i = 1; i < WINDOW_CELLS; i++) {
        mask |= second->records[i] > 0 ? 1u << (i - 1) : 0;
    }
    mask |= memcmp(second->records, second->weights, sizeof second->records) != 0 ? CELLS_WEIGHTS : 0;
    for (int gauge = 0; gauge < WINDOW_GAUGES; gauge++) {
        mask |= second->gauge_counts[gauge] > 0 ? CELLS_GAUGES : 0;
    }
    mask |= has_bins(second) ? CELLS_BINS : 0;
    put_varint(out, second->records[0] << 1 | (mask != 0));
    if (mask != 0) {
        put_number(out, mask, 1);
    }
    for (unsigned i = 1; i < WINDOW_CELLS; i++) {
        if (second->records[i] > 0) {
            put_varint(out, second->records[i]);
        }
    }
    for (unsigned i = 0; (mask & CELLS_WEIGHTS) != 0 && i < WINDOW_CELLS; i++) {
        put_varint(out, second->weights[i]);
    }
    for (int gauge = 0; (mask & CELLS_GAUGES) != 0 && gauge < WINDOW_GAUGES; gauge++) {
        uint32_t bits;
        memcpy(&bits, &second->gauge_sums[gauge], sizeof bits);
        put_varint(out, second->gauge_counts[gauge]);
        put_number(out, bits, 4);
    }
    for (unsigned i = 1; (mask & CELLS_BINS) != 0 && i < WINDOW_CELLS; i++) {
        if (second->records[i] > 0) {
            put_bins(out, second->bins[i - 1]);
        }
    }
}

void checkpoint_take_cells(struct reader *in, struct window_second *second)
{
    memset(second, 0, sizeof *second);
    uint64_t records = take_varint(in);
    unsigned mask = (records & 1) != 0 ? (unsigned)take_number(in, 1) : 0;
    second->records[0] = records >> 1;
    for (unsigned i = 1; i < WINDOW_CELLS; i++) {
        second->records[i] = (mask & 1u << (i - 1)) != 0 ? take_varint(in) : 0;
    }
    memcpy(second->weights, second->records, sizeof second->weights);
    for (unsigned i = 0; (mask & CELLS_WEIGHTS) != 0 && i < WINDOW_CELLS; i++) {
        second->weights[i] = take_varint(in);
    }
    for (int gauge = 0; (mask & CELLS_GAUGES) != 0 && gauge < WINDOW_GAUGES; gauge++) {
        uint64_t count = take_varint(in);
        uint32_t bits = (uint32_t)take_number(in, 4);
        in->failed |= count > UINT16_MAX;
        second->gauge_counts[gauge] = (uint16_t)count;
        memcpy(&second->gauge_sums[gauge], &bits, sizeof bits);
    }
    for (unsigned i = 1; (mask & CELLS_BINS) != 0 && i < WINDOW_CELLS; i++) {
        if (second->records[i] > 0) {
            take_bins(in, second->bins[i - 1]);
        }
    }
}
