/* lib/bus/embedded/writer_gate: one writer at a time, in order of arrival, over all processes.
 *
 * LMDB has a lock of its own for that, but nobody can wait for it with patience, nobody sees who holds it,
 * and it goes to whoever is fastest: a producer at full speed would starve the commits of a group. So this
 * gate stands in front of it. A process that was stopped (SIGSTOP, a debugger) inside a write transaction
 * blocks every writer: then the waiting ones name its pid. A process that was killed inside one doesn't: LMDB
 * drops what it began. */
#ifndef OBS_BUS_EMBEDDED_WRITER_GATE_H
#define OBS_BUS_EMBEDDED_WRITER_GATE_H

#include "bus/embedded/shared_page.h"

/* BUS_AWAY after patience_ms, naming the holder. */
int writer_gate_enter(struct shared_page *page, int64_t patience_ms, struct error *error);
void writer_gate_leave(struct shared_page *page);

#endif
