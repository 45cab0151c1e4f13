/* lib/json/utf8: is it UTF-8? By the Unicode standard's table 3-7: no overlong forms, no surrogates, nothing
 * past U+10FFFF. */
#ifndef OBS_JSON_UTF8_H
#define OBS_JSON_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* The length in bytes (1-4) of the well-formed sequence at text, 0 if there is none within size (or size is
 * 0). */
size_t utf8_sequence(const char *text, size_t size);
bool utf8_is_valid(const char *text, size_t size);

#endif
