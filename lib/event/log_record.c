#include "event/log_record.h"

#include "event/decoder.h"
#include "event/record_key.h"

#include <string.h>

enum { TIME, SERVICE, REGION, SEVERITY, BODY, TRACE, SPAN, FIELDS };

static const struct field_name names[FIELDS] = {
    FIELD_NAME("time_unix_ms"),  FIELD_NAME("service.name"), FIELD_NAME("cloud.region"),
    FIELD_NAME("severity_text"), FIELD_NAME("body"),         FIELD_NAME("trace_id"),
    FIELD_NAME("span_id"),
};

static const struct field_list log_fields = {names, FIELDS};

static const char *const severities[LOG_SEVERITY_COUNT] = {"TRACE", "DEBUG", "INFO",
                                                           "WARN",  "ERROR", "FATAL"};

const char *log_severity_name(enum log_severity severity)
{
    return (unsigned)severity < LOG_SEVERITY_COUNT ? severities[severity] : "INFO";
}

static enum event_reason judge_severity(const struct field_judge *judge, struct log_record *record)
{
    struct event_text text;
    enum event_reason reason = field_choice(judge, SEVERITY, FIELD_REQUIRED, &text);
    if (reason != EVENT_OK) {
        return reason;
    }
    for (int i = 0; i < LOG_SEVERITY_COUNT; i++) {
        if (strlen(severities[i]) == text.size && memcmp(severities[i], text.data, text.size) == 0) {
            record->severity = (enum log_severity)i;
            return EVENT_OK;
        }
    }
    return field_refuse(judge, SEVERITY, "TRACE, DEBUG, INFO, WARN, ERROR or FATAL");
}

enum event_reason log_record_decode(struct event_decoder *decoder, const void *data, size_t size,
                                    struct log_record *record, struct event_fault *fault)
{
    enum event_reason reason = decoder_read_fields(decoder, &log_fields, data, size, fault);
    if (reason != EVENT_OK) {
        return reason;
    }
    struct field_judge judge = {&log_fields, &decoder->values, fault};
    *record = (struct log_record){0};
    reason = field_integer(&judge, TIME, FIELD_REQUIRED, 0, EVENT_TIME_MAX_MS, &record->time_unix_ms);
    if (reason == EVENT_OK) {
        reason = field_text(&judge, SERVICE, FIELD_REQUIRED, EVENT_NAME_BYTES, &record->service);
    }
    if (reason == EVENT_OK) {
        reason = field_text(&judge, REGION, FIELD_REQUIRED, EVENT_NAME_BYTES, &record->region);
    }
    if (reason == EVENT_OK) {
        reason = judge_severity(&judge, record);
    }
    if (reason == EVENT_OK) {
        reason = field_free_text(&judge, BODY, &record->body);
    }
    if (reason == EVENT_OK) {
        reason = field_hex(&judge, TRACE, 32, &record->trace_id);
    }
    return reason == EVENT_OK ? field_hex(&judge, SPAN, 16, &record->span_id) : reason;
}

size_t log_record_key(char out[EVENT_KEY_BYTES], const struct log_record *record)
{
    return record_key(out, record->service, record->region);
}
