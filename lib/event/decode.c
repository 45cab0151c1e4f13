#include "event/decoder.h"

#include "event/decode_common.h"
#include "event/decode_general.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* In the contract's order: it is the order of judging, of encoding and of docs/event-contract.md. */
enum {
    ID,
    TIME,
    SERVICE,
    REGION,
    KIND,
    METHOD,
    ROUTE,
    STATUS,
    DURATION,
    COUNT,
    CPU,
    MEMORY,
    TRACE,
    SPAN,
    FIELDS
};

static const struct field_name names[FIELDS] = {
    FIELD_NAME("id"),
    FIELD_NAME("time_unix_ms"),
    FIELD_NAME("service.name"),
    FIELD_NAME("cloud.region"),
    FIELD_NAME("kind"),
    FIELD_NAME("http.request.method"),
    FIELD_NAME("http.route"),
    FIELD_NAME("http.response.status_code"),
    FIELD_NAME("http.server.request.duration"),
    FIELD_NAME("count"),
    FIELD_NAME("system.cpu.utilization"),
    FIELD_NAME("system.memory.utilization"),
    FIELD_NAME("trace_id"),
    FIELD_NAME("span_id"),
};

static const struct field_list event_fields = {names, FIELDS};

int event_decoder_create(struct event_decoder **out, struct error *error)
{
    struct event_decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL) {
        return error_set(error, -1, "no memory for an event decoder");
    }
    if (json_reader_create(&decoder->reader, EVENT_RECORD_BYTES, error) != JSON_OK) {
        free(decoder);
        return -1;
    }
    *out = decoder;
    return 0;
}

void event_decoder_destroy(struct event_decoder *decoder)
{
    if (decoder != NULL) {
        json_reader_destroy(decoder->reader);
        free(decoder);
    }
}

enum event_reason decoder_read_fields(struct event_decoder *decoder, const struct field_list *list,
                                      const void *data, size_t size, struct event_fault *fault)
{
    if (size > EVENT_RECORD_BYTES) {
        return fault_set(fault, EVENT_TOO_LARGE, NULL, "the record has %zu bytes, at most %d are allowed",
                         size, EVENT_RECORD_BYTES);
    }
    if (!decoder->general_only && decode_common(list, data, size, &decoder->values)) {
        return EVENT_OK;
    }
    return decode_general(decoder->reader, list, data, size, &decoder->values, fault);
}

static enum event_reason judge_kind(const struct field_judge *judge, struct event *event)
{
    struct event_text kind = {"request", 7};
    enum event_reason reason = field_choice(judge, KIND, FIELD_OPTIONAL, &kind);
    if (reason != EVENT_OK) {
        return reason;
    }
    if (kind.size == 7 && memcmp(kind.data, "request", 7) == 0) {
        event->kind = EVENT_REQUEST;
    } else if (kind.size == 8 && memcmp(kind.data, "resource", 8) == 0) {
        event->kind = EVENT_RESOURCE;
    } else {
        return field_refuse(judge, KIND, "request or resource");
    }
    return EVENT_OK;
}

static enum event_reason judge_request(const struct field_judge *judge, struct event *event)
{
    struct event_text method;
    enum event_reason reason = field_choice(judge, METHOD, FIELD_REQUIRED, &method);
    if (reason != EVENT_OK) {
        return reason;
    }
    if (!event_method_from_name(method.data, method.size, &event->method)) {
        return field_refuse(judge, METHOD,
                            "GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH, QUERY or _OTHER");
    }
    reason = field_text(judge, ROUTE, FIELD_REQUIRED, EVENT_ROUTE_BYTES, &event->route);
    if (reason != EVENT_OK) {
        return reason;
    }
    int64_t status = 0;
    reason = field_integer(judge, STATUS, FIELD_REQUIRED, 100, 599, &status);
    if (reason != EVENT_OK) {
        return reason;
    }
    event->status_code = (int32_t)status;
    return field_real(judge, DURATION, FIELD_REQUIRED, EVENT_DURATION_S, true, &event->duration_s);
}

