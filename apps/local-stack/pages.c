#include "pages.h"

#include "json/json_read.h"
#include "json/number.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ENOUGH_REQUESTS 20 /* fewer have no P99 worth naming, only a slowest request */

/* The keys one is under, by depth; deeper ones aren't asked for. */
enum { DEPTHS = 6, KEY_BYTES = 24 };

struct place {
    char key[DEPTHS][KEY_BYTES];
};

static void note_key(struct place *place, uint32_t depth, const char *text, size_t size)
{
    if (depth < DEPTHS) {
        (void)snprintf(place->key[depth], KEY_BYTES, "%.*s", (int)(size < KEY_BYTES ? size : KEY_BYTES),
                       text);
    }
}

static bool is_at(const struct place *place, uint32_t depth, uint32_t wanted_depth, const char *key)
{
    return depth == wanted_depth && strcmp(place->key[depth], key) == 0;
}

static void copy(char *out, size_t out_bytes, const char *text, size_t size)
{
    (void)snprintf(out, out_bytes, "%.*s", (int)(size < out_bytes ? size : out_bytes), text);
}

static double read_number(const char *text, size_t size)
{
    struct json_number number;
    return json_number_scan(text, size, &number) == size ? json_number_to_double(&number) : 0;
}

/* --- /series: {"series":[{"service.name":…,"windows":[{"seconds":10,"requests":…,"p99":…}]}]} ---- */

struct series_reading {
    struct place place;
    int window_seconds;
    struct series_totals *totals;
    char service[80], region[80];
    double seconds, requests, errors, p99;
};

static void end_window(struct series_reading *reading)
{
    struct series_totals *totals = reading->totals;
    if ((int)reading->seconds != reading->window_seconds) {
        return;
    }
    totals->requests += reading->requests;
    totals->errors += reading->errors;
    totals->series++;
    if (reading->requests >= ENOUGH_REQUESTS && reading->p99 > totals->worst_p99_s) {
        totals->worst_p99_s = reading->p99;
        (void)snprintf(totals->worst_name, sizeof totals->worst_name, "%s %s", reading->service,
                       reading->region);
    }
}

static void take_window_number(struct series_reading *reading, double value)
{
    const char *key = reading->place.key[5];
    if (strcmp(key, "seconds") == 0) {
        reading->seconds = value;
    } else if (strcmp(key, "requests") == 0) {
        reading->requests = value;
    } else if (strcmp(key, "errors") == 0) {
        reading->errors = value;
    } else if (strcmp(key, "p99") == 0) {
        reading->p99 = value;
    }
}

static bool take_series(void *context, enum json_token token, uint32_t depth, const char *text, size_t size)
{
    struct series_reading *reading = context;
    const bool in_windows = strcmp(reading->place.key[3], "windows") == 0;
    if (token == JSON_TOKEN_KEY) {
        note_key(&reading->place, depth, text, size);
    } else if (token == JSON_TOKEN_STRING && is_at(&reading->place, depth, 3, "service.name")) {
        copy(reading->service, sizeof reading->service, text, size);
    } else if (token == JSON_TOKEN_STRING && is_at(&reading->place, depth, 3, "cloud.region")) {
        copy(reading->region, sizeof reading->region, text, size);
    } else if (token == JSON_TOKEN_OBJECT_BEGIN && depth == 4 && in_windows) {
        reading->seconds = reading->requests = reading->errors = reading->p99 = 0;
    } else if (token == JSON_TOKEN_NUMBER && depth == 5 && in_windows) {
        take_window_number(reading, read_number(text, size));
    } else if (token == JSON_TOKEN_OBJECT_END && depth == 4 && in_windows) {
        end_window(reading);
    }
    return true;
}

int pages_read_series(struct json_reader *reader, const void *page, size_t size, int window_seconds,
                      struct series_totals *totals)
{
    memset(totals, 0, sizeof *totals);
    totals->worst_p99_s = -1;
    struct series_reading reading = {.window_seconds = window_seconds, .totals = totals};
    return json_read(reader, page, size, take_series, &reading, NULL) == JSON_OK ? 0 : -1;
}

/* --- /alerts: {"alerts":[{"rule":…,"labels":{"service.name":…,"cloud.region":…}}]} ---- */

struct alerts_reading {
    struct place place;
    struct firing_alerts *alerts;
    char rule[64], service[60], region[60];
};

static bool take_alerts(void *context, enum json_token token, uint32_t depth, const char *text, size_t size)
{
    struct alerts_reading *reading = context;
    const bool in_labels = strcmp(reading->place.key[3], "labels") == 0;
    if (token == JSON_TOKEN_KEY) {
        note_key(&reading->place, depth, text, size);
    } else if (token == JSON_TOKEN_STRING && is_at(&reading->place, depth, 3, "rule")) {
        copy(reading->rule, sizeof reading->rule, text, size);
    } else if (token == JSON_TOKEN_STRING && in_labels && is_at(&reading->place, depth, 4, "service.name")) {
        copy(reading->service, sizeof reading->service, text, size);
    } else if (token == JSON_TOKEN_STRING && in_labels && is_at(&reading->place, depth, 4, "cloud.region")) {
        copy(reading->region, sizeof reading->region, text, size);
    } else if (token == JSON_TOKEN_OBJECT_END && depth == 2 && reading->alerts->count++ == 0) {
        (void)snprintf(reading->alerts->first, sizeof reading->alerts->first, "%s %s %s", reading->rule,
                       reading->service, reading->region);
    }
    return true;
}

int pages_read_alerts(struct json_reader *reader, const void *page, size_t size, struct firing_alerts *alerts)
{
    memset(alerts, 0, sizeof *alerts);
    struct alerts_reading reading = {.alerts = alerts};
    return json_read(reader, page, size, take_alerts, &reading, NULL) == JSON_OK ? 0 : -1;
}
