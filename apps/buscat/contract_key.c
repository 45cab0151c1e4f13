#include "contract_key.h"

#include "event/decode.h"
#include "event/log_record.h"
#include "topics/topics.h"

#include <string.h>

enum event_reason contract_check(struct event_decoder *decoder, const char *topic, struct bus_bytes value,
                                 int64_t appended_ms, char storage[EVENT_KEY_BYTES], struct bus_bytes *key,
                                 struct event_fault *fault)
{
    struct event event;
    struct log_record log;
    size_t size = 0;
    enum event_reason reason = EVENT_OK;
    if (strcmp(topic, TOPIC_METRICS_RAW) == 0) {
        reason = event_decode(decoder, value.data, value.size_bytes, &event, fault);
        if (reason == EVENT_OK && appended_ms != INT64_MAX) {
            reason = event_check_time(&event, appended_ms, fault);
        }
        size = reason == EVENT_OK ? event_key(storage, &event) : 0;
    } else if (strcmp(topic, TOPIC_LOGS_RAW) == 0) {
        reason = log_record_decode(decoder, value.data, value.size_bytes, &log, fault);
        size = reason == EVENT_OK ? log_record_key(storage, &log) : 0;
    }
    *key = (struct bus_bytes){storage, size};
    return reason;
}

bool contract_key(struct event_decoder *decoder, const char *topic, struct bus_bytes value,
                  char storage[EVENT_KEY_BYTES], struct bus_bytes *key)
{
    struct event_fault fault;
    return contract_check(decoder, topic, value, INT64_MAX, storage, key, &fault) == EVENT_OK &&
           key->size_bytes > 0;
}
