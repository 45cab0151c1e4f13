/* lib/bus/embedded/shared_page: the few words that processes share in memory beside the store: never data,
 * nothing that isn't as good lost. DIR/bus.shared, written in full before it is mapped, so that a full disk
 * can't strike a store to it (SIGBUS).
 *
 * The first process to open the store makes the page anew, whatever a dead one or a power cut left in it (a
 * mutex held for ever, say). A member's heartbeat is here and not in the store: so an idle platform writes
 * nothing. */
#ifndef OBS_BUS_EMBEDDED_SHARED_PAGE_H
#define OBS_BUS_EMBEDDED_SHARED_PAGE_H

#include "error/error.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SHARED_SLOTS 512

struct shared_slot {
    alignas(64) _Atomic uint64_t process; /* 0: free */
    _Atomic uint64_t token;               /* drawn by the member; its row in the store names it */
    _Atomic int64_t heartbeat_ns;         /* steady time */
};

struct shared_page {
    uint64_t magic;
    uint32_t version, bytes;
    alignas(64) _Atomic uint32_t word;          /* futex: counts commits and wake-ups */
    alignas(64) _Atomic uint32_t group_changes; /* counts changes of any group's members or assignment */
    _Atomic int64_t next_sweep_ms;              /* steady: when retention is next looked after */
    alignas(64) pthread_mutex_t gate;           /* see writer_gate.h */
    _Atomic int32_t writer_pid;                 /* who is inside a write transaction; 0: nobody */
    _Atomic int64_t writer_since_ns;
    struct shared_slot slots[SHARED_SLOTS];
};

/* first: make it anew. BUS_REFUSED: the others use another version of it. BUS_FULL: no room on the disk. */
int shared_page_open(struct shared_page **out, const char *directory, bool first, struct error *error);
void shared_page_close(struct shared_page *page);

#endif
