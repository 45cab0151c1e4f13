/* How long from the event that decides to an alert that others can read? Against a bus and a processor that
 * run (scripts/measure-latency starts both).
 *
 *   latency_probe BUS_URL RATE SECONDS
 *
 * RATE healthy events a second of twelve series flow all the while. Beside them 48 probe series of 20 events
 * a second each, in real time, fail for a while and recover, one after the other. The same detector as the
 * processor's sees each probe event as it is acknowledged, so it is known which event decides: from its
 * acknowledgement to the moment at which a reader of committed records has the alert in its hand is the
 * latency. Both ends are read from this process's one clock. */
#include "alert/decode.h"
#include "alert/transition.h"
#include "buffer/buffer.h"
#include "bus/bus.h"
#include "clock/clock.h"
#include "detect/detector.h"
#include "event/encode.h"
#include "event/event.h"
#include "random/random.h"
#include "rule/rule_load.h"
#include "topics/topics.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PROBES         48
#define PROBE_RATE     20 /* events a second of each */
#define HEALTHY_S      15
#define FAILING_S      12
#define CYCLE_S        80 /* healthy, failing, healthy: time enough to resolve */
#define SERIES         12
#define MOST_ALERTS    4096
#define MOST_IN_FLIGHT 65536
#define STEP_MS        5

struct sight {
    uint64_t fingerprint;
    uint32_t sequence;
    int64_t decided_ns, seen_ns; /* 0: not yet */
};

static struct error error;
static struct bus *bus;
static atomic_bool stopping;
static atomic_bool reading;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sight sights[MOST_ALERTS];
static size_t sight_count;
static _Atomic uint64_t sent;

static int64_t now_ns(void)
{
    return clock_steady_ns(clock_system());
}

static void must(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "latency_probe: %s: %s\n", what, error.message);
        exit(1);
    }
}

