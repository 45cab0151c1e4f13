/* bench_recovery's second part: the real processor on a real bus, killed and started again while records keep
 * coming. */
#ifndef OBS_BENCH_RECOVERY_PROCESSOR_H
#define OBS_BENCH_RECOVERY_PROCESSOR_H

#include "recovery/stream.h"

struct restart_times {
    double first_commit_s; /* from the start of the process until it has committed something new */
    double live_s;         /* until no record waits longer than about a second */
    double cpu_s;          /* of the process by then */
    double load;           /* of the machine, in the last minute */
};
struct processor_figures {
    double produced_a_second; /* as fast as it goes, while the processor reads too */
    double reached_a_second;  /* of the later records, which are produced at live_rate; their event time is as
                                 dense as before */
    uint64_t history;         /* records before the first kill */
    struct restart_times checkpoint; /* the same member again */
    struct restart_times
        takeover; /* another member, started when the first is killed: times from the kill on */
    struct restart_times replay; /* with other limits, so that it reads its windows again */
};
/* url: a bus of its own, with no topics yet. 0, or -1 with a line on stderr. */
int processor_run(const char *url, const char *program, struct stream *stream, uint32_t seconds,
                  uint32_t live_rate, struct processor_figures *out);

#endif
