/* lib/event: one finished request (or a sample of utilisation) of a service: a record of the topic
 * metrics.raw.
 *
 * The contract is docs/event-contract.md and contracts/metrics.raw.schema.json. A struct event is what the
 * decoder makes of a record's bytes without copying: texts point into the record, or into the decoder's
 * scratch memory where an escape had to be undone; both live until the decoder's next call or the record's
 * end, whichever is first. */
#ifndef OBS_EVENT_EVENT_H
#define OBS_EVENT_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_RECORD_BYTES 65536 /* a larger record is malformed */
#define EVENT_ID_BYTES     64    /* longest texts, in bytes of UTF-8 */
#define EVENT_NAME_BYTES   128   /* service.name, cloud.region */
#define EVENT_ROUTE_BYTES  256
#define EVENT_COUNT_MAX    1000000
#define EVENT_TIME_MAX_MS  INT64_C(253402300799999) /* the end of the year 9999, RFC 3339's last */
#define EVENT_DURATION_S   86400.0                  /* durations are below this */
#define EVENT_FUTURE_MS    60000 /* how far time_unix_ms may be ahead of the record's append time */
#define EVENT_KEY_BYTES    (2 * EVENT_NAME_BYTES + 1)

struct event_text {
    const char *data; /* UTF-8, not NUL-ended; NULL and 0: absent */
    size_t size;
};

enum event_kind { EVENT_REQUEST, EVENT_RESOURCE };

enum event_method {
    EVENT_METHOD_GET,
    EVENT_METHOD_HEAD,
    EVENT_METHOD_POST,
    EVENT_METHOD_PUT,
    EVENT_METHOD_DELETE,
    EVENT_METHOD_CONNECT,
    EVENT_METHOD_OPTIONS,
    EVENT_METHOD_TRACE,
    EVENT_METHOD_PATCH,
    EVENT_METHOD_QUERY,
    EVENT_METHOD_OTHER, /* "_OTHER" */
    EVENT_METHOD_COUNT
};

struct event {
    struct event_text id;
    int64_t time_unix_ms; /* when the request ended */
    struct event_text service, region;
    enum event_kind kind;
    /* requests only; absent (zero, NULL) for EVENT_RESOURCE */
    enum event_method method;
    struct event_text route;
    int32_t status_code; /* 100-599; 500-599 is an error */
    double duration_s;
    uint32_t count; /* the record stands for that many equal requests; 1 unless given */
    double cpu_utilization, memory_utilization; /* 0-1, NaN: absent */
    struct event_text trace_id, span_id;        /* 32 and 16 lower-case hex digits, or absent */
};

const char *event_method_name(enum event_method method); /* "GET" … "_OTHER" */
bool event_method_from_name(const char *name, size_t size, enum event_method *method);

/* The record's key: service.name|cloud.region. Returns its length, at most EVENT_KEY_BYTES; not NUL-ended. */
size_t event_key(char out[EVENT_KEY_BYTES], const struct event *event);

#endif
