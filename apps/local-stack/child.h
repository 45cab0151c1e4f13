/* One program of the stack as a child process.
 *
 * It dies with us, however we die: the kernel sends it SIGKILL when the thread that started it ends
 * (PR_SET_PDEATHSIG), and it checks that we hadn't ended before it could ask for that. So children are
 * started by the main thread only. It has a process group of its own: Ctrl-C reaches us alone, and we stop
 * the stack in order. */
#ifndef OBS_LOCAL_STACK_CHILD_H
#define OBS_LOCAL_STACK_CHILD_H

#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct buffer;

struct child {
    pid_t pid;       /* 0: not running */
    int status;      /* of waitpid, when it has ended */
    off_t log_start; /* where this run's lines begin in its log */
    char log_path[512];
};

/* arguments: NULL-ended; arguments[0] is looked up in PATH. stdout and stderr are appended to log_path. */
int child_start(struct child *child, char *const *arguments, const char *log_path, struct error *error);
/* True once, when it has ended; status says how. */
bool child_has_ended(struct child *child);
void child_signal(const struct child *child, int signal_number); /* nothing when it isn't running */
/* "exit code 1", "killed by signal 9 (Killed)" */
#define CHILD_END_BYTES 96
void child_describe_end(const struct child *child, char text[CHILD_END_BYTES]);
/* The last lines that this run has logged, at most count, appended to out with indent before each. */
void child_read_last_lines(const struct child *child, size_t count, const char *indent, struct buffer *out);

#endif
