#include "json/json_read.h"

#include "buffer/buffer.h"

#include "cmocka_all.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUITE     OBS_SOURCE_DIR "/tests/data/JSONTestSuite/test_parsing"
#define MAX_BYTES 300000

static bool write_down(void *context, enum json_token token, uint32_t depth, const char *text, size_t size)
{
    static const char signs[] = {'0', 'f', 't', 'n', 's', 'k', '{', '}', '[', ']'};
    buffer_append_format(context, "%c%u", signs[token], depth);
    buffer_append(context, text, size);
    buffer_append_char(context, ' ');
    return true;
}

static bool stop_at_a_number(void *context, enum json_token token, uint32_t depth, const char *text,
                             size_t size)
{
    (void)context;
    (void)depth;
    (void)text;
    (void)size;
    return token != JSON_TOKEN_NUMBER;
}

static void tokens_come_in_order_with_their_depth(void **state)
{
    struct buffer seen;
    buffer_init(&seen, 0);
    static const char text[] = " {\"a\" : [null,true,false,-1.5e+3,{}],\"\":\"x\\ny\"} ";
    assert_int_equal(json_read(*state, text, sizeof text - 1, write_down, &seen, NULL), JSON_OK);
    assert_string_equal(buffer_text(&seen), "{0 k1a [1 02 t2 f2 n2-1.5e+3 {2 }2 ]1 k1 s1x\ny }0 ");
    buffer_free(&seen);
}

struct kept_texts {
    const char *texts[8];
    size_t sizes[8];
    size_t count;
};

static bool keep(void *context, enum json_token token, uint32_t depth, const char *text, size_t size)
{
    (void)depth;
    struct kept_texts *kept = context;
    if (token == JSON_TOKEN_STRING) {
        kept->texts[kept->count] = text;
        kept->sizes[kept->count++] = size;
    }
    return true;
}

static void texts_live_until_the_next_read(void **state)
{
    static const char text[] = "[\"\\u0041\",\"\\u0042\\u0000\",\"\\ud83d\\ude00\",\"c\"]";
    static const struct {
        const char *text;
        size_t size;
    } expected[] = {{"A", 1}, {"B\0", 2}, {"\xf0\x9f\x98\x80", 4}, {"c", 1}};
    struct kept_texts kept = {.count = 0};
    assert_int_equal(json_read(*state, text, sizeof text - 1, keep, &kept, NULL), JSON_OK);
    assert_int_equal(kept.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(kept.sizes[i], expected[i].size);
        assert_memory_equal(kept.texts[i], expected[i].text, expected[i].size);
    }
}

static void a_sink_may_stop(void **state)
{
    struct error error;
    assert_int_equal(json_read(*state, "[null,1,2", 9, stop_at_a_number, NULL, &error), JSON_STOPPED);
}

static void an_error_says_what_and_where(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "empty: there is no JSON value"},
        {"[1,]", "parse error: unallowed token at this point in JSON text at byte 4"},
        {"{\"a\":tru}", "lexical error: invalid string in json text. at byte 8"},
        {"[\"\xff\"]", "not UTF-8 at byte 2"},
        {"[\"\\ud800\"]", "half of a surrogate pair at byte 2"},
        {"[1\f]", "a control character at byte 2"},
        {"[1", "parse error: premature EOF at byte 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error;
        assert_int_equal(json_read(*state, cases[i].text, strlen(cases[i].text), NULL, NULL, &error),
                         JSON_INVALID);
        assert_string_equal(error.message, cases[i].message);
    }
}

static void depth_is_bounded(void **state)
{
    static char text[2 * JSON_DEPTH + 2];
    memset(text, '[', JSON_DEPTH);
    memset(text + JSON_DEPTH, ']', JSON_DEPTH);
    assert_int_equal(json_read(*state, text, (size_t)2 * JSON_DEPTH, NULL, NULL, NULL), JSON_OK);
    memset(text, '[', JSON_DEPTH + 1);
    memset(text + JSON_DEPTH + 1, ']', JSON_DEPTH + 1);
    struct error error;
    assert_int_equal(json_read(*state, text, (size_t)2 * JSON_DEPTH + 2, NULL, NULL, &error), JSON_INVALID);
    assert_string_equal(error.message, "nested more than 1024 deep at byte 1025");
}

