/* What the contract says of a record of metrics.raw or logs.raw: is it valid, and under which key
 * (service.name|cloud.region) does it go? */
#ifndef BUSCAT_CONTRACT_KEY_H
#define BUSCAT_CONTRACT_KEY_H

#include "bus/bus.h"
#include "event/event.h"
#include "event/reason.h"

#include <stdbool.h>
#include <stdint.h>

struct event_decoder;

/* EVENT_OK, with the key (it points into storage; size 0: the topic has no such contract). Else fault says
 * what is wrong. appended_ms: when the bus would take it, for times in the future; INT64_MAX: don't ask. */
enum event_reason contract_check(struct event_decoder *decoder, const char *topic, struct bus_bytes value,
                                 int64_t appended_ms, char storage[EVENT_KEY_BYTES], struct bus_bytes *key,
                                 struct event_fault *fault);

/* False: the topic has no such contract, or the value isn't a valid record of it. */
bool contract_key(struct event_decoder *decoder, const char *topic, struct bus_bytes value,
                  char storage[EVENT_KEY_BYTES], struct bus_bytes *key);

#endif
