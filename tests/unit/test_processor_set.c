/* Stream-processors behind one name, as on Kubernetes: each test plays pods that listen on loopback addresses
 * of their own and one port, and says what their name leads to. */
#include "live.h"
#include "processor_set.h"
#include "resolver.h"

#include "http/http_feed.h"
#include "http/http_server.h"
#include "program/program.h"
#include "support/net.h"
#include "support/process.h"

#include "cmocka_all.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PODS        3
#define PATIENCE_MS 15000

struct pod {
    struct http_server *server;
    struct http_feed *feed;
    struct http_route route;
};

static struct world {
    struct program *program;
    struct live *live;
    struct processor_set *set;
    struct pod pods[PODS]; /* of 127.0.0.1 and so on */
    uint16_t port;
    char url[64];
    const char *urls[1];
} world;

static struct program *testling; /* of all tests: a process has one */

/* What the name service says: bit i: 127.0.0.(i + 1). */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned named;
static unsigned look_ups;

static void set_named(unsigned pods)
{
    (void)pthread_mutex_lock(&lock);
    named = pods;
    (void)pthread_mutex_unlock(&lock);
}

static int resolve(struct program *program, const char *name, struct resolver_list *out, struct error *error)
{
    (void)program;
    *out = (struct resolver_list){0};
    assert_string_equal(name, "pods.localhost");
    (void)pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < PODS; i++) {
        if ((named & (1U << i)) != 0) {
            (void)snprintf(out->addresses[out->count++], RESOLVER_ADDRESS_BYTES, "127.0.0.%u", i + 1);
        }
    }
    look_ups++;
    (void)pthread_mutex_unlock(&lock);
    return out->count > 0 ? 0 : error_set(error, -1, "no such name");
}

static void follow(void *context, const struct http_request *request, struct http_response *response)
{
    char host[64];
    (void)snprintf(host, sizeof host, "pods.localhost:%u", (unsigned)world.port);
    const char *asked = http_request_header(request, "Host");
    if (asked == NULL || strcmp(asked, host) != 0) { /* a proxy in between tells by it where to go */
        http_response_fail(response, 400, "another host");
    } else if (http_feed_follow(context, response)) {
        http_response_set_type(response, "text/event-stream");
    }
}

static void begin_pod(unsigned index)
{
    struct pod *pod = &world.pods[index];
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.%u", index + 1);
    assert_int_equal(http_feed_create(&pod->feed, 16, 1048576, NULL), 0);
    pod->route = (struct http_route){"GET", "/stream", follow, pod->feed};
    const struct http_server_settings settings = {
        .address = address, .port = world.port, .setting = "test", .routes = &pod->route, .route_count = 1};
    assert_int_equal(http_server_start(&pod->server, &settings, NULL), 0);
}

static void end_pod(unsigned index)
{
    struct pod *pod = &world.pods[index];
    if (pod->feed != NULL) {
        http_feed_close(pod->feed);
        http_server_stop(pod->server);
        http_feed_destroy(pod->feed);
        *pod = (struct pod){0};
    }
}

static int set_up(void **state)
{
    (void)state;
    world.port = net_free_port();
    (void)snprintf(world.url, sizeof world.url, "http://pods.localhost:%u", (unsigned)world.port);
    world.urls[0] = world.url;
    set_named(0);
    world.program = testling;
    const struct live_settings live = {.program = world.program, .most_followers = 4};
    assert_int_equal(live_create(&world.live, &live, NULL), 0);
    const struct processor_set_settings settings = {.program = world.program,
                                                    .live = world.live,
                                                    .urls = world.urls,
                                                    .url_count = 1,
                                                    .resolve = resolve,
                                                    .period_ms = 20};
    assert_int_equal(processor_set_create(&world.set, &settings, NULL), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    processor_set_destroy(world.set);
    live_destroy(world.live);
    for (unsigned i = 0; i < PODS; i++) {
        end_pod(i);
    }
    world = (struct world){0};
    return 0;
}

static void start(void)
{
    assert_int_equal(processor_set_start(world.set, NULL), 0);
}

/* Each pod speaks, so that it is known to be followed, and by one at most. */
static void speak(void)
{
    for (unsigned i = 0; i < PODS; i++) {
        struct pod *pod = &world.pods[i];
        if (pod->feed != NULL) {
            char text[256];
            const int size = snprintf(text, sizeof text,
                                      "event: series\ndata: {\"time_unix_ms\":1,\"lag_seconds\":0,"
                                      "\"series\":[{\"service.name\":\"pod-%u\",\"cloud.region\":\"r\","
                                      "\"time_unix_ms\":1800000000000,\"request_rate\":1}]}\n\n",
                                      i);
            http_feed_publish(pod->feed, text, (size_t)size);
            assert_in_range(http_feed_followers(pod->feed), 0, 1);
        }
    }
}

/* Bit i: the pod of 127.0.0.(i + 1); bit PODS: the name itself. */
static unsigned list(bool followed_only)
{
    struct processor processors[LIVE_PROCESSORS];
    const size_t count = processor_set_list(world.set, processors);
    unsigned bits = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned pod = 0;
        char url[64] = "";
        while (pod < PODS && strcmp(processors[i].url, url) != 0) {
            (void)snprintf(url, sizeof url, "http://127.0.0.%u:%u", ++pod, (unsigned)world.port);
        }
        pod = strcmp(processors[i].url, url) == 0 ? pod - 1 : PODS;
        assert_true(pod < PODS || strcmp(processors[i].url, world.url) == 0);
        bits |= !followed_only || processors[i].is_followed ? 1U << pod : 0;
    }
    return bits;
}

