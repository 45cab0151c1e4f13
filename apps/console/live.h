/* The live picture of the whole platform, and the one stream of it that every open page follows (GET
 * /api/stream).
 *
 * Whatever comes in (a processor's second, a transition, a notification) is merged here once and encoded
 * once; a page more costs its buffer alone. A page that connects gets event "hello" with everything, then
 * "tick" about once a second with what changed, "transition" and "notification" as they come. Who doesn't
 * take what it is sent is hung up on. docs/console.md describes the events. Any thread. */
#ifndef CONSOLE_LIVE_H
#define CONSOLE_LIVE_H

#include "series_table.h"

#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_request;
struct http_response;
struct live;
struct program;

#define LIVE_PROCESSORS 16

struct live_settings {
    struct program *program;
    size_t most_followers;
};

int live_create(struct live **out, const struct live_settings *settings, struct error *error);
int live_start(struct live *live, struct error *error); /* publishes from a thread of its own */
void live_close(struct live *live);                     /* every stream ends; before the server is stopped */
void live_destroy(struct live *live);                   /* after it; NULL is fine */

void live_show(void *context, const struct http_request *request, struct http_response *response);

/* Processor number index, below LIVE_PROCESSORS: that it is one, its connection, and what an event of it
 * says.
 */
void live_add_processor(struct live *live, size_t index, const char *url);
void live_remove_processor(struct live *live, size_t index);
void live_set_connected(struct live *live, size_t index, const char *why_not); /* NULL: it is */
void live_begin_event(struct live *live);
void live_take_tile(void *live, const struct series_tile *tile); /* between begin and end */
void live_end_event(struct live *live, size_t index, double lag_seconds);

/* The names of series number index, copied; false: there is no such one, or it is of a route. */
bool live_name_series(struct live *live, size_t index, char service[SERIES_NAME_BYTES],
                      char region[SERIES_NAME_BYTES]);
void live_fill_bar(struct live *live, size_t index, int64_t slot, const struct series_values *values);

/* One JSON value each. */
void live_take_transition(struct live *live, const char *json, size_t size);
void live_take_notification(struct live *live, const char *json, size_t size);
void live_take_acceptance(struct live *live, const char *json, size_t size);

#endif
