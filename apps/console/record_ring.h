/* The last JSON texts of something (transitions, notifications): bounded in count and bytes, the oldest go
 * first. Not locked. */
#ifndef CONSOLE_RECORD_RING_H
#define CONSOLE_RECORD_RING_H

#include <stddef.h>

struct json_writer;

#define RECORD_RING_MOST 512

struct record_ring {
    struct {
        char *text;
        size_t size;
    } items[RECORD_RING_MOST];
    size_t first, count, bytes, most, most_bytes;
};

/* most: at most RECORD_RING_MOST. */
void record_ring_init(struct record_ring *ring, size_t most, size_t most_bytes);
void record_ring_deinit(struct record_ring *ring);
/* One whole valid JSON value, copied onto one line (a line break in JSON can only be white space). NULL: too
 * large, or no memory; otherwise the copy, of the same size, until it is dropped. */
const char *record_ring_add(struct record_ring *ring, const char *text, size_t size);
/* As an array, the oldest first. */
void record_ring_write(const struct record_ring *ring, struct json_writer *writer);

#endif
