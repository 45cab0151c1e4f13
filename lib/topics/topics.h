/* lib/topics: the platform's topics: their names, partitions and clean-up, written once for every program.
 *
 * What each holds and who writes it is in docs/event-contract.md. The dead-letter topics take records of
 * twice the size that the input takes, because a dead letter is the original plus headers. The partition
 * count is fixed at creation: keys would move otherwise, and state with them. */
#ifndef OBS_TOPICS_TOPICS_H
#define OBS_TOPICS_TOPICS_H

#include "bus/bus.h"
#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>

struct program;

#define TOPIC_METRICS_RAW            "metrics.raw"
#define TOPIC_LOGS_RAW               "logs.raw"
#define TOPIC_ALERTS_FIRED           "alerts.fired"
#define TOPIC_ALERTS_ACTIVE          "alerts.active"
#define TOPIC_METRICS_RAW_DLQ        "metrics.raw.dlq"
#define TOPIC_LOGS_RAW_DLQ           "logs.raw.dlq"
#define TOPIC_STREAM_PROCESSOR_STATE "stream-processor.state"
#define TOPIC_METRICS_BRIDGE_STATE   "metrics-bridge.state"
#define TOPIC_COUNT                  8

/* All of them, TOPIC_COUNT, in the order above; they live for ever. */
const struct bus_topic *topics_all(void);
const struct bus_topic *topics_find(const char *name); /* NULL: none of the platform's */

enum topics_result { TOPICS_READY = 0, TOPICS_STOPPED = 1, TOPICS_REFUSED = -1 };

/* Creates what is missing of the named topics (NULL-ended; names of the table) and checks the rest. While the
 * bus is away or full it waits and tries again (0.2 s, doubling to 5 s), says so once a minute, and /readyz
 * says why. TOPICS_STOPPED: the program was asked to stop meanwhile. TOPICS_REFUSED: a topic has the wrong
 * settings or the bus is broken: error says which, and how to repair it; exit 1. */
enum topics_result topics_create(struct program *program, struct bus *bus, const char *const *names,
                                 struct error *error);

/* How a program on the bus begins: it serves HTTP, so that /readyz says what it waits for, then waits for the
 * topics. False: it can't, or was asked to stop; *code is what it ends with, and it has been said why. */
bool topics_serve(struct program *program, struct bus *bus, const char *const *names, int *code,
                  struct error *error);

#endif
