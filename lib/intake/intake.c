#include "intake/intake.h"

enum event_reason intake_check(struct event_decoder *decoder, const struct bus_record *record,
                               int32_t partition_count, struct event *event, struct event_fault *fault)
{
    enum event_reason reason =
        event_decode(decoder, record->value.data, record->value.size_bytes, event, fault);
    if (reason == EVENT_OK) {
        reason = event_check_time(event, record->appended_ms, fault);
    }
    if (reason == EVENT_OK) {
        char key[EVENT_KEY_BYTES];
        size_t key_bytes = event_key(key, event);
        int32_t expected = bus_partition_for_key(key, key_bytes, partition_count);
        reason = event_check_partition(event, record->partition, expected, fault);
    }
    return reason;
}
