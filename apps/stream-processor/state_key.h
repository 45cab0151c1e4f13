/* Keys of state that belongs to a place in the input: a prefix ("tick|") and the offset as 16 hex digits. */
#ifndef STREAM_PROCESSOR_STATE_KEY_H
#define STREAM_PROCESSOR_STATE_KEY_H

#include "bus/bus.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* room: the prefix, 16 digits and NUL must fit. */
void state_key_write(char *out, size_t room, const char *prefix, int64_t offset);
/* False: not such a key. */
bool state_key_read(struct bus_bytes key, const char *prefix, int64_t *offset);

#endif
