/* What a scrape of many label sets costs, and what it costs the counting beside it: the bridge's own
 * counters, page and HTTP server in one process, asked over loopback as Prometheus asks.
 *
 *   bench_scrape [LABEL_SETS]     10000 label sets of the histogram: 170 000 samples as text */
#include "counter_snapshot.h"
#include "counting_worker.h"
#include "lag_watch.h"
#include "scrape.h"
#include "series_counters.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "http/http_client.h"
#include "program/program.h"
#include "random/random.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PARTITIONS   12
#define SERVICES     20
#define REGIONS      5
#define STATUSES     5
#define EVENTS       (1 << 18) /* that are counted over and over */
#define EVENTS_A_SET 200
#define COMMIT_NS    INT64_C(1000000000)
#define WINDOW_NS    COMMIT_NS /* one commit, and one scrape or none */
#define ROUNDS       15
#define TRIES        7
#define OPENMETRICS  "Accept: application/openmetrics-text;version=1.0.0"
#define PROTOBUF                                                                                             \
    "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
#define GZIP          "Accept-Encoding: gzip"
#define RESPONSE_MOST ((size_t)256 * 1048576)

struct bench {
    struct program *program;
    struct series_counters *counters;
    struct counter_partition *partitions[PARTITIONS];
    struct lag_watch *lag;
    struct counting_worker *worker;
    struct scrape *scrape;
    char base[64];
    size_t label_sets;
    struct event *events;
    char (*trace_ids)[33];
    double scrape_s; /* processor time of one as the local stack does it */
};

static void die(const char *what)
{
    fprintf(stderr, "bench_scrape: %s\n", what);
    exit(1);
}

static int64_t now_ns(void)
{
    return clock_steady_ns(clock_system());
}

/* --- traffic ---- */

static struct event_text text(const char *value)
{
    return (struct event_text){value, strlen(value)};
}

/* The label set of that number: one of a service and region every 100, one of a route every 500. */
static struct event make_event(size_t label_set)
{
    static char services[SERVICES][24];
    static char regions[REGIONS][16];
    static char routes[EVENTS / 500 + 1][48];
    static const int32_t statuses[STATUSES] = {200, 201, 404, 500, 503};
    size_t service = label_set % SERVICES;
    size_t region = label_set / SERVICES % REGIONS;
    size_t status = label_set / (SERVICES * REGIONS) % STATUSES;
    size_t route = label_set / (SERVICES * REGIONS * STATUSES);
    (void)snprintf(services[service], sizeof services[0], "service-%02zu", service);
    (void)snprintf(regions[region], sizeof regions[0], "region-%zu", region);
    (void)snprintf(routes[route], sizeof routes[0], "/v1/things-%zu/{id}", route);
    return (struct event){.service = text(services[service]),
                          .region = text(regions[region]),
                          .route = text(routes[route]),
                          .kind = EVENT_REQUEST,
                          .method = EVENT_METHOD_GET,
                          .status_code = statuses[status],
                          .count = 1,
                          .cpu_utilization = NAN,
                          .memory_utilization = NAN};
}

static void make_events(struct bench *bench, double spread)
{
    struct random random;
    random_init(&random, 1);
    for (size_t i = 0; i < EVENTS; i++) {
        bench->events[i] = make_event(i < bench->label_sets ? i : random_below(&random, bench->label_sets));
        bench->events[i].duration_s = exp(spread * random_normal(&random) - 2.5);
        bench->events[i].time_unix_ms = 1764000000000 + (int64_t)i;
        (void)snprintf(bench->trace_ids[i], sizeof bench->trace_ids[0], "%016llx%016llx",
                       (unsigned long long)random_next(&random), (unsigned long long)random_next(&random));
        bench->events[i].trace_id = text(bench->trace_ids[i]);
    }
}

static void count_one(struct bench *bench, const struct event *event)
{
    size_t partition = (size_t)(event->service.data[9] + event->region.data[7]) % PARTITIONS;
    if (counter_partition_count_event(bench->partitions[partition], event, 1764000000000) != 0) {
        die("no memory");
    }
}

