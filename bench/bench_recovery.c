/* What is it worth to save windows? A stream of many series; then a restart that reads its windows again from
 * the log, one that takes them out of checkpoints (and reads the seconds since), measured side by side.
 *
 *   bench_recovery [SERIES [RATE [SECONDS]]]
 */
#include "recovery/model.h"
#include "recovery/stream.h"

#include "rule/rule_load.h"

#include <stdio.h>
#include <stdlib.h>

#define START_MS INT64_C(1795561200000)
#define WINDOW_S 615 /* the longest window and the lateness */

int main(int argc, char **argv)
{
    uint32_t series = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 10000;
    uint32_t rate = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 100000;
    uint32_t seconds = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 64;
    struct rule_set *rules = NULL;
    struct error error;
    if (series == 0 || rate == 0 || seconds < 45 ||
        rule_set_load(&rules, OBS_SOURCE_DIR "/config/anomaly-rules.yaml", &error) != 0) {
        (void)fprintf(stderr, "usage: bench_recovery [SERIES [RATE [SECONDS, at least 45]]]\n");
        return 2;
    }
    struct stream stream;
    struct model_costs costs;
    stream_init(&stream, series, rate, START_MS);
    model_run(&stream, rules, seconds, &costs);
    double replay_s = costs.rebuild_ns * rate * WINDOW_S / 1e9;
    printf("%u series, %u records a second, %u s of them; one commit a second; detector alone, one core\n\n",
           series, rate, seconds);
    printf("observing a record %.0f ns, again after a restart %.0f ns\n", costs.observe_ns, costs.rebuild_ns);
    printf("checkpointing      %.0f ns a record, %.1f ms a commit, %.1f ms the longest\n",
           costs.checkpoint_ns, costs.commit_ms, costs.worst_commit_ms);
    printf("  written          %.0f kB/s, %.1f bytes a record: ids %.0f, values %.0f, counts %.0f kB/s\n\n",
           costs.bytes_a_second / 1e3, costs.bytes_a_record, costs.ids_bytes / 1e3, costs.values_bytes / 1e3,
           costs.counts_bytes / 1e3);
    printf("%-28s %12s %14s %14s %12s\n", "after a restart", "state", "restored in", "records read", "in");
    printf("%-28s %9.1f MB %12.1f s %14.0f %10.1f s\n", "windows replayed", costs.other_mb, 0.0,
           (double)rate * WINDOW_S, replay_s);
    printf("%-28s %9.1f MB %12.2f s %14.0f %10.2f s\n", "checkpoint and the rest",
           costs.other_mb + costs.live_mb, costs.restore_ms / 1e3, costs.replayed_records,
           costs.rebuild_ns * costs.replayed_records / 1e9);
    rule_set_destroy(rules);
    return 0;
}
