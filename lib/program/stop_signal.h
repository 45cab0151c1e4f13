/* lib/program/stop_signal: SIGTERM and SIGINT as a flag that a loop can look at and a sleeper wakes from.
 *
 * SIGHUP, for a program that reloads something, is a second flag.
 *
 * Signals belong to the process, so this is the one piece of global state. A second signal ends the process
 * at once (exit 1); the same one again within 0.3 s is no second one (make, timeout and the terminal's group
 * deliver one twice). A program that hasn't ended some seconds after the first one is ended like that, too,
 * whatever it waits for: a broker that answers nothing, for one. The flag is an eventfd that is never read:
 * once set, every wait returns. */
#ifndef OBS_PROGRAM_STOP_SIGNAL_H
#define OBS_PROGRAM_STOP_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

struct bus_member;

/* Also ignores SIGPIPE. longest_s: how long the process may take to end; 0: for ever. -1: no file descriptor
 * left. */
int stop_signal_install(unsigned longest_s);
bool stop_signal_is_set(void);
void stop_signal_take_hangups(void); /* from now on SIGHUP asks for a reload instead of ending the process */
bool stop_signal_take_reload(void);  /* true: one was asked for since the last call */
void stop_signal_set(void);
bool stop_signal_wait(int64_t ms);                       /* true: set */
void stop_signal_wake_member(struct bus_member *member); /* NULL: none */

#endif
