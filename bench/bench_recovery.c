/* What is it worth to save windows? A stream of many series; then a restart that reads its windows again from
 * the log, one that takes them out of checkpoints (and reads the seconds since), measured side by side.
 *
 *   bench_recovery [SERIES [RATE [SECONDS]]]               detectors alone
 *   bench_recovery URL PROGRAM [SERIES [RATE [SECONDS [LIVE_RATE]]]]
 *                                                          the real processor on a new bus, killed and
 * started again
 */
#include "recovery/model.h"
#include "recovery/processor.h"
#include "recovery/stream.h"

#include "rule/rule_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS INT64_C(1795561200000)
#define WINDOW_S 615 /* the longest window and the lateness */

struct load {
    uint32_t series, rate, seconds, live_rate;
};

static int measure_detectors(const struct load *load)
{
    struct rule_set *rules = NULL;
    struct error error;
    struct stream stream;
    struct model_costs costs;
    if (rule_set_load(&rules, OBS_SOURCE_DIR "/config/anomaly-rules.yaml", &error) != 0) {
        (void)fprintf(stderr, "bench_recovery: %s\n", error.message);
        return 1;
    }
    stream_init(&stream, load->series, load->rate, START_MS);
    model_run(&stream, rules, load->seconds, &costs);
    rule_set_destroy(rules);
    double replay_s = costs.rebuild_ns * load->rate * WINDOW_S / 1e9;
    printf("observing a record %.0f ns, again after a restart %.0f ns\n", costs.observe_ns, costs.rebuild_ns);
    printf("checkpointing      %.0f ns a record, %.1f ms a commit, %.1f ms the longest\n",
           costs.checkpoint_ns, costs.commit_ms, costs.worst_commit_ms);
    printf("  written          %.0f kB/s, %.1f bytes a record: ids %.0f, values %.0f, counts %.0f kB/s\n\n",
           costs.bytes_a_second / 1e3, costs.bytes_a_record, costs.ids_bytes / 1e3, costs.values_bytes / 1e3,
           costs.counts_bytes / 1e3);
    printf("%-28s %12s %14s %14s %12s\n", "after a restart", "state", "restored in", "records read", "in");
    printf("%-28s %9.1f MB %12.1f s %14.0f %10.1f s\n", "windows replayed", costs.other_mb, 0.0,
           (double)load->rate * WINDOW_S, replay_s);
    printf("%-28s %9.1f MB %12.2f s %14.0f %10.2f s\n", "checkpoint and the rest",
           costs.other_mb + costs.live_mb, costs.restore_ms / 1e3, costs.replayed_records,
           costs.rebuild_ns * costs.replayed_records / 1e9);
    return 0;
}

static void print_times(const char *what, const struct restart_times *times)
{
    printf("%-46s %12.2f s %8.2f s %14.2f s %10.1f\n", what, times->first_commit_s, times->live_s,
           times->cpu_s, times->load);
}

static int measure_processor(const char *url, const char *program, const struct load *load)
{
    struct stream stream;
    struct processor_figures figures;
    stream_init(&stream, load->series, load->rate, START_MS);
    if (processor_run(url, program, &stream, load->seconds, load->live_rate, &figures) != 0) {
        return 1;
    }
    printf("produced %.0f records/s while the processor read, then %.0f/s; %llu records before the kill\n\n",
           figures.produced_a_second, figures.reached_a_second, (unsigned long long)figures.history);
    printf("%-46s %14s %10s %16s %10s\n", "killed, started again", "first commit", "live", "processor time",
           "load");
    print_times("same member, windows out of checkpoints", &figures.checkpoint);
    print_times("another member, out of checkpoints", &figures.takeover);
    print_times("same member, windows replayed (those there are)", &figures.replay);
    printf("\nanother member waits for the killed one: its session of 10 s and its transaction of 5 s on "
           "Kafka, its "
           "lease of 5 s on the embedded bus\n");
    return 0;
}

static uint32_t number_of(int argc, char **argv, int at, uint32_t otherwise)
{
    return argc > at ? (uint32_t)strtoul(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    bool has_bus = argc > 2 && strchr(argv[1], ':') != NULL;
    int first = has_bus ? 3 : 1;
    uint32_t rate = number_of(argc, argv, first + 1, 100000);
    const struct load load = {.series = number_of(argc, argv, first, 10000),
                              .rate = rate,
                              .live_rate = number_of(argc, argv, first + 3, rate),
                              .seconds = number_of(argc, argv, first + 2, 64)};
    if (load.series == 0 || load.rate == 0 || load.seconds < 45) {
        (void)fprintf(
            stderr,
            "usage: bench_recovery [URL PROGRAM] [SERIES [RATE [SECONDS, at least 45 [LIVE_RATE]]]]\n");
        return 2;
    }
    printf("%u series, %u records a second, %u s of them; one commit a second%s\n\n", load.series, load.rate,
           load.seconds, has_bus ? "" : "; detectors alone, one core");
    return has_bus ? measure_processor(argv[1], argv[2], &load) : measure_detectors(&load);
}