static void commit_all(struct bench *bench)
{
    struct bus_bytes key;
    struct bus_bytes value;
    for (size_t p = 0; p < PARTITIONS; p++) {
        while (counter_partition_next_saved(bench->partitions[p], 1764000000000, &key, &value)) {
        }
        counter_partition_commit(bench->partitions[p], 1764000000000);
    }
}

/* --- memory ---- */

static size_t used_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void open_counters(struct bench *bench)
{
    struct error error;
    const struct series_counters_settings settings = {
        .max_series = 10000000, .zero_first_ms = 0, .idle_ms = INT64_C(1) << 60};
    if (series_counters_create(&bench->counters, &settings, &error) != 0) {
        die(error.message);
    }
    for (size_t p = 0; p < PARTITIONS; p++) {
        if (counter_partition_open(bench->counters, "totals|", &bench->partitions[p], &error) != 0) {
            die(error.message);
        }
        counter_partition_end_restore(bench->partitions[p]);
    }
}

static void fill(struct bench *bench, size_t events_a_set)
{
    struct random random;
    random_init(&random, 2);
    for (size_t i = 0; i < events_a_set * bench->label_sets; i++) {
        struct event event = bench->events[i % bench->label_sets];
        const struct event *other = &bench->events[random_below(&random, EVENTS)];
        event.duration_s = other->duration_s;
        event.trace_id = other->trace_id;
        count_one(bench, &event);
    }
    commit_all(bench);
}

static void show_memory(struct bench *bench, const char *what, double spread, size_t events_a_set)
{
    struct counter_snapshot snapshot;
    make_events(bench, spread);
    size_t before = used_bytes();
    open_counters(bench);
    fill(bench, events_a_set);
    size_t after = used_bytes();
    if (counter_snapshot_take(bench->counters, 1764000000000, &snapshot) != 0) {
        die("no memory");
    }
    size_t with_snapshot = used_bytes();
    double buckets = 0;
    double saved = 0;
    struct label_numbers numbers;
    label_numbers_init(&numbers, COUNTER_REQUESTS);
    for (size_t i = 0; i < snapshot.first[COUNTER_CLASSES]; i++) {
        (void)label_numbers_unpack(&numbers, COUNTER_REQUESTS, snapshot.rows[i].numbers);
        buckets += numbers.native.count;
        saved += (double)snapshot.rows[i].numbers->record_bytes;
    }
    label_numbers_deinit(&numbers);
    printf("| %s | %.0f | %.0f | %.0f | %.0f |\n", what, buckets / (double)bench->label_sets,
           saved / (double)bench->label_sets, (double)(after - before) / (double)bench->label_sets,
           (double)(with_snapshot - after) / (double)bench->label_sets);
    counter_snapshot_release(bench->counters, &snapshot);
}

/* --- scrapes ---- */

