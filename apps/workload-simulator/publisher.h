/* publisher: events and log records onto their topics, each counted until the bus has acknowledged it.
 *
 * A full queue or a bus that is away makes the sender wait (said once a minute): nothing is dropped. Records
 * are encoded into one buffer that is used again. Counters are the program's metrics too, at 0 from the
 * start: workload_simulator_events_total and workload_simulator_logs_total by result. One thread. */
#ifndef SIMULATOR_PUBLISHER_H
#define SIMULATOR_PUBLISHER_H

#include "error/error.h"
#include "event/event.h"
#include "event/log_record.h"

#include <stdbool.h>
#include <stdint.h>

struct bus;
struct program;
struct publisher;

enum publisher_kind { PUBLISHER_EVENTS, PUBLISHER_LOGS, PUBLISHER_KINDS };

enum publisher_result {
    PUBLISHER_OK = 0,
    PUBLISHER_STOPPED = 1, /* the program was asked to stop while it waited: not sent, not counted */
    PUBLISHER_FAILED = -1  /* the bus is broken: error says why */
};

struct publisher_counts {
    uint64_t produced;     /* taken by the bus */
    uint64_t acknowledged; /* safe there */
    uint64_t failed;       /* refused by it, before or after it was taken */
};

/* Adds the metrics of a program that hasn't served yet. */
struct publisher *publisher_create(struct program *program); /* NULL: no memory */
int publisher_open(struct publisher *publisher, struct bus *bus, struct error *error);
void publisher_destroy(struct publisher *publisher); /* NULL is fine; drain first */

/* key: service.name|cloud.region. */
enum publisher_result publisher_send_event(struct publisher *publisher, const struct event *event,
                                           struct event_text key, struct error *error);
enum publisher_result publisher_send_log(struct publisher *publisher, const struct log_record *record,
                                         struct event_text key, struct error *error);

/* Takes the acknowledgements that are there, waiting up to timeout_ms for the first one. Call it often: it
 * drives the sending. Keeps /readyz honest. */
void publisher_poll(struct publisher *publisher, int timeout_ms);
bool publisher_is_waiting(const struct publisher *publisher); /* for an acknowledgement */
/* Waits until all is acknowledged; once a stop is asked for, 5 s more at most. Not ready from then on. */
void publisher_drain(struct publisher *publisher);

void publisher_read_counts(const struct publisher *publisher, enum publisher_kind kind,
                           struct publisher_counts *counts);
/* All that was produced is acknowledged, and nothing failed. */
bool publisher_is_complete(const struct publisher *publisher);

#endif
