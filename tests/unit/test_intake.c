#include "intake/intake.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#define PARTITIONS 12
#define NOW_MS     INT64_C(1795561200000)

static enum event_reason check(const char *route, int64_t time_ms, int32_t away)
{
    static const char form[] =
        "{\"id\":\"1\",\"time_unix_ms\":%lld,\"service.name\":\"a\",\"cloud.region\":\"eu\",\"http.request."
        "method\":\"GET\",%s\"http.response.status_code\":200,\"http.server.request.duration\":0.1}";
    char value[512];
    struct event_decoder *decoder = NULL;
    struct event event;
    struct event_fault fault;
    assert_int_equal(event_decoder_create(&decoder, NULL), 0);
    int size = snprintf(value, sizeof value, form, (long long)time_ms, route);
    const struct bus_record record = {.partition =
                                          (bus_partition_for_key("a|eu", 4, PARTITIONS) + away) % PARTITIONS,
                                      .appended_ms = NOW_MS,
                                      .value = {value, (size_t)size}};
    enum event_reason reason = intake_check(decoder, &record, PARTITIONS, &event, &fault);
    assert_true(reason == EVENT_OK || fault.reason == reason);
    event_decoder_destroy(decoder);
    return reason;
}

static void what_is_wrong_is_told_in_the_order_value_time_partition(void **state)
{
    (void)state;
    static const char route[] = "\"http.route\":\"/\",";
    assert_int_equal(check(route, NOW_MS + EVENT_FUTURE_MS, 0), EVENT_OK);
    assert_int_equal(check(route, NOW_MS, 1), EVENT_WRONG_PARTITION);
    assert_int_equal(check(route, NOW_MS + EVENT_FUTURE_MS + 1, 0), EVENT_FUTURE_TIME);
    assert_int_equal(check(route, NOW_MS + EVENT_FUTURE_MS + 1, 1), EVENT_FUTURE_TIME);
    assert_int_equal(check("", NOW_MS + EVENT_FUTURE_MS + 1, 1), EVENT_MISSING_FIELD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_told_in_the_order_value_time_partition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
