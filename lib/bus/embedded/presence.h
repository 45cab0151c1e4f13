/* lib/bus/embedded/presence: who has the store open, told by file locks, because the kernel frees those
 * however a process ends: also by kill -9, and at once.
 *
 *   DIR/bus.lock, locked bytes   0          shared by every process that has the store open; exclusive: the
 * first one, while it prepares the files 2^20 + n   process n, a number drawn at open; a member's row names
 * it
 *
 * POSIX record locks and not those of an open file: a forked child must not inherit them. The price: a
 * process opens bus.lock only once at a time (the store's registry sees to that). Any thread. */
#ifndef OBS_BUS_EMBEDDED_PRESENCE_H
#define OBS_BUS_EMBEDDED_PRESENCE_H

#include "error/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct presence {
    int fd;
    uint64_t process; /* this one's number, never 0 */
};

/* *first: nobody else has it open; they wait until presence_share. BUS_REFUSED: DIR can't be written.
 * BUS_AWAY: the first process doesn't finish its preparing. */
int presence_open(struct presence *presence, const char *directory, bool *first, struct error *error);
int presence_share(struct presence *presence, struct error *error);
void presence_close(struct presence *presence);

bool presence_is_alive(const struct presence *presence, uint64_t process);

#endif
