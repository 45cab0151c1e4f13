/* Days are counted by arithmetic on a year that begins in March, so that the leap day is its last and no
 * table of months is needed (the days_from_civil algorithm of H. Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms"). gmtime would do for formatting, but timegm is no standard function and accepts the 31st of
 * February. */
#include "clock/rfc3339.h"

#include <stdio.h>
#include <string.h>

#define MS_PER_DAY  INT64_C(86400000)
#define FIRST_MS    INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define LAST_MS     INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */
#define DAYS_OF_ERA 146097                   /* 400 years */

static int64_t days_from_date(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_OF_ERA + day_of_era - 719468;
}

static void date_from_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - (DAYS_OF_ERA - 1)) / DAYS_OF_ERA;
    int64_t day_of_era = days - era * DAYS_OF_ERA;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    *month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

void rfc3339_format(char out[RFC3339_BYTES], int64_t unix_ms)
{
    if (unix_ms < FIRST_MS) {
        unix_ms = FIRST_MS;
    } else if (unix_ms > LAST_MS) {
        unix_ms = LAST_MS;
    }
    int64_t days = (unix_ms - FIRST_MS) / MS_PER_DAY + FIRST_MS / MS_PER_DAY;
    int64_t ms = unix_ms - days * MS_PER_DAY;
    int year = 0;
    int month = 0;
    int day = 0;
    date_from_days(days, &year, &month, &day);
    (void)snprintf(out, RFC3339_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
                   (int)(ms / 3600000), (int)(ms / 60000 % 60), (int)(ms / 1000 % 60), (int)(ms % 1000));
}

struct reader {
    const char *at;
    const char *end;
    bool failed;
};

static int read_digits(struct reader *reader, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (reader->at == reader->end || *reader->at < '0' || *reader->at > '9') {
            reader->failed = true;
            return 0;
        }
        value = value * 10 + (*reader->at++ - '0');
    }
    return value;
}

static void expect_one_of(struct reader *reader, const char *allowed)
{
    if (reader->at == reader->end || *reader->at == '\0' || strchr(allowed, *reader->at) == NULL) {
        reader->failed = true;
    } else {
        reader->at++;
    }
}

static int read_fraction_ms(struct reader *reader)
{
    if (reader->at == reader->end || *reader->at != '.') {
        return 0;
    }
    reader->at++;
    int ms = read_digits(reader, 1) * 100;
    for (int scale = 10; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; scale /= 10) {
        ms += (*reader->at++ - '0') * scale;
    }
    return ms;
}

static int read_offset_minutes(struct reader *reader)
{
    if (reader->at < reader->end && (*reader->at == 'Z' || *reader->at == 'z')) {
        reader->at++;
        return 0;
    }
    int sign = reader->at < reader->end && *reader->at == '-' ? -1 : 1;
    expect_one_of(reader, "+-");
    int hours = read_digits(reader, 2);
    expect_one_of(reader, ":");
    int minutes = read_digits(reader, 2);
    reader->failed |= hours > 23 || minutes > 59;
    return sign * (hours * 60 + minutes);
}

static int days_in_month(int year, int month)
{
    if (month == 2) {
        return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
    }
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

bool rfc3339_parse(const char *text, size_t size, int64_t *unix_ms)
{
    struct reader reader = {.at = text, .end = text + size, .failed = false};
    int year = read_digits(&reader, 4);
    expect_one_of(&reader, "-");
    int month = read_digits(&reader, 2);
    expect_one_of(&reader, "-");
    int day = read_digits(&reader, 2);
    expect_one_of(&reader, "Tt ");
    int hour = read_digits(&reader, 2);
    expect_one_of(&reader, ":");
    int minute = read_digits(&reader, 2);
    expect_one_of(&reader, ":");
    int second = read_digits(&reader, 2);
    int ms = read_fraction_ms(&reader);
    int offset_minutes = read_offset_minutes(&reader);
    if (reader.failed || reader.at != reader.end || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    if (second == 60) { /* a leap second: POSIX time has none, it is the next minute's first */
        second = 59;
        ms = 999;
    }
    int64_t minutes = days_from_date(year, month, day) * 1440 + hour * 60 + minute - offset_minutes;
    *unix_ms = minutes * 60000 + second * 1000 + ms;
    return true;
}
