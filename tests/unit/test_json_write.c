#include "buffer/buffer.h"
#include "json/json_write.h"
#include "json/utf8.h"

#include "cmocka_all.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void a_document_gets_its_commas_and_colons(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 0);
    struct json_writer w;
    json_writer_init(&w, &buffer);
    json_object_begin(&w);
    json_key(&w, "a");
    json_integer(&w, -1);
    json_key(&w, "b");
    json_array_begin(&w);
    json_array_end(&w);
    json_key(&w, "c");
    json_array_begin(&w);
    json_real(&w, 0.1);
    json_null(&w);
    json_object_begin(&w);
    json_object_end(&w);
    json_boolean(&w, true);
    json_array_end(&w);
    json_key(&w, "d");
    json_real(&w, NAN);
    json_object_end(&w);
    assert_string_equal(buffer_text(&buffer), "{\"a\":-1,\"b\":[],\"c\":[0.1,null,{},true],\"d\":null}");
    buffer_free(&buffer);
}

static void strings_are_always_valid_json(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 0);
    json_append_escaped(&buffer, "q\" b\\ n\n\x01 \xff\xc3\xa9", 13);
    assert_string_equal(buffer_text(&buffer), "q\\\" b\\\\ n\\n\\u0001 \xef\xbf\xbd\xc3\xa9");
    buffer_free(&buffer);
}

static void reals_are_short_and_read_back(void **state)
{
    (void)state;
    const double values[] = {
        0, 1, 0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, 0.018262, 123456789012345680.0};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[JSON_REAL_BYTES];
        json_format_real(text, values[i]);
        assert_true(strtod(text, NULL) == values[i]);
    }
    char text[JSON_REAL_BYTES];
    json_format_real(text, 0.1);
    assert_string_equal(text, "0.1");
}

static void a_full_buffer_fails_once_and_keeps_what_it_had(void **state)
{
    (void)state;
    char storage[4];
    struct buffer buffer;
    buffer_init_fixed(&buffer, storage, sizeof storage);
    assert_true(buffer_append_text(&buffer, "abc"));
    assert_false(buffer_append_text(&buffer, "de"));
    assert_false(buffer_append_text(&buffer, "f"));
    assert_int_equal(buffer.size, 3);
    assert_string_equal(buffer_text(&buffer), "abc");
    assert_true(buffer.failed);
}

static void only_well_formed_utf8_is_valid(void **state)
{
    (void)state;
    const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"", true},
        {"plain ascii, longer than eight", true},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", true},
        {"\x80", false},
        {"\xc0\xaf", false},
        {"\xe0\x9f\xbf", false},
        {"\xed\xa0\x80", false},
        {"\xf4\x90\x80\x80", false},
        {"\xf0\x80\x80\x80", false},
        {"abcdefgh\xe2\x82", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(utf8_is_valid(cases[i].text, strlen(cases[i].text)), cases[i].valid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_gets_its_commas_and_colons),
        cmocka_unit_test(strings_are_always_valid_json),
        cmocka_unit_test(reals_are_short_and_read_back),
        cmocka_unit_test(a_full_buffer_fails_once_and_keeps_what_it_had),
        cmocka_unit_test(only_well_formed_utf8_is_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
