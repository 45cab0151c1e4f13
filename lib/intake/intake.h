/* lib/intake: a record of metrics.raw as it comes from the bus: is it an event that counts? The same answer
 * for everyone who reads the topic, so that what one dead-letters no other counts. */
#ifndef OBS_INTAKE_INTAKE_H
#define OBS_INTAKE_INTAKE_H

#include "bus/bus.h"
#include "event/decode.h"
#include "event/event.h"

#include <stdint.h>

/* Decodes it, then holds its time against its append time and its partition, one of partition_count, against
 * its key. EVENT_OK: *event is whole and lives as event_decode says. Else *fault says what is wrong, and
 * *event is undefined. */
enum event_reason intake_check(struct event_decoder *decoder, const struct bus_record *record,
                               int32_t partition_count, struct event *event, struct event_fault *fault);

#endif
