#include "recovery/processor.h"

#include "buffer/buffer.h"
#include "bus/bus.h"
#include "clock/clock.h"
#include "event/encode.h"
#include "http/http_client.h"
#include "topics/topics.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_S   120.0
#define LIVE_AFTER_S 4 /* before a kill */
#define LOOK_MS      50

struct bench {
    const char *url, *program;
    struct stream *stream;
    uint32_t live_rate;
    struct bus *bus;
    struct bus_producer *producer;
    pthread_t thread;
    atomic_uint_fast64_t produced;
    atomic_bool stop;
    uint64_t history;
    pid_t child;
    uint16_t port; /* of the child */
    bool failed;
};

static double now_s(void)
{
    return (double)clock_steady_ns(clock_system()) / 1e9;
}

static void sleep_ms(int ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    (void)nanosleep(&pause, NULL);
}

/* --- producing ---- */

static bool produce_one(struct bench *bench, uint64_t number)
{
    struct stream_event made;
    char key[EVENT_KEY_BYTES];
    char storage[1024];
    struct buffer value;
    struct error error;
    struct bus_ack acks[1024];
    stream_make(bench->stream, number, &made);
    buffer_init_fixed(&value, storage, sizeof storage);
    event_encode(&value, &made.event);
    const struct bus_record record = {.topic = TOPIC_METRICS_RAW,
                                      .partition = BUS_PARTITION_BY_KEY,
                                      .key = {key, event_key(key, &made.event)},
                                      .value = {value.data, value.size}};
    int result;
    while ((result = bus_produce(bench->producer, &record, 0, &error)) == BUS_FULL) {
        (void)bus_producer_poll(bench->producer, 20, acks, 1024);
    }
    if (number % 512 == 0) {
        (void)bus_producer_poll(bench->producer, 0, acks, 1024);
    }
    if (result != BUS_OK) {
        (void)fprintf(stderr, "bench_recovery: not produced: %s\n", error.message);
    }
    return result == BUS_OK;
}

static void wait_for_acks(struct bench *bench)
{
    struct bus_ack acks[1024];
    while (bus_producer_pending(bench->producer) > 0) {
        (void)bus_producer_poll(bench->producer, 100, acks, 1024);
    }
}

/* At a rate that producer, bus and processor can keep up with together on this machine. */
static void *keep_producing(void *context)
{
    struct bench *bench = context;
    double begin_s = now_s();
    uint64_t number = bench->history;
    while (!atomic_load(&bench->stop) && !bench->failed) {
        uint64_t due = bench->history + (uint64_t)((now_s() - begin_s) * bench->live_rate);
        for (; number < due && !bench->failed; number++) {
            bench->failed = !produce_one(bench, number);
        }
        atomic_store(&bench->produced, number);
        sleep_ms(5);
    }
    wait_for_acks(bench);
    return NULL;
}

/* --- the processor ---- */

static uint16_t find_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        address.sin_port = 0;
    }
    (void)close(fd);
    return ntohs(address.sin_port);
}

static void start_processor(struct bench *bench, const char *member, const char *idle_after)
{
    static const char rules[] = OBS_SOURCE_DIR "/config/anomaly-rules.yaml";
    char option[64];
    char name[64];
    char listen[64];
    bench->port = find_free_port();
    (void)snprintf(listen, sizeof listen, "--listen=127.0.0.1:%u", (unsigned)bench->port);
    (void)snprintf(option, sizeof option, "--idle-after=%s", idle_after);
    (void)snprintf(name, sizeof name, "--member-id=%s", member);
    char *const argv[] = {(char *)(uintptr_t)bench->program,
                          "--bus-url",
                          (char *)(uintptr_t)bench->url,
                          listen,
                          name,
                          "--rules",
                          (char *)(uintptr_t)rules,
                          option,
                          NULL};
    posix_spawn_file_actions_t actions;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    if (posix_spawn(&bench->child, bench->program, &actions, NULL, argv, environ) != 0) {
        (void)fprintf(stderr, "bench_recovery: %s cannot be started\n", bench->program);
        bench->failed = true;
        bench->child = 0;
    }
    (void)posix_spawn_file_actions_destroy(&actions);
}

static void kill_processor(struct bench *bench)
{
    if (bench->child > 0) {
        (void)kill(bench->child, SIGKILL);
        (void)waitpid(bench->child, NULL, 0);
    }
    bench->child = 0;
}

static int64_t read_committed(const struct bench *bench)
{
    static const char *const groups[] = {"stream-processor"};
    static const char *const topics[] = {TOPIC_METRICS_RAW};
    struct bus_lag rows[64];
    size_t count = 0;
    int64_t committed = 0;
    (void)bus_read_lag(bench->bus, groups, 1, topics, 1, rows, 64, &count, NULL);
    for (size_t i = 0; i < count && i < 64; i++) {
        committed += rows[i].committed > 0 ? rows[i].committed : 0;
    }
    return committed;
}

/* Records that the child has committed since its start, by its own count: asking the bus for the lag every
 * few milliseconds would be work that a restart is measured beside. */
