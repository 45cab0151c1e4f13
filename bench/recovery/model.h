/* bench_recovery's first part: detectors without a bus. What a checkpoint costs and weighs while a stream
 * flows, and what putting it back costs beside reading the records again. */
#ifndef OBS_BENCH_RECOVERY_MODEL_H
#define OBS_BENCH_RECOVERY_MODEL_H

#include "recovery/stream.h"

struct rule_set;

struct model_costs {
    uint64_t records;
    double observe_ns;                     /* a record, decoding not counted */
    double rebuild_ns;                     /* the same in DETECTOR_REBUILD */
    double checkpoint_ns;                  /* a record of the stream */
    double commit_ms, worst_commit_ms;     /* taking and draining all that is due, one commit a second */
    double bytes_a_second, bytes_a_record; /* checkpoints, in the steady state */
    double counts_bytes, values_bytes, ids_bytes; /* of those, a second */
    double live_mb, other_mb; /* what a compacted topic keeps: checkpoints; all other states */
    double restore_ms;        /* loading it all and putting it back */
    double replayed_records;  /* after that, at the worst moment */
};
/* Event time of `seconds`, then a restart of all partitions. */
void model_run(const struct stream *stream, const struct rule_set *rules, uint32_t seconds,
               struct model_costs *out);

#endif
