/* What a client of /metrics wants: the format by its Accept header, the forms of histograms by the query. */
#ifndef METRICS_BRIDGE_NEGOTIATION_H
#define METRICS_BRIDGE_NEGOTIATION_H

#include "metrics/encoder.h"

/* The best of the formats that are spoken here; NULL, or a header that allows none of them: text 0.0.4, which
 * everybody reads. Equal weights: the one named first. */
enum metric_format negotiate_format(const char *accept);

/* "classic", "native" or "both"; NULL: both. False: another word. */
bool negotiate_histograms(const char *word, enum metric_histograms *out);

#endif
