/* route_fold: a request's target as a route's template, so that a million URLs are a hundred routes.
 *
 *   /users/4711/orders/9f3c2a1b?page=2  ->  /users/{id}/orders/{id}
 *
 * A segment becomes {id} when it is a number (also with - . : , as in dates), a UUID, hexadecimal of 8 and
 * more with a digit in it, a token (20 and more with a digit; 40 and more of anything; 10 and more of upper
 * case, lower case and digits), holds four digits and more, or anything but printable ASCII without % and \.
 * A short extension is kept: {id}.jpg. Query, fragment and ;parameters are dropped, double slashes made one.
 * What is deeper than 10 segments or longer than EVENT_ROUTE_BYTES ends in {rest}. A target that is no path
 * is {unknown}.
 *
 * However different the paths are, there are at most ROUTE_FOLD_LIMIT routes; later ones are {other}. The
 * result is printable ASCII. One thread. */
#ifndef SIMULATOR_ROUTE_FOLD_H
#define SIMULATOR_ROUTE_FOLD_H

#include "event/event.h"

#include <stddef.h>
#include <stdint.h>

#define ROUTE_FOLD_LIMIT 1000

/* Returns the route's size, 1 to EVENT_ROUTE_BYTES; not NUL-ended. */
size_t route_fold_path(char out[EVENT_ROUTE_BYTES], const char *target, size_t size);

struct route_fold;

struct route_fold *route_fold_create(void); /* NULL: no memory */
void route_fold_destroy(struct route_fold *fold);
/* The same, bounded. The text lives until the next call. */
struct event_text route_fold_apply(struct route_fold *fold, const char *target, size_t size);
uint64_t route_fold_others(const struct route_fold *fold); /* how often {other} was the answer */

#endif
