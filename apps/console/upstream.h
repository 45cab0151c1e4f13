/* One stream-processor's GET /stream, followed for as long as the console runs: one connection, however many
 * pages are open. When it ends or fell silent, it is tried again after 1, 2, 4, then 5 s. */
#ifndef CONSOLE_UPSTREAM_H
#define CONSOLE_UPSTREAM_H

#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>

struct live;
struct processor;
struct program;
struct upstream;

/* index: the processor's place in live, its own until upstream_join; processor is copied. */
int upstream_start(struct upstream **out, struct program *program, struct live *live, size_t index,
                   const struct processor *processor, struct error *error);
bool upstream_is_followed(const struct upstream *upstream); /* it speaks to us; any thread */
void upstream_stop(struct upstream *upstream);              /* it is to be followed no more */
/* After that, or after the program was asked to stop; frees; NULL is fine. */
void upstream_join(struct upstream *upstream);

#endif
