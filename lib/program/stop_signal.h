/* lib/program/stop_signal: SIGTERM and SIGINT as a flag that a loop can look at and a sleeper wakes from.
 *
 * SIGHUP, for a program that reloads something, is a second flag.
 *
 * Signals belong to the process, so this is the one piece of global state. A second signal ends the process
 * at once (exit 1); the same one again within 0.3 s is no second one (make, timeout and the terminal's group
 * deliver one twice). The flag is an eventfd that is never read: once set, every wait returns. */
#ifndef OBS_PROGRAM_STOP_SIGNAL_H
#define OBS_PROGRAM_STOP_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

struct bus_member;

int stop_signal_install(void); /* also ignores SIGPIPE; -1: no file descriptor left */
bool stop_signal_is_set(void);
void stop_signal_take_hangups(void); /* from now on SIGHUP asks for a reload instead of ending the process */
bool stop_signal_take_reload(void);  /* true: one was asked for since the last call */
void stop_signal_set(void);
bool stop_signal_wait(int64_t ms);                       /* true: set */
void stop_signal_wake_member(struct bus_member *member); /* NULL: none */

#endif
