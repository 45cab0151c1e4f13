/* What the platform does right now, asked of its programs once a second: a line of events/s, P99, error
 * ratio, firing alerts and lag. Not asked of Prometheus, whose first rate comes after half a minute. */
#ifndef OBS_LOCAL_STACK_STATUS_H
#define OBS_LOCAL_STACK_STATUS_H

#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>

struct buffer;
struct clock;
struct plan;
struct status;

int status_create(struct status **out, const struct plan *plan, const struct clock *clock,
                  struct error *error);
void status_destroy(struct status *status); /* NULL is fine */
/* Asks; what doesn't answer within a second is shown as "–". */
void status_refresh(struct status *status);
bool status_has_rate(const struct status *status); /* asked often enough to know how fast events come */
size_t status_firing(const struct status *status); /* how many alerts fire, as of the last refresh */
void status_write_line(const struct status *status, struct buffer *out);

#endif
