/* A stream of server-sent events (WHATWG HTML, "Server-sent events"), taken apart as its bytes come. Fields
 * event and data are kept, others passed over. Memory: one event, up to a limit; a longer one is dropped
 * whole and counted. One thread. */
#ifndef CONSOLE_EVENT_STREAM_H
#define CONSOLE_EVENT_STREAM_H

#include "buffer/buffer.h"

#include <stdbool.h>
#include <stddef.h>

/* data: the data lines joined by LF, borrowed for the call, NUL-ended beyond size. */
typedef void event_stream_take(void *context, const char *event, const char *data, size_t size);

struct event_stream {
    event_stream_take *take;
    void *context;
    struct buffer line, data;
    char event[32]; /* "" until named: a "message" */
    bool is_too_long, skip_line_feed;
    unsigned dropped;
};

void event_stream_init(struct event_stream *stream, size_t most_bytes, event_stream_take *take,
                       void *context);
void event_stream_deinit(struct event_stream *stream);
void event_stream_reset(struct event_stream *stream); /* a new connection: what is half there is forgotten */
void event_stream_feed(struct event_stream *stream, const char *bytes, size_t size);

#endif
