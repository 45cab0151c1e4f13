/* lib/window/recent_ids: has this id been seen with this time? Duplicates of one series are found by the
 * 64-bit hash of id and time.
 *
 * A ring of seconds (of the events' own time), each a small open-addressing set at most 7/8 full. Only the
 * event's own second is looked at, so a look-up touches one or two cache lines: about 18 ns, 8–10 bytes an
 * id. Ids older than the horizon are forgotten, since copies of them are late anyway. A false "seen" needs
 * two equal 64-bit hashes in one second. The hash comes from the caller, keyed, so that nobody can choose ids
 * that collide. One thread at a time. */
#ifndef OBS_WINDOW_RECENT_IDS_H
#define OBS_WINDOW_RECENT_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct recent_ids;

/* Remembers the seconds newest-seconds+1 … newest; NULL: no memory. */
struct recent_ids *recent_ids_create(uint32_t seconds);
void recent_ids_destroy(struct recent_ids *ids);
/* True: seen before. Otherwise it is now remembered (unless its second has fallen out or memory has run out).
 */
bool recent_ids_check(struct recent_ids *ids, int64_t second, uint64_t hash);
size_t recent_ids_memory(const struct recent_ids *ids);

#endif
