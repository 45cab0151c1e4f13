/* chaos-traffic BUS_URL LEDGER SEED RECORDS_PER_SECOND SPEED: events on metrics.raw until SIGTERM, then waits
 * for the acknowledgements. Event time goes SPEED times as fast as the clock, from where the ledger says, so
 * that minutes hold hundreds of incidents. Series take turns in being healthy, failing, slow and silent; in
 * between there are late records, copies, and records that are none. */
#include "chaos/ledger.h"

#include "buffer/buffer.h"
#include "bus/bus.h"
#include "clock/clock.h"
#include "event/encode.h"
#include "event/event.h"
#include "random/random.h"
#include "topics/topics.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ACKS     1024
#define DRAIN_MS 60000

enum mode { HEALTHY, FAILING, SLOW, SILENT, MODE_COUNT };

struct traffic {
    struct bus *bus;
    struct bus_producer *producer;
    struct ledger *ledger;
    struct random random;
    double per_second; /* requests of a series in a second of event time */
};

static volatile sig_atomic_t stopping;

static void on_term(int signal_number)
{
    (void)signal_number;
    stopping = 1;
}

static void take_acks(struct traffic *traffic, int timeout_ms)
{
    struct bus_ack acks[ACKS];
    size_t count = bus_producer_poll(traffic->producer, timeout_ms, acks, ACKS);
    for (size_t i = 0; i < count; i++) {
        if (acks[i].status != BUS_OK) {
            atomic_fetch_add(&traffic->ledger->refused, 1);
        } else if (acks[i].tag < LEDGER_RECORDS) {
            atomic_fetch_add(&traffic->ledger->acks[acks[i].tag], 1);
            atomic_fetch_add(&traffic->ledger->acked, 1);
        }
    }
}

static void send(struct traffic *traffic, struct bus_bytes key, const void *data, size_t size, uint64_t tag)
{
    const struct bus_record record = {
        .topic = TOPIC_METRICS_RAW, .partition = BUS_PARTITION_BY_KEY, .key = key, .value = {data, size}};
    struct error error;
    int result = bus_produce(traffic->producer, &record, tag, &error);
    while ((result == BUS_FULL || result == BUS_AWAY) && !stopping) {
        take_acks(traffic, 50);
        result = bus_produce(traffic->producer, &record, tag, &error);
    }
    if (result == BUS_OK) {
        atomic_fetch_add(&traffic->ledger->produced, 1);
        if (tag < LEDGER_RECORDS) {
            atomic_fetch_add(&traffic->ledger->sent[tag], 1);
        }
    } else if (!stopping) {
        (void)fprintf(stderr, "chaos-traffic: %s\n", error.message);
        exit(1);
    }
}

static struct event_text text(const char *value)
{
    return (struct event_text){value, strlen(value)};
}

static void send_malformed(struct traffic *traffic)
{
    static const char *const bad[] = {"{", "no JSON", "{\"id\":\"x\"}", "[]", ""};
    const char *value = bad[random_below(&traffic->random, sizeof bad / sizeof bad[0])];
    char key[16];
    int size = snprintf(key, sizeof key, "bad-%u", (unsigned)random_below(&traffic->random, 64));
    atomic_fetch_add(&traffic->ledger->malformed, 1);
    send(traffic, (struct bus_bytes){key, (size_t)size}, value, strlen(value), UINT64_MAX);
}

static void send_request(struct traffic *traffic, unsigned series, enum mode mode, int64_t time_ms)
{
    struct random *random = &traffic->random;
    uint32_t number = atomic_fetch_add(&traffic->ledger->next_number, 1) % LEDGER_RECORDS;
    char id[24];
    char service[24];
    char region[24];
    char key[EVENT_KEY_BYTES];
    char storage[1024];
    struct buffer value;
    (void)snprintf(id, sizeof id, "c-%08x", (unsigned)number);
    (void)snprintf(service, sizeof service, "service-%u", series / 2);
    (void)snprintf(region, sizeof region, "region-%u", series % 2);
    double share = mode == FAILING ? 0.4 : 0.002;
    double typical_s = mode == SLOW ? 1.2 : 0.06;
    bool late = random_below(random, 300) == 0;
    const struct event event = {.id = text(id),
                                .time_unix_ms = time_ms - (late ? (int64_t)random_below(random, 40000) : 0),
                                .service = text(service),
                                .region = text(region),
                                .route = text("/orders/{id}"),
                                .status_code = random_unit(random) < share ? 503 : 200,
                                .duration_s = typical_s * exp(0.4 * random_normal(random)),
                                .count = 1,
                                .cpu_utilization = NAN,
                                .memory_utilization = NAN};
    buffer_init_fixed(&value, storage, sizeof storage);
    event_encode(&value, &event);
    struct bus_bytes whole_key = {key, event_key(key, &event)};
    send(traffic, whole_key, value.data, value.size, number);
    if (random_below(random, 200) == 0) {
        send(traffic, whole_key, value.data, value.size, number);
    }
}

