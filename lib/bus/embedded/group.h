/* lib/bus/embedded/group: who is in a group, who has which partition, and how far it has come; inside a
 * transaction of the store.
 *
 * A member is a row with a token that is drawn at each join: a later join under the same name, or the loss of
 * the lease, takes the row away, and with it the right to commit. Partitions are given by range over the
 * members that want the topic, in the order of their names; a partition changes hands only after its owner
 * has released it or is dead. */
#ifndef OBS_BUS_EMBEDDED_GROUP_H
#define OBS_BUS_EMBEDDED_GROUP_H

#include "bus/embedded/store.h"
#include "bus/embedded/topic_log.h"

#define GROUP_NOTE_BYTES (BUS_NOTE_BYTES + 1)

struct group_member {
    const char *group, *member_id;
    uint64_t token;
};

struct group_offset {
    int64_t committed; /* -1: none */
    int64_t commit_ms;
    char note[GROUP_NOTE_BYTES];
};

/* Takes a heartbeat slot of the page; NULL: all are taken. */
struct shared_slot *group_take_slot(struct store *store, uint64_t token);
void group_beat(struct shared_slot *slot);
void group_free_slot(struct shared_slot *slot);

int group_join(struct store *store, MDB_txn *txn, const struct group_member *member,
               const char *const *topics, struct error *error);
int group_leave(struct store *store, MDB_txn *txn, const struct group_member *member, struct error *error);
/* Is the member's row still its own? */
int group_is_member(struct store *store, MDB_txn *txn, const struct group_member *member, bool *is_member,
                    struct error *error);
/* Dead members; take: remove them and free what they own. */
int group_find_dead(struct store *store, MDB_txn *txn, const char *group, int64_t lease_ms, bool take,
                    size_t *dead, struct error *error);
/* The member's share of the topic: partitions first … first+count-1. */
int group_share(struct store *store, MDB_txn *txn, const struct group_member *member,
                const struct topic *topic, int32_t *first, int32_t *count, struct error *error);

int group_read_owner(struct store *store, MDB_txn *txn, const char *group, const char *topic,
                     int32_t partition, uint64_t *token, struct error *error); /* 0: nobody */
int group_write_owner(struct store *store, MDB_txn *txn, const char *group, const char *topic,
                      int32_t partition, uint64_t token, struct error *error);

int group_read_offset(struct store *store, MDB_txn *txn, const char *group, const char *topic,
                      int32_t partition, struct group_offset *offset, struct error *error);
int group_write_offset(struct store *store, MDB_txn *txn, const char *group, const char *topic,
                       int32_t partition, const struct group_offset *offset, struct error *error);
/* The smallest offset that a group which has committed on the partition still needs; INT64_MAX: none. */
int group_needed_from(struct store *store, MDB_txn *txn, const char *topic, int32_t partition,
                      int64_t *needed, struct error *error);

#endif
