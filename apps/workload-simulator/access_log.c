#include "access_log.h"

#include "json/number.h"

#include <string.h>

#define TIME_BYTES     26 /* dd/Mon/yyyy:HH:MM:SS +hhmm */
#define MAX_TIME_BYTES 40 /* with brackets and a fraction */

/* --- the pieces ---- */

static bool read_digits(const char *text, int count, int maximum, int *value)
{
    *value = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        *value = *value * 10 + (text[i] - '0');
    }
    return *value <= maximum;
}

static bool read_month(const char *text, int *month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++) {
        if (memcmp(names + 3 * i, text, 3) == 0) {
            *month = i + 1;
            return true;
        }
    }
    return false;
}

/* Days since 1970 of a Gregorian date (H. Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2 ? 1 : 0;
    int64_t era =
        year / 400; /* years are 0-9999: never negative but for January of year 0, which is refused */
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

/* ".125" at text, in ms; *size is what was read. */
static int read_fraction(const char *text, size_t left, size_t *size)
{
    int ms = 0, weight = 100;
    size_t at = 0;
    if (left > 0 && text[0] == '.') {
        for (at = 1; at < left && text[at] >= '0' && text[at] <= '9'; at++) {
            ms += weight * (text[at] - '0');
            weight /= 10;
        }
    }
    *size = at;
    return ms;
}

bool access_log_parse_time(const char *text, size_t size, int64_t *unix_ms)
{
    int day, month, year, hour, minute, second, zone_hours, zone_minutes;
    size_t fraction = 0;
    if (size < TIME_BYTES || text[2] != '/' || text[6] != '/' || text[11] != ':' || text[14] != ':' ||
        text[17] != ':') {
        return false;
    }
    int ms = read_fraction(text + 20, size - 20, &fraction);
    const char *zone = text + 20 + fraction;
    if (size != TIME_BYTES + fraction || zone[0] != ' ' || (zone[1] != '+' && zone[1] != '-')) {
        return false;
    }
    if (!read_digits(text, 2, 31, &day) || !read_month(text + 3, &month) ||
        !read_digits(text + 7, 4, 9999, &year) || !read_digits(text + 12, 2, 23, &hour) ||
        !read_digits(text + 15, 2, 59, &minute) || !read_digits(text + 18, 2, 60, &second) ||
        !read_digits(zone + 2, 2, 23, &zone_hours) || !read_digits(zone + 4, 2, 59, &zone_minutes)) {
        return false;
    }
    if (day == 0 || year < 1970) {
        return false;
    }
    int64_t minutes = days_from_civil(year, month, day) * 1440 + hour * 60 + minute;
    int64_t zone_offset = zone_hours * 60 + zone_minutes;
    minutes -= zone[1] == '-' ? -zone_offset : zone_offset;
    *unix_ms = (minutes * 60 + second) * 1000 + ms;
    return *unix_ms >= 0;
}

static size_t method_size(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size && ((text[at] >= 'A' && text[at] <= 'Z') || text[at] == '-' || text[at] == '_')) {
        at++;
    }
    return at;
}

/* " HTTP/1.1" at the end; 0: none. */
static size_t version_size(const char *text, size_t size)
{
    static const size_t tails[] = {9, 7}; /* " HTTP/1.1", " HTTP/2" */
    for (size_t i = 0; i < 2; i++) {
        if (size >= tails[i] && memcmp(text + size - tails[i], " HTTP/", 6) == 0) {
            return tails[i];
        }
    }
    return 0;
}

void access_log_parse_request(struct access_line *line, const char *text, size_t size)
{
    line->method = EVENT_METHOD_OTHER;
    line->target = (struct event_text){"", 0};
    size_t method = method_size(text, size);
    if (method == 0 || method + 1 >= size || text[method] != ' ') {
        return;
    }
    if (!event_method_from_name(text, method, &line->method)) {
        line->method = EVENT_METHOD_OTHER;
    }
    /* The blank after the method may be the one before the version too: "GET HTTP/1.1" has no target. */
    size_t rest = size - method;
    size_t version = version_size(text + method, rest);
    if (version < rest) {
        line->target = (struct event_text){text + method + 1, rest - version - 1};
    }
}

bool access_log_parse_duration(const char *text, size_t size, double units_per_s, double *duration_s)
{
    struct json_number number;
    if (size == 0 || json_number_scan(text, size, &number) != size) {
        return false;
    }
    /* Divided, so that whole micro- and milliseconds give the double nearest to the decimal. */
    *duration_s = json_number_to_double(&number) / units_per_s;
    return *duration_s >= 0 && *duration_s < EVENT_DURATION_S;
}

/* --- the combined form ---- */

