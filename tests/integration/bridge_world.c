#include "bridge_world.h"

#include "buffer/buffer.h"
#include "bus/bus.h"
#include "clock/clock.h"
#include "event/encode.h"
#include "event/log_record.h"
#include "random/random.h"
#include "support/exposition.h"
#include "support/files.h"
#include "support/net.h"
#include "support/outside.h"
#include "support/process.h"
#include "support/record_set.h"
#include "topics/topics.h"

#include "cmocka_all.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *bridge_kafka_url;

/* --- the world ---- */

int bridge_world_begin(void **state)
{
    struct bridge_world *world = calloc(1, sizeof *world);
    temp_directory_create(world->directory, "bridge");
    path_join(world->log_path, world->directory, "bridge.log");
    if (bridge_kafka_url != NULL) {
        (void)snprintf(world->url, sizeof world->url, "%s", bridge_kafka_url);
    } else {
        (void)snprintf(world->url, sizeof world->url, "embedded:%s/bus?durability=process", world->directory);
    }
    outside_open(world->url, &world->bus, &world->producer);
    buffer_init(&world->page, 0);
    world->port = net_free_port();
    *state = world;
    return 0;
}

int bridge_world_end(void **state)
{
    struct bridge_world *world = *state;
    process_free(world->bridge);
    outside_close(world->bus, world->producer);
    buffer_free(&world->page);
    temp_directory_remove(world->directory);
    free(world);
    return 0;
}

/* Short times, so that a test needn't wait; extra: NULL-ended, may be NULL. */
void bridge_start(struct bridge_world *world, const char *const *extra)
{
    char listen[64];
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)world->port);
    const char *argv[24] = {process_program("metrics-bridge"),
                            "--bus-url",
                            world->url,
                            "--listen",
                            listen,
                            "--commit-interval=100ms",
                            "--zero-first=300ms",
                            "--lag-interval=100ms",
                            "--log-format=text"};
    size_t count = 9;
    for (; extra != NULL && *extra != NULL; extra++) {
        argv[count++] = *extra;
    }
    process_free(world->bridge);
    const struct process_options options = {.log_path = world->log_path};
    world->bridge = process_start(argv, &options);
}

const char *bridge_scrape(struct bridge_world *world)
{
    char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/metrics", (unsigned)world->port);
    buffer_clear(&world->page);
    return net_get(url, &world->page) == 200 ? buffer_text(&world->page) : "";
}

double bridge_shown(struct bridge_world *world, const char *name, const char *text)
{
    return exposition_sum(buffer_text(&world->page), name, text, NULL);
}

struct expectation {
    struct bridge_world *world;
    const char *name, *text;
    double value;
};

static bool is_as_expected(void *context)
{
    const struct expectation *expected = context;
    (void)bridge_scrape(expected->world);
    return bridge_shown(expected->world, expected->name, expected->text) == expected->value;
}

void bridge_wait_for_value(struct bridge_world *world, const char *name, const char *text, double value)
{
    struct expectation expected = {world, name, text, value};
    if (!process_wait_until(is_as_expected, &expected, PATIENCE_MS)) {
        fail_msg("%s%s is %.0f instead of %.0f", name, text, bridge_shown(world, name, text), value);
    }
}

void bridge_wait_until_all_is_counted(struct bridge_world *world)
{
    bridge_wait_for_value(world, "metrics_bridge_events_total", "", (double)world->produced);
}

void bridge_wait_until_ready(struct bridge_world *world)
{
    char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/readyz", (unsigned)world->port);
    net_wait_for(url, 200, PATIENCE_MS);
}

/* --- records ---- */

void bridge_produce(struct bridge_world *world, const char *topic, struct bus_bytes key, const void *data,
                    size_t size)
{
    const struct bus_record record = {
        .topic = topic, .partition = BUS_PARTITION_BY_KEY, .key = key, .value = {data, size}};
    outside_put(world->producer, &record);
    world->produced += strcmp(topic, TOPIC_METRICS_RAW) == 0;
}

static struct event_text text(const char *value)
{
    return (struct event_text){value, strlen(value)};
}

/* The i-th of an endless series of events: 4 services, 3 regions, 5 routes, a few statuses. */
struct event bridge_make_event(uint64_t i, char id[32])
{
    static const char *const services[] = {"api-service", "auth-service", "payment-service",
                                           "inventory-service"};
    static const char *const regions[] = {"us-east-1", "eu-west-1", "ap-southeast-1"};
    static const char *const routes[] = {"/v1/orders/{id}", "/v1/orders", "/login", "/", "/v1/\"quoted\""};
    static const int32_t statuses[] = {200, 200, 200, 201, 302, 404, 500, 503};
    (void)snprintf(id, 32, "e%llu", (unsigned long long)i);
    return (struct event){.id = text(id),
                          .time_unix_ms = clock_wall_ms(clock_system()),
                          .service = text(services[i % 4]),
                          .region = text(regions[i / 4 % 3]),
                          .kind = EVENT_REQUEST,
                          .method = i % 3 == 0 ? EVENT_METHOD_POST : EVENT_METHOD_GET,
                          .route = text(routes[i / 7 % 5]),
                          .status_code = statuses[i % 8],
                          .duration_s = (double)(i % 1000) / 64,
                          .count = 1,
                          .cpu_utilization = i % 10 == 0 ? 0.25 : NAN,
                          .memory_utilization = NAN,
                          .trace_id =
                              i % 2 == 0 ? text("0af7651916cd43dd8448eb211c80319c") : (struct event_text){0}};
}

void bridge_produce_event(struct bridge_world *world, const struct event *event)
{
    char key[EVENT_KEY_BYTES];
    char storage[2048];
    struct buffer json;
    buffer_init_fixed(&json, storage, sizeof storage);
    event_encode(&json, event);
    bridge_produce(world, TOPIC_METRICS_RAW, (struct bus_bytes){key, event_key(key, event)}, json.data,
                   json.size);
}

void bridge_produce_events(struct bridge_world *world, uint64_t first, uint64_t count)
{
    char id[32];
    for (uint64_t i = first; i < first + count; i++) {
        const struct event event = bridge_make_event(i, id);
        bridge_produce_event(world, &event);
    }
    outside_wait_for_acks(world->producer);
}

void bridge_produce_log(struct bridge_world *world, enum log_severity severity)
{
    const struct log_record record = {.time_unix_ms = clock_wall_ms(clock_system()),
                                      .service = text("api-service"),
                                      .region = text("us-east-1"),
                                      .severity = severity,
                                      .body = text("something happened")};
    char key[EVENT_KEY_BYTES];
    char storage[2048];
    struct buffer json;
    buffer_init_fixed(&json, storage, sizeof storage);
    log_record_encode(&json, &record);
    bridge_produce(world, TOPIC_LOGS_RAW, (struct bus_bytes){key, log_record_key(key, &record)}, json.data,
                   json.size);
}
