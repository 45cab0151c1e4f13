/* Any bytes as a record of metrics.raw and of logs.raw: the quick way and the general way must give the same
 * verdict, blame the same field and find the same values; what is accepted must come back from the encoder.
 * The input is libFuzzer's own heap block of exactly that size, so a look past its end is seen too. */
#include "buffer/buffer.h"
#include "event/decoder.h"
#include "event/encode.h"
#include "event/log_record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort(); /* the stack says which */
    }
}

static void same_text(struct event_text a, struct event_text b)
{
    require((a.data == NULL) == (b.data == NULL) && a.size == b.size);
    require(a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void same_real(double a, double b)
{
    require(memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)));
}

static void same_event(const struct event *a, const struct event *b)
{
    same_text(a->id, b->id);
    same_text(a->service, b->service);
    same_text(a->region, b->region);
    same_text(a->route, b->route);
    same_text(a->trace_id, b->trace_id);
    same_text(a->span_id, b->span_id);
    same_real(a->duration_s, b->duration_s);
    same_real(a->cpu_utilization, b->cpu_utilization);
    same_real(a->memory_utilization, b->memory_utilization);
    require(a->time_unix_ms == b->time_unix_ms && a->kind == b->kind && a->method == b->method);
    require(a->status_code == b->status_code && a->count == b->count);
}

static void same_log(const struct log_record *a, const struct log_record *b)
{
    same_text(a->service, b->service);
    same_text(a->region, b->region);
    same_text(a->body, b->body);
    same_text(a->trace_id, b->trace_id);
    same_text(a->span_id, b->span_id);
    require(a->time_unix_ms == b->time_unix_ms && a->severity == b->severity);
}

static void same_fault(enum event_reason a, const struct event_fault *fault_a, enum event_reason b,
                       const struct event_fault *fault_b)
{
    require(a == b);
    require(a == EVENT_OK || (fault_a->reason == a && fault_b->reason == b));
    require(a == EVENT_OK || strcmp(fault_a->field, fault_b->field) == 0);
    require(a == EVENT_OK || strcmp(fault_a->message, fault_b->message) == 0);
}

static struct event_decoder *quick, *general, *third;

static void check_event(const uint8_t *data, size_t size)
{
    struct event a;
    struct event b;
    struct event_fault fault_a;
    struct event_fault fault_b;
    enum event_reason reason = event_decode(quick, data, size, &a, &fault_a);
    same_fault(reason, &fault_a, event_decode(general, data, size, &b, &fault_b), &fault_b);
    if (reason != EVENT_OK) {
        return;
    }
    same_event(&a, &b);
    struct buffer buffer;
    buffer_init(&buffer, 0);
    event_encode(&buffer, &a);
    require(event_decode(third, buffer.data, buffer.size, &b, &fault_b) == EVENT_OK);
    same_event(&a, &b);
    buffer_free(&buffer);
}

static void check_log(const uint8_t *data, size_t size)
{
    struct log_record a;
    struct log_record b;
    struct event_fault fault_a;
    struct event_fault fault_b;
    enum event_reason reason = log_record_decode(quick, data, size, &a, &fault_a);
    same_fault(reason, &fault_a, log_record_decode(general, data, size, &b, &fault_b), &fault_b);
    if (reason != EVENT_OK) {
        return;
    }
    same_log(&a, &b);
    struct buffer buffer;
    buffer_init(&buffer, 0);
    log_record_encode(&buffer, &a);
    reason = log_record_decode(third, buffer.data, buffer.size, &b, &fault_b);
    require(reason == EVENT_OK || reason == EVENT_TOO_LARGE); /* raw characters may need escapes now */
    if (reason == EVENT_OK) {
        same_log(&a, &b);
    }
    buffer_free(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (quick == NULL) {
        require(event_decoder_create(&quick, NULL) == 0 && event_decoder_create(&general, NULL) == 0 &&
                event_decoder_create(&third, NULL) == 0);
        general->general_only = true;
    }
    check_event(data, size);
    check_log(data, size);
    return 0;
}
