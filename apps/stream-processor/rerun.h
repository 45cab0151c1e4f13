/* The retained log decided again, off line: by the rules that decided it then (--verify) or by others
 * (--backtest). Nothing is written, nobody else notices.
 *
 * Every partition has one stretch for each set of rules that decided it (rules_record.h); where the rules
 * change, state goes from one detector to the next as it does at a restart. Where retention has taken the
 * beginning, the first minutes aren't exact: is_whole says so, exact_from_ms since when they are.
 *
 * Memory: the detectors, and each transition found. */
#ifndef STREAM_PROCESSOR_RERUN_H
#define STREAM_PROCESSOR_RERUN_H

#include "rules_file.h"

#include "alert/transition.h"
#include "bus/bus.h"
#include "detect/detector.h"
#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct program;
struct rerun;

struct rerun_settings {
    struct program *program;
    struct bus *bus;
    const struct rules_file *rules; /* borrowed; NULL: those that decided then, up to what is committed */
    struct detector_limits limits;  /* with rules */
};

struct rerun_decision {
    struct alert_transition transition;
    int32_t partition;
    int64_t appended_ms; /* of the record that decided (the first of its batch), or the clock of the tick */
};

struct rerun_partition_info {
    bool is_whole;         /* read from the first record that was ever decided */
    int64_t exact_from_ms; /* append time; INT64_MIN: everything is exact */
    uint64_t records;
};

/* Reads the log. -1: error says why. A program that was asked to stop gives what it had. */
int rerun_run(struct rerun **out, const struct rerun_settings *settings, struct error *error);
void rerun_destroy(struct rerun *rerun);

size_t rerun_decision_count(const struct rerun *rerun);
/* In the order of partitions' records; borrowed. */
const struct rerun_decision *rerun_decision_at(const struct rerun *rerun, size_t index);
int32_t rerun_partition_count(const struct rerun *rerun);
void rerun_read_partition(const struct rerun *rerun, int32_t partition, struct rerun_partition_info *out);

#endif
