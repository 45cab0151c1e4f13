/* Prometheus rules of an OpenSLO file, as the text of a rule file.
 *
 * Two groups for each objective. The first, evaluated as often as all rules, records what a page depends on:
 * the share of bad events over 5m, 30m and 1h, from the counters themselves. The second, every 5 minutes,
 * records how many events there were and how many were bad (slo:sli_total:increase5m,
 * slo:sli_bad:increase5m); longer windows and the budget are sums of these, so they weigh each event alike,
 * however the traffic varies, and 30 days cost as little as 8640 samples. Names and labels are Sloth's
 * (https://github.com/slok/sloth), so its dashboards fit; slo:sli_bad, slo:sli_total and slo:history_covered
 * are ours. Alerts on several windows and burn rates: The Site Reliability Workbook, chapter 5. */
#ifndef SLO_RULES_RULE_TEXT_H
#define SLO_RULES_RULE_TEXT_H

#include "slo_file.h"

struct buffer;

/* Appends to out (its `failed` tells of a lack of memory). source: the file as the first line names it. */
void rule_text_write(struct buffer *out, const struct slo_file *file, const char *source);

#endif
