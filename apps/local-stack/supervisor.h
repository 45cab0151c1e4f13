/* Starts the parts of a plan, knows which are ready, starts those again that end, and stops all in order.
 *
 * Until the stack has been ready once, a part that ends is the stack's failure: nothing would come of
 * starting it again. Afterwards it is started again after 1 s, doubling to 30 s; a minute of life sets that
 * back. One thread, the main one (see child.h). Nothing here prints: what people should know comes out of
 * supervisor_next_note. */
#ifndef OBS_LOCAL_STACK_SUPERVISOR_H
#define OBS_LOCAL_STACK_SUPERVISOR_H

#include "error/error.h"

#include <stdbool.h>

struct buffer;
struct clock;
struct options;
struct plan;
struct supervisor;

/* plan, options and clock are borrowed. */
int supervisor_create(struct supervisor **out, const struct plan *plan, const struct options *options,
                      const struct clock *clock, struct error *error);
/* Stops what still runs (supervisor_stop). NULL is fine. */
void supervisor_destroy(struct supervisor *supervisor);

/* Starts all parts. -1: one couldn't be. */
int supervisor_start(struct supervisor *supervisor, struct error *error);
/* Notices ends, starts again what is due, asks those that aren't ready yet whether they are. Takes at most
 * about a second (an answer that doesn't come). -1: a part ended before the stack was ready. */
int supervisor_watch(struct supervisor *supervisor, struct error *error);
bool supervisor_is_ready(const struct supervisor *supervisor); /* all parts, now */
/* "stream-processor (waiting for the broker), prometheus" */
void supervisor_describe_waiting(const struct supervisor *supervisor, struct buffer *out);
/* What happened since the last call, lines for people, appended to out. False: nothing. */
bool supervisor_next_note(struct supervisor *supervisor, struct buffer *out);
/* SIGTERM one after the other, in the plan's order; after 10 s SIGKILL. True: all ended by themselves. */
bool supervisor_stop(struct supervisor *supervisor);

#endif
