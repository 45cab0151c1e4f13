/* lib/http/connections: a deadline for every open connection of a server, kept by a thread of its own.
 *
 * libmicrohttpd's time-out counts inactivity only, so a client that sends a byte now and then would hold its
 * connection for ever. Here each phase of a request has a deadline; at its end the socket is shut down, and
 * the library sees an end of file and cleans up. Internal to lib/http. */
#ifndef OBS_HTTP_CONNECTIONS_H
#define OBS_HTTP_CONNECTIONS_H

#include "error/error.h"

#include <stdint.h>

struct connection;
struct connections;

int connections_create(struct connections **out, struct error *error);
/* After the server has closed every connection. NULL is fine. */
void connections_destroy(struct connections *connections);

/* NULL: no memory. fd stays the caller's, who calls connections_remove before closing it. */
struct connection *connections_add(struct connections *connections, int fd, int64_t timeout_ms);
void connections_remove(struct connections *connections, struct connection *connection);
/* From now on; a NULL connection is ignored. */
void connections_set_deadline(struct connections *connections, struct connection *connection,
                              int64_t timeout_ms);

#endif
