/* The texts of the events of GET /api/stream. Numbers are short: a page's figures have three digits. */
#ifndef CONSOLE_LIVE_WRITE_H
#define CONSOLE_LIVE_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_writer;
struct series_table;

struct live_processor {
    char url[512]; /* "": a free place */
    bool is_connected;
    char why[200];
    double lag_seconds;
    int64_t last_event_ms; /* wall; 0: none yet */
};

void live_write_processors(struct json_writer *writer, const struct live_processor *processors, size_t count);
/* "new": the names of series that appeared after that turn; "rows": the values of those that changed after
 * it. A row: [series, time, rate, error ratio, p99, minute's rate, error ratio, p99, [rules that fire]]. */
void live_write_series(struct json_writer *writer, const struct series_table *table, uint64_t after_turn,
                       bool everything);
/* "bars": [[series, newest slot, [rate, error ratio, p99] × 60 …], …] of the first most series. */
void live_write_bars(struct json_writer *writer, const struct series_table *table, size_t most);

#endif
