/* tests/support/stack: a whole local stack of this build (Prometheus and Alertmanager included) in a
 * temporary directory, on ports of its own. Functions fail the running test themselves; skips it where
 * Prometheus isn't installed. */
#ifndef OBS_TESTS_SUPPORT_STACK_H
#define OBS_TESTS_SUPPORT_STACK_H

#include "support/files.h"

#include <stddef.h>

struct process;

enum stack_port {
    STACK_CONSOLE = 3000,
    STACK_BRIDGE = 8080,
    STACK_SIMULATOR = 8081,
    STACK_PROCESSOR = 8082,
    STACK_FORWARDER = 8084,
    STACK_PROMETHEUS = 9090,
    STACK_ALERTMANAGER = 9093
};

struct stack {
    char directory[TEST_PATH_BYTES]; /* holds data/, output */
    char data[TEST_PATH_BYTES];
    char output[TEST_PATH_BYTES]; /* what it prints, both streams */
    char bus_url[TEST_PATH_BYTES];
    int port_offset;
    struct process *process; /* NULL: not started */
};

/* The directory and the ports; nothing runs yet. */
void stack_create(struct stack *stack);
/* arguments: added to the ones for directory and ports, NULL-ended; NULL: none. */
void stack_start(struct stack *stack, const char *const *arguments);
/* Until it says that the platform is up; fails with its output after timeout_ms. */
void stack_wait_until_up(struct stack *stack, int timeout_ms);
/* SIGTERM; the exit code. */
int stack_stop(struct stack *stack);
/* Kills what still runs and removes the directory. */
void stack_destroy(struct stack *stack);

/* "http://127.0.0.1:<8082 + offset>" + path, in a ring of 8 texts. */
const char *stack_url(const struct stack *stack, enum stack_port port, const char *path);

#endif
