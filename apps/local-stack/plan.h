/* What the stack consists of: seven programs with their ports and command lines, in the order of starting.
 * The reverse isn't the order of stopping: the simulator goes first both times, so that what it sent is
 * worked off. */
#ifndef OBS_LOCAL_STACK_PLAN_H
#define OBS_LOCAL_STACK_PLAN_H

#include "error/error.h"

#include <stddef.h>
#include <stdint.h>

struct options;

enum part_id {
    PART_SIMULATOR,
    PART_PROCESSOR,
    PART_BRIDGE,
    PART_FORWARDER,
    PART_PROMETHEUS,
    PART_ALERTMANAGER,
    PART_CONSOLE,
    PART_COUNT
};

#define PART_ARGUMENTS 48
#define CONSOLE_PORT   3000 /* of links, too */

struct part {
    const char *name;    /* for people, and of its log file */
    const char *command; /* argv[0]; a path, or looked up in PATH */
    uint16_t port;
    const char *ready_path;          /* answers 200 when it is ready */
    char *arguments[PART_ARGUMENTS]; /* NULL-ended, arguments[0] included; owned by the plan */
    size_t argument_count;
};

struct plan {
    struct part parts[PART_COUNT];
};

/* options is borrowed for the call. -1: no memory. */
int plan_init(struct plan *plan, const struct options *options, struct error *error);
void plan_free(struct plan *plan); /* safe on a zeroed one */

/* "http://127.0.0.1:8081" + path */
#define PLAN_URL_BYTES 256
void plan_url(char url[PLAN_URL_BYTES], const struct part *part, const char *path);

#endif
