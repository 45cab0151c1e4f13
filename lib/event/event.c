#include "event/event.h"

#include "event/record_key.h"

#include <string.h>

static const char *const method_names[EVENT_METHOD_COUNT] = {
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY", "_OTHER",
};

const char *event_method_name(enum event_method method)
{
    return (unsigned)method < EVENT_METHOD_COUNT ? method_names[method] : "_OTHER";
}

bool event_method_from_name(const char *name, size_t size, enum event_method *method)
{
    for (int i = 0; i < EVENT_METHOD_COUNT; i++) {
        if (strlen(method_names[i]) == size && memcmp(method_names[i], name, size) == 0) {
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
