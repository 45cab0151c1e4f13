/* The key that the contract gives a record of metrics.raw or logs.raw: service.name|cloud.region. */
#ifndef BUSCAT_CONTRACT_KEY_H
#define BUSCAT_CONTRACT_KEY_H

#include "bus/bus.h"
#include "event/event.h"

struct event_decoder;

/* False: the topic has no such contract, or the value isn't a valid record of it. The key points into
 * storage. */
bool contract_key(struct event_decoder *decoder, const char *topic, struct bus_bytes value,
                  char storage[EVENT_KEY_BYTES], struct bus_bytes *key);

#endif
