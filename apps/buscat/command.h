/* buscat's commands and what they share: each is a main of its own, with its own flags and --help. */
#ifndef BUSCAT_COMMAND_H
#define BUSCAT_COMMAND_H

#include "bus/bus.h"
#include "error/error.h"
#include "program/program.h"

/* argv[0] is the program, the command's own name is gone already. Returns the exit code. */
typedef int command_run(int argc, char **argv);

command_run command_topics, command_lag, command_consume, command_produce;
command_run command_dlq_list, command_dlq_show, command_dlq_replay;

/* Starts the program and opens its bus. False: done already (help, a refusal), with the exit code in *code.
 * Otherwise program_end is due. */
bool command_begin(struct program **program, struct bus **bus, const struct program_spec *spec, int argc,
                   char **argv, int *code);

/* "buscat: what went wrong" on stderr. Returns PROGRAM_FAILED, or PROGRAM_USAGE from the second. */
int command_fail(const struct error *error);
int command_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How many partitions a topic has; waits up to half a minute for a bus that is away. BUS_OK or what is wrong.
 */
int command_find_topic(struct program *program, struct bus *bus, const char *topic, int32_t *partitions,
                       struct error *error);

/* A line of progress for a person who watches; nothing when stderr is no terminal. */
void command_remark(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
