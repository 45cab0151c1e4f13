/* The processor's own small parts: ticks and rules as they are saved, transitions that are shown. */
#include "rules_record.h"
#include "tick_log.h"
#include "transition_ring.h"

#include "buffer/buffer.h"

#include "cmocka_all.h"

#include <string.h>

static void ticks_are_kept_in_order_and_the_last_of_a_silence_counts(void **state)
{
    (void)state;
    struct tick_log log = {0};
    assert_true(tick_log_put(&log, 20, 5000));
    assert_true(tick_log_put(&log, 10, 3000));
    assert_true(tick_log_put(&log, 20, 9000));
    assert_true(tick_log_put(&log, 20, 7000)); /* an older value of the same key */
    assert_int_equal(log.count, 2);
    assert_int_equal(log.ticks[0].offset, 10);
    assert_int_equal(log.ticks[1].clock_ms, 9000);
    assert_int_equal(tick_log_drop_before(&log, 20), 1);
    assert_int_equal(log.count, 1);
    tick_log_free(&log);
}

static void a_saved_tick_comes_back_and_a_damaged_one_is_named(void **state)
{
    (void)state;
    struct tick_log log = {0};
    struct error error;
    char key[TICK_KEY_BYTES + 1];
    struct buffer value;
    buffer_init(&value, 0);
    tick_key_write(key, 77);
    tick_value_write(&value, 1795579897000);
    const struct bus_bytes key_bytes = {key, TICK_KEY_BYTES};
    assert_true(tick_is_key(key_bytes));
    assert_int_equal(tick_log_restore(&log, key_bytes, (struct bus_bytes){value.data, value.size}, &error),
                     0);
    assert_int_equal(log.ticks[0].offset, 77);
    assert_int_equal(log.ticks[0].clock_ms, 1795579897000);
    assert_int_equal(tick_log_restore(&log, key_bytes, (struct bus_bytes){value.data, 3}, &error), -1);
    assert_non_null(strstr(error.message, "tick|000000000000004d"));
    value.data[0]++;
    assert_int_equal(tick_log_restore(&log, key_bytes, (struct bus_bytes){value.data, value.size}, &error),
                     -1);
    assert_false(tick_is_key((struct bus_bytes){"tick|xyz", 8}));
    buffer_free(&value);
    tick_log_free(&log);
}

static void saved_rules_say_since_when_and_hash_what_decides(void **state)
{
    (void)state;
    struct buffer value;
    struct error error;
    struct rules_record read;
    char key[RULES_KEY_BYTES + 1];
    struct rules_record rules = {.offset = 5,
                                 .tick_clock_ms = INT64_MIN,
                                 .limits = {.series = 10, .lateness_ms = 15000, .idle_after_ms = 1500},
                                 .text = "rules: []",
                                 .text_bytes = 9};
    buffer_init(&value, 0);
    rules_key_write(key, &rules);
    rules_record_write(&value, &rules);
    const struct bus_bytes key_bytes = {key, RULES_KEY_BYTES};
    assert_true(rules_is_key(key_bytes));
    assert_int_equal(rules_record_read(&read, key_bytes, (struct bus_bytes){value.data, value.size}, &error),
                     0);
    assert_int_equal(read.offset, 5);
    assert_true(read.tick_clock_ms == INT64_MIN);
    assert_int_equal(read.limits.idle_after_ms, 1500);
    assert_memory_equal(read.text, "rules: []", 9);
    assert_true(rules_record_hash(&read) == rules_record_hash(&rules));
    read.limits.series++;
    assert_true(rules_record_hash(&read) != rules_record_hash(&rules));
    read.offset++;
    assert_true(rules_record_compare(&rules, &read) < 0);
    assert_int_equal(rules_record_read(&read, key_bytes, (struct bus_bytes){value.data, 10}, &error), -1);
    buffer_free(&value);
}

static void a_transition_is_shown_only_once_its_commit_holds(void **state)
{
    (void)state;
    struct transition_ring *ring = NULL;
    struct kept_transition kept;
    struct error error;
    struct alert_transition transition = {.fingerprint = 7, .sequence = 1};
    assert_int_equal(transition_ring_create(&ring, &error), 0);
    transition_ring_add(ring, 3, &transition, NULL);
    assert_false(transition_ring_find(ring, 7, 1, &kept));
    transition_ring_commit(ring, 3);
    assert_true(transition_ring_find(ring, 7, 1, &kept));
    transition.sequence = 2;
    transition_ring_add(ring, 3, &transition, NULL);
    transition_ring_forget(ring, 3); /* lost with its partition */
    transition_ring_commit(ring, 3);
    assert_false(transition_ring_find(ring, 7, 2, &kept));
    assert_true(transition_ring_find(ring, 7, 1, &kept));
    for (uint32_t i = 0; i < TRANSITION_RING_COUNT; i++) {
        transition.sequence = 10 + i;
        transition_ring_add(ring, 3, &transition, NULL);
    }
    transition_ring_commit(ring, 3);
    assert_false(transition_ring_find(ring, 7, 1, &kept)); /* the oldest has gone */
    assert_true(transition_ring_find(ring, 7, 10, &kept));
    transition_ring_destroy(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_are_kept_in_order_and_the_last_of_a_silence_counts),
        cmocka_unit_test(a_saved_tick_comes_back_and_a_damaged_one_is_named),
        cmocka_unit_test(saved_rules_say_since_when_and_hash_what_decides),
        cmocka_unit_test(a_transition_is_shown_only_once_its_commit_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
