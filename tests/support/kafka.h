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
    /* A second listener, for clients that are to come through a proxy: the broker listens on behind_port and
     * tells them proxy_port. 0: none. Set before the start by kafka_broker_plan_proxy. */
    uint16_t proxy_port, behind_port;
};

/* Before kafka_broker_start: with a second listener on ports of its own. */
void kafka_broker_plan_proxy(struct kafka_broker *broker);

/* 0; -1: it doesn't start, and stderr says why. */
int kafka_broker_start(struct kafka_broker *broker);
/* keep: its data stay, for another kafka_broker_start_again. */
void kafka_broker_stop(struct kafka_broker *broker, bool keep);
int kafka_broker_start_again(struct kafka_broker *broker);
void kafka_broker_kill(struct kafka_broker *broker); /* SIGKILL; its data stay */
/* SIGSTOP: it takes connections and answers nothing, until SIGCONT. */
void kafka_broker_signal(const struct kafka_broker *broker, int signal_number);

/* Three brokers of one cluster; every topic is on all of them, and two must have what is acknowledged. */
#define KAFKA_CLUSTER_BROKERS 3
struct kafka_cluster {
    struct kafka_broker brokers[KAFKA_CLUSTER_BROKERS];
    char id[32];
    char url[128]; /* of all three */
};
int kafka_cluster_start(struct kafka_cluster *cluster);
int kafka_cluster_start_again(struct kafka_cluster *cluster, unsigned broker);
void kafka_cluster_stop(struct kafka_cluster *cluster);

/* For a test's main: 0: go on; otherwise the exit code: 77 (ctest: skipped) on a person's machine, 1 where CI
 * is set. */
int kafka_broker_require(struct kafka_broker *broker);

#define TEST_SKIPPED 77

#endif
