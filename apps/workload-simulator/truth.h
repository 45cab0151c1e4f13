/* truth: the file of --truth: what was really wrong and when, to hold detection against. JSON lines.
 *
 *   {"change":"begin","id":"1","type":"error_burst","service":"api-service","region":null,"magnitude":0.3,
 *    "time":"2026-11-24T23:06:32.125Z","time_unix_ms":…,"begin_unix_ms":…,"end_unix_ms":null}
 *
 * A line when a fault begins and one when it ends (with both times); null for service or region: all of them.
 * A fault that was cancelled before it began isn't there. Lines are appended, each in one write, at the
 * moment when the traffic passes that time. Times are the events' own. One thread. */
#ifndef SIMULATOR_TRUTH_H
#define SIMULATOR_TRUTH_H

#include "error/error.h"
#include "fault_set.h"

#include <stdint.h>

struct truth;
struct json_writer;

int truth_open(struct truth **out, const char *path, struct error *error);
void truth_close(struct truth *truth); /* NULL is fine */
/* -1: the line couldn't be written whole; a NULL truth takes everything. */
int truth_write(struct truth *truth, int64_t start_unix_ms, const struct fault_change *change,
                struct error *error);

/* What fault lines and pages share, inside an object: id, type, service, region, magnitude, begin and end. */
void truth_describe(struct json_writer *writer, int64_t start_unix_ms, const struct fault *fault);

#endif
