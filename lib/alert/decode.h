/* lib/alert/decode: a record of alerts.fired back into a transition.
 *
 * Unknown fields are ignored. What the record doesn't say stays as it is not known: `below` is false, and
 * `runbook` is the URL that was published. */
#ifndef OBS_ALERT_DECODE_H
#define OBS_ALERT_DECODE_H

#include "alert/transition.h"
#include "error/error.h"

#include <stddef.h>

struct alert_decoder;

int alert_decoder_create(struct alert_decoder **out, struct error *error); /* one per thread */
void alert_decoder_destroy(struct alert_decoder *decoder);

/* -1: not a transition; error says what is wrong. */
int alert_decode(struct alert_decoder *decoder, const void *data, size_t size, struct alert_transition *out,
                 struct error *error);

#endif
