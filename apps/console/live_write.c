#include "live_write.h"

#include "series_table.h"

#include "json/json_write.h"

#include <math.h>
#include <stdio.h>

/* Four digits are enough for a page, and a third of the bytes. */
static void write_short(struct json_writer *w, float value)
{
    char text[32];
    if (!isfinite(value)) {
        json_null(w);
        return;
    }
    const int size = snprintf(text, sizeof text, "%.4g", (double)value);
    json_raw(w, text, (size_t)size);
}

static void write_values(struct json_writer *w, const struct series_values *values)
{
    write_short(w, values->rate);
    write_short(w, values->error_ratio);
    write_short(w, values->p99);
}

void live_write_processors(struct json_writer *w, const struct live_processor *processors, size_t count)
{
    json_key(w, "processors");
    json_array_begin(w);
    for (size_t i = 0; i < count; i++) {
        if (processors[i].url[0] == '\0') {
            continue;
        }
        json_object_begin(w);
        json_key(w, "url");
        json_string(w, processors[i].url);
        json_key(w, "connected");
        json_boolean(w, processors[i].is_connected);
        json_key(w, "lag_seconds");
        json_real(w, processors[i].lag_seconds);
        json_key(w, "last_event_unix_ms");
        json_integer(w, processors[i].last_event_ms);
        if (!processors[i].is_connected) {
            json_key(w, "why");
            json_string(w, processors[i].why);
        }
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_names(struct json_writer *w, const struct series_row *row, size_t index)
{
    json_array_begin(w);
    json_unsigned(w, index);
    json_string(w, row->service);
    json_string(w, row->region);
    if (row->route[0] != '\0') {
        json_string(w, row->route);
    }
    json_array_end(w);
}

static void write_row(struct json_writer *w, const struct series_table *table, const struct series_row *row,
                      size_t index)
{
    json_array_begin(w);
    json_unsigned(w, index);
    json_integer(w, row->time_unix_ms);
    write_values(w, &row->window);
    write_values(w, &row->minute);
    if (row->firing_count > 0) {
        json_array_begin(w);
        for (size_t i = 0; i < row->firing_count; i++) {
            json_string(w, series_table_rule(table, row->firing[i]));
        }
        json_array_end(w);
    }
    json_array_end(w);
}

void live_write_series(struct json_writer *w, const struct series_table *table, uint64_t after_turn,
                       bool everything)
{
    const size_t count = series_table_count(table);
    json_key(w, "new");
    json_array_begin(w);
    for (size_t i = 0; i < count; i++) {
        const struct series_row *row = series_table_row(table, i);
        if (everything || row->born > after_turn) {
            write_names(w, row, i);
        }
    }
    json_array_end(w);
    json_key(w, "rows");
    json_array_begin(w);
    for (size_t i = 0; i < count; i++) {
        const struct series_row *row = series_table_row(table, i);
        if (everything || row->changed > after_turn) {
            write_row(w, table, row, i);
        }
    }
    json_array_end(w);
}

void live_write_bars(struct json_writer *w, const struct series_table *table, size_t most)
{
    const size_t count = series_table_count(table);
    json_key(w, "bars");
    json_array_begin(w);
    for (size_t i = 0; i < count && i < most; i++) {
        const struct series_row *row = series_table_row(table, i);
        json_array_begin(w);
        json_unsigned(w, i);
        json_integer(w, row->bar_slot);
        json_array_begin(w);
        for (int64_t slot = row->bar_slot - SERIES_BARS + 1; slot <= row->bar_slot; slot++) {
            write_values(w, &row->bars[slot % SERIES_BARS]);
        }
        json_array_end(w);
        json_array_end(w);
    }
    json_array_end(w);
}