static int64_t read_counted(const struct bench *bench)
{
    static const char name[] = "stream_processor_events_total{";
    struct buffer page;
    struct error error;
    char url[64];
    int64_t sum = 0;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/metrics", (unsigned)bench->port);
    const struct http_client_request request = {.url = url, .timeout_ms = 1000};
    buffer_init(&page, 0);
    if (http_client_send(&request, &page, &error) == 200) {
        for (const char *at = buffer_text(&page); (at = strstr(at, name)) != NULL; at++) {
            const char *value = strstr(at, "} ");
            sum += value == NULL ? 0 : (int64_t)strtod(value + 2, NULL);
        }
    }
    buffer_free(&page);
    return sum;
}

/* Of the child so far: the 14th and 15th field of its stat, behind the name in brackets. */
static double read_cpu_s(const struct bench *bench)
{
    char path[64];
    char text[1024] = "";
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)bench->child);
    FILE *stream = fopen(path, "r");
    if (stream != NULL) {
        (void)!fread(text, 1, sizeof text - 1, stream);
        (void)fclose(stream);
    }
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 14; field++) {
        at = strchr(at + 1, ' ');
    }
    if (at == NULL) {
        return 0;
    }
    char *end = NULL;
    unsigned long user = strtoul(at, &end, 10);
    unsigned long kernel = strtoul(end, NULL, 10);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

/* A commit a second: what came since the last one always lags. */
static bool is_live(const struct bench *bench, int64_t lag)
{
    return lag <= (int64_t)bench->live_rate * 3 / 2;
}

static void wait_until_live(struct bench *bench, int64_t committed_before, struct restart_times *times)
{
    double begin_s = now_s();
    int64_t counted = 0;
    int64_t lag = INT64_MAX;
    *times = (struct restart_times){0};
    while (!bench->failed && !(counted > 0 && is_live(bench, lag))) {
        sleep_ms(LOOK_MS);
        counted = read_counted(bench);
        lag = (int64_t)atomic_load(&bench->produced) - committed_before - counted;
        if (times->first_commit_s == 0 && counted > 0) {
            times->first_commit_s = now_s() - begin_s;
        }
        if (now_s() - begin_s > PATIENCE_S) {
            (void)fprintf(stderr, "bench_recovery: not live after %.0f s\n", PATIENCE_S);
            bench->failed = true;
        }
    }
    times->live_s = now_s() - begin_s;
    times->cpu_s = read_cpu_s(bench);
    (void)getloadavg(&times->load, 1);
}

static void restart(struct bench *bench, const char *member, const char *idle_after,
                    struct restart_times *times)
{
    kill_processor(bench);
    int64_t committed = read_committed(bench);
    start_processor(bench, member, idle_after);
    wait_until_live(bench, committed, times);
}

/* By another member, which has to wait for the killed one: from the kill on, asking for positions included.
 */
static void take_over(struct bench *bench, struct restart_times *times)
{
    double killed_s = now_s();
    kill_processor(bench);
    int64_t committed = read_committed(bench);
    double asked_s = now_s() - killed_s;
    start_processor(bench, "another", "15s");
    wait_until_live(bench, committed, times);
    times->first_commit_s += asked_s;
    times->live_s += asked_s;
}

/* --- all of it ---- */

static void run(struct bench *bench, uint32_t seconds, struct processor_figures *out)
{
    struct restart_times times;
    bench->history = (uint64_t)seconds * bench->stream->rate;
    bench->stream->start_ms = clock_wall_ms(clock_system()) - (int64_t)seconds * 1000;
    double begin_s = now_s();
    start_processor(bench, "bench", "15s");
    for (uint64_t number = 0; number < bench->history && !bench->failed; number++) {
        bench->failed = !produce_one(bench, number);
    }
    wait_for_acks(bench);
    out->produced_a_second = (double)bench->history / (now_s() - begin_s);
    begin_s = now_s();
    atomic_store(&bench->produced, bench->history);
    if (bench->failed || pthread_create(&bench->thread, NULL, keep_producing, bench) != 0) {
        return;
    }
    wait_until_live(bench, 0, &times);
    sleep_ms(LIVE_AFTER_S * 1000);
    out->history = atomic_load(&bench->produced);
    restart(bench, "bench", "15s", &out->checkpoint);
    sleep_ms(LIVE_AFTER_S * 1000);
    take_over(bench, &out->takeover);
    sleep_ms(LIVE_AFTER_S * 1000);
    restart(bench, "another", "15001ms", &out->replay);
    out->reached_a_second = (double)(atomic_load(&bench->produced) - bench->history) / (now_s() - begin_s);
    atomic_store(&bench->stop, true);
    (void)pthread_join(bench->thread, NULL);
}

int processor_run(const char *url, const char *program, struct stream *stream, uint32_t seconds,
                  uint32_t live_rate, struct processor_figures *out)
{
    struct bench bench = {.url = url, .program = program, .stream = stream, .live_rate = live_rate};
    struct error error;
    const struct bus_settings settings = {.url = url, .client_id = "bench", .clock = clock_system()};
    *out = (struct processor_figures){0};
    if (bus_open(&bench.bus, &settings, &error) != BUS_OK ||
        bus_create_topics(bench.bus, topics_all(), TOPIC_COUNT, &error) != BUS_OK ||
        bus_producer_create(bench.bus, &bench.producer, &error) != BUS_OK) {
        (void)fprintf(stderr, "bench_recovery: %s\n", error.message);
        bus_close(bench.bus);
        return -1;
    }
    run(&bench, seconds, out);
    kill_processor(&bench);
    bus_producer_destroy(bench.producer);
    bus_close(bench.bus);
    return bench.failed ? -1 : 0;
}
