/* tests/support/topic_reader: what a topic holds, for tests that look at it from outside. Opens the bus for
 * itself and reads every partition to its end as of now. Fails the running test when it can't. */
#ifndef OBS_TESTS_SUPPORT_TOPIC_READER_H
#define OBS_TESTS_SUPPORT_TOPIC_READER_H

#include <stddef.h>

struct bus_record;
struct buffer;

/* In order within each partition; the record is borrowed for the call. Returns how many. */
size_t topic_read(const char *bus_url, const char *topic,
                  void (*take)(void *context, const struct bus_record *record), void *context);
/* The values, a line each. */
size_t topic_read_lines(const char *bus_url, const char *topic, struct buffer *lines);

#endif
