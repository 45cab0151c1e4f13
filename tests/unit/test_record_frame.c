#include "bus/embedded/crc32c.h"
#include "bus/embedded/record_frame.h"
#include "random/random.h"

#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

/* RFC 3720, B.4, and the check value of the CRC catalogues. */
static void crc32c_gives_the_published_values(void **state)
{
    (void)state;
    unsigned char bytes[32];
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aaU);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(crc32c(0, bytes, 32), 0x62a8ab43U);
    for (unsigned char i = 0; i < 32; i++) {
        bytes[i] = i;
    }
    assert_int_equal(crc32c(0, bytes, 32), 0x46dd794eU);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283U);
    assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283U);
    assert_int_equal(crc32c(0, "", 0), 0);
}

static void instruction_and_table_agree_at_every_length_and_place(void **state)
{
    (void)state;
    struct random random;
    unsigned char bytes[300];
    random_init(&random, 7);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)random_next(&random);
    }
    for (size_t from = 0; from < 9; from++) {
        for (size_t size = 0; size + from <= sizeof bytes; size++) {
            assert_int_equal(crc32c(1, bytes + from, size), crc32c_by_table(1, bytes + from, size));
        }
    }
}

static size_t frame_something(char *out)
{
    const struct bus_header headers[] = {{"a", {"1", 1}}, {"", {NULL, 0}}};
    const struct bus_record record = {
        .key = {"key", 3}, .value = {"", 0}, .headers = headers, .header_count = 2};
    size_t size = record_frame_write(out, &record);
    assert_int_equal(size, record_frame_size(&record));
    return size;
}

static void a_frame_gives_back_what_was_put_in(void **state)
{
    (void)state;
    char bytes[128];
    size_t size = frame_something(bytes), frame_size, header_count;
    assert_true(record_frame_measure(bytes, sizeof bytes, &frame_size, &header_count));
    assert_int_equal(frame_size, size);
    assert_int_equal(header_count, 2);
    struct bus_record record;
    struct bus_header headers[2];
    assert_true(record_frame_read(bytes, size, &record, headers));
    assert_int_equal(record.key.size_bytes, 3);
    assert_memory_equal(record.key.data, "key", 3);
    assert_non_null(record.value.data);
    assert_int_equal(record.value.size_bytes, 0);
    assert_string_equal(headers[0].name, "a");
    assert_string_equal(headers[1].name, "");
    assert_null(headers[1].value.data);
}

/* Each length on the heap, so that AddressSanitizer sees a step too far. */
static void a_frame_cut_short_or_mangled_is_refused_without_reading_past_it(void **state)
{
    (void)state;
    char whole[128];
    size_t size = frame_something(whole), frame_size, header_count;
    for (size_t cut = 0; cut < size; cut++) {
        char *bytes = malloc(cut == 0 ? 1 : cut);
        assert_non_null(bytes);
        memcpy(bytes, whole, cut);
        assert_false(record_frame_measure(bytes, cut, &frame_size, &header_count));
        free(bytes);
    }
    for (size_t i = 0; i < size; i++) {
        char *bytes = malloc(size);
        assert_non_null(bytes);
        memcpy(bytes, whole, size);
        bytes[i] = (char)0xff;
        struct bus_header headers[2];
        struct bus_record record;
        if (record_frame_measure(bytes, size, &frame_size, &header_count) && header_count <= 2) {
            assert_true(frame_size <= size);
            (void)record_frame_read(bytes, frame_size, &record, headers);
        }
        free(bytes);
    }
}

static void one_flipped_bit_anywhere_closes_a_batch(void **state)
{
    (void)state;
    char bytes[256];
    size_t size = frame_something(bytes + BATCH_HEADER_BYTES);
    const struct batch batch = {.topic = 3,
                                .partition = 7,
                                .record_count = 1,
                                .base_offset = 1234567890123,
                                .appended_ms = 1795561592125,
                                .records_bytes = size};
    batch_seal(bytes, &batch);
    size += BATCH_HEADER_BYTES;
    struct batch opened;
    assert_true(batch_open(bytes, size, &opened));
    assert_int_equal(opened.topic, 3);
    assert_int_equal(opened.partition, 7);
    assert_int_equal(opened.base_offset, 1234567890123);
    assert_int_equal(opened.appended_ms, 1795561592125);
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        assert_false(batch_open(bytes, size, &opened));
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
    assert_false(batch_open(bytes, size - 1, &opened));
    assert_false(batch_open(bytes, BATCH_HEADER_BYTES - 1, &opened));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_gives_the_published_values),
        cmocka_unit_test(instruction_and_table_agree_at_every_length_and_place),
        cmocka_unit_test(a_frame_gives_back_what_was_put_in),
        cmocka_unit_test(a_frame_cut_short_or_mangled_is_refused_without_reading_past_it),
        cmocka_unit_test(one_flipped_bit_anywhere_closes_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
