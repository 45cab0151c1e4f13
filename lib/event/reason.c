#include "event/reason.h"

const char *event_reason_name(enum event_reason reason)
{
    static const char *const names[EVENT_REASON_COUNT] = {
        [EVENT_OK] = "ok",
        [EVENT_INVALID_JSON] = "invalid_json",
        [EVENT_MISSING_FIELD] = "missing_field",
        [EVENT_WRONG_TYPE] = "wrong_type",
        [EVENT_OUT_OF_RANGE] = "out_of_range",
        [EVENT_DUPLICATE_KEY] = "duplicate_key",
        [EVENT_TOO_LARGE] = "too_large",
        [EVENT_FUTURE_TIME] = "future_time",
        [EVENT_WRONG_PARTITION] = "wrong_partition",
    };
    return (unsigned)reason < EVENT_REASON_COUNT ? names[reason] : "unknown";
}

const char *event_reason_stage(enum event_reason reason)
{
    return reason == EVENT_INVALID_JSON || reason == EVENT_TOO_LARGE ? "DECODE" : "VALIDATE";
}
