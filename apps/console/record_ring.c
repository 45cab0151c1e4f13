#include "record_ring.h"

#include "json/json_write.h"

#include <stdlib.h>

void record_ring_init(struct record_ring *ring, size_t most, size_t most_bytes)
{
    *ring = (struct record_ring){.most = most, .most_bytes = most_bytes};
}

static void drop_oldest(struct record_ring *ring)
{
    free(ring->items[ring->first].text);
    ring->bytes -= ring->items[ring->first].size;
    ring->first = (ring->first + 1) % RECORD_RING_MOST;
    ring->count--;
}

void record_ring_deinit(struct record_ring *ring)
{
    while (ring->count > 0) {
        drop_oldest(ring);
    }
}

const char *record_ring_add(struct record_ring *ring, const char *text, size_t size)
{
    char *copy = size > ring->most_bytes ? NULL : malloc(size + 1);
    if (copy == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < size; i++) {
        copy[i] = (char)(text[i] == '\n' || text[i] == '\r' ? ' ' : text[i]);
    }
    while (ring->count == ring->most || (ring->count > 0 && ring->bytes + size > ring->most_bytes)) {
        drop_oldest(ring);
    }
    const size_t at = (ring->first + ring->count) % RECORD_RING_MOST;
    ring->items[at].text = copy;
    ring->items[at].size = size;
    ring->count++;
    ring->bytes += size;
    return copy;
}

void record_ring_write(const struct record_ring *ring, struct json_writer *writer)
{
    json_array_begin(writer);
    for (size_t i = 0; i < ring->count; i++) {
        const size_t at = (ring->first + i) % RECORD_RING_MOST;
        json_raw(writer, ring->items[at].text, ring->items[at].size);
    }
    json_array_end(writer);
}
