#include "text/parse_value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool parse_integer(const char *text, int64_t *value)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    if (digits[0] == '\0' || strspn(digits, "0123456789") != strlen(digits)) {
        return false; /* strtoll would take spaces, a plus sign and an empty string */
    }
    errno = 0;
    long long parsed = strtoll(text, NULL, 10);
    if (errno != 0) {
        return false;
    }
    *value = parsed;
    return true;
}

bool parse_real(const char *text, double *value)
{
    if (text[0] == '\0' || strspn(text, "0123456789+-.eE") != strlen(text)) {
        return false; /* nor hexadecimal, nan, inf */
    }
    char *end = NULL;
    double parsed = strtod(text, &end);
    if (*end != '\0' || !isfinite(parsed)) {
        return false;
    }
    *value = parsed;
    return true;
}

bool parse_boolean(const char *text, bool *value)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *value = strcmp(text, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

struct unit {
    const char *name;
    double size;
};

static const struct unit *find_unit(const struct unit *units, size_t count, const char *text, size_t length)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(units[i].name) == length && strncmp(units[i].name, text, length) == 0) {
            return &units[i];
        }
    }
    return NULL;
}

/* A run of numbers with units ("1h30m"), or one number alone, which is in units of plain. */
static bool parse_with_units(const char *text, const struct unit *units, size_t count, double plain,
                             int64_t *value)
{
    double sum = 0;
    const char *at = text;
    do {
        size_t digits = strspn(at, "0123456789.");
        char number[32];
        if (digits == 0 || digits >= sizeof number) {
            return false;
        }
        memcpy(number, at, digits);
        number[digits] = '\0';
        char *end = NULL;
        double parsed = strtod(number, &end);
        if (*end != '\0') {
            return false;
        }
        at += digits;
        size_t letters = strcspn(at, "0123456789.");
        const struct unit *unit = find_unit(units, count, at, letters);
        bool alone = letters == 0 && at == text + digits;
        if (unit == NULL && !alone) {
            return false;
        }
        sum += parsed * (unit == NULL ? plain : unit->size);
        at += letters;
    } while (*at != '\0');
    if (sum > 9.0e15) { /* past this a double no longer counts by ones */
        return false;
    }
    *value = llround(sum);
    return true;
}

bool parse_duration_ms(const char *text, int64_t *value_ms)
{
    static const struct unit units[] = {{"ms", 1},        {"s", 1000},       {"m", 60000},
                                        {"h", 3600000.0}, {"d", 86400000.0}, {"w", 604800000.0}};
    return parse_with_units(text, units, sizeof units / sizeof units[0], 1000, value_ms);
}

bool parse_bytes(const char *text, int64_t *value)
{
    static const struct unit units[] = {
        {"B", 1},      {"kB", 1e3},        {"MB", 1e6},           {"GB", 1e9},
        {"KiB", 1024}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0}};
    return parse_with_units(text, units, sizeof units / sizeof units[0], 1, value);
}
