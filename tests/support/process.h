/* tests/support/process: real programs, started and stopped by a test.
 *
 * Every function fails the running test itself (cmocka's fail_msg, with the end of the program's log) when it
 * can't do what it says, so tests read as stories. A child is killed by the kernel when the test program
 * dies, however it dies. One thread: start children from the thread that runs the tests. */
#ifndef OBS_TESTS_SUPPORT_PROCESS_H
#define OBS_TESTS_SUPPORT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct process;
struct buffer;

struct process_options {
    const char *log_path;           /* stdout and stderr, appended; NULL: the test's own */
    const char *stdout_path;        /* stdout alone goes here, anew; NULL: with log_path */
    const char *stdin_path;         /* NULL: /dev/null */
    const char *directory;          /* working directory; NULL: the test's */
    const char *const *environment; /* "NAME=value" added to the test's own, NULL-ended; NULL: none */
};

/* A program of this build: "metrics-bridge" -> ".../build/bin/metrics-bridge". Static storage, valid for
 * ever. */
const char *process_program(const char *name);
/* True when the command is in PATH (or in /usr/sbin, where nginx lives). */
bool process_has_command(const char *name);
/* Skips the running test unless the command is there; under CI (environment CI set) a missing one fails it.
 */
void process_require_command(const char *name);

/* argv: NULL-ended; argv[0] is looked up in PATH when it has no slash. options NULL: all defaults. */
struct process *process_start(const char *const *argv, const struct process_options *options);
pid_t process_id(const struct process *process);
bool process_is_running(struct process *process);
void process_signal(struct process *process, int signal_number);
/* The exit code, or 128 + the signal that ended it. */
int process_wait(struct process *process, int timeout_ms);
/* SIGTERM, at most 15 s, the exit code as above. */
int process_stop(struct process *process);
void process_kill(struct process *process); /* SIGKILL and wait; fine when it has ended */
/* Kills what still runs. NULL is fine. */
void process_free(struct process *process);

/* Runs a command to its end; output gets stdout (NULL: thrown away). The exit code as above. */
int process_run(const char *const *argv, int timeout_ms, struct buffer *output);

/* How many processes have text in their command line (this one doesn't count). */
size_t process_count_mentioning(const char *text);
/* One of them; 0: none. */
pid_t process_find(const char *text);

/* Polls every 20 ms. False: still not so after timeout_ms. */
bool process_wait_until(bool (*holds)(void *context), void *context, int timeout_ms);
void process_sleep_ms(int ms);

#endif
