#include "json_text.h"

#include "cmocka_all.h"

#include <string.h>

struct scene {
    struct json_reader *reader;
    struct buffer out;
};

static int open_scene(void **state)
{
    static struct scene scene;
    buffer_init(&scene.out, 0);
    assert_int_equal(json_reader_create(&scene.reader, 10000, NULL), JSON_OK);
    *state = &scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    json_reader_destroy(scene->reader);
    buffer_free(&scene->out);
    return 0;
}

static void json_is_indented_as_it_was(void **state)
{
    struct scene *s = *state;
    static const char text[] =
        "{\"a\":1e-7,\"b\":[1,{\"c\":null},[]],\"d\":{},\"e\":\"x\\n\\u0001\",\"a\":true}";
    assert_true(json_text_indent(&s->out, s->reader, text, strlen(text)));
    assert_string_equal(buffer_text(&s->out), "{\n"
                                              "  \"a\": 1e-7,\n"
                                              "  \"b\": [\n"
                                              "    1,\n"
                                              "    {\n"
                                              "      \"c\": null\n"
                                              "    },\n"
                                              "    []\n"
                                              "  ],\n"
                                              "  \"d\": {},\n"
                                              "  \"e\": \"x\\n\\u0001\",\n"
                                              "  \"a\": true\n"
                                              "}");
}

static void what_is_no_object_or_array_is_left_alone(void **state)
{
    struct scene *s = *state;
    static const char *const texts[] = {"", "garbage", "1", "\"x\"", "null", "{\"a\":", "{} {}"};
    buffer_append_text(&s->out, "before");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_false(json_text_indent(&s->out, s->reader, texts[i], strlen(texts[i])));
        assert_false(json_text_change(&s->out, s->reader, texts[i], strlen(texts[i]), NULL, 0));
    }
    assert_false(json_text_change(&s->out, s->reader, "[1]", 3, NULL, 0));
    assert_string_equal(buffer_text(&s->out), "before");
}

static void a_field_is_set_once_whatever_it_was(void **state)
{
    struct scene *s = *state;
    static const char text[] = "{\"count\":[{\"count\":1}],\"in\":{\"count\":2},\"count\":0,\"z\":[]}";
    struct json_text_set sets[3];
    assert_true(json_text_parse_set(&sets[0], s->reader, "count=5"));
    assert_true(json_text_parse_set(&sets[1], s->reader, "name=it's \"so\"=1"));
    assert_true(json_text_parse_set(&sets[2], s->reader, "none={\"a\":null}"));
    assert_true(json_text_change(&s->out, s->reader, text, strlen(text), sets, 3));
    assert_string_equal(buffer_text(&s->out),
                        "{\"in\":{\"count\":2},\"z\":[],\"count\":5,\"name\":\"it's \\\"so\\\"=1\","
                        "\"none\":{\"a\":null}}");
    buffer_clear(&s->out);
    assert_true(json_text_change(&s->out, s->reader, " { } ", 5, sets, 1));
    assert_string_equal(buffer_text(&s->out), "{\"count\":5}");
    for (size_t i = 0; i < 3; i++) {
        buffer_free(&sets[i].value);
    }
    struct json_text_set wrong;
    assert_false(json_text_parse_set(&wrong, s->reader, "count"));
    assert_false(json_text_parse_set(&wrong, s->reader, "=5"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(json_is_indented_as_it_was, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(what_is_no_object_or_array_is_left_alone, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(a_field_is_set_once_whatever_it_was, open_scene, close_scene),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