static void the_longest_text_fits_whatever_is_in_it(void **state)
{
    (void)state;
    enum { SIZE = 65536 };
    struct json_reader *reader = NULL;
    assert_int_equal(json_reader_create(&reader, SIZE, NULL), JSON_OK);
    char *text = malloc(SIZE + 1);
    assert_non_null(text);
    static const struct {
        const char *begin, *middle, *end;
        int result;
    } cases[] = {
        {"\"", "\\n", "\"", JSON_OK},       {"[\"", "\\u0041", "\"]", JSON_OK},
        {"[", "[],", "[]]", JSON_OK},       {"", "7", "", JSON_OK},
        {"\"\\n", "x", "", JSON_INVALID},   {"[", "\"\\n\",", "1]", JSON_OK},
        {"{\"a\":", "[", "", JSON_INVALID}, {"[", "1.5e300,", "1", JSON_INVALID},
        {"", "[", "\"\\n\"", JSON_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = (size_t)snprintf(text, SIZE, "%s", cases[i].begin);
        while (size + strlen(cases[i].middle) + strlen(cases[i].end) <= SIZE) {
            memcpy(text + size, cases[i].middle, strlen(cases[i].middle) + 1);
            size += strlen(cases[i].middle);
        }
        memcpy(text + size, cases[i].end, strlen(cases[i].end));
        size += strlen(cases[i].end);
        assert_int_equal(json_read(reader, text, size, NULL, NULL, NULL), cases[i].result);
    }
    memset(text, ' ', SIZE + 1);
    assert_int_equal(json_read(reader, text, SIZE + 1, NULL, NULL, NULL), JSON_TOO_LONG);
    free(text);
    json_reader_destroy(reader);
}

/* --- JSONTestSuite --- */

static char *read_file(const char *name, size_t *size)
{
    char path[1024];
    (void)snprintf(path, sizeof path, SUITE "/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    static char data[MAX_BYTES];
    *size = fread(data, 1, sizeof data, file);
    assert_true(*size < sizeof data);
    (void)fclose(file);
    char *exact = malloc(*size == 0 ? 1 : *size);
    assert_non_null(exact);
    memcpy(exact, data, *size);
    return exact;
}

static void json_test_suite_gets_the_right_answers(void **state)
{
    DIR *suite = opendir(SUITE);
    assert_non_null(suite);
    int accepted = 0;
    int refused = 0;
    const struct dirent *entry;
    while ((entry = readdir(suite)) != NULL) {
        char kind = entry->d_name[0];
        if (kind != 'y' && kind != 'n' && kind != 'i') {
            continue;
        }
        size_t size = 0;
        char *data = read_file(entry->d_name, &size);
        struct error error = {0};
        int result = json_read(*state, data, size, NULL, NULL, &error);
        free(data);
        if (kind != 'i' && (result == JSON_OK) != (kind == 'y')) { /* i: either, but no crash */
            fail_msg("%s: %d %s", entry->d_name, result, error.message);
        }
        accepted += kind == 'y';
        refused += kind == 'n';
    }
    (void)closedir(suite);
    assert_int_equal(accepted, 95);
    assert_int_equal(refused, 188);
}

static int make_reader(void **state)
{
    return json_reader_create((struct json_reader **)state, MAX_BYTES, NULL);
}

static int free_reader(void **state)
{
    json_reader_destroy(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_come_in_order_with_their_depth),
        cmocka_unit_test(texts_live_until_the_next_read),
        cmocka_unit_test(a_sink_may_stop),
        cmocka_unit_test(an_error_says_what_and_where),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(the_longest_text_fits_whatever_is_in_it),
        cmocka_unit_test(json_test_suite_gets_the_right_answers),
    };
    return cmocka_run_group_tests(tests, make_reader, free_reader);
}
