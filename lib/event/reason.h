/* lib/event/reason: why a record is malformed: stable codes that dead letters, counters and tests share. */
#ifndef OBS_EVENT_REASON_H
#define OBS_EVENT_REASON_H

#include <stddef.h>

enum event_reason {
    EVENT_OK = 0,
    EVENT_INVALID_JSON,    /* invalid_json: not one JSON object in UTF-8, or trailing bytes */
    EVENT_MISSING_FIELD,   /* missing_field */
    EVENT_WRONG_TYPE,      /* wrong_type */
    EVENT_OUT_OF_RANGE,    /* out_of_range: number, length, enumeration or form */
    EVENT_DUPLICATE_KEY,   /* duplicate_key: a field of the contract given twice */
    EVENT_TOO_LARGE,       /* too_large: the record is over 64 KiB */
    EVENT_FUTURE_TIME,     /* future_time: more than 60 s ahead of its append time */
    EVENT_WRONG_PARTITION, /* wrong_partition: not on its key's partition */
    EVENT_REASON_COUNT
};

const char *event_reason_name(enum event_reason reason); /* "invalid_json" …; "ok" */
const char *event_reason_stage(
    enum event_reason reason); /* "DECODE" for invalid_json and too_large, else "VALIDATE" */

/* What was wrong, for the dead letter. */
struct event_fault {
    enum event_reason reason;
    char field[64];    /* the contract's name, "" when no field is to blame */
    char message[256]; /* one sentence, valid UTF-8, no control characters */
};

#endif
