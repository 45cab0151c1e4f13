/* lib/bus/embedded/store_room: the last pages of a full store are for those who make room.
 *
 * Deleting needs pages too: LMDB writes the path to what it deletes anew before it gives the old pages back.
 * A store filled to its last page could never be emptied again. So producers stop a little before, members'
 * commits (which let retention go on) a little later, and deletions may have everything. */
#ifndef OBS_BUS_EMBEDDED_STORE_ROOM_H
#define OBS_BUS_EMBEDDED_STORE_ROOM_H

#include "bus/embedded/store.h"

enum store_claim { STORE_CLAIM_PRODUCER, STORE_CLAIM_MEMBER };

/* Before bytes of records are written in the transaction. BUS_FULL: they would take what is kept back. */
int store_check_room(const struct store_txn *txn, size_t bytes, enum store_claim claim, struct error *error);

#endif
