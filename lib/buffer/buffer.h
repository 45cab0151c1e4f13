/* lib/buffer: bytes that are appended to: growing on the heap up to a limit, or fixed in the caller's
 * storage.
 *
 * A failed append (limit reached, no memory) sets `failed` and takes nothing; later appends are refused too,
 * so a writer appends freely and checks once at the end. Contents before the failure stay valid. Ownership: a
 * growing buffer owns its bytes until buffer_free; a fixed one borrows. One thread at a time. */
#ifndef OBS_BUFFER_BUFFER_H
#define OBS_BUFFER_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct buffer {
    char *data; /* not NUL-ended; may be NULL while size is 0 */
    size_t size;
    size_t capacity;
    size_t limit; /* growing: the most it may hold; fixed: equals capacity */
    bool fixed;
    bool failed;
};

/* limit_bytes 0: no limit but memory. Allocates nothing yet. */
void buffer_init(struct buffer *buffer, size_t limit_bytes);
void buffer_init_fixed(struct buffer *buffer, char *storage, size_t storage_bytes);
void buffer_free(struct buffer *buffer);  /* safe on a zeroed one, on a fixed one, and twice */
void buffer_clear(struct buffer *buffer); /* keeps the memory, forgets contents and failure */

bool buffer_append(struct buffer *buffer, const void *data, size_t size);
bool buffer_append_text(struct buffer *buffer, const char *text);
bool buffer_append_char(struct buffer *buffer, char c);
bool buffer_append_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for size more bytes at the end, to be written by the caller and then counted with buffer->size += n.
 * NULL: failed. */
char *buffer_reserve(struct buffer *buffer, size_t size);

/* The contents NUL-ended (the NUL isn't counted in size); "" when empty or when there is no room for the NUL.
 */
const char *buffer_text(struct buffer *buffer);

#endif
