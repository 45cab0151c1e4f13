#include "json/number.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 10^22 is the largest power of ten that a double holds exactly. */
#define EXACT_POWER   22
#define EXACT_INTEGER (UINT64_C(1) << 53)
#define MOST_DIGITS   19 /* always fit uint64_t */

/* Halfway points between doubles have at most 767 significant digits: past that only "is anything left?"
 * matters. */
#define KEPT_DIGITS   768
#define FAR_EXPONENT  1000000

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define EIGHT(byte) (UINT64_C(0x0101010101010101) * (byte))

/* How many of the first eight characters are digits, and their value: no branch a digit, and none to
 * mispredict. */
static inline size_t read_eight(const char *at, uint64_t *value)
{
    uint64_t eight;
    memcpy(&eight, at, sizeof eight);
    eight ^= EIGHT('0'); /* digits are 0-9 now */
    uint64_t others = (((eight & EIGHT(0x7f)) + EIGHT(0x80 - 10)) | eight) & EIGHT(0x80);
    size_t count = others == 0 ? 8 : (size_t)__builtin_ctzll(others) / 8;
    if (count == 0) {
        *value = 0;
        return 0;
    }
    eight <<= 64 - 8 * count; /* leading zeros for what is no digit; then add up pairs, fours, the eight */
    eight = eight * 10 + (eight >> 8);
    eight = (eight & UINT64_C(0x00ff00ff00ff00ff)) * 100 + ((eight >> 16) & UINT64_C(0x00ff00ff00ff00ff));
    eight = (eight & UINT64_C(0x0000ffff0000ffff)) * 10000 + ((eight >> 32) & UINT64_C(0x0000ffff0000ffff));
    *value = eight & UINT64_C(0xffffffff);
    return count;
}
#endif

/* Past the digits, into the mantissa while it has room for another. */
static inline const char *scan_digits(const char *at, const char *end, uint64_t *into, bool *exact)
{
    uint64_t mantissa = *into;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    static const uint64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    while (end - at >= 8 && mantissa < UINT64_C(100000000000)) {
        uint64_t value;
        size_t count = read_eight(at, &value);
        mantissa = mantissa * powers[count] + value;
        at += count;
        if (count < 8) {
            *into = mantissa;
            return at;
        }
    }
#endif
    for (; at < end && is_digit(*at); at++) {
        if (mantissa >= UINT64_C(1000000000000000000)) {
            *exact = false; /* go on for the grammar */
        } else {
            mantissa = mantissa * 10 + (uint64_t)(*at - '0');
        }
    }
    *into = mantissa;
    return at;
}

/* At 'e' or 'E'. NULL: no digits follow. */
static const char *scan_exponent(const char *at, const char *end, int32_t *exponent)
{
    at++;
    bool negative = false;
    if (at < end && (*at == '+' || *at == '-')) {
        negative = *at == '-';
        at++;
    }
    if (at == end || !is_digit(*at)) {
        return NULL;
    }
    int32_t value = 0;
    for (; at < end && is_digit(*at); at++) {
        if (value < FAR_EXPONENT) {
            value = value * 10 + (*at - '0');
        }
    }
    *exponent = negative ? -value : value;
    return at;
}

size_t json_number_scan(const char *text, size_t size, struct json_number *number)
{
    const char *at = text;
    const char *end = text + size;
    uint64_t mantissa = 0;
    int32_t exponent = 0;
    bool exact = true;
    bool negative = at < end && *at == '-';
    if (negative) {
        at++;
    }
    if (at == end || !is_digit(*at)) {
        return 0;
    }
    at = *at == '0' ? at + 1 : scan_digits(at, end, &mantissa, &exact); /* no leading zeros */
    if (at < end && *at == '.') {
        const char *fraction = at + 1;
        at = scan_digits(fraction, end, &mantissa, &exact);
        if (at == fraction) {
            return 0;
        }
        exponent = -(int32_t)(at - fraction < FAR_EXPONENT ? at - fraction : FAR_EXPONENT);
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        int32_t written = 0;
        at = scan_exponent(at, end, &written);
        if (at == NULL) {
            return 0;
        }
        exponent += written;
    }
    *number = (struct json_number){text, (size_t)(at - text), mantissa, exponent, negative, exact};
    return number->size;
}

/* Any length: the significant digits as an integer, a last digit 1 for whatever was dropped, and one
 * exponent. That is the same side of every halfway point, so strtod rounds it as it would the whole. */
static double value_of_digits(const struct json_number *number)
{
    char text[KEPT_DIGITS + 32];
    size_t kept = 0;
    int64_t exponent = 0;
    bool in_fraction = false;
    bool dropped = false;
    const char *at = number->text + (number->negative ? 1 : 0);
    const char *end = number->text + number->size;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            in_fraction = true;
            continue;
        }
        if (kept < KEPT_DIGITS) {
            if (kept > 0 || *at != '0') {
                text[kept++] = *at;
            }
            exponent -= in_fraction ? 1 : 0;
        } else {
            dropped = dropped || *at != '0';
            exponent += in_fraction ? 0 : 1;
        }
    }
    if (at < end) {
        int32_t written = 0;
        (void)scan_exponent(at, end, &written);
        exponent += written;
    }
    if (kept == 0) {
        return number->negative ? -0.0 : 0.0;
    }
    if (dropped) {
        text[kept++] = '1';
        exponent--;
    }
    (void)snprintf(text + kept, sizeof text - kept, "e%" PRId64, exponent);
    double value = strtod(text, NULL);
    return number->negative ? -value : value;
}

double json_number_to_double(const struct json_number *number)
{
    static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    /* Both operands are exact doubles here, so the one operation rounds correctly. */
    if (number->exact && number->mantissa <= EXACT_INTEGER && number->exponent >= -EXACT_POWER &&
        number->exponent <= EXACT_POWER) {
        double value = (double)number->mantissa;
        value = number->exponent < 0 ? value / powers[-number->exponent] : value * powers[number->exponent];
        return number->negative ? -value : value;
    }
    return value_of_digits(number);
}

int64_t json_number_to_integer(const struct json_number *number)
{
    const double value = json_number_to_double(number);
    if (value >= 0x1p63) {
        return INT64_MAX;
    }
    return value < -0x1p63 ? INT64_MIN : (int64_t)value;
}
