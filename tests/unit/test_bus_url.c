#include "bus/bus.h"
#include "bus/bus_url.h"

#include "cmocka_all.h"

#include <string.h>

static void kafka_urls_give_their_brokers(void **state)
{
    (void)state;
    struct bus_url url;
    assert_int_equal(bus_url_parse(&url, "kafka://localhost:9092,[::1]:9093,b-1.c:1", NULL), 0);
    assert_int_equal(url.kind, BUS_URL_KAFKA);
    assert_string_equal(url.location, "localhost:9092,[::1]:9093,b-1.c:1");
    bus_url_free(&url);
}

static void embedded_urls_have_sensible_defaults(void **state)
{
    (void)state;
    struct bus_url url;
    assert_int_equal(bus_url_parse(&url, "embedded:var/bus", NULL), 0);
    assert_int_equal(url.kind, BUS_URL_EMBEDDED);
    assert_string_equal(url.location, "var/bus");
    assert_true(url.survive_power_cut);
    assert_false(url.drop_oldest);
    assert_int_equal(url.lease_ms, 5000);
    assert_int_equal(url.retention_hard_bytes, (int64_t)8 << 30);
    bus_url_free(&url);
}

static void embedded_options_are_read(void **state)
{
    (void)state;
    struct bus_url url;
    const char *text = "embedded:/a b?durability=process&retention_policy=drop_oldest&lease_ms=500"
                       "&retention_hard_bytes=64MiB&store_limit_bytes=1GiB";
    assert_int_equal(bus_url_parse(&url, text, NULL), 0);
    assert_string_equal(url.location, "/a b");
    assert_false(url.survive_power_cut);
    assert_true(url.drop_oldest);
    assert_int_equal(url.lease_ms, 500);
    assert_int_equal(url.retention_hard_bytes, 64 << 20);
    assert_int_equal(url.store_limit_bytes, 1 << 30);
    bus_url_free(&url);
}

static void what_is_wrong_is_refused_with_what_is_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *url, *says;
    } cases[] = {
        {"", "neither kafka://"},
        {"redis://x:1", "neither kafka://"},
        {"kafka://", "no port"},
        {"kafka://localhost", "no port"},
        {"kafka://[::1]", "no port"},
        {"kafka://:9092", "isn't host:port"},
        {"kafka://a:0", "1 to 65535"},
        {"kafka://a:99999", "1 to 65535"},
        {"kafka://a:1,", "no port"},
        {"kafka://a:1/topic", "nothing after it"},
        {"kafka://a:1?x=y", "-X name=value"},
        {"kafka://us er:1", "isn't host:port"},
        {"embedded:", "needs a directory"},
        {"embedded:?durability=power", "needs a directory"},
        {"embedded:d?durability=none", "allowed are power and process"},
        {"embedded:d?retention_policy=x", "drop_oldest and block"},
        {"embedded:d?lease_ms=1", "100 to 3600000"},
        {"embedded:d?retention_hard_bytes=big", "a size"},
        {"embedded:d?speed=fast", "it has durability"},
        {"embedded:d?durability", "isn't name=value"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bus_url url;
        struct error error;
        assert_int_equal(bus_url_parse(&url, cases[i].url, &error), BUS_REFUSED);
        if (strstr(error.message, cases[i].says) == NULL) {
            fail_msg("%s: \"%s\" doesn't say \"%s\"", cases[i].url, error.message, cases[i].says);
        }
        assert_null(url.location);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kafka_urls_give_their_brokers),
        cmocka_unit_test(embedded_urls_have_sensible_defaults),
        cmocka_unit_test(embedded_options_are_read),
        cmocka_unit_test(what_is_wrong_is_refused_with_what_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
