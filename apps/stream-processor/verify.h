/* stream-processor --verify: every transition decided again from the log, beside what was published. */
#ifndef STREAM_PROCESSOR_VERIFY_H
#define STREAM_PROCESSOR_VERIFY_H

#include <stdbool.h>

struct bus;
struct program;

/* The exit code: 0 all equal, 1 something differs or cannot be read. The answer goes to stdout. */
int verify_run(struct program *program, struct bus *bus, bool as_json);

#endif
