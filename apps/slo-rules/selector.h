/* A query of an OpenSLO metric source, as far as rules can be made of it: the selector of a counter,
 *
 *   http_server_requests_total{service_name="api-service", status_class="5xx"}
 *
 * or that in sum(…), as OpenSLO's own examples write it: the sum over all series is what the rules take
 * anyway. Anything else (functions, ranges, arithmetic, a {{.window}} to fill in) can't be put into
 * rate(…[5m]), so it is refused here rather than by Prometheus. Grammar:
 * https://prometheus.io/docs/prometheus/latest/querying/basics */
#ifndef SLO_RULES_SELECTOR_H
#define SLO_RULES_SELECTOR_H

#include "slo.h"

/* counter points into query. Returns NULL, or what is wrong, a constant text that ends a sentence begun with
 * "the query …". */
const char *selector_read(const char *query, struct slo_counter *counter);

#endif
