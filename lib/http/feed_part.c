#include "http/feed_part.h"

#include <stdlib.h>

static struct feed_part *create(uint64_t position, size_t *held_bytes)
{
    struct feed_part *part = calloc(1, sizeof *part);
    if (part != NULL) {
        part->references = 1;
        part->position = position;
        part->held_bytes = held_bytes;
    }
    return part;
}

/* A buffer grows ahead of what is in it. */
static void take_bytes(struct feed_part *part, struct buffer *bytes)
{
    char *fitting = bytes->size > 0 ? realloc(bytes->data, bytes->size) : NULL;
    part->bytes = *bytes;
    if (fitting != NULL) {
        part->bytes.data = fitting;
        part->bytes.capacity = bytes->size;
    }
    *bytes = (struct buffer){0};
    *part->held_bytes += part->bytes.size;
}

struct feed_part *feed_part_create_end(uint64_t position, size_t *held_bytes)
{
    return create(position, held_bytes);
}

bool feed_part_fill(struct feed_part **end, struct buffer *bytes)
{
    struct feed_part *filled = *end;
    struct feed_part *next = create(filled->position + bytes->size, filled->held_bytes);
    if (next == NULL) {
        buffer_free(bytes);
        return false;
    }
    take_bytes(filled, bytes);
    filled->next = feed_part_hold(next);
    *end = next;
    feed_part_release(filled);
    return true;
}

struct feed_part *feed_part_create_before(struct feed_part *end, struct buffer *bytes)
{
    struct feed_part *part = create(end->position, end->held_bytes);
    if (part == NULL) {
        buffer_free(bytes);
        return NULL;
    }
    take_bytes(part, bytes);
    part->next = feed_part_hold(end);
    return part;
}

struct feed_part *feed_part_hold(struct feed_part *part)
{
    part->references++;
    return part;
}

void feed_part_release(struct feed_part *part)
{
    while (part != NULL && --part->references == 0) {
        struct feed_part *next = part->next;
        *part->held_bytes -= part->bytes.size;
        buffer_free(&part->bytes);
        free(part);
        part = next;
    }
}
