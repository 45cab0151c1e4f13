#include "dead_letter/dead_letter.h"

#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

static const struct event_fault fault = {EVENT_MISSING_FIELD, "http.route",
                                         "http.route is required and missing"};

static struct bus_bytes bytes_of(const char *text)
{
    return (struct bus_bytes){text, strlen(text)};
}

static struct bus_record original_of(const void *value, size_t size)
{
    return (struct bus_record){.topic = "metrics.raw",
                               .partition = 7,
                               .offset = 1234567890123,
                               .key = bytes_of("api|eu"),
                               .value = {value, size}};
}

static const struct bus_header *find(const struct bus_record *record, const char *name)
{
    const struct bus_header *found = NULL;
    for (size_t i = 0; i < record->header_count; i++) {
        if (strcmp(record->headers[i].name, name) == 0) {
            assert_null(found); /* once */
            found = &record->headers[i];
        }
    }
    return found;
}

static void assert_header(const struct bus_record *record, const char *name, const char *value)
{
    const struct bus_header *header = find(record, name);
    if (header == NULL) {
        fail_msg("no header %s", name);
        return;
    }
    assert_int_equal(header->value.size_bytes, strlen(value));
    assert_memory_equal(header->value.data, value, strlen(value));
}

static void assert_bytes(struct bus_bytes bytes, const char *text)
{
    assert_int_equal(bytes.size_bytes, strlen(text));
    assert_memory_equal(bytes.data, text, strlen(text));
}

static void a_letter_is_the_original_with_kafka_connects_headers(void **state)
{
    (void)state;
    static const char garbage[] = "\0\xff not json";
    struct bus_record original = original_of(garbage, sizeof garbage - 1);
    struct dead_letter letter;
    dead_letter_build(&letter, "metrics.raw.dlq", "stream-processor", &original, &fault, 1764025592125);
    const struct bus_record *record = &letter.record;
    assert_string_equal(record->topic, "metrics.raw.dlq");
    assert_int_equal(record->partition, BUS_PARTITION_BY_KEY);
    assert_bytes(record->key, "api|eu");
    assert_int_equal(record->value.size_bytes, sizeof garbage - 1);
    assert_memory_equal(record->value.data, garbage, sizeof garbage - 1);
    assert_header(record, "__connect.errors.topic", "metrics.raw");
    assert_header(record, "__connect.errors.partition", "7");
    assert_header(record, "__connect.errors.offset", "1234567890123");
    assert_header(record, "__connect.errors.stage", "VALIDATE");
    assert_header(record, "__connect.errors.class.name", "stream-processor");
    assert_header(record, "__connect.errors.exception.class.name", "missing_field");
    assert_header(record, "__connect.errors.exception.message", "http.route is required and missing");
    assert_header(record, "dlq.field", "http.route");
    assert_header(record, "dlq.time_unix_ms", "1764025592125");
    assert_header(record, "dlq.attempts", "1");
    assert_null(find(record, "dlq.truncated"));
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct bus_record original = original_of("x", 1);
    struct dead_letter letter;
    dead_letter_build(&letter, "metrics.raw.dlq", "metrics-bridge", &original, &fault, 5);
    struct dead_letter_view view;
    dead_letter_read(&view, &letter.record);
    assert_bytes(view.topic, "metrics.raw");
    assert_bytes(view.partition, "7");
    assert_bytes(view.offset, "1234567890123");
    assert_bytes(view.stage, "VALIDATE");
    assert_bytes(view.app, "metrics-bridge");
    assert_bytes(view.reason, "missing_field");
    assert_bytes(view.message, "http.route is required and missing");
    assert_bytes(view.field, "http.route");
    assert_bytes(view.time_unix_ms, "5");
    assert_bytes(view.attempts, "1");
    assert_false(view.truncated);
    dead_letter_read(&view, &original);
    assert_int_equal(view.reason.size_bytes, 0);
}

static void a_replayed_record_that_fails_again_counts_its_attempts(void **state)
{
    (void)state;
    const struct bus_header headers[] = {
        {"trace", bytes_of("kept")},
        {"dlq.attempts", bytes_of("41")},
        {"__connect.errors.topic", bytes_of("an earlier one's")},
    };
    struct bus_record original = original_of("x", 1);
    original.headers = headers;
    original.header_count = 3;
    struct dead_letter letter;
    dead_letter_build(&letter, "metrics.raw.dlq", "app", &original, &fault, 5);
    assert_header(&letter.record, "dlq.attempts", "42");
    assert_header(&letter.record, "trace", "kept");
    assert_header(&letter.record, "__connect.errors.topic", "metrics.raw");
}

static void more_headers_than_there_is_room_for_do_no_harm(void **state)
{
    (void)state;
    struct bus_header headers[100];
    for (size_t i = 0; i < 100; i++) {
        headers[i] = (struct bus_header){"many", {NULL, 0}};
    }
    struct bus_record original = original_of("x", 1);
    original.headers = headers;
    original.header_count = 100;
    struct dead_letter letter;
    dead_letter_build(&letter, "metrics.raw.dlq", "app", &original, &fault, 5);
    assert_int_equal(letter.record.header_count, DEAD_LETTER_HEADERS);
    assert_header(&letter.record, "dlq.attempts", "1");
}

static void a_value_that_does_not_fit_is_cut_and_identified(void **state)
{
    (void)state;
    size_t size = DEAD_LETTER_VALUE_BYTES + 1;
    char *value = malloc(size);
    assert_non_null(value);
    memset(value, 'a', size);
    struct bus_record original = original_of(value, size);
    original.key = (struct bus_bytes){NULL, 0};
    struct dead_letter letter;
    dead_letter_build(&letter, "metrics.raw.dlq", "app", &original, &fault, 5);
    assert_int_equal(letter.record.value.size_bytes, 65536);
    assert_ptr_equal(letter.record.value.data, value);
    assert_header(&letter.record, "dlq.truncated", "true");
    assert_header(&letter.record, "dlq.size", "2080769");
    /* python3 -c 'import hashlib; print(hashlib.sha256(b"a" * 2080769).hexdigest())' */
    assert_header(&letter.record, "dlq.sha256",
                  "25c4a60310e0c996b6d9dc54df223eeec47ac715d16f0e4381bf72d2c38a201c");
    struct dead_letter_view view;
    dead_letter_read(&view, &letter.record);
    assert_true(view.truncated);

    original.value.size_bytes--; /* the largest that stays whole */
    dead_letter_build(&letter, "metrics.raw.dlq", "app", &original, &fault, 5);
    assert_int_equal(letter.record.value.size_bytes, DEAD_LETTER_VALUE_BYTES);
    assert_null(find(&letter.record, "dlq.truncated"));
    free(value);
}

static void a_tombstone_stays_one(void **state)
{
    (void)state;
    struct bus_record original = original_of(NULL, 0);
    struct dead_letter letter;
    dead_letter_build(&letter, "metrics.raw.dlq", "app", &original, &fault, 5);
    assert_null(letter.record.value.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_is_the_original_with_kafka_connects_headers),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_replayed_record_that_fails_again_counts_its_attempts),
        cmocka_unit_test(more_headers_than_there_is_room_for_do_no_harm),
        cmocka_unit_test(a_value_that_does_not_fit_is_cut_and_identified),
        cmocka_unit_test(a_tombstone_stays_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
