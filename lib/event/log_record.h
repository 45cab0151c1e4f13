/* lib/event/log_record: a line of a service's log: a record of the topic logs.raw. Decoded like an event. */
#ifndef OBS_EVENT_LOG_RECORD_H
#define OBS_EVENT_LOG_RECORD_H

#include "event/event.h"
#include "event/reason.h"

struct buffer;
struct event_decoder;

enum log_severity {
    LOG_SEVERITY_TRACE,
    LOG_SEVERITY_DEBUG,
    LOG_SEVERITY_INFO,
    LOG_SEVERITY_WARN,
    LOG_SEVERITY_ERROR,
    LOG_SEVERITY_FATAL,
    LOG_SEVERITY_COUNT
};

struct log_record {
    int64_t time_unix_ms;
    struct event_text service, region;
    enum log_severity severity;
    struct event_text body;
    struct event_text trace_id, span_id; /* or absent */
};

const char *log_severity_name(enum log_severity severity);

enum event_reason log_record_decode(struct event_decoder *decoder, const void *data, size_t size,
                                    struct log_record *record, struct event_fault *fault);
void log_record_encode(struct buffer *buffer, const struct log_record *record);
size_t log_record_key(char out[EVENT_KEY_BYTES], const struct log_record *record);

#endif
