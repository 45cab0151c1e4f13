/* The JSON form of access_log.h. Names are looked up in one table: which value they are for, and how early in
 * that value's list they stand (a smaller rank counts). */
#include "access_log.h"

#include "clock/rfc3339.h"
#include "json/json_read.h"
#include "json/number.h"

#include <limits.h>
#include <string.h>

enum value { TIME, METHOD, TARGET, REQUEST, STATUS, DURATION, ROUTE, SERVICE, REGION, TRACE, SPAN, VALUES };

struct name {
    const char *name;
    enum value value;
    int rank;
};

static const struct name names[] = {
    {"msec", TIME, 0},
    {"time_iso8601", TIME, 1},
    {"time_local", TIME, 2},
    {"@timestamp", TIME, 3},
    {"timestamp", TIME, 4},
    {"time", TIME, 5},
    {"request_method", METHOD, 0},
    {"method", METHOD, 1},
    {"request_uri", TARGET, 0},
    {"uri", TARGET, 1},
    {"path", TARGET, 2},
    {"request", REQUEST, 0},
    {"status", STATUS, 0},
    {"request_time", DURATION, 0},
    {"duration", DURATION, 1},
    {"http.route", ROUTE, 0},
    {"route", ROUTE, 1},
    {"service.name", SERVICE, 0},
    {"service", SERVICE, 1},
    {"cloud.region", REGION, 0},
    {"region", REGION, 1},
    {"trace_id", TRACE, 0},
    {"span_id", SPAN, 0},
};

struct found {
    struct event_text values[VALUES];
    int ranks[VALUES];
    const struct name *pending; /* the key whose value comes next */
    bool is_object;
};

static const struct name *find_name(const char *text, size_t size)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i].name) == size && memcmp(names[i].name, text, size) == 0) {
            return &names[i];
        }
    }
    return NULL;
}

static bool take_token(void *context, enum json_token token, uint32_t depth, const char *text, size_t size)
{
    struct found *found = context;
    if (depth == 0) {
        found->is_object = found->is_object || token == JSON_TOKEN_OBJECT_BEGIN;
        return true;
    }
    if (depth != 1) {
        return true;
    }
    if (token == JSON_TOKEN_KEY) {
        found->pending = find_name(text, size);
        return true;
    }
    const struct name *name = found->pending;
    found->pending = NULL;
    bool is_value = token == JSON_TOKEN_STRING || token == JSON_TOKEN_NUMBER;
    bool is_empty =
        size == 0 || (size == 1 && text[0] == '-'); /* nginx writes "-" or "" for an unset variable */
    if (name != NULL && is_value && !is_empty && name->rank < found->ranks[name->value]) {
        found->values[name->value] = (struct event_text){text, size};
        found->ranks[name->value] = name->rank;
    }
    return true;
}

/* --- values ---- */

/* Seconds with a fraction ($msec), or whole milliseconds: 1e11 seconds would be the year 5138. */
static bool parse_unix_time(struct event_text text, int64_t *unix_ms)
{
    struct json_number number;
    if (json_number_scan(text.data, text.size, &number) != text.size) {
        return false;
    }
    double value = json_number_to_double(&number);
    value = value < 1e11 ? value * 1000 : value;
    if (!(value >= 0 && value < 2.5e14)) {
        return false;
    }
    *unix_ms = (int64_t)(value + 0.5);
    return true;
}

/* RFC 3339 knows years that an event's time doesn't. */
static bool parse_time(struct event_text text, int64_t *unix_ms)
{
    return text.size > 0 &&
           (parse_unix_time(text, unix_ms) || rfc3339_parse(text.data, text.size, unix_ms) ||
            access_log_parse_time(text.data, text.size, unix_ms)) &&
           *unix_ms >= 0 && *unix_ms <= EVENT_TIME_MAX_MS;
}

static bool parse_status(struct event_text text, int32_t *status)
{
    int32_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        value = value * 10 + (text.data[i] - '0');
        if (value > 599) {
            return false;
        }
    }
    *status = value;
    return value >= 100;
}

static struct event_text hex_or_none(struct event_text text, size_t digits)
{
    bool is_hex = text.size == digits;
    for (size_t i = 0; is_hex && i < digits; i++) {
        char c = text.data[i];
        is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    }
    return is_hex ? text : (struct event_text){NULL, 0};
}

static struct event_text name_or_none(struct event_text text, size_t max_bytes)
{
    return text.size <= max_bytes ? text : (struct event_text){NULL, 0};
}

static void fill_request(struct access_line *line, const struct found *found)
{
    struct event_text request = found->values[REQUEST], target = found->values[TARGET],
                      method = found->values[METHOD];
    access_log_parse_request(line, request.data == NULL ? "" : request.data, request.size);
    if (target.size > 0) {
        line->target = target;
    }
    if (method.size > 0 && !event_method_from_name(method.data, method.size, &line->method)) {
        line->method = EVENT_METHOD_OTHER;
    }
}

static enum access_log_result malformed(const char **why, const char *sentence)
{
    *why = sentence;
    return ACCESS_LOG_MALFORMED;
}

enum access_log_result json_log_parse(struct access_line *line, struct json_reader *reader, const char *text,
                                      size_t size, double units_per_s, const char **why)
{
    struct found found = {0};
    struct event_text *values = found.values;
    for (int i = 0; i < VALUES; i++) {
        found.ranks[i] = INT_MAX;
    }
    *line = (struct access_line){0};
    if (json_read(reader, text, size, take_token, &found, NULL) != JSON_OK || !found.is_object) {
        return malformed(why, "it isn't one JSON object");
    }
    if (!parse_time(values[TIME], &line->unix_ms)) {
        return malformed(why, "no time: msec, time_iso8601, time_local, @timestamp, timestamp or time");
    }
    if (!parse_status(values[STATUS], &line->status)) {
        return malformed(why, "no status from 100 to 599");
    }
    fill_request(line, &found);
    line->route = name_or_none(values[ROUTE], EVENT_ROUTE_BYTES);
    line->service = name_or_none(values[SERVICE], EVENT_NAME_BYTES);
    line->region = name_or_none(values[REGION], EVENT_NAME_BYTES);
    line->trace_id = hex_or_none(values[TRACE], 32);
    line->span_id = hex_or_none(values[SPAN], 16);
    if (values[DURATION].size == 0) {
        *why = "no request_time";
        return ACCESS_LOG_NO_DURATION;
    }
    if (!access_log_parse_duration(values[DURATION].data, values[DURATION].size, units_per_s,
                                   &line->duration_s)) {
        return malformed(why, "request_time is no number from 0 to below a day");
    }
    return ACCESS_LOG_OK;
}
