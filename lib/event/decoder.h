/* lib/event/decoder (inside lib/event): what a struct event_decoder owns, and bytes to fields by the quickest
 * way that is right. */
#ifndef OBS_EVENT_DECODER_H
#define OBS_EVENT_DECODER_H

#include "event/decode.h"
#include "event/fields.h"
#include "json/json_read.h"

struct event_decoder {
    struct json_reader *reader;
    bool general_only; /* tests, fuzzing, benchmarks: not the quick way */
    struct field_values values;
};

/* EVENT_OK: decoder->values holds the fields of the list; else the fault is filled: too_large or
 * invalid_json. */
enum event_reason decoder_read_fields(struct event_decoder *decoder, const struct field_list *list,
                                      const void *data, size_t size, struct event_fault *fault);

#endif
