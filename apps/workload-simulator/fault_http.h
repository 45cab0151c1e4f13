/* fault_http: faults over HTTP while the traffic runs.
 *
 *   POST /faults       one fault as JSON; start left out: now. 201, its id, Location
 *   GET /faults        {"faults":[…],"now_unix_ms":…}
 *   GET /faults/ID     one
 *   DELETE /faults/ID  ends it now, or cancels it. 200 with what it was
 *
 * 400: the body (field and value named); 404: no such fault; 409: ended already, or no traffic to break (a
 * replay); 429: too many; 503: the traffic hasn't begun, the bus is away. Handlers run on the HTTP server's
 * thread; what they share is locked inside fault_set. */
#ifndef SIMULATOR_FAULT_HTTP_H
#define SIMULATOR_FAULT_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>

struct fault_set;
struct program;
struct run_time;

struct fault_http {
    bool is_replay;
    _Atomic bool is_open; /* set once the two below are there; they are borrowed until program_end */
    struct fault_set *faults;
    const struct run_time *time;
};

void fault_http_add_routes(struct program *program, struct fault_http *http);

#endif
