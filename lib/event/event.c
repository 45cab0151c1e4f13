#include "event/event.h"

#include "event/record_key.h"

#include <string.h>

#define NAME(text)                                                                                           \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }

static const struct event_text method_names[EVENT_METHOD_COUNT] = {
    NAME("GET"),     NAME("HEAD"),  NAME("POST"),  NAME("PUT"),   NAME("DELETE"), NAME("CONNECT"),
    NAME("OPTIONS"), NAME("TRACE"), NAME("PATCH"), NAME("QUERY"), NAME("_OTHER"),
};

const char *event_method_name(enum event_method method)
{
    return (unsigned)method < EVENT_METHOD_COUNT ? method_names[method].data : "_OTHER";
}

bool event_method_from_name(const char *name, size_t size, enum event_method *method)
{
    for (int i = 0; i < EVENT_METHOD_COUNT; i++) {
        if (method_names[i].size == size && memcmp(method_names[i].data, name, size) == 0) {
            *method = (enum event_method)i;
            return true;
        }
    }
    return false;
}

size_t record_key(char out[EVENT_KEY_BYTES], struct event_text service, struct event_text region)
{
    memcpy(out, service.data, service.size);
    out[service.size] = '|';
    memcpy(out + service.size + 1, region.data, region.size);
    return service.size + 1 + region.size;
}

size_t event_key(char out[EVENT_KEY_BYTES], const struct event *event)
{
    return record_key(out, event->service, event->region);
}
