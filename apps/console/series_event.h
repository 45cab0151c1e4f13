/* An event "series" of a stream-processor's GET /stream, read into tiles. */
#ifndef CONSOLE_SERIES_EVENT_H
#define CONSOLE_SERIES_EVENT_H

#include "series_table.h"

#include "error/error.h"

struct json_reader;

struct series_event {
    int64_t time_unix_ms;
    double lag_seconds;
};

/* Each tile of the text goes to take as it is read (also of a text that turns out broken further on). -1: no
 * such event. */
typedef void series_event_take(void *context, const struct series_tile *tile);
int series_event_read(struct json_reader *reader, const char *text, size_t size, struct series_event *out,
                      series_event_take *take, void *context, struct error *error);

#endif
