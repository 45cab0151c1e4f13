/* tests/support/exposition: numbers out of a page in Prometheus' text format. */
#ifndef OBS_TESTS_SUPPORT_EXPOSITION_H
#define OBS_TESTS_SUPPORT_EXPOSITION_H

#include <stddef.h>

/* The sum of the series of that name (exactly) whose line contains text ("" or NULL: all of them); *count,
 * where not NULL, is how many there are. */
double exposition_sum(const char *page, const char *name, const char *text, size_t *count);

#endif
