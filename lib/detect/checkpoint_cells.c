#include "detect/checkpoint_cells.h"

#include <string.h>

#define CELLS_WEIGHTS 32u /* the weights aren't the records */
#define CELLS_GAUGES  64u

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
}
