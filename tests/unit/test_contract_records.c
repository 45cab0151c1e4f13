/* Every malformed case of the contract gives its reason and names its field, and good records are taken; the
 * quick way and the general way agree. tests/contracts asks the JSON Schemas about the same records. */
#include "event/decode.h"
#include "event/decoder.h"
#include "event/log_record.h"
#include "support/record_set.h"
#include "json/utf8.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS OBS_SOURCE_DIR "/tests/data/records/"

typedef enum event_reason decode(struct event_decoder *decoder, const struct record_case *record,
                                 struct event_fault *fault);

static enum event_reason decode_event(struct event_decoder *decoder, const struct record_case *record,
                                      struct event_fault *fault)
{
    struct event event;
    return event_decode(decoder, record->data, record->size, &event, fault);
}

static enum event_reason decode_log(struct event_decoder *decoder, const struct record_case *record,
                                    struct event_fault *fault)
{
    struct log_record log;
    return log_record_decode(decoder, record->data, record->size, &log, fault);
}

static bool is_one_line(const char *message)
{
    for (const char *at = message; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ') {
            return false;
        }
    }
    return message[0] != '\0' && utf8_is_valid(message, strlen(message));
}

static void check(struct event_decoder *decoder, decode *way, const struct record_case *record)
{
    struct event_fault fault = {.reason = EVENT_OK};
    enum event_reason reason = way(decoder, record, &fault);
    if (strcmp(event_reason_name(reason), record->reason) != 0 || strcmp(fault.field, record->field) != 0) {
        fail_msg("%s: %s '%s', expected %s '%s' (%s)", record->name, event_reason_name(reason), fault.field,
                 record->reason, record->field, fault.message);
    }
    assert_int_equal(reason, fault.reason);
    if (reason != EVENT_OK &&
        (!is_one_line(fault.message) || strstr(fault.message, fault.field) != fault.message)) {
        fail_msg("%s: no sentence about the field: '%s'", record->name, fault.message);
    }
}

static void check_all(struct event_decoder *decoder, decode *way, const char *path)
{
    struct record_set set;
    record_set_load(&set, path);
    for (size_t i = 0; i < set.count; i++) {
        check(decoder, way, &set.cases[i]);
        decoder->general_only = true;
        check(decoder, way, &set.cases[i]);
        decoder->general_only = false;
    }
    record_set_free(&set);
}

static void every_event_of_the_set_gets_its_verdict(void **state)
{
    check_all(*state, decode_event, RECORDS "metrics.raw.jsonl");
}

static void every_log_record_of_the_set_gets_its_verdict(void **state)
{
    check_all(*state, decode_log, RECORDS "logs.raw.jsonl");
}

static void a_good_record_cut_anywhere_is_not_json(void **state)
{
    struct record_set set;
    record_set_load(&set, RECORDS "metrics.raw.jsonl");
    const struct record_case *full = &set.cases[1];
    for (size_t size = 0; size < full->size; size++) {
        struct record_case cut = *full;
        cut.size = size;
        cut.data = malloc(size + 1);
        assert_non_null(cut.data);
        char *exact = realloc(cut.data, size == 0 ? 1 : size);
        assert_non_null(exact);
        cut.data = exact;
        memcpy(cut.data, full->data, size);
        (void)snprintf(cut.reason, sizeof cut.reason, "invalid_json");
        check(*state, decode_event, &cut);
        free(cut.data);
    }
    record_set_free(&set);
}

