/* lib/bus/embedded/group_rows: what the store knows of groups, row by row.
 *
 *   'O' topic partition group        committed offset (-1: joined, never committed), when (ms), note
 *   'g' group                        generation: the number of the newest member; counts up with every join
 *   'm' group NUL member             generation, process, slot, token, pid, lease ms, topics
 *   'a' group NUL topic partition    generation of the owner; when it was asked to give it up (steady ms; 0:
 * it wasn't)
 *
 * A member's generation is drawn at its join and never comes again: rows with another one are somebody
 * else's. That is the fence: a commit finds the member's own row and rows of ownership with its generation,
 * or it is refused. Within a transaction; any thread. */
#ifndef OBS_BUS_EMBEDDED_GROUP_ROWS_H
#define OBS_BUS_EMBEDDED_GROUP_ROWS_H

#include "bus/driver.h"
#include "bus/embedded/store.h"
#include "bus/embedded/topic_table.h"

#define GROUP_NAME_BYTES 128

struct offset_row {
    int64_t committed, commit_ms;
    char note[BUS_NOTE_BYTES + 1];
};

int group_rows_get_offset(const struct store_txn *txn, const char *group, const struct topic *topic,
                          int32_t partition, struct offset_row *out, bool *found, struct error *error);
int group_rows_put_offset(struct store_txn *txn, const char *group, const struct topic *topic,
                          int32_t partition, const struct offset_row *row, struct error *error);
/* The first offset of the partition that a known group needs; INT64_MAX: none does. */
int group_rows_floor(const struct store_txn *txn, const struct topic *topic, int32_t partition,
                     int64_t *floor, struct error *error);

#define MEMBER_TOPICS 32 /* the most that a member may read */

struct member_row {
    char member_id[BUS_MEMBER_ID_BYTES];
    int64_t generation;
    uint64_t process, token;
    uint32_t slot;
    int32_t pid;
    int64_t lease_ms;
    uint32_t topics[MEMBER_TOPICS];
    size_t topic_count;
};

int group_rows_next_generation(struct store_txn *txn, const char *group, int64_t *generation,
                               struct error *error);
int group_rows_get_member(const struct store_txn *txn, const char *group, const char *member_id,
                          struct member_row *out, bool *found, struct error *error);
int group_rows_put_member(struct store_txn *txn, const char *group, const struct member_row *row,
                          struct error *error);
int group_rows_delete_member(struct store_txn *txn, const char *group, const char *member_id,
                             struct error *error);
/* All members in order of id, into *out (to be freed). */
int group_rows_list_members(const struct store_txn *txn, const char *group, struct member_row **out,
                            size_t *count, struct error *error);

struct owner_row {
    uint32_t topic;
    int32_t partition;
    int64_t generation;
    int64_t revoked_ms; /* steady; 0: not asked */
};

int group_rows_get_owner(const struct store_txn *txn, const char *group, const struct topic *topic,
                         int32_t partition, struct owner_row *out, bool *found, struct error *error);
int group_rows_put_owner(struct store_txn *txn, const char *group, const struct owner_row *row,
                         struct error *error);
int group_rows_delete_owner(struct store_txn *txn, const char *group, const struct owner_row *row,
                            struct error *error);
/* All owners in order of topic and partition, into *out (to be freed). */
int group_rows_list_owners(const struct store_txn *txn, const char *group, struct owner_row **out,
                           size_t *count, struct error *error);

#endif