struct cursor {
    const char *at, *end;
};

static bool skip(struct cursor *c, const char *text)
{
    size_t size = strlen(text);
    if ((size_t)(c->end - c->at) < size || memcmp(c->at, text, size) != 0) {
        return false;
    }
    c->at += size;
    return true;
}

/* The text between quotes, with \" inside as it is. */
static bool read_quoted(struct cursor *c, struct event_text *text)
{
    if (!skip(c, "\"")) {
        return false;
    }
    const char *begin = c->at;
    while (c->at < c->end && *c->at != '"') {
        c->at += *c->at == '\\' && c->end - c->at > 1 ? 2 : 1;
    }
    *text = (struct event_text){begin, (size_t)(c->at - begin)};
    return skip(c, "\"");
}

static struct event_text read_token(struct cursor *c)
{
    const char *begin = c->at;
    while (c->at < c->end && *c->at != ' ' && *c->at != '\t') {
        c->at++;
    }
    return (struct event_text){begin, (size_t)(c->at - begin)};
}

/* Users' names may hold brackets and spaces, so the time is the first bracket that has one inside. */
static bool find_time(struct cursor *c, int64_t *unix_ms)
{
    const char *open = memchr(c->at, '[', (size_t)(c->end - c->at));
    while (open != NULL) {
        size_t left = (size_t)(c->end - open);
        const char *close = memchr(open, ']', left < MAX_TIME_BYTES ? left : MAX_TIME_BYTES);
        if (close != NULL && access_log_parse_time(open + 1, (size_t)(close - open - 1), unix_ms)) {
            c->at = close + 1;
            return true;
        }
        open = memchr(open + 1, '[', (size_t)(c->end - open - 1));
    }
    return false;
}

static bool read_status(struct cursor *c, int32_t *status)
{
    struct event_text token = read_token(c);
    int value = 0;
    if (token.size != 3 || !read_digits(token.data, 3, 599, &value) || value < 100) {
        return false;
    }
    *status = value;
    return true;
}

static bool read_bytes(struct cursor *c)
{
    struct event_text token = read_token(c);
    for (size_t i = 0; i < token.size; i++) {
        if ((token.data[i] < '0' || token.data[i] > '9') && !(token.size == 1 && token.data[i] == '-')) {
            return false;
        }
    }
    return token.size > 0;
}

/* What stands last, after referer and agent where they are there; bare, or in quotes. */
static struct event_text find_last(struct cursor *c)
{
    struct event_text quoted;
    for (int i = 0; i < 2 && skip(c, " \""); i++) {
        c->at--;
        (void)read_quoted(c, &quoted);
    }
    while (c->end > c->at && (c->end[-1] == ' ' || c->end[-1] == '\t')) {
        c->end--;
    }
    const char *begin = c->end;
    while (begin > c->at && begin[-1] != ' ' && begin[-1] != '\t') {
        begin--;
    }
    struct event_text last = {begin, (size_t)(c->end - begin)};
    if (last.size > 2 && last.data[0] == '"' && last.data[last.size - 1] == '"') {
        last = (struct event_text){last.data + 1, last.size - 2};
    }
    return last;
}

static bool looks_like_number(struct event_text text)
{
    return text.size > 0 && text.data[0] >= '0' && text.data[0] <= '9';
}

static enum access_log_result malformed(const char **why, const char *sentence)
{
    *why = sentence;
    return ACCESS_LOG_MALFORMED;
}

enum access_log_result access_log_parse(struct access_line *line, const char *text, size_t size,
                                        double units_per_s, const char **why)
{
    struct cursor c = {text, text + size};
    struct event_text request;
    *line = (struct access_line){0};
    if (!find_time(&c, &line->unix_ms)) {
        return malformed(why, "no [time] as in [24/Nov/2026:23:06:32 +0000]");
    }
    if (!skip(&c, " ") || !read_quoted(&c, &request)) {
        return malformed(why, "no \"request\" after the [time]");
    }
    if (!skip(&c, " ") || !read_status(&c, &line->status)) {
        return malformed(why, "no status from 100 to 599 after the \"request\"");
    }
    if (!skip(&c, " ") || !read_bytes(&c)) {
        return malformed(why, "no number of bytes after the status");
    }
    access_log_parse_request(line, request.data, request.size);
    struct event_text last = find_last(&c);
    if (!access_log_parse_duration(last.data, last.size, units_per_s, &line->duration_s)) {
        if (looks_like_number(last)) {
            return malformed(why, "the request time at the end is no number below a day (see --replay-unit)");
        }
        *why = "no request time at the end";
        return ACCESS_LOG_NO_DURATION;
    }
    return ACCESS_LOG_OK;
}