static enum mode next_mode(struct traffic *traffic, struct ledger_series *series)
{
    if (series->seconds_left-- > 0) {
        return (enum mode)series->mode;
    }
    struct random *random = &traffic->random;
    bool was_healthy = series->mode == HEALTHY;
    series->mode = was_healthy ? 1 + (int32_t)random_below(random, MODE_COUNT - 1) : HEALTHY;
    series->seconds_left =
        was_healthy ? 3 + (int32_t)random_below(random, 45) : 20 + (int32_t)random_below(random, 90);
    return (enum mode)series->mode;
}

/* One second of event time, of all series, in order of time. */
static void send_second(struct traffic *traffic, int64_t second_ms)
{
    enum mode modes[LEDGER_SERIES];
    unsigned count = (unsigned)(traffic->per_second + random_unit(&traffic->random));
    for (unsigned s = 0; s < LEDGER_SERIES; s++) {
        modes[s] = next_mode(traffic, &traffic->ledger->series[s]);
    }
    for (unsigned i = 0; i < count; i++) {
        for (unsigned s = 0; s < LEDGER_SERIES; s++) {
            if (modes[s] != SILENT) {
                send_request(traffic, s, modes[s], second_ms + (int64_t)i * 1000 / count);
            }
        }
        if (random_below(&traffic->random, 40) == 0) {
            send_malformed(traffic);
        }
    }
}

static void run(struct traffic *traffic, double speed)
{
    const struct clock *clock = clock_system();
    int64_t begin_ms = clock_steady_ms(clock);
    for (int64_t seconds = 1; !stopping; seconds++) {
        int64_t second_ms = atomic_fetch_add(&traffic->ledger->event_ms, 1000);
        send_second(traffic, second_ms);
        int64_t due_ms = begin_ms + (int64_t)((double)seconds * 1000 / speed);
        do {
            int64_t left_ms = due_ms - clock_steady_ms(clock);
            take_acks(traffic, left_ms > 0 ? (int)left_ms : 0);
            if (left_ms > 0 && bus_producer_pending(traffic->producer) == 0) {
                (void)usleep((useconds_t)(left_ms > 20 ? 20 : left_ms) * 1000);
            }
        } while (clock_steady_ms(clock) < due_ms && !stopping);
    }
    int64_t deadline_ms = clock_steady_ms(clock) + DRAIN_MS;
    while (bus_producer_pending(traffic->producer) > 0 && clock_steady_ms(clock) < deadline_ms) {
        take_acks(traffic, 100);
    }
}

static struct ledger *map_ledger(const char *path)
{
    int file = open(path, O_RDWR | O_CLOEXEC);
    void *at = file < 0 ? MAP_FAILED
                        : mmap(NULL, sizeof(struct ledger), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file >= 0) {
        (void)close(file);
    }
    return at == MAP_FAILED ? NULL : at;
}

int main(int argc, char **argv)
{
    struct error error;
    struct traffic traffic = {0};
    if (argc != 6 || (traffic.ledger = map_ledger(argv[2])) == NULL) {
        (void)fprintf(stderr, "chaos-traffic BUS_URL LEDGER SEED RECORDS_PER_SECOND SPEED\n");
        return 2;
    }
    double speed = strtod(argv[5], NULL);
    (void)signal(SIGTERM, on_term);
    atomic_fetch_add(&traffic.ledger->listening, 1);
    random_init(&traffic.random, strtoull(argv[3], NULL, 10));
    traffic.per_second = strtod(argv[4], NULL) / speed / LEDGER_SERIES;
    const struct bus_settings settings = {
        .url = argv[1], .client_id = "chaos-traffic", .clock = clock_system()};
    int result = bus_open(&traffic.bus, &settings, &error);
    if (result == BUS_OK) {
        result = bus_producer_create(traffic.bus, &traffic.producer, &error);
    }
    if (result != BUS_OK) {
        (void)fprintf(stderr, "chaos-traffic: %s\n", error.message);
        return 1;
    }
    run(&traffic, speed);
    size_t pending = bus_producer_pending(traffic.producer);
    bus_producer_destroy(traffic.producer);
    bus_close(traffic.bus);
    return pending == 0 ? 0 : 3;
}
