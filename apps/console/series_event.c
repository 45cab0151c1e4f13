#include "series_event.h"

#include "json/json_read.h"
#include "json/number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* {"time_unix_ms":…,"lag_seconds":…,"series":[{"service.name":…,"minute":{…},"firing":["…"]}]} */
enum { DEPTH_EVENT = 1, DEPTH_SERIES = 2, DEPTH_TILE = 3, DEPTH_IN_TILE = 4 };

struct reading {
    struct series_event *event;
    struct series_tile tile;
    char keys[DEPTH_IN_TILE + 1][24]; /* the key one is under, by depth */
    series_event_take *take;
    void *context;
};

static void note_key(struct reading *reading, uint32_t depth, const char *text, size_t size)
{
    if (depth <= DEPTH_IN_TILE) {
        (void)snprintf(reading->keys[depth], sizeof reading->keys[0], "%.*s", (int)(size < 24 ? size : 23),
                       text);
    }
}

static void copy(char *out, size_t out_bytes, const char *text, size_t size)
{
    (void)snprintf(out, out_bytes, "%.*s", (int)(size < out_bytes ? size : out_bytes - 1), text);
}

static void take_value(struct series_values *values, const char *key, double value)
{
    if (strcmp(key, "request_rate") == 0) {
        values->rate = (float)value;
    } else if (strcmp(key, "error_ratio") == 0) {
        values->error_ratio = (float)value;
    } else if (strcmp(key, "p99") == 0) {
        values->p99 = (float)value;
    }
}

static void take_number(struct reading *reading, uint32_t depth, const char *text, size_t size)
{
    struct json_number number;
    const char *key = depth <= DEPTH_IN_TILE ? reading->keys[depth] : "";
    if (json_number_scan(text, size, &number) != size) {
        return;
    }
    const double value = json_number_to_double(&number);
    if (depth == DEPTH_EVENT && strcmp(key, "time_unix_ms") == 0) {
        reading->event->time_unix_ms = json_number_to_integer(&number);
    } else if (depth == DEPTH_EVENT && strcmp(key, "lag_seconds") == 0) {
        reading->event->lag_seconds = value;
    } else if (depth == DEPTH_TILE && strcmp(key, "time_unix_ms") == 0) {
        reading->tile.time_unix_ms = json_number_to_integer(&number);
    } else if (depth == DEPTH_TILE) {
        take_value(&reading->tile.window, key, value);
    } else if (depth == DEPTH_IN_TILE && strcmp(reading->keys[DEPTH_TILE], "minute") == 0) {
        take_value(&reading->tile.minute, key, value);
    }
}

static void take_text(struct reading *reading, uint32_t depth, const char *text, size_t size)
{
    struct series_tile *tile = &reading->tile;
    const char *key = reading->keys[DEPTH_TILE];
    if (depth == DEPTH_IN_TILE && strcmp(key, "firing") == 0 && tile->firing_count < SERIES_RULES) {
        copy(tile->firing[tile->firing_count++], SERIES_RULE_BYTES, text, size);
    } else if (depth == DEPTH_TILE && strcmp(key, "service.name") == 0) {
        copy(tile->service, sizeof tile->service, text, size);
    } else if (depth == DEPTH_TILE && strcmp(key, "cloud.region") == 0) {
        copy(tile->region, sizeof tile->region, text, size);
    } else if (depth == DEPTH_TILE && strcmp(key, "http.route") == 0) {
        copy(tile->route, sizeof tile->route, text, size);
    }
}

static bool take_token(void *context, enum json_token token, uint32_t depth, const char *text, size_t size)
{
    struct reading *reading = context;
    const bool is_tile = depth == DEPTH_SERIES && strcmp(reading->keys[DEPTH_EVENT], "series") == 0;
    switch (token) {
    case JSON_TOKEN_KEY:
        note_key(reading, depth, text, size);
        break;
    case JSON_TOKEN_NUMBER:
        take_number(reading, depth, text, size);
        break;
    case JSON_TOKEN_STRING:
        take_text(reading, depth, text, size);
        break;
    case JSON_TOKEN_OBJECT_BEGIN:
        if (is_tile) {
            memset(&reading->tile, 0, sizeof reading->tile);
            reading->tile.window = reading->tile.minute = (struct series_values){NAN, NAN, NAN};
        }
        break;
    case JSON_TOKEN_OBJECT_END:
        if (is_tile && reading->tile.service[0] != '\0') {
            reading->take(reading->context, &reading->tile);
        }
        break;
    default:
        break;
    }
    return true;
}

int series_event_read(struct json_reader *reader, const char *text, size_t size, struct series_event *out,
                      series_event_take *take, void *context, struct error *error)
{
    struct reading reading = {.event = out, .take = take, .context = context};
    *out = (struct series_event){0};
    return json_read(reader, text, size, take_token, &reading, error) == JSON_OK ? 0 : -1;
}