static enum event_reason judge_resource(const struct field_judge *judge)
{
    enum event_reason reason = EVENT_OK;
    for (uint32_t field = METHOD; field <= DURATION && reason == EVENT_OK; field++) {
        reason = field_forbid(judge, field, "when kind is resource");
    }
    return reason;
}

static enum event_reason judge_origin(const struct field_judge *judge, struct event *event)
{
    enum event_reason reason = field_text(judge, ID, FIELD_REQUIRED, EVENT_ID_BYTES, &event->id);
    if (reason == EVENT_OK) {
        reason = field_integer(judge, TIME, FIELD_REQUIRED, 0, EVENT_TIME_MAX_MS, &event->time_unix_ms);
    }
    if (reason == EVENT_OK) {
        reason = field_text(judge, SERVICE, FIELD_REQUIRED, EVENT_NAME_BYTES, &event->service);
    }
    if (reason == EVENT_OK) {
        reason = field_text(judge, REGION, FIELD_REQUIRED, EVENT_NAME_BYTES, &event->region);
    }
    return reason;
}

static enum event_reason judge_options(const struct field_judge *judge, struct event *event)
{
    int64_t count = 1;
    enum event_reason reason = field_integer(judge, COUNT, FIELD_OPTIONAL, 1, EVENT_COUNT_MAX, &count);
    event->count = (uint32_t)count;
    if (reason == EVENT_OK) {
        reason = field_real(judge, CPU, FIELD_OPTIONAL, 1.0, false, &event->cpu_utilization);
    }
    if (reason == EVENT_OK) {
        reason = field_real(judge, MEMORY, FIELD_OPTIONAL, 1.0, false, &event->memory_utilization);
    }
    if (reason == EVENT_OK) {
        reason = field_hex(judge, TRACE, 32, &event->trace_id);
    }
    if (reason == EVENT_OK) {
        reason = field_hex(judge, SPAN, 16, &event->span_id);
    }
    return reason;
}

enum event_reason event_decode(struct event_decoder *decoder, const void *data, size_t size,
                               struct event *event, struct event_fault *fault)
{
    enum event_reason reason = decoder_read_fields(decoder, &event_fields, data, size, fault);
    if (reason != EVENT_OK) {
        return reason;
    }
    struct field_judge judge = {&event_fields, &decoder->values, fault};
    *event = (struct event){.cpu_utilization = NAN, .memory_utilization = NAN};
    reason = judge_origin(&judge, event);
    if (reason == EVENT_OK) {
        reason = judge_kind(&judge, event);
    }
    if (reason == EVENT_OK) {
        reason = event->kind == EVENT_REQUEST ? judge_request(&judge, event) : judge_resource(&judge);
    }
    return reason == EVENT_OK ? judge_options(&judge, event) : reason;
}

enum event_reason event_check_time(const struct event *event, int64_t appended_ms, struct event_fault *fault)
{
    int64_t ahead_ms = event->time_unix_ms - appended_ms;
    if (ahead_ms <= EVENT_FUTURE_MS) {
        return EVENT_OK;
    }
    return fault_set(fault, EVENT_FUTURE_TIME, &names[TIME],
                     "is %" PRId64 " ms ahead of the record's time on the bus, at most %d are allowed",
                     ahead_ms, EVENT_FUTURE_MS);
}

enum event_reason event_check_partition(const struct event *event, int32_t partition,
                                        int32_t expected_partition, struct event_fault *fault)
{
    (void)event;
    if (partition == expected_partition) {
        return EVENT_OK;
    }
    return fault_set(
        fault, EVENT_WRONG_PARTITION, NULL,
        "the record is on partition %" PRId32 ", its key service.name|cloud.region belongs on %" PRId32
        ": set the producer's key to that and librdkafka's partitioner to murmur2_random (Java's default)",
        partition, expected_partition);
}
