/* stream-processor --explain SERIES: what the running processor sees of a series and why it decides as it
 * does, for a terminal. */
#ifndef STREAM_PROCESSOR_EXPLAIN_COMMAND_H
#define STREAM_PROCESSOR_EXPLAIN_COMMAND_H

/* series: "service", "service/region", or with "/route" behind. address: host:port of the processor. The exit
 * code. */
int explain_command_run(const char *series, const char *address);

#endif
