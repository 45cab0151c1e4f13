#include "error/error.h"

#include "cmocka_all.h"

#include <errno.h>
#include <string.h>

static void an_error_keeps_its_code_and_sentence(void **state)
{
    (void)state;
    struct error error;
    error_clear(&error);
    assert_int_equal(error_set(&error, -3, "port %d is taken", 8080), -3);
    assert_int_equal(error.code, -3);
    assert_string_equal(error.message, "port 8080 is taken");
}

static void context_is_put_in_front(void **state)
{
    (void)state;
    struct error error;
    error_set_errno(&error, -1, ENOENT, "cannot open '%s'", "a.yaml");
    assert_int_equal(error_add_context(&error, "reading the rules"), -1);
    assert_string_equal(error.message, "reading the rules: cannot open 'a.yaml': No such file or directory");
}

static void an_absent_error_is_allowed_and_a_long_one_is_cut(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, -2, "x"), -2);
    error_clear(NULL);
    char text[2 * ERROR_MESSAGE_BYTES];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    struct error error;
    error_set(&error, -1, "%s", text);
    assert_int_equal(strlen(error.message), ERROR_MESSAGE_BYTES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_keeps_its_code_and_sentence),
        cmocka_unit_test(context_is_put_in_front),
        cmocka_unit_test(an_absent_error_is_allowed_and_a_long_one_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
