/* lib/json/number: JSON's decimal numbers as doubles, exactly: what comes out is the double nearest to what
 * was written, ties to even, whatever the number of digits.
 *
 * Scanning and converting are two steps, so that a caller which only checks the grammar, or ignores the
 * value, pays for no conversion. Nearly all numbers of real events (≤ 19 digits, a small power of ten)
 * convert with one exact multiplication or division (Clinger, "How to Read Floating Point Numbers
 * Accurately", PLDI 1990); the rest goes through strtod. Plain functions of their input; any thread. */
#ifndef OBS_JSON_NUMBER_H
#define OBS_JSON_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_number {
    const char *text; /* as it was written; borrowed */
    size_t size;
    uint64_t mantissa; /* the value is ±mantissa × 10^exponent when exact */
    int32_t exponent;
    bool negative;
    bool exact; /* at most 19 digits and a sane exponent, so the three above say it all */
};

/* The longest JSON number (RFC 8259 §6) at the start of text. Returns its size; 0: there is none. What
 * follows it is the caller's business. */
size_t json_number_scan(const char *text, size_t size, struct json_number *number);

/* The nearest double; ±infinity when it is too large for one, ±0 when too small. */
double json_number_to_double(const struct json_number *number);

/* The integer part; what is outside of int64_t becomes its nearest end. */
int64_t json_number_to_integer(const struct json_number *number);

#endif
