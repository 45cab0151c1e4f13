/* lib/http/feed_part: what a feed published, as a chain of parts that its followers walk along; each part is
 * there once, however many are still to take it, and is freed by the last who goes past it. Internal to
 * lib/http, under the feed's lock.
 *
 *     follower ─▶ part ─▶ part ─▶ part ─▶ end ◀─ feed
 *
 * A part holds a reference on the next one, so whoever holds one part has all that follow. The end is empty:
 * who stands there has taken everything. */
#ifndef OBS_HTTP_FEED_PART_H
#define OBS_HTTP_FEED_PART_H

#include "buffer/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct feed_part {
    size_t references;
    struct feed_part *next; /* NULL: this is the end */
    struct buffer bytes;
    uint64_t position;  /* bytes that were published before it */
    size_t *held_bytes; /* the feed's count of what its parts hold */
};

/* An end with one reference, the caller's. NULL: no memory. */
struct feed_part *feed_part_create_end(uint64_t position, size_t *held_bytes);
/* Fills the end, whose reference the caller holds, with bytes (taken over), and makes *end the new one.
 * False: no memory; bytes are freed and all is as before. */
bool feed_part_fill(struct feed_part **end, struct buffer *bytes);
/* One that isn't published: bytes (taken over), then what follows the end from now on. */
struct feed_part *feed_part_create_before(struct feed_part *end, struct buffer *bytes);
struct feed_part *feed_part_hold(struct feed_part *part); /* gives back part */
void feed_part_release(struct feed_part *part);           /* NULL is fine */

#endif
