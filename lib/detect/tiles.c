/* What a wall of tiles needs of each series, and no more: GET /stream sends it once a second. */
#include "detect/detector_private.h"
#include "detect/history.h"

#include "window/series_time.h"
#include "json/json_write.h"

#include <math.h>
#include <string.h>

#define TILE_SECONDS 10 /* the shortest window that is common */
#define MINUTE       60

static uint32_t shortest_window(const struct window_layout *layout)
{
    uint32_t index = 0;
    while (index + 1 < layout->length_count && layout->lengths_s[index] < TILE_SECONDS) {
        index++;
    }
    return index;
}

static void write_text(struct json_writer *w, const char *key, const char *text)
{
    json_key(w, key);
    json_string(w, text);
}

static void write_firing(const struct detector *detector, const struct series *series, struct json_writer *w)
{
    json_key(w, "firing");
    json_array_begin(w);
    for (size_t i = 0; i < series->rule_count; i++) {
        if (series->rules[i].state.firing) {
            json_string(w, detector->rules->rules[series->rules[i].rule].name);
        }
    }
    json_array_end(w);
}

/* A figure that people read must stand still longer than 10 s. Its P99 is the history's, which is refreshed
 * every few seconds: reading a minute's values anew for each series and second would cost more than
 * detecting. */
static void write_minute(const struct detector *detector, const struct series *series, struct json_writer *w)
{
    const struct window_layout *layout = &detector->rules->layout;
    uint32_t index = 0;
    while (index < layout->length_count && layout->lengths_s[index] != MINUTE) {
        index++;
    }
    if (index == layout->length_count) {
        return;
    }
    struct window_counts counts;
    struct history_row row;
    window_read_counts(series->window, index, WINDOW_BEGINNING, &counts);
    bool is_known = history_read(series->history, series->window, window_now(series->window) - 1, &row);
    json_key(w, "minute");
    json_object_begin(w);
    json_key(w, "request_rate");
    json_real(w, (double)counts.weight / MINUTE);
    json_key(w, "error_ratio");
    json_real(w, counts.weight == 0 ? NAN : (double)counts.error_weight / (double)counts.weight);
    json_key(w, "p99");
    json_real(w, is_known ? row.p99_s[index] : NAN);
    json_object_end(w);
}

static void write_tile(const struct detector *detector, const struct series *series, struct json_writer *w)
{
    const struct window_layout *layout = &detector->rules->layout;
    uint32_t index = shortest_window(layout);
    uint32_t seconds = layout->lengths_s[index];
    struct window_counts counts;
    window_read_counts(series->window, index, WINDOW_BEGINNING, &counts);
    json_object_begin(w);
    write_text(w, "service.name", series->service);
    write_text(w, "cloud.region", series->region);
    if (series->route != NULL) {
        write_text(w, "http.route", series->route);
    }
    json_key(w, "time_unix_ms");
    json_integer(w, series->newest_ms);
    json_key(w, "window_seconds");
    json_integer(w, seconds);
    json_key(w, "request_rate");
    json_real(w, (double)counts.weight / seconds);
    json_key(w, "error_ratio");
    json_real(w, counts.weight == 0 ? NAN : (double)counts.error_weight / (double)counts.weight);
    json_key(w, "p99");
    json_real(w,
              counts.records == 0 ? NAN : window_quantile(series->window, seconds, WINDOW_BEGINNING, 0.99));
    write_minute(detector, series, w);
    write_firing(detector, series, w);
    json_object_end(w);
}

int64_t detector_write_tiles(const struct detector *detector, struct json_writer *writer, int64_t since_ms)
{
    int64_t newest_ms = since_ms;
    for (size_t i = 0; i < detector->table.count; i++) {
        const struct series *series = detector->table.all[i];
        if (series->newest_ms > since_ms) {
            write_tile(detector, series, writer);
            newest_ms = series->newest_ms > newest_ms ? series->newest_ms : newest_ms;
        }
    }
    return newest_ms;
}
