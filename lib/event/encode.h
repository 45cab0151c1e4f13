/* lib/event/encode: a struct event as the JSON of metrics.raw, fields in the contract's order (the decoder's
 * quick path). */
#ifndef OBS_EVENT_ENCODE_H
#define OBS_EVENT_ENCODE_H

#include "event/event.h"

struct buffer;

/* Appends one JSON object, no newline. What decodes back is the same event (absent optional fields are left
 * out; count 1 too). Failure is buffer->failed. */
void event_encode(struct buffer *buffer, const struct event *event);

#endif