struct wanted {
    unsigned followed, listed;
};

static bool is_so(void *context)
{
    const struct wanted *wanted = context;
    speak();
    return list(true) == wanted->followed && list(false) == wanted->listed;
}

static void expect(unsigned is_followed, unsigned is_listed)
{
    struct wanted wanted = {is_followed, is_listed};
    if (!process_wait_until(is_so, &wanted, PATIENCE_MS)) {
        fail_msg("followed %x, not %x; listed %x, not %x", list(true), is_followed, list(false), is_listed);
    }
}

static void every_address_of_a_name_is_followed_once(void **state)
{
    (void)state;
    begin_pod(0);
    begin_pod(1);
    set_named(3);
    start();
    expect(3, 3);
}

static void pods_that_come_are_followed_and_those_that_went_forgotten(void **state)
{
    (void)state;
    begin_pod(0);
    begin_pod(1);
    set_named(3);
    start();
    expect(3, 3);
    begin_pod(2);
    set_named(7);
    expect(7, 7);
    set_named(6);
    end_pod(0);
    expect(6, 6);
}

static bool was_looked_up_again(void *context)
{
    const unsigned *before = context;
    (void)pthread_mutex_lock(&lock);
    const bool was = look_ups > *before + 3;
    (void)pthread_mutex_unlock(&lock);
    return was;
}

static void wait_for_look_ups(void)
{
    (void)pthread_mutex_lock(&lock);
    unsigned before = look_ups;
    (void)pthread_mutex_unlock(&lock);
    assert_true(process_wait_until(was_looked_up_again, &before, PATIENCE_MS));
}

/* A pod that ends leaves the name first, and speaks on; a name service that is away is no reason either. */
static void one_that_speaks_is_followed_on_whatever_the_name_says(void **state)
{
    (void)state;
    begin_pod(0);
    begin_pod(1);
    set_named(3);
    start();
    expect(3, 3);
    set_named(1);
    wait_for_look_ups();
    expect(3, 3);
    set_named(0);
    wait_for_look_ups();
    expect(3, 3);
}

/* All are down, and none is in the name: it is said, not forgotten. */
static void a_name_that_leads_nowhere_any_more_keeps_its_processors_on_show(void **state)
{
    (void)state;
    begin_pod(0);
    set_named(1);
    start();
    expect(1, 1);
    set_named(0);
    end_pod(0);
    wait_for_look_ups();
    expect(0, 1);
    begin_pod(1);
    set_named(2);
    expect(2, 2);
}

static void a_name_that_never_led_anywhere_is_shown_itself_until_it_does(void **state)
{
    (void)state;
    start();
    expect(0, 1U << PODS);
    begin_pod(2);
    set_named(4);
    expect(4, 4);
}

static void only_a_name_is_looked_up(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host;
    } cases[] = {
        {"http://stream-processor-pods:8082", "stream-processor-pods"},
        {"http://a.b.svc.cluster.local:8082/base", "a.b.svc.cluster.local"},
        {"http://a", "a"},
        {"http://127.0.0.1:8082", NULL},
        {"http://[::1]:8082", NULL},
        {"https://a:1", NULL},
        {"http://:8082", NULL},
        {"a:8082", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char host[256];
        const bool has_name = processor_url_has_name(cases[i].url, host);
        assert_int_equal(has_name, cases[i].host != NULL);
        if (has_name) {
            assert_string_equal(host, cases[i].host);
        }
    }
    struct processor processor;
    assert_true(processor_url_replace("http://a.b:8082/base", "10.0.0.7", &processor));
    assert_string_equal(processor.url, "http://10.0.0.7:8082/base");
    assert_string_equal(processor.host_header, "Host: a.b:8082");
    assert_true(processor_url_replace("http://a", "fd00::7", &processor));
    assert_string_equal(processor.url, "http://[fd00::7]");
}

static void the_systems_name_service_is_asked(void **state)
{
    (void)state;
    struct resolver_list list;
    struct error error;
    error_clear(&error);
    assert_int_equal(resolver_find(world.program, "localhost", &list, &error), 0);
    assert_int_equal(list.count, 1);
    assert_true(strcmp(list.addresses[0], "127.0.0.1") == 0 || strcmp(list.addresses[0], "::1") == 0);
    assert_int_equal(resolver_find(world.program, "no-such-name.invalid", &list, &error), -1);
    assert_non_null(strstr(error.message, "no-such-name.invalid"));
}

static int begin(void **state)
{
    (void)state;
    const struct program_spec spec = {
        .name = "testling", .summary = "a program under test", .without_bus = true};
    char name[] = "testling";
    char *argv[] = {name, NULL};
    return program_start(&testling, &spec, 1, argv);
}

static int end(void **state)
{
    (void)state;
    program_end(testling);
    return 0;
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(every_address_of_a_name_is_followed_once),
        CASE(pods_that_come_are_followed_and_those_that_went_forgotten),
        CASE(one_that_speaks_is_followed_on_whatever_the_name_says),
        CASE(a_name_that_leads_nowhere_any_more_keeps_its_processors_on_show),
        CASE(a_name_that_never_led_anywhere_is_shown_itself_until_it_does),
        CASE(only_a_name_is_looked_up),
        CASE(the_systems_name_service_is_asked),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
