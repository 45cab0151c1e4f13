#include "buffer/buffer.h"
#include "event/decode.h"
#include "event/encode.h"
#include "event/log_record.h"
#include "random/random.h"

#include "cmocka_all.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct event_text text_of(const char *text)
{
    return (struct event_text){text, strlen(text)};
}

static struct event some_event(void)
{
    return (struct event){.id = text_of("7f3a"),
                          .time_unix_ms = 1764025592125,
                          .service = text_of("api-service"),
                          .region = text_of("eu-west-1"),
                          .method = EVENT_METHOD_GET,
                          .route = text_of("/v1/orders/{id}"),
                          .status_code = 200,
                          .duration_s = 0.018262,
                          .count = 1,
                          .cpu_utilization = NAN,
                          .memory_utilization = NAN};
}

static void assert_text_equal(struct event_text a, struct event_text b)
{
    assert_int_equal(a.size, b.size);
    assert_true(a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
    assert_int_equal(a.data == NULL, b.data == NULL);
}

static bool same_real(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static void assert_event_equal(const struct event *a, const struct event *b)
{
    assert_text_equal(a->id, b->id);
    assert_int_equal(a->time_unix_ms, b->time_unix_ms);
    assert_text_equal(a->service, b->service);
    assert_text_equal(a->region, b->region);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->method, b->method);
    assert_text_equal(a->route, b->route);
    assert_int_equal(a->status_code, b->status_code);
    assert_true(same_real(a->duration_s, b->duration_s));
    assert_int_equal(a->count, b->count);
    assert_true(same_real(a->cpu_utilization, b->cpu_utilization));
    assert_true(same_real(a->memory_utilization, b->memory_utilization));
    assert_text_equal(a->trace_id, b->trace_id);
    assert_text_equal(a->span_id, b->span_id);
}

static void assert_comes_back(struct event_decoder *decoder, const struct event *event)
{
    struct buffer buffer;
    buffer_init(&buffer, 0);
    event_encode(&buffer, event);
    assert_false(buffer.failed);
    struct event back;
    struct event_fault fault;
    if (event_decode(decoder, buffer.data, buffer.size, &back, &fault) != EVENT_OK) {
        fail_msg("%s: %s", fault.message, buffer_text(&buffer));
    }
    assert_event_equal(event, &back);
    buffer_free(&buffer);
}

static void an_event_is_written_in_the_contracts_order(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 0);
    struct event event = some_event();
    event.count = 20;
    event.cpu_utilization = 0.5;
    event.trace_id = text_of("0123456789abcdef0123456789abcdef");
    event_encode(&buffer, &event);
    assert_string_equal(
        buffer_text(&buffer),
        "{\"id\":\"7f3a\",\"time_unix_ms\":1764025592125,\"service.name\":\"api-service\","
        "\"cloud.region\":\"eu-west-1\",\"http.request.method\":\"GET\","
        "\"http.route\":\"/v1/orders/{id}\",\"http.response.status_code\":200,"
        "\"http.server.request.duration\":0.018262,\"count\":20,\"system.cpu.utilization\":0.5,"
        "\"trace_id\":\"0123456789abcdef0123456789abcdef\"}");
    buffer_free(&buffer);
}

static void what_is_encoded_decodes_to_the_same_event(void **state)
{
    struct event_decoder *decoder = *state;
    struct event event = some_event();
    assert_comes_back(decoder, &event);
    event.id = text_of("quote \" slash \\ tab \t umlaut \xc3\xa4 face \xf0\x9f\x98\x80");
    event.service = text_of("\x01\x1f\x7f");
    event.method = EVENT_METHOD_OTHER;
    event.cpu_utilization = 0;
    event.memory_utilization = 1;
    event.span_id = text_of("0123456789abcdef");
    assert_comes_back(decoder, &event);
    event = some_event();
    event.kind = EVENT_RESOURCE;
    event.route = (struct event_text){NULL, 0};
    event.status_code = 0;
    event.duration_s = 0;
    event.memory_utilization = 1.0 / 3;
    assert_comes_back(decoder, &event);
}

static void every_duration_comes_back_to_the_last_bit(void **state)
{
    struct event_decoder *decoder = *state;
    const double fixed[] = {
        0, 1e-6, 1.5e-6, 5e-324, 86399.999999, 0.1, 0.30000000000000004, 86399.99999999999};
    struct event event = some_event();
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        event.duration_s = fixed[i];
        assert_comes_back(decoder, &event);
    }
    struct random random;
    random_init(&random, 4);
    for (int i = 0; i < 20000; i++) {
        double seconds = exp(random_unit(&random) * 30 - 19);
        event.duration_s = i % 2 == 0 ? seconds : round(seconds * 1e6) / 1e6;
        if (event.duration_s < EVENT_DURATION_S) {
            assert_comes_back(decoder, &event);
        }
    }
}

static void a_log_record_comes_back(void **state)
{
    struct event_decoder *decoder = *state;
    const struct log_record record = {.time_unix_ms = 1764025592125,
                                      .service = text_of("api-service"),
                                      .region = text_of("eu-west-1"),
                                      .severity = LOG_SEVERITY_WARN,
                                      .body = {"a\0b\nc", 5},
                                      .span_id = text_of("0123456789abcdef")};
    struct buffer buffer;
    buffer_init(&buffer, 0);
    log_record_encode(&buffer, &record);
    struct log_record back;
    struct event_fault fault;
    assert_int_equal(log_record_decode(decoder, buffer.data, buffer.size, &back, &fault), EVENT_OK);
    assert_int_equal(back.time_unix_ms, record.time_unix_ms);
    assert_text_equal(back.service, record.service);
    assert_text_equal(back.region, record.region);
    assert_int_equal(back.severity, record.severity);
    assert_text_equal(back.body, record.body);
    assert_text_equal(back.trace_id, record.trace_id);
    assert_text_equal(back.span_id, record.span_id);
    char key[EVENT_KEY_BYTES];
    assert_int_equal(log_record_key(key, &back), 21);
    assert_memory_equal(key, "api-service|eu-west-1", 21);
    buffer_free(&buffer);
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
        cmocka_unit_test(an_event_is_written_in_the_contracts_order),
        cmocka_unit_test(what_is_encoded_decodes_to_the_same_event),
        cmocka_unit_test(every_duration_comes_back_to_the_last_bit),
        cmocka_unit_test(a_log_record_comes_back),
    };
    return cmocka_run_group_tests(tests, make_decoder, free_decoder);
}
