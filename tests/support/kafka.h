/* tests/support/kafka: a real Kafka broker for one test program, in a directory and on ports of its own
 * (scripts/kafka-up). */
#ifndef OBS_TESTS_SUPPORT_KAFKA_H
#define OBS_TESTS_SUPPORT_KAFKA_H

#include "support/files.h"

#include <stdbool.h>
#include <stdint.h>

struct kafka_broker {
    char directory[TEST_PATH_BYTES];
    uint16_t port;
    char url[64]; /* kafka://127.0.0.1:port */
};

/* 0; -1: it doesn't start, and stderr says why. */
int kafka_broker_start(struct kafka_broker *broker);
/* keep: its data stay, for another kafka_broker_start_again. */
void kafka_broker_stop(struct kafka_broker *broker, bool keep);
int kafka_broker_start_again(struct kafka_broker *broker);

/* For a test's main: 0: go on; otherwise the exit code: 77 (ctest: skipped) on a person's machine, 1 where CI
 * is set. */
int kafka_broker_require(struct kafka_broker *broker);

#define TEST_SKIPPED 77

#endif
