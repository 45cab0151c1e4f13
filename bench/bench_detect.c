/* What does the detector cost? ns an event at 10, 1 000 and 10 000 series of 100 events/s each, with records
 * that are all new and with one in twenty sent twice, and how much memory a series takes; beside it the naive
 * way to a P99 (a deque of 60 s kept sorted), measured in turn in the same process, so that the ratios hold
 * on a busy machine.
 *
 * Each figure is the smallest of several rounds: what the code costs, not what the machine was doing.
 *
 *   bench_detect [ROUNDS]
 */
#include "alert/transition.h"
#include "clock/clock.h"
#include "detect/detector.h"
#include "event/event.h"
#include "random/random.h"
#include "rule/rule_load.h"

#include <inttypes.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH           128
#define PER_SERIES      100 /* events a second */
#define START_MS        INT64_C(1795561200000)
#define KEPT_SECONDS    60
#define WARM_IDS_S      20 /* the ids are full */
#define WARM_WINDOWS_S  65 /* the values are full too */
#define MEMORY_SERIES   1000
#define LATENCIES       4096
#define DUPLICATE_EVERY 20
#define ROUND_EVENTS    200000
#define NAIVE_SERIES    100

/* The cost that this measures is the detector's: latencies are drawn before. */
struct stream {
    struct random random;
    double latencies_s[LATENCIES];
    uint32_t series;
    uint64_t next; /* events made */
    uint32_t duplicate_every;
    char ids[BATCH][24], services[BATCH][24];
    struct event events[BATCH];
    struct detector_input inputs[BATCH];
};

static void stream_init(struct stream *stream, uint32_t series, uint32_t duplicate_every)
{
    random_init(&stream->random, series);
    stream->series = series;
    stream->next = 0;
    stream->duplicate_every = duplicate_every;
    for (int i = 0; i < LATENCIES; i++) {
        stream->latencies_s[i] = 0.04 * exp(0.7 * random_normal(&stream->random));
    }
}

static void make_event(struct stream *stream, int slot)
{
    bool again = stream->duplicate_every > 0 && slot > 0 && stream->next % stream->duplicate_every == 0;
    struct event *event = &stream->events[slot];
    if (again) {
        *event = stream->events[slot - 1];
    } else {
        uint64_t rate = (uint64_t)stream->series * PER_SERIES;
        int64_t time_ms = START_MS + (int64_t)(stream->next * 1000 / rate);
        uint32_t series = (uint32_t)random_below(&stream->random, stream->series);
        int id_size = snprintf(stream->ids[slot], sizeof stream->ids[slot], "%016" PRIx64, stream->next);
        int name_size =
            snprintf(stream->services[slot], sizeof stream->services[slot], "service-%05u", series);
        *event = (struct event){.id = {stream->ids[slot], (size_t)id_size},
                                .time_unix_ms = time_ms,
                                .service = {stream->services[slot], (size_t)name_size},
                                .region = {"us-east-1", 9},
                                .kind = EVENT_REQUEST,
                                .route = {"/orders/{id}", 12},
                                .status_code = random_below(&stream->random, 200) == 0 ? 500 : 200,
                                .duration_s = stream->latencies_s[stream->next % LATENCIES],
                                .count = 1,
                                .cpu_utilization = NAN,
                                .memory_utilization = NAN};
    }
    stream->inputs[slot] = (struct detector_input){
        .event = event, .offset = (int64_t)stream->next, .appended_ms = event->time_unix_ms + 5};
    stream->next++;
}

/* ns spent in the detector for so many events. */
static int64_t run_detector(struct detector *detector, struct stream *stream, uint64_t events)
{
    const struct clock *clock = clock_system();
    int64_t spent_ns = 0;
    for (uint64_t end = stream->next + events; stream->next < end;) {
        for (int slot = 0; slot < BATCH; slot++) {
            make_event(stream, slot);
        }
        int64_t begin_ns = clock_steady_ns(clock);
        detector_observe(detector, DETECTOR_DECIDE, stream->inputs, BATCH);
        spent_ns += clock_steady_ns(clock) - begin_ns;
        struct alert_transition transition;
        while (detector_next_transition(detector, &transition)) {
            printf("  (%s fired: healthy traffic should not)\n", transition.rule);
        }
    }
    return spent_ns;
}

