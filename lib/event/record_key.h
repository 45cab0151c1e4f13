/* lib/event/record_key (inside lib/event): the key of both topics' records: service.name|cloud.region. */
#ifndef OBS_EVENT_RECORD_KEY_H
#define OBS_EVENT_RECORD_KEY_H

#include "event/event.h"

size_t record_key(char out[EVENT_KEY_BYTES], struct event_text service, struct event_text region);

#endif
