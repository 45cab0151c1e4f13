/* plot: what was found, as SVG: one day of twelve series with truth and detections, and recall by size and
 * rate. Colours follow the reader's light or dark scheme. */
#ifndef SCORE_PLOT_H
#define SCORE_PLOT_H

#include "matcher.h"

#include <stdio.h>

void plot_day(FILE *out, const struct result *result);
void plot_curve(FILE *out, const struct result *results, size_t count);

#endif