static void an_events_fields_are_what_was_written(void **state)
{
    static const char record[] =
        "{\"x\":[{}],\"span_id\":\"fedcba9876543210\",\"trace_id\":\"0123456789abcdef0123456789abcdef\","
        "\"system.memory.utilization\":1,\"system.cpu.utilization\":5e-1,\"count\":20.0,"
        "\"http.server.request.duration\":-0.0,\"http.response.status_code\":5.03e2,\"http.route\":\"\\/"
        "v1\\u00e9\","
        "\"http.request.method\":\"_OTHER\",\"cloud.region\":\"eu\",\"service.name\":\"\\ud83d\\ude00\","
        "\"time_unix_ms\":1764025592125,\"id\":\"a\\\"b\"}";
    struct event event;
    struct event_fault fault;
    assert_int_equal(event_decode(*state, record, sizeof record - 1, &event, &fault), EVENT_OK);
    assert_int_equal(event.id.size, 3);
    assert_memory_equal(event.id.data, "a\"b", 3);
    assert_int_equal(event.time_unix_ms, 1764025592125);
    assert_int_equal(event.service.size, 4);
    assert_memory_equal(event.service.data, "\xf0\x9f\x98\x80", 4);
    assert_int_equal(event.route.size, 5);
    assert_memory_equal(event.route.data, "/v1\xc3\xa9", 5);
    assert_int_equal(event.kind, EVENT_REQUEST);
    assert_int_equal(event.method, EVENT_METHOD_OTHER);
    assert_int_equal(event.status_code, 503);
    assert_true(event.duration_s == 0 && !__builtin_signbit(event.duration_s));
    assert_int_equal(event.count, 20);
    assert_true(event.cpu_utilization == 0.5 && event.memory_utilization == 1);
    assert_memory_equal(event.trace_id.data, "0123456789abcdef0123456789abcdef", event.trace_id.size);
    assert_memory_equal(event.span_id.data, "fedcba9876543210", event.span_id.size);
    char key[EVENT_KEY_BYTES];
    assert_int_equal(event_key(key, &event), 7);
    assert_memory_equal(key, "\xf0\x9f\x98\x80|eu", 7);
}

static void an_event_may_be_a_minute_ahead_of_the_bus_and_no_more(void **state)
{
    (void)state;
    struct event event = {.time_unix_ms = 1000000};
    struct event_fault fault;
    assert_int_equal(event_check_time(&event, 1000000 - EVENT_FUTURE_MS, &fault), EVENT_OK);
    assert_int_equal(event_check_time(&event, 5000000, &fault), EVENT_OK);
    assert_int_equal(event_check_time(&event, 1000000 - EVENT_FUTURE_MS - 1, &fault), EVENT_FUTURE_TIME);
    assert_string_equal(fault.field, "time_unix_ms");
    assert_string_equal(
        fault.message,
        "time_unix_ms is 60001 ms ahead of the record's time on the bus, at most 60000 are allowed");
}

static void a_record_off_its_keys_partition_is_told_what_to_set(void **state)
{
    (void)state;
    struct event event = {.time_unix_ms = 0};
    struct event_fault fault;
    assert_int_equal(event_check_partition(&event, 3, 3, &fault), EVENT_OK);
    assert_int_equal(event_check_partition(&event, 2, 3, &fault), EVENT_WRONG_PARTITION);
    assert_non_null(strstr(fault.message, "partitioner"));
    assert_non_null(strstr(fault.message, "murmur2_random"));
    assert_string_equal(event_reason_stage(EVENT_WRONG_PARTITION), "VALIDATE");
    assert_string_equal(event_reason_stage(EVENT_INVALID_JSON), "DECODE");
}

static int make_decoder(void **state)
{
    return event_decoder_create((struct event_decoder **)state, NULL);
}

static int free_decoder(void **state)
{
    event_decoder_destroy(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_of_the_set_gets_its_verdict),
        cmocka_unit_test(every_log_record_of_the_set_gets_its_verdict),
        cmocka_unit_test(a_good_record_cut_anywhere_is_not_json),
        cmocka_unit_test(an_events_fields_are_what_was_written),
        cmocka_unit_test(an_event_may_be_a_minute_ahead_of_the_bus_and_no_more),
        cmocka_unit_test(a_record_off_its_keys_partition_is_told_what_to_set),
    };
    return cmocka_run_group_tests(tests, make_decoder, free_decoder);
}
