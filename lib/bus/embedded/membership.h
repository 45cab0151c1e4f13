/* lib/bus/embedded/membership: who is in a group, who is still alive, and whose each partition is.
 *
 * Alive: its process holds its lock (freed by kill -9 at once), and its heartbeat in the shared page is
 * younger than its lease (a stopped process has the lock, but beats no more). Whoever notices a dead member
 * takes its rows out.
 *
 * Partitions are spread as Kafka's range assignor does: per topic, members in order of id, each a run of
 * partitions, the first ones one more. So partition p of topics of equal size is one member's, and so is the
 * state of p. A partition that must move is asked for (row 'a', revoked) and moves when its owner has
 * released it, or is dead, or has let PATIENCE_LEASES of its leases pass: then the owner's commits are
 * refused.
 *
 * Within a write transaction, which wakes the group when it changes something. Any thread. */
#ifndef OBS_BUS_EMBEDDED_MEMBERSHIP_H
#define OBS_BUS_EMBEDDED_MEMBERSHIP_H

#include "bus/embedded/group_rows.h"

#define PATIENCE_LEASES 2

bool membership_is_alive(const struct store *store, const struct member_row *row);

/* Joins as self->member_id with a new generation, stored in self. *entered false: a living member holds the
 * id (in *holder); try again later. */
int membership_enter(struct store_txn *txn, const char *group, struct member_row *self, bool take_over,
                     bool *entered, struct member_row *holder, struct error *error);
/* Takes the member out and spreads its partitions, if the row is still this generation's. */
int membership_leave(struct store_txn *txn, const char *group, const char *member_id, int64_t generation,
                     struct error *error);
/* Takes dead members out, moves partitions. *changed false: there was nothing to do. */
int membership_balance(struct store_txn *txn, const char *group, bool *changed, struct error *error);

/* A heartbeat slot of the shared page. NULL: all are taken. */
struct shared_slot *membership_take_slot(struct store *store, uint64_t token);
void membership_free_slot(struct shared_slot *slot);
void membership_beat(struct shared_slot *slot);

#endif