static void start_server(struct bench *bench)
{
    char listen[64];
    char url[64];
    char directory[] = "/tmp/bench-scrape-XXXXXX";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (mkdtemp(directory) == NULL || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        die("no directory or port");
    }
    close(fd);
    (void)snprintf(listen, sizeof listen, "--listen=127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    (void)snprintf(url, sizeof url, "--bus-url=embedded:%s", directory);
    (void)snprintf(bench->base, sizeof bench->base, "http://127.0.0.1:%u/metrics",
                   (unsigned)ntohs(address.sin_port));
    char name[] = "bench_scrape";
    char *argv[] = {name, listen, url, NULL};
    const struct program_spec spec = {.name = "bench-scrape", .summary = "", .default_port = 1};
    struct error error;
    error_clear(&error);
    if (program_start(&bench->program, &spec, 3, argv) != 0 || bench->program == NULL) {
        die("the program does not start");
    }
    struct bus *bus = program_bus(bench->program, &error);
    if (bus == NULL || lag_watch_start(&bench->lag, bench->program, bus, 60000, &error) != 0 ||
        counting_worker_create(&bench->worker, bench->program, bench->counters, PARTITIONS, &error) != 0 ||
        scrape_create(&bench->scrape, bench->program, bench->counters, bench->lag, bench->worker, &error) !=
            0) {
        die(error.message);
    }
    program_add_route(bench->program, "GET", "/metrics", scrape_answer, bench->scrape);
    if (program_serve(bench->program, &error) != 0) {
        die(error.message);
    }
}

static void stop_server(struct bench *bench)
{
    program_end_serving(bench->program);
    scrape_destroy(bench->scrape);
    lag_watch_stop(bench->lag);
    counting_worker_destroy(bench->worker);
    program_end(bench->program);
}

static double seconds_of(clockid_t clock)
{
    struct timespec time;
    (void)clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Milliseconds; the answer's size in *bytes. */
static double scrape_once(const struct bench *bench, const char *query, const char *accept, bool gzip,
                          size_t *bytes)
{
    char url[128];
    struct buffer body;
    struct error error;
    buffer_init(&body, 0);
    (void)snprintf(url, sizeof url, "%s?histograms=%s", bench->base, query);
    const char *headers[] = {accept, gzip ? GZIP : NULL, NULL};
    const struct http_client_request request = {
        .url = url, .headers = headers, .timeout_ms = 20000, .max_response_bytes = RESPONSE_MOST};
    int64_t begin_ns = now_ns();
    if (http_client_send(&request, &body, &error) != 200) {
        die(error.message);
    }
    double ms = (double)(now_ns() - begin_ns) / 1e6;
    *bytes = body.size;
    buffer_free(&body);
    return ms;
}

static int compare_reals(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void show_scrapes(struct bench *bench)
{
    static const struct {
        const char *name, *query, *accept;
        bool gzip;
    } kinds[] = {
        {"text 0.0.4", "classic", "Accept: text/plain", false},
        {"text 0.0.4, gzip", "classic", "Accept: text/plain", true},
        {"OpenMetrics with exemplars", "classic", OPENMETRICS, false},
        {"OpenMetrics with exemplars, gzip", "classic", OPENMETRICS, true},
        {"protobuf, classic", "classic", PROTOBUF, false},
        {"protobuf, classic, gzip", "classic", PROTOBUF, true},
        {"protobuf, native", "native", PROTOBUF, false},
        {"protobuf, native, gzip", "native", PROTOBUF, true},
        {"protobuf, both, gzip", "both", PROTOBUF, true},
    };
    enum { LOCAL_STACKS = 5 };
    printf("\n| scrape of %zu label sets | median ms | least ms | processor ms, client's too | MB on the "
           "wire |\n"
           "|---|---|---|---|---|\n",
           bench->label_sets);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        double ms[TRIES];
        size_t bytes = 0;
        double begin_s = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
        for (size_t t = 0; t < TRIES; t++) {
            ms[t] = scrape_once(bench, kinds[i].query, kinds[i].accept, kinds[i].gzip, &bytes);
        }
        double used_ms = 1e3 * (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - begin_s) / TRIES;
        bench->scrape_s = i == LOCAL_STACKS ? used_ms / 1e3 : bench->scrape_s;
        qsort(ms, TRIES, sizeof ms[0], compare_reals);
        printf("| %s | %.0f | %.0f | %.0f | %.1f |\n", kinds[i].name, ms[TRIES / 2], ms[0], used_ms,
               (double)bytes / 1e6);
    }
}

/* --- counting beside scrapes ---- */

/* What goes on beside the counting: nothing; work that has nothing to do with it but takes as much processor
 * time as a scrape, which says what the machine makes of any neighbour; a scrape. */
enum neighbour { NOTHING, WORK, SCRAPE, NEIGHBOURS };

static atomic_int wanted;
static atomic_bool neighbour_ends;

static atomic_uint_fast64_t product;

static void work_for(double seconds)
{
    double begin_s = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    while (seconds_of(CLOCK_THREAD_CPUTIME_ID) - begin_s < seconds) {
        for (uint64_t i = 0; i < 10000; i++) {
            atomic_store_explicit(&product, i * i, memory_order_relaxed);
        }
    }
}

/* Does once whatever is wanted; a scrape as the job metrics-bridge of the local stack. */
static void *be_a_neighbour(void *argument)
{
    struct bench *bench = argument;
    size_t bytes;
    while (!atomic_load(&neighbour_ends)) {
        switch ((enum neighbour)atomic_load(&wanted)) {
        case SCRAPE:
            (void)scrape_once(bench, "classic", PROTOBUF, true, &bytes);
            break;
        case WORK:
            work_for(bench->scrape_s);
            break;
        default:
            usleep(1000);
            continue;
        }
        atomic_store(&wanted, NOTHING);
    }
    return NULL;
}

/* Events a second of wall time, and of the counting thread's processor time. */
static void count_for_a_window(struct bench *bench, double *wall, double *processor)
{
    int64_t begin_ns = now_ns();
    int64_t committed_ns = begin_ns;
    double begin_s = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    int64_t at_ns = begin_ns;
    size_t count = 0;
    while (at_ns - begin_ns < WINDOW_NS) {
        for (int i = 0; i < 1000; i++) {
            count_one(bench, &bench->events[count++ % EVENTS]);
        }
        at_ns = now_ns();
        if (at_ns - committed_ns >= COMMIT_NS) {
            commit_all(bench);
            committed_ns = at_ns;
        }
    }
    *wall = (double)count / ((double)(now_ns() - begin_ns) / 1e9);
    *processor = (double)count / (seconds_of(CLOCK_THREAD_CPUTIME_ID) - begin_s);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_reals);
    return values[count / 2];
}

static void show_consumption(struct bench *bench)
{
    double wall[NEIGHBOURS][ROUNDS];
    double processor[NEIGHBOURS][ROUNDS];
    pthread_t thread;
    if (pthread_create(&thread, NULL, be_a_neighbour, bench) != 0) {
        die("no thread");
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t turn = 0; turn < NEIGHBOURS; turn++) {
            size_t neighbour = (round + turn) % NEIGHBOURS; /* whichever comes first has no advantage */
            while (atomic_load(&wanted) != NOTHING) {
                usleep(1000); /* the one before, where there was no processor for it */
            }
            atomic_store(&wanted, (int)neighbour);
            count_for_a_window(bench, &wall[neighbour][round], &processor[neighbour][round]);
        }
    }
    for (size_t n = NEIGHBOURS; n-- > 0;) { /* to ratios */
        for (size_t round = 0; round < ROUNDS; round++) {
            wall[n][round] /= wall[NOTHING][round];
            processor[n][round] /= processor[NOTHING][round];
        }
    }
    printf(
        "\n| %d rounds of a second each | counting alone | beside %.0f ms of other work | beside a scrape |\n"
        "|---|---|---|---|\n"
        "| events/s, median ratio | 1 | %.3f | %.3f |\n"
        "| events to the counting thread's processor time, median ratio | 1 | %.3f | %.3f |\n",
        ROUNDS, 1e3 * bench->scrape_s, median(wall[WORK], ROUNDS), median(wall[SCRAPE], ROUNDS),
        median(processor[WORK], ROUNDS), median(processor[SCRAPE], ROUNDS));
    atomic_store(&neighbour_ends, true);
    (void)pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    struct bench bench = {.label_sets = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000};
    bench.events = calloc(EVENTS, sizeof *bench.events);
    bench.trace_ids = calloc(EVENTS, sizeof *bench.trace_ids);
    if (bench.events == NULL || bench.trace_ids == NULL || bench.label_sets == 0 ||
        bench.label_sets > EVENTS) {
        die("give a number of label sets up to 262144");
    }
    printf("| a label set of the histogram, each event with a trace | native buckets | saved bytes | "
           "bytes in memory | more while scraped |\n"
           "|---|---|---|---|---|\n");
    size_t label_sets = bench.label_sets;
    bench.label_sets = 1000;
    show_memory(&bench, "worst: 3 000 events of all durations", 3, 3000);
    series_counters_destroy(bench.counters);
    bench.label_sets = label_sets;
    show_memory(&bench, "200 events, log-normal, deviation 0.5", 0.5, EVENTS_A_SET);
    start_server(&bench);
    show_scrapes(&bench);
    show_consumption(&bench);
    stop_server(&bench);
    series_counters_destroy(bench.counters);
    free(bench.events);
    free(bench.trace_ids);
    return 0;
}
