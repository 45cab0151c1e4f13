/* A series' last minutes for people, a row a second. */
#include "detect/detector_private.h"
#include "detect/history.h"

#include "event/event.h"
#include "json/json_write.h"

#include <string.h>

static void write_lists(struct json_writer *w, const struct detector *detector, const struct series *series)
{
    const struct window_layout *layout = &detector->rules->layout;
    json_key(w, "windows");
    json_array_begin(w);
    for (uint32_t i = 0; i < layout->length_count; i++) {
        json_integer(w, layout->lengths_s[i]);
    }
    json_array_end(w);
    json_key(w, "rules");
    json_array_begin(w);
    for (size_t i = 0; i < series->rule_count; i++) {
        json_string(w, detector->rules->rules[series->rules[i].rule].name);
    }
    json_array_end(w);
}

static void write_reals(struct json_writer *w, const char *key, const double *values, uint32_t count)
{
    json_key(w, key);
    json_array_begin(w);
    for (uint32_t i = 0; i < count; i++) {
        json_real(w, values[i]);
    }
    json_array_end(w);
}

static void write_row(struct json_writer *w, const struct detector *detector, const struct series *series,
                      int64_t second, const struct history_row *row)
{
    const struct window_layout *layout = &detector->rules->layout;
    struct window_counts counts;
    window_read_second(series->window, second, &counts);
    json_object_begin(w);
    json_key(w, "time_unix_ms");
    json_integer(w, second * 1000);
    json_key(w, "requests");
    json_unsigned(w, counts.weight);
    json_key(w, "errors");
    json_unsigned(w, counts.error_weight);
    write_reals(w, "error_ratio", row->error_ratio, layout->length_count);
    write_reals(w, "p99", row->p99_s, layout->length_count);
    json_key(w, "evaluations");
    json_array_begin(w);
    for (size_t i = 0; i < series->rule_count; i++) {
        json_string(w, row->evaluations[i].is_firing ? "firing"
                                                     : rule_verdict_name(row->evaluations[i].verdict));
    }
    json_array_end(w);
    json_object_end(w);
}

bool detector_write_history(const struct detector *detector, struct json_writer *writer, const char *service,
                            const char *region, const char *route, int64_t seconds)
{
    const struct event_text service_text = {service, strlen(service)};
    const struct event_text region_text = {region, strlen(region)};
    const struct event_text route_text = {route == NULL ? "" : route, route == NULL ? 0 : strlen(route)};
    const struct event_text *route_or_none = route == NULL ? NULL : &route_text;
    uint64_t hash = series_table_hash(&detector->table, &service_text, &region_text, route_or_none);
    const struct series *series =
        series_table_find(&detector->table, hash, &service_text, &region_text, route_or_none);
    if (series == NULL) {
        return false;
    }
    write_lists(writer, detector, series);
    json_key(writer, "rows");
    json_array_begin(writer);
    int64_t now_s = window_now(series->window);
    for (int64_t second = now_s - seconds + 1; second <= now_s; second++) {
        struct history_row row;
        if (history_read(series->history, series->window, second, &row)) {
            write_row(writer, detector, series, second, &row);
        }
    }
    json_array_end(writer);
    return true;
}
