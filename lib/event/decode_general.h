/* lib/event/decode_general (inside lib/event): any JSON object, by the book. */
#ifndef OBS_EVENT_DECODE_GENERAL_H
#define OBS_EVENT_DECODE_GENERAL_H

#include "event/fields.h"
#include "json/json_read.h"

/* EVENT_OK: values holds the contract's fields (texts live as json_read's do); else the fault is filled:
 * invalid_json. */
enum event_reason decode_general(struct json_reader *reader, const struct field_list *list, const void *data,
                                 size_t size, struct field_values *values, struct event_fault *fault);

#endif
