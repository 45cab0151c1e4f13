/* One stream-processor's GET /stream, followed for as long as the console runs: one connection, however many
 * pages are open. When it ends or fell silent, it is tried again after 1, 2, 4, then 5 s. */
#ifndef CONSOLE_UPSTREAM_H
#define CONSOLE_UPSTREAM_H

#include "error/error.h"

#include <stddef.h>

struct live;
struct program;
struct upstream;

/* index: the processor's number in live; url: its base URL, borrowed. */
int upstream_start(struct upstream **out, struct program *program, struct live *live, size_t index,
                   const char *url, struct error *error);
void upstream_join(struct upstream *upstream); /* after the program was asked to stop; frees; NULL is fine */

#endif
