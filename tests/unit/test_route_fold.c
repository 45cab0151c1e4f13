#include "route_fold.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

static void assert_route(const char *target, const char *expected)
{
    char out[EVENT_ROUTE_BYTES + 1];
    size_t size = route_fold_path(out, target, strlen(target));
    assert_in_range(size, 1, EVENT_ROUTE_BYTES);
    out[size] = '\0';
    if (strcmp(out, expected) != 0) {
        print_error("%s: %s, not %s\n", target, out, expected);
    }
    assert_string_equal(out, expected);
}

static void paths_of_people_stay_as_they_are(void **state)
{
    (void)state;
    static const char *const paths[] = {"/",
                                        "/fast",
                                        "/api/v1/products",
                                        "/v2.1/users/me",
                                        "/static/app.css",
                                        "/favicon.ico",
                                        "/a/",
                                        "/facade/decade",
                                        "/.well-known/acme-challenge",
                                        "/health-check",
                                        "/page-2",
                                        "*"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_route(paths[i], paths[i]);
    }
}

static void ids_become_a_placeholder(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"/users/4711", "/users/{id}"},
        {"/users/4711/orders/9f3c2a1b", "/users/{id}/orders/{id}"},
        {"/o/7", "/o/{id}"},
        {"/o/-1", "/o/{id}"},
        {"/d/2026-11-24", "/d/{id}"},
        {"/d/10.0.0.1", "/d/{id}"},
        {"/u/123e4567-e89b-12d3-a456-426614174000", "/u/{id}"},
        {"/u/123E4567-E89B-12D3-A456-426614174000/x", "/u/{id}/x"},
        {"/h/deadbeefdeadbeef", "/h/{id}"},
        {"/h/d41d8cd98f00b204e9800998ecf8427e", "/h/{id}"},
        {"/t/V1StGXR8Z5", "/t/{id}"},
        {"/t/summer-sale-2026-edition", "/t/{id}"},
        {"/t/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "/t/{id}"},
        {"/order-98765", "/{id}"},
        {"/img/12345.jpg", "/img/{id}.jpg"},
        {"/img/4f3c2a1b9d.min", "/img/{id}.min"},
        {"/search/hello%20world", "/search/{id}"},
        {"/search/\\xE2\\x82\\xAC", "/search/{id}"},
        {"/search/\xe2\x82\xac", "/search/{id}"},
        {"/a b", "/{id}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_route(cases[i][0], cases[i][1]);
    }
}

static void what_is_no_path_of_a_route_is_dropped(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"/a?b=/c/1234", "/a"},
        {"/a#b", "/a"},
        {"/?x", "/"},
        {"/a;jsessionid=12345/b", "/a/b"},
        {"//a///b", "/a/b"},
        {"http://example.org/a/5?x", "/a/{id}"},
        {"http://example.org", "/"},
        {"", "{unknown}"},
        {"?x", "{unknown}"},
        {"example.org:443", "{unknown}"},
        {"/redirect/http://example.org/x", "/redirect/http:/example.org/x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_route(cases[i][0], cases[i][1]);
    }
}

static void depth_and_length_are_bounded(void **state)
{
    (void)state;
    assert_route("/a/a/a/a/a/a/a/a/a/a/a/a", "/a/a/a/a/a/a/a/a/a/a/{rest}");
    char path[4096] = "";
    for (int i = 0; i < 100; i++) {
        (void)strcat(path, "/abcdefghijklmnopqrstuvwxyzabcdefghijkl");
    }
    char out[EVENT_ROUTE_BYTES];
    size_t size = route_fold_path(out, path, strlen(path));
    assert_in_range(size, 200, EVENT_ROUTE_BYTES);
    assert_memory_equal(out + size - 7, "/{rest}", 7);
}

static void the_number_of_routes_is_bounded(void **state)
{
    (void)state;
    struct route_fold *fold = route_fold_create();
    assert_non_null(fold);
    char path[32];
    size_t others = 0;
    for (int i = 0; i < 26 * 26 * 26; i++) {
        (void)snprintf(path, sizeof path, "/%c%c%c", 'a' + i % 26, 'a' + i / 26 % 26, 'a' + i / 676);
        struct event_text route = route_fold_apply(fold, path, strlen(path));
        bool is_other = route.size == 7 && memcmp(route.data, "{other}", 7) == 0;
        others += is_other ? 1 : 0;
        assert_int_equal(is_other, i >= ROUTE_FOLD_LIMIT);
    }
    assert_int_equal(route_fold_others(fold), others);
    /* Those that were admitted still are. */
    struct event_text route = route_fold_apply(fold, "/aaa", 4);
    assert_memory_equal(route.data, "/aaa", 4);
    route_fold_destroy(fold);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_of_people_stay_as_they_are),
        cmocka_unit_test(ids_become_a_placeholder),
        cmocka_unit_test(what_is_no_path_of_a_route_is_dropped),
        cmocka_unit_test(depth_and_length_are_bounded),
        cmocka_unit_test(the_number_of_routes_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