static void sleep_until(int64_t until_ns)
{
    const struct timespec until = {until_ns / 1000000000, until_ns % 1000000000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* --- what is seen ---- */

static struct sight *sight_of(uint64_t fingerprint, uint32_t sequence)
{
    for (size_t i = 0; i < sight_count; i++) {
        if (sights[i].fingerprint == fingerprint && sights[i].sequence == sequence) {
            return &sights[i];
        }
    }
    if (sight_count == MOST_ALERTS) {
        return NULL;
    }
    sights[sight_count] = (struct sight){.fingerprint = fingerprint, .sequence = sequence};
    return &sights[sight_count++];
}

static void note(const struct alert_transition *transition, int64_t decided_ns, int64_t seen_ns)
{
    (void)pthread_mutex_lock(&lock);
    struct sight *sight = sight_of(transition->fingerprint, transition->sequence);
    if (sight != NULL && decided_ns > 0) {
        sight->decided_ns = decided_ns;
    }
    if (sight != NULL && seen_ns > 0) {
        sight->seen_ns = seen_ns;
    }
    (void)pthread_mutex_unlock(&lock);
}

static void *read_alerts(void *context)
{
    (void)context;
    static const char *const topics[] = {TOPIC_ALERTS_FIRED, NULL};
    const struct bus_member_settings settings = {.topics = topics};
    struct bus_member *member = NULL;
    struct alert_decoder *decoder = NULL;
    struct error failure;
    if (bus_join(bus, &settings, &member, &failure) != BUS_OK ||
        alert_decoder_create(&decoder, &failure) != 0) {
        (void)fprintf(stderr, "latency_probe: cannot read alerts: %s\n", failure.message);
        exit(1);
    }
    while (!atomic_load(&stopping)) {
        struct bus_turn turn;
        if (bus_poll(member, 100, &turn, &failure) != BUS_OK) {
            break;
        }
        for (size_t i = 0; turn.kind == BUS_RESTORED && i < turn.partition_count; i++) {
            (void)bus_start(member, turn.partitions[i].topic, turn.partitions[i].partition, BUS_FROM_END,
                            &failure);
            atomic_store(&reading, true);
        }
        int64_t seen_ns = now_ns();
        for (size_t i = 0; turn.kind == BUS_RECORDS && i < turn.record_count; i++) {
            struct alert_transition transition;
            if (alert_decode(decoder, turn.records[i].value.data, turn.records[i].value.size_bytes,
                             &transition, NULL) == 0) {
                note(&transition, 0, seen_ns);
            }
        }
    }
    alert_decoder_destroy(decoder);
    (void)bus_leave(member, NULL);
    return NULL;
}

/* --- what is sent ---- */

struct sender {
    struct bus_producer *producer;
    struct random random;
    uint64_t count;
    char prefix[24];
};

static void sender_open(struct sender *sender, const char *prefix, uint64_t seed)
{
    *sender = (struct sender){0};
    (void)snprintf(sender->prefix, sizeof sender->prefix, "%s-%" PRIx64, prefix,
                   random_seed_from_system() & 0xffffff);
    random_init(&sender->random, seed);
    must(bus_producer_create(bus, &sender->producer, &error) == BUS_OK, "no producer");
}

static struct event_text text(const char *value)
{
    return (struct event_text){value, strlen(value)};
}

static struct event make_event(struct sender *sender, char id[64], const char *service, int64_t time_ms,
                               bool fails)
{
    (void)snprintf(id, 64, "%s-%" PRIu64, sender->prefix, sender->count++);
    return (struct event){.id = text(id),
                          .time_unix_ms = time_ms,
                          .service = text(service),
                          .region = text("us-east-1"),
                          .route = text("/orders/{id}"),
                          .status_code = fails ? 503 : 200,
                          .duration_s = 0.04 * exp(0.5 * random_normal(&sender->random)),
                          .count = 1,
                          .cpu_utilization = NAN,
                          .memory_utilization = NAN};
}

static void send_event(struct sender *sender, const struct event *event, uint64_t tag)
{
    char key[EVENT_KEY_BYTES];
    char storage[1024];
    struct buffer value;
    struct error failure;
    buffer_init_fixed(&value, storage, sizeof storage);
    event_encode(&value, event);
    const struct bus_record record = {.topic = TOPIC_METRICS_RAW,
                                      .partition = BUS_PARTITION_BY_KEY,
                                      .key = {key, event_key(key, event)},
                                      .value = {value.data, value.size}};
    while (bus_produce(sender->producer, &record, tag, &failure) == BUS_FULL) {
        struct bus_ack acks[256];
        (void)bus_producer_poll(sender->producer, 10, acks, 256);
    }
    atomic_fetch_add(&sent, 1);
}

static void *send_load(void *context)
{
    int64_t rate = *(int64_t *)context;
    struct sender sender;
    char service[SERIES][32];
    sender_open(&sender, "load", 7);
    for (int s = 0; s < SERIES; s++) {
        (void)snprintf(service[s], sizeof service[s], "load-%d", s);
    }
    int64_t begin_ns = now_ns();
    for (int64_t done = 0; !atomic_load(&stopping);) {
        int64_t due = (int64_t)((double)(now_ns() - begin_ns) / 1e9 * (double)rate);
        int64_t time_ms = clock_wall_ms(clock_system());
        for (; done < due; done++) {
            char id[64];
            struct event event =
                make_event(&sender, id, service[done % SERIES], time_ms, random_unit(&sender.random) < 0.002);
            send_event(&sender, &event, 0);
        }
        struct bus_ack acks[1024];
        while (bus_producer_poll(sender.producer, 0, acks, 1024) == 1024) {
        }
        sleep_until(now_ns() + STEP_MS * INT64_C(1000000));
    }
    bus_producer_destroy(sender.producer);
    return NULL;
}

/* --- the probes ---- */

struct probe_event {
    char id[64];
    int service;
    int64_t time_ms;
    bool fails;
    double duration_s;
    int64_t acked_ns;
};

static struct probe_event flights[MOST_IN_FLIGHT];

/* Event time moves on by itself from event to event of a series, as the processor sees it: effective time is
 * the event's own, as it is never ahead of its append. */
static void decide(struct detector *detector, const struct probe_event *probe)
{
    char service[32];
    (void)snprintf(service, sizeof service, "probe-%d", probe->service);
    const struct event event = {.id = text(probe->id),
                                .time_unix_ms = probe->time_ms,
                                .service = text(service),
                                .region = text("us-east-1"),
                                .route = text("/orders/{id}"),
                                .status_code = probe->fails ? 503 : 200,
                                .duration_s = probe->duration_s,
                                .count = 1,
                                .cpu_utilization = NAN,
                                .memory_utilization = NAN};
    struct detector_input input = {.event = &event, .appended_ms = probe->time_ms};
    struct alert_transition transition;
    detector_observe(detector, DETECTOR_DECIDE, &input, 1);
    while (detector_next_transition(detector, &transition)) {
        note(&transition, probe->acked_ns, 0);
    }
    struct detector_state state;
    while (detector_next_state(detector, &state)) {
    }
}

static bool is_failing(int probe, int64_t elapsed_ms)
{
    int64_t at_ms =
        elapsed_ms - HEALTHY_S * 1000 - probe * (int64_t)(CYCLE_S - FAILING_S) * 1000 / PROBES / 2;
    return at_ms >= 0 && at_ms % (CYCLE_S * 1000) < FAILING_S * 1000;
}

static void take_acks(struct sender *sender, struct detector *detector, uint64_t *decided)
{
    struct bus_ack acks[1024];
    size_t count = bus_producer_poll(sender->producer, 0, acks, 1024);
    int64_t acked_ns = now_ns();
    for (size_t i = 0; i < count; i++) {
        must(acks[i].status == BUS_OK, "a probe wasn't acknowledged");
        flights[acks[i].tag % MOST_IN_FLIGHT].acked_ns = acked_ns;
    }
    while (*decided < sender->count && flights[*decided % MOST_IN_FLIGHT].acked_ns > 0) {
        decide(detector, &flights[*decided % MOST_IN_FLIGHT]);
        ++*decided;
    }
}

static void send_probes(int64_t seconds, struct detector *detector)
{
    struct sender sender;
    sender_open(&sender, "probe", 11);
    uint64_t decided = 0;
    int64_t begin_ns = now_ns();
    int64_t step_ns = INT64_C(1000000000) / (PROBES * PROBE_RATE);
    for (int64_t due_ns = begin_ns; due_ns - begin_ns < seconds * 1000000000; due_ns += step_ns) {
        while (now_ns() < due_ns) {
            take_acks(&sender, detector, &decided);
            sleep_until(due_ns < now_ns() + 1000000 ? due_ns : now_ns() + 1000000);
        }
        int service = (int)(sender.count % PROBES);
        char name[32];
        struct probe_event *probe = &flights[sender.count % MOST_IN_FLIGHT];
        uint64_t tag = sender.count;
        *probe = (struct probe_event){.service = service,
                                      .time_ms = clock_wall_ms(clock_system()),
                                      .fails = is_failing(service, (due_ns - begin_ns) / 1000000)};
        (void)snprintf(name, sizeof name, "probe-%d", service);
        struct event event = make_event(&sender, probe->id, name, probe->time_ms, probe->fails);
        probe->duration_s = event.duration_s;
        send_event(&sender, &event, tag);
    }
    for (int64_t until_ns = now_ns() + 3000000000; now_ns() < until_ns;) {
        take_acks(&sender, detector, &decided);
        sleep_until(now_ns() + 1000000);
    }
    must(decided == sender.count, "not all probes were acknowledged");
    bus_producer_destroy(sender.producer);
}

/* --- the answer ---- */

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_bars(const double *ms, size_t count)
{
    static const double bounds[] = {5, 10, 25, 50, 75, 100, 150, 250, 500, 1000, INFINITY};
    double below = 0;
    for (size_t b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
        size_t inside = 0;
        for (size_t i = 0; i < count; i++) {
            inside += ms[i] > below && ms[i] <= bounds[b];
        }
        (void)printf("%6.0f - %4.0f ms %5zu  ", below, bounds[b], inside);
        for (size_t i = 0; i < inside * 60 / (count == 0 ? 1 : count); i++) {
            (void)putchar('#');
        }
        (void)putchar('\n');
        below = bounds[b];
    }
}

static int print_result(int64_t rate, int64_t seconds)
{
    static double ms[MOST_ALERTS];
    size_t count = 0;
    size_t missing = 0;
    for (size_t i = 0; i < sight_count; i++) {
        if (sights[i].decided_ns > 0 && sights[i].seen_ns > 0) {
            ms[count++] = (double)(sights[i].seen_ns - sights[i].decided_ns) / 1e6;
        } else {
            missing++;
        }
    }
    qsort(ms, count, sizeof ms[0], compare);
    if (count == 0) {
        (void)fprintf(stderr, "latency_probe: no alert was seen (%zu decided or seen only)\n", missing);
        return 1;
    }
    (void)printf("%" PRId64 " events/s wanted, %.0f sent; %zu transitions, %zu without a partner\n", rate,
                 (double)atomic_load(&sent) / (double)seconds, count, missing);
    (void)printf("acknowledged -> readable: p50 %.1f ms  p90 %.1f ms  p99 %.1f ms  max %.1f ms\n",
                 ms[count / 2], ms[count * 90 / 100], ms[count * 99 / 100], ms[count - 1]);
    print_bars(ms, count);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        (void)fprintf(stderr, "usage: latency_probe BUS_URL RATE SECONDS\n");
        return 2;
    }
    int64_t rate = strtoll(argv[2], NULL, 10);
    int64_t seconds = strtoll(argv[3], NULL, 10);
    struct rule_set *rules = NULL;
    struct detector *detector = NULL;
    pthread_t load;
    pthread_t reader;
    const struct detector_limits limits = {.series = 1000, .lateness_ms = 15000, .idle_after_ms = 15000};
    const struct bus_settings settings = {
        .url = argv[1], .client_id = "bench-latency", .clock = clock_system()};
    must(rule_set_load(&rules, OBS_SOURCE_DIR "/config/anomaly-rules.yaml", &error) == 0, "no rules");
    must(detector_create(&detector, rules, &limits, 1, &error) == 0, "no detector");
    must(bus_open(&bus, &settings, &error) == BUS_OK, "no bus");
    must(pthread_create(&reader, NULL, read_alerts, NULL) == 0, "no thread");
    while (!atomic_load(&reading)) {
        sleep_until(now_ns() + 10000000);
    }
    must(pthread_create(&load, NULL, send_load, &rate) == 0, "no thread");
    send_probes(seconds, detector);
    atomic_store(&stopping, true);
    (void)pthread_join(load, NULL);
    (void)pthread_join(reader, NULL);
    int code = print_result(rate, seconds);
    bus_close(bus);
    detector_destroy(detector);
    rule_set_destroy(rules);
    return code;
}
