/* lib/window/recent_ids: has this id been seen with this time? Duplicates of one series are found by the
 * 64-bit hash of id and time.
 *
 * A ring of seconds (of the events' own time), each a small open-addressing set at most 15/16 full. Only the
 * event's own second is looked at, so a look-up touches one or two cache lines: about 18 ns, 8–10 bytes an
 * id. The seconds now-past … now+future are remembered: older ids are forgotten, since copies of them are
 * late anyway, and give their memory back to the pool. A false "seen" needs two equal 64-bit hashes in one
 * second. The hash comes from the caller, keyed, so that nobody can choose ids that collide. One thread at a
 * time. */
#ifndef OBS_WINDOW_RECENT_IDS_H
#define OBS_WINDOW_RECENT_IDS_H

#include "window/block_pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct recent_ids;

/* The pool is borrowed for the ids' life. NULL: no memory. */
struct recent_ids *recent_ids_create(struct block_pool *pool, int64_t now, uint32_t past_seconds,
                                     uint32_t future_seconds);
void recent_ids_destroy(struct recent_ids *ids);
/* The series' second is now this one (never an earlier one). */
void recent_ids_advance(struct recent_ids *ids, int64_t now);
/* True: seen before. Otherwise it is now remembered, unless its second isn't one of those that are, or memory
 * has run out. */
bool recent_ids_check(struct recent_ids *ids, int64_t second, uint64_t hash);
/* What recent_ids_check will touch: first the ids themselves, then (when that has come) the hash's slot. */
void recent_ids_prefetch(const struct recent_ids *ids, int64_t second);
void recent_ids_prefetch_slot(const struct recent_ids *ids, int64_t second, uint64_t hash);

/* Saving: the seconds to which ids were added since the last saving. Seconds ahead of the clock are to be
 * remembered for long after they were saved, so they are saved again now and then (ahead_too). */
struct id_second {
    int64_t second;
    const uint64_t *slots; /* hashes; 0: none */
    size_t slot_count, used;
};
/* The first such second after `after` (INT64_MIN: of all). False: none. Borrowed until the next change. */
bool recent_ids_next_changed(const struct recent_ids *ids, int64_t after, bool ahead_too,
                             struct id_second *out);
void recent_ids_note_saved(struct recent_ids *ids, int64_t clock_s, bool ahead_too);
size_t recent_ids_memory(const struct recent_ids *ids); /* without its blocks, which are the pool's */

#endif
