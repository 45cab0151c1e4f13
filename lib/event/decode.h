/* lib/event/decode: a record's bytes into a struct event, strictly, without allocating per event.
 *
 * The decoder owns scratch memory of a fixed size, so calls allocate nothing. One decoder per thread.
 * Malformed input is a normal result: the reason comes back and *fault says which field and why. When several
 * things are wrong the first in this order is reported: too_large, invalid_json, then by field in the
 * contract's order. */
#ifndef OBS_EVENT_DECODE_H
#define OBS_EVENT_DECODE_H

#include "error/error.h"
#include "event/event.h"
#include "event/reason.h"

struct event_decoder;

int event_decoder_create(struct event_decoder **out, struct error *error);
void event_decoder_destroy(struct event_decoder *decoder);

/* EVENT_OK: *event is whole. Otherwise *event is undefined and *fault filled. fault may not be NULL. */
enum event_reason event_decode(struct event_decoder *decoder, const void *data, size_t size,
                               struct event *event, struct event_fault *fault);

/* What only the bus knows: is the event's time at most EVENT_FUTURE_MS ahead of its append time? */
enum event_reason event_check_time(const struct event *event, int64_t appended_ms, struct event_fault *fault);

/* Is the record on the partition of its event's key? Another one is wrong_partition; the message names the
 * client setting. */
enum event_reason event_check_partition(const struct event *event, int32_t partition,
                                        int32_t expected_partition, struct event_fault *fault);

#endif
