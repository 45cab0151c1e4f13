/* lib/event/decode_common (inside lib/event): the quick way for records in the common form: one flat object,
 * names and texts without escapes, each field once. Any order, any white space and fields of no contract are
 * fine; the contract's order, which event_encode writes, is quickest. */
#ifndef OBS_EVENT_DECODE_COMMON_H
#define OBS_EVENT_DECODE_COMMON_H

#include "event/fields.h"

/* True: the record is valid JSON, and values holds exactly what decode_general would have found; texts point
 * into the record. False says nothing about the record but that decode_general must look at it. */
bool decode_common(const struct field_list *list, const char *data, size_t size, struct field_values *values);

#endif
