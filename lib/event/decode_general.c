#include "event/decode_general.h"

#include <string.h>

struct collector {
    const struct field_list *list;
    struct field_values *values;
    int field; /* whose value comes next; -1: of no interest */
    bool is_object;
};

static void note_key(struct collector *collector, const char *text, size_t size)
{
    collector->field = field_find(collector->list, text, size);
    if (collector->field >= 0) {
        uint32_t bit = UINT32_C(1) << collector->field;
        collector->values->repeated |= collector->values->seen & bit;
        collector->values->seen |= bit;
    }
}

static enum field_type type_of_token(enum json_token token)
{
    switch (token) {
    case JSON_TOKEN_FALSE:
    case JSON_TOKEN_TRUE:
        return FIELD_BOOLEAN;
    case JSON_TOKEN_NUMBER:
        return FIELD_NUMBER;
    case JSON_TOKEN_STRING:
        return FIELD_STRING;
    case JSON_TOKEN_ARRAY_BEGIN:
        return FIELD_ARRAY;
    case JSON_TOKEN_OBJECT_BEGIN:
        return FIELD_OBJECT;
    default:
        return FIELD_NULL;
    }
}

static bool collect(void *context, enum json_token token, uint32_t depth, const char *text, size_t size)
{
    struct collector *collector = context;
    if (depth == 0) {
        collector->is_object = token == JSON_TOKEN_OBJECT_BEGIN || token == JSON_TOKEN_OBJECT_END;
        return true;
    }
    if (depth > 1 || token == JSON_TOKEN_ARRAY_END || token == JSON_TOKEN_OBJECT_END) {
        return true;
    }
    if (token == JSON_TOKEN_KEY) {
        note_key(collector, text, size);
        return true;
    }
    if (collector->field >= 0) {
        struct field_value *value = &collector->values->values[collector->field];
        *value = (struct field_value){.type = type_of_token(token), .text = text, .size = size};
        if (token == JSON_TOKEN_NUMBER) {
            (void)json_number_scan(text, size, &value->number);
        } else if (token == JSON_TOKEN_STRING) {
            value->has_nul = memchr(text, '\0', size) != NULL;
        }
    }
    return true;
}

enum event_reason decode_general(struct json_reader *reader, const struct field_list *list, const void *data,
                                 size_t size, struct field_values *values, struct event_fault *fault)
{
    values->seen = values->repeated = 0;
    struct collector collector = {.list = list, .values = values, .field = -1};
    struct error error;
    if (json_read(reader, data, size, collect, &collector, &error) != JSON_OK) {
        return fault_set(fault, EVENT_INVALID_JSON, NULL, "not valid JSON: %.200s", error.message);
    }
    if (!collector.is_object) {
        return fault_set(fault, EVENT_INVALID_JSON, NULL, "valid JSON, but not an object");
    }
    return EVENT_OK;
}
