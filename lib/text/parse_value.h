/* lib/text/parse_value: durations and sizes as people write them, shared by flags and YAML files. */
#ifndef OBS_TEXT_PARSE_VALUE_H
#define OBS_TEXT_PARSE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

bool parse_integer(const char *text, int64_t *value); /* whole text, decimal */
bool parse_real(const char *text, double *value);     /* whole text, finite */
bool parse_boolean(const char *text, bool *value);    /* true, false, yes, no, on, off, 1, 0 */
bool parse_duration_ms(const char *text,
                       int64_t *value_ms); /* "250ms", "15s", "1h30m", "7d"; a plain number: seconds */
bool parse_bytes(const char *text, int64_t *value); /* "64KiB", "8MiB", "1GiB", "10kB", plain bytes */

#endif
