#include "contract_key.h"

#include "event/decode.h"
#include "event/log_record.h"
#include "topics/topics.h"

#include <string.h>

bool contract_key(struct event_decoder *decoder, const char *topic, struct bus_bytes value,
                  char storage[EVENT_KEY_BYTES], struct bus_bytes *key)
{
    struct event event;
    struct log_record log;
    struct event_fault fault;
    size_t size = 0;
    if (strcmp(topic, TOPIC_METRICS_RAW) == 0 &&
        event_decode(decoder, value.data, value.size_bytes, &event, &fault) == EVENT_OK) {
        size = event_key(storage, &event);
    } else if (strcmp(topic, TOPIC_LOGS_RAW) == 0 &&
               log_record_decode(decoder, value.data, value.size_bytes, &log, &fault) == EVENT_OK) {
        size = log_record_key(storage, &log);
    }
    *key = (struct bus_bytes){storage, size};
    return size > 0;
}
