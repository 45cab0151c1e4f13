/* lib/alert/encode: a transition as the JSON of alerts.fired (contracts/alerts.fired.schema.json). */
#ifndef OBS_ALERT_ENCODE_H
#define OBS_ALERT_ENCODE_H

#include "alert/transition.h"

struct buffer;

/* runbook_base: put before a relative runbook ("" or NULL: as it is). Failure is buffer->failed. */
void alert_encode(struct buffer *buffer, const struct alert_transition *transition, const char *runbook_base);
/* One sentence for people: "Error rate of api-service in us-east-1 is 31.2 %, over 5 % (312 of 1000 requests
 * in 10 s)". */
void alert_summary(struct buffer *buffer, const struct alert_transition *transition);

#endif
