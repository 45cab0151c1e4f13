/* The processor's work on its partitions: records in, through decoder and detector; transitions, dead letters
 * and state out, in one commit with the positions. One detector a partition; the loop is lib/worker's.
 *
 * Threads: everything runs on the worker's thread but detection_worker_write. */
#ifndef STREAM_PROCESSOR_DETECTION_WORKER_H
#define STREAM_PROCESSOR_DETECTION_WORKER_H

#include "detect/detector.h"
#include "error/error.h"
#include "worker/group_worker.h"

#include <stdbool.h>
#include <stdint.h>

struct bus;
struct detection_worker;
struct json_writer;
struct program;

struct detection_settings {
    const char *rules_path; /* borrowed; read at creation and at each reload */
    struct detector_limits limits;
    bool ticks, announce_history;
    const char *runbook_base;
    int32_t partition_count; /* of metrics.raw */
};

int detection_worker_create(struct detection_worker **out, struct program *program, struct bus *bus,
                            const struct detection_settings *settings, struct error *error);
void detection_worker_destroy(struct detection_worker *worker);
const struct group_worker_calls *detection_worker_calls(void); /* their context is the worker */
/* After GROUP_WORKER_AGAIN: the rules that a reload brought are the rules from here on. */
void detection_worker_take_rules(struct detection_worker *worker);

/* For the pages, any thread: what each detector has, as items of the array that is open in the writer. */
void detection_worker_write(struct detection_worker *worker, struct json_writer *writer,
                            void (*write)(const struct detector *detector, struct json_writer *writer));

/* Those who follow GET /stream hear its end: before the HTTP server stops. */
void detection_worker_end_streams(struct detection_worker *worker);

#endif
