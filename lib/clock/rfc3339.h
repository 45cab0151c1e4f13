/* lib/clock/rfc3339: times as text for logs, alerts and flags: "2026-11-24T23:06:32.125Z" (RFC 3339, ms,
 * UTC). */
#ifndef OBS_CLOCK_RFC3339_H
#define OBS_CLOCK_RFC3339_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RFC3339_BYTES 56 /* room for any time with NUL, and for what the compiler fears */

/* Years outside 0000-9999 are clamped to the nearest time inside. */
void rfc3339_format(char out[RFC3339_BYTES], int64_t unix_ms);

/* Accepts any RFC 3339 date-time: a fraction of any length (cut to ms) and an offset or Z. size excludes a
 * NUL. False: not such a time; *unix_ms is untouched. */
bool rfc3339_parse(const char *text, size_t size, int64_t *unix_ms);

#endif
