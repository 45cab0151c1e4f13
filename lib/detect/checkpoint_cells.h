/* lib/detect/checkpoint_cells: the counts of one second of a window, as they are in a checkpoint: two bytes
 * where nothing failed, nothing was slow and every record weighs one. For the detector alone.
 *
 *   records << 1 | more   varint
 *   mask                  if more: bit i: cell i + 1 isn't 0; CELLS_WEIGHTS, CELLS_GAUGES, CELLS_BINS
 *   cells, weights        varints, those that the mask names
 *   gauges                for each: samples (varint), sum (float)
 *   bins                  for each of the cells that the mask names: which of the second's eighths had any (8
 *                         bits), and how many each of those (8 bits) */
#ifndef OBS_DETECT_CHECKPOINT_CELLS_H
#define OBS_DETECT_CHECKPOINT_CELLS_H

#include "buffer/packing.h"
#include "window/window_save.h"

void checkpoint_put_cells(struct buffer *out, const struct window_second *second);
/* All but the second's time. */
void checkpoint_take_cells(struct reader *in, struct window_second *second);

#endif
