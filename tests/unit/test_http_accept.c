#include "http/http_accept.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

/* "name weight|name weight|…" of the whole list. */
static const char *list(const char *header)
{
    static char out[512];
    size_t size = 0;
    struct http_accepted accepted;
    out[0] = '\0';
    while (http_accepted_next(&header, &accepted)) {
        size += (size_t)snprintf(out + size, sizeof out - size, "%s%.*s %g", size > 0 ? "|" : "",
                                 (int)accepted.name_size, accepted.name, accepted.weight);
    }
    return out;
}

static void a_list_is_taken_apart_with_its_weights(void **state)
{
    (void)state;
    const struct {
        const char *header, *expected;
    } cases[] = {
        {"", ""},
        {" , ,", ""},
        {"text/plain", "text/plain 1"},
        {"a/b;q=0.5, c/d ;Q=0.25", "a/b 0.5|c/d 0.25"},
        {"a;version=1;q=0.75;x=y,*/*;q=0.1", "a 0.75|*/* 0.1"},
        {"a;q=0", "a 0"},
        {"a;q=0.", "a 0"},
        {"a;q=1.000", "a 1"},
        {"a;q=", "a 0"},
        {"a;q=2", "a 0"},
        {"a;q=1.5", "a 0"},
        {"a;q=x", "a 0"},
        {"a;q=-1", "a 0"},
        {"a;x=\"1,2;q=0.1\";q=0.5,b", "a 0.5|b 1"},
        {"a;x=\"1\\\",2\",b", "a 1|b 1"},
        {"a;x=\"open,b", "a 1"},
        {"a;;q=0.5;", "a 0.5"},
        {"\ta\t;\tq=0.5\t", "a 0.5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(list(cases[i].header), cases[i].expected);
    }
}

static void parameters_are_found_whatever_their_case_and_quotes(void **state)
{
    (void)state;
    const char *header = "Application/X;Version=1.0.0; proto=\"a.b\" ;flag";
    struct http_accepted accepted;
    assert_true(http_accepted_next(&header, &accepted));
    assert_true(http_accepted_is(&accepted, "application/x"));
    assert_false(http_accepted_is(&accepted, "application/xy"));
    assert_true(http_accepted_has(&accepted, "version", "1.0.0"));
    assert_false(http_accepted_has(&accepted, "version", "1.0"));
    assert_true(http_accepted_has(&accepted, "proto", "A.B"));
    assert_true(http_accepted_has(&accepted, "flag", NULL));
    assert_false(http_accepted_has(&accepted, "other", NULL));
}

static void a_coding_is_taken_only_where_it_is_allowed(void **state)
{
    (void)state;
    const struct {
        const char *header;
        bool expected;
    } cases[] = {
        {NULL, false},          {"", false},          {"gzip", true},    {"deflate, gzip;q=0.5", true},
        {"gzip;q=0", false},    {"identity", false},  {"*", true},       {"*;q=0", false},
        {"*, gzip;q=0", false}, {"*;q=0,gzip", true}, {"x-gzip", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(http_coding_is_accepted(cases[i].header, "gzip"), cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_taken_apart_with_its_weights),
        cmocka_unit_test(parameters_are_found_whatever_their_case_and_quotes),
        cmocka_unit_test(a_coding_is_taken_only_where_it_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
