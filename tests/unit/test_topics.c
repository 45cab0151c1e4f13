#include "topics/topics.h"

#include "cmocka_all.h"

#include <string.h>

#define HOUR_MS INT64_C(3600000)

static void the_table_is_the_specification_s(void **state)
{
    (void)state;
    static const struct bus_topic expected[] = {
        {"metrics.raw", 12, false, 24 * HOUR_MS, 0, 0},
        {"logs.raw", 12, false, 24 * HOUR_MS, 0, 0},
        {"alerts.fired", 3, false, 30 * 24 * HOUR_MS, 0, 0},
        {"alerts.active", 3, true, 0, 0, 0},
        {"metrics.raw.dlq", 3, false, 7 * 24 * HOUR_MS, 0, 2 * 1048576},
        {"logs.raw.dlq", 3, false, 7 * 24 * HOUR_MS, 0, 2 * 1048576},
        {"stream-processor.state", 12, true, 0, 0, 0},
        {"metrics-bridge.state", 12, true, 0, 0, 0},
    };
    assert_int_equal(sizeof expected / sizeof expected[0], TOPIC_COUNT);
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        const struct bus_topic *topic = topics_find(expected[i].name);
        assert_non_null(topic);
        assert_ptr_equal(topic, &topics_all()[i]);
        assert_int_equal(topic->partitions, expected[i].partitions);
        assert_int_equal(topic->compacted, expected[i].compacted);
        assert_int_equal(topic->retention_ms, expected[i].retention_ms);
        assert_int_equal(topic->max_message_bytes, expected[i].max_message_bytes);
    }
}

static void a_name_that_is_not_the_platform_s_is_not_found(void **state)
{
    (void)state;
    assert_null(topics_find("metrics"));
    assert_null(topics_find(""));
}

static void a_dead_letter_topic_takes_twice_what_its_input_takes(void **state)
{
    (void)state;
    const int64_t default_bytes = 1048576; /* bus.h: max_message_bytes 0 */
    assert_int_equal(topics_find(TOPIC_METRICS_RAW)->max_message_bytes, 0);
    assert_int_equal(topics_find(TOPIC_METRICS_RAW_DLQ)->max_message_bytes, 2 * default_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_the_specification_s),
        cmocka_unit_test(a_name_that_is_not_the_platform_s_is_not_found),
        cmocka_unit_test(a_dead_letter_topic_takes_twice_what_its_input_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
