/* lib/http/waiters: threads for handlers that wait for other servers, so that those that serve connections
 * never do. Internal to lib/http.
 *
 * A connection that is handed over is suspended until its handler has run; then the library calls for its
 * answer again. */
#ifndef OBS_HTTP_WAITERS_H
#define OBS_HTTP_WAITERS_H

#include "error/error.h"

#include <stdbool.h>

struct http_request;
struct waiters;

/* share: of the threads that handlers of one context may take; the others are left to other contexts. */
int waiters_create(struct waiters **out, unsigned threads, unsigned share, struct error *error);
/* The request's later_handler will run with request->later as its answer. False: closed. */
bool waiters_take(struct waiters *waiters, struct http_request *request);
/* Waits for the handlers that run; those that haven't begun are answered 503. None is taken after this. */
void waiters_close(struct waiters *waiters);
void waiters_destroy(struct waiters *waiters); /* after the library stopped; NULL is fine */

#endif