static struct detector *open_detector(const struct rule_set *rules)
{
    const struct detector_limits limits = {.series = 100000, .lateness_ms = 15000, .idle_after_ms = 15000};
    struct detector *detector = NULL;
    struct error error;
    if (detector_create(&detector, rules, &limits, 7, &error) != 0) {
        (void)fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    return detector;
}

static double smallest(double a, double b)
{
    return a == 0 || b < a ? b : a;
}

static double measure_detector(const struct rule_set *rules, struct stream *stream, uint32_t series,
                               uint32_t duplicate_every, uint64_t rounds)
{
    struct detector *detector = open_detector(rules);
    double best_ns = 0;
    stream_init(stream, series, duplicate_every);
    (void)run_detector(detector, stream, (uint64_t)WARM_IDS_S * series * PER_SERIES);
    for (uint64_t i = 0; i < rounds; i++) {
        best_ns = smallest(best_ns, (double)run_detector(detector, stream, ROUND_EVENTS) / ROUND_EVENTS);
    }
    detector_destroy(detector);
    return best_ns;
}

static void measure_memory(const struct rule_set *rules, struct stream *stream)
{
    struct detector_totals totals;
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    struct detector *detector = open_detector(rules);
    stream_init(stream, MEMORY_SERIES, 0);
    (void)run_detector(detector, stream, (uint64_t)WARM_WINDOWS_S * MEMORY_SERIES * PER_SERIES);
    detector_read_totals(detector, &totals);
    size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
    printf("memory a series: %.1f KiB by its own count, %.1f KiB taken from malloc (%d series, %d events/s "
           "each)\n",
           (double)totals.memory_bytes / MEMORY_SERIES / 1024,
           (double)(after - before) / MEMORY_SERIES / 1024, MEMORY_SERIES, PER_SERIES);
    detector_destroy(detector);
}

/* --- the naive way: every duration of 60 s in arrival order and in sorted order ---- */

#define NAIVE_ROOM (KEPT_SECONDS * PER_SERIES * 2)

struct naive {
    uint32_t head, count;
    int64_t second;
    struct {
        int64_t time_ms;
        double value;
    } deque[NAIVE_ROOM];
    double sorted[NAIVE_ROOM];
};

static uint32_t find_rank(const struct naive *naive, double value)
{
    uint32_t low = 0;
    uint32_t high = naive->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (naive->sorted[middle] < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static double naive_observe(struct naive *naive, const struct event *event)
{
    double p99 = 0;
    while (naive->count > 0 &&
           (naive->deque[naive->head].time_ms <= event->time_unix_ms - KEPT_SECONDS * 1000 ||
            naive->count == NAIVE_ROOM)) {
        uint32_t rank = find_rank(naive, naive->deque[naive->head].value);
        naive->count--;
        memmove(&naive->sorted[rank], &naive->sorted[rank + 1], (naive->count - rank) * sizeof(double));
        naive->head = (naive->head + 1) % NAIVE_ROOM;
    }
    uint32_t tail = (naive->head + naive->count) % NAIVE_ROOM;
    naive->deque[tail].time_ms = event->time_unix_ms;
    naive->deque[tail].value = event->duration_s;
    uint32_t rank = find_rank(naive, event->duration_s);
    memmove(&naive->sorted[rank + 1], &naive->sorted[rank], (naive->count - rank) * sizeof(double));
    naive->sorted[rank] = event->duration_s;
    naive->count++;
    if (naive->second != event->time_unix_ms / 1000) {
        naive->second = event->time_unix_ms / 1000;
        p99 = naive->sorted[(uint32_t)ceil(0.99 * naive->count) - 1];
    }
    return p99;
}

static int64_t run_naive(struct naive *all, struct stream *stream, uint64_t events)
{
    const struct clock *clock = clock_system();
    int64_t spent_ns = 0;
    volatile double sum = 0;
    for (uint64_t end = stream->next + events; stream->next < end;) {
        for (int slot = 0; slot < BATCH; slot++) {
            make_event(stream, slot);
        }
        int64_t begin_ns = clock_steady_ns(clock);
        for (int slot = 0; slot < BATCH; slot++) {
            uint32_t index = (uint32_t)strtoul(stream->services[slot] + sizeof "service-" - 1, NULL, 10);
            sum = sum + naive_observe(&all[index], &stream->events[slot]);
        }
        spent_ns += clock_steady_ns(clock) - begin_ns;
    }
    return spent_ns;
}

/* Windows and quantile alone: no rules, no duplicates, no clock. */
static double measure_naive(struct stream *stream, uint64_t rounds)
{
    struct naive *all = calloc(NAIVE_SERIES, sizeof *all);
    double best_ns = 0;
    if (all == NULL) {
        (void)fprintf(stderr, "no memory for the naive reference\n");
        exit(1);
    }
    stream_init(stream, NAIVE_SERIES, 0);
    (void)run_naive(all, stream, (uint64_t)WARM_WINDOWS_S * NAIVE_SERIES * PER_SERIES);
    for (uint64_t i = 0; i < rounds; i++) {
        best_ns = smallest(best_ns, (double)run_naive(all, stream, ROUND_EVENTS) / ROUND_EVENTS);
    }
    free(all);
    return best_ns;
}

int main(int argc, char **argv)
{
    static const uint32_t counts[] = {10, 1000, 10000};
    static struct stream stream;
    uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : 10;
    struct rule_set *rules = NULL;
    struct error error;
    if (rounds == 0 || rounds > 1000) {
        (void)fprintf(stderr, "usage: bench_detect [ROUNDS]\n");
        return 2;
    }
    if (rule_set_load(&rules, OBS_SOURCE_DIR "/config/anomaly-rules.yaml", &error) != 0) {
        (void)fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    double naive_ns = measure_naive(&stream, rounds);
    printf("%-34s %8s %12s %14s\n", "", "ns/event", "M events/s", "naive / this");
    printf("%-34s %8.0f %12.2f %14s\n", "naive sorted deque, 100 series", naive_ns, 1000 / naive_ns, "1.0");
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        for (uint32_t every = 0; every <= DUPLICATE_EVERY; every += DUPLICATE_EVERY) {
            double ns = measure_detector(rules, &stream, counts[i], every, rounds);
            char name[64];
            (void)snprintf(name, sizeof name, "detector, %u series%s", counts[i],
                           every == 0 ? "" : ", 5 % sent twice");
            printf("%-34s %8.0f %12.2f %14.1f\n", name, ns, 1000 / ns, naive_ns / ns);
        }
    }
    measure_memory(rules, &stream);
    rule_set_destroy(rules);
    return 0;
}
