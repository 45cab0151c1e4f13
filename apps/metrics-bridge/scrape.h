/* GET /metrics of the bridge: a snapshot of the committed counters in the format that the client asks for.
 * Renders memory, does no I/O. */
#ifndef METRICS_BRIDGE_SCRAPE_H
#define METRICS_BRIDGE_SCRAPE_H

#include "error/error.h"
#include "http/http_server.h"

#include <stdbool.h>

struct counting_worker;
struct lag_watch;
struct program;
struct scrape;
struct series_counters;

/* All borrowed. */
int scrape_create(struct scrape **out, struct program *program, struct series_counters *counters,
                  struct lag_watch *lag, const struct counting_worker *worker, struct error *error);
void scrape_destroy(struct scrape *scrape);
http_handler scrape_answer; /* its context is the scrape */

#endif
