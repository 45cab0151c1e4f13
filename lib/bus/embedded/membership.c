#include "bus/embedded/membership.h"

#include "bus/embedded/wakeup.h"
#include "clock/clock.h"

#include <stdlib.h>
#include <string.h>

/* --- heartbeats ---- */

static bool claim(struct shared_slot *slot, uint64_t expected, uint64_t process)
{
    return atomic_compare_exchange_strong(&slot->process, &expected, process);
}

struct shared_slot *membership_take_slot(struct store *store, uint64_t token)
{
    uint64_t process = store->presence.process;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < SHARED_SLOTS; i++) {
            struct shared_slot *slot = &store->page->slots[i];
            uint64_t holder = atomic_load(&slot->process);
            /* The second round takes over what killed processes left. */
            bool mine = holder == 0 ? claim(slot, 0, process)
                                    : round == 1 && !presence_is_alive(&store->presence, holder) &&
                                          claim(slot, holder, process);
            if (mine) {
                atomic_store(&slot->token, token);
                membership_beat(slot);
                return slot;
            }
        }
    }
    return NULL;
}

void membership_free_slot(struct shared_slot *slot)
{
    if (slot != NULL) {
        atomic_store(&slot->token, 0);
        atomic_store(&slot->process, 0);
    }
}

void membership_beat(struct shared_slot *slot)
{
    atomic_store(&slot->heartbeat_ns, clock_steady_ns(clock_system()));
}

bool membership_is_alive(const struct store *store, const struct member_row *row)
{
    const struct shared_slot *slot = &store->page->slots[row->slot];
    if (atomic_load(&slot->token) != row->token || !presence_is_alive(&store->presence, row->process)) {
        return false;
    }
    int64_t silent_ns = clock_steady_ns(clock_system()) - atomic_load(&slot->heartbeat_ns);
    return silent_ns <= row->lease_ms * 1000000;
}

/* --- spreading ---- */

struct group {
    const char *name;
    struct member_row *members; /* living ones, in order of id */
    size_t member_count;
    struct owner_row *owners;
    size_t owner_count;
    int64_t now_ms;
    bool changed;
};

static const struct member_row *find_member(const struct group *group, int64_t generation)
{
    for (size_t i = 0; i < group->member_count; i++) {
        if (group->members[i].generation == generation) {
            return &group->members[i];
        }
    }
    return NULL;
}

static bool reads_topic(const struct member_row *member, uint32_t topic)
{
    for (size_t i = 0; i < member->topic_count; i++) {
        if (member->topics[i] == topic) {
            return true;
        }
    }
    return false;
}

static int remove_dead(struct store_txn *txn, struct group *group, struct error *error)
{
    size_t kept = 0;
    for (size_t i = 0; i < group->member_count; i++) {
        if (membership_is_alive(txn->store, &group->members[i])) {
            group->members[kept++] = group->members[i];
            continue;
        }
        int result = group_rows_delete_member(txn, group->name, group->members[i].member_id, error);
        if (result != BUS_OK) {
            return result;
        }
        group->changed = true;
    }
    group->member_count = kept;
    return BUS_OK;
}

static struct owner_row *find_owner(const struct group *group, uint32_t topic, int32_t partition)
{
    for (size_t i = 0; i < group->owner_count; i++) {
        if (group->owners[i].topic == topic && group->owners[i].partition == partition) {
            return &group->owners[i];
        }
    }
    return NULL;
}

static int put_owner(struct store_txn *txn, struct group *group, const struct owner_row *row,
                     struct error *error)
{
    group->changed = true;
    return group_rows_put_owner(txn, group->name, row, error);
}

static int give(struct store_txn *txn, struct group *group, uint32_t topic, int32_t partition,
                const struct member_row *target, struct error *error)
{
    const struct owner_row *owner = find_owner(group, topic, partition);
    const struct member_row *holder = owner == NULL ? NULL : find_member(group, owner->generation);
    const struct owner_row given = {.topic = topic, .partition = partition, .generation = target->generation};
    if (holder == NULL) {
        return put_owner(txn, group, &given, error);
    }
    if (holder == target) {
        return BUS_OK; /* or on its way out of and back into the same hands */
    }
    if (owner->revoked_ms == 0 || owner->revoked_ms > group->now_ms) { /* later than now: of another boot */
        struct owner_row asked = *owner;
        asked.revoked_ms = group->now_ms;
        return put_owner(txn, group, &asked, error);
    }
    bool out_of_patience = group->now_ms - owner->revoked_ms > PATIENCE_LEASES * holder->lease_ms;
    return out_of_patience ? put_owner(txn, group, &given, error) : BUS_OK;
}

static int spread_topic(struct store_txn *txn, struct group *group, const struct topic *topic,
                        struct error *error)
{
    int32_t readers = 0;
    for (size_t i = 0; i < group->member_count; i++) {
        readers += reads_topic(&group->members[i], topic->id);
    }
    int32_t next = 0, index = 0;
    for (size_t i = 0; readers > 0 && i < group->member_count; i++) {
        const struct member_row *member = &group->members[i];
        if (!reads_topic(member, topic->id)) {
            continue;
        }
        int32_t share = topic->partitions / readers + (index < topic->partitions % readers);
        for (int32_t end = next + share; next < end; next++) {
            int result = give(txn, group, topic->id, next, member, error);
            if (result != BUS_OK) {
                return result;
            }
        }
        index++;
    }
    return BUS_OK;
}

static bool is_read_by_an_earlier_one(const struct group *group, size_t member, uint32_t topic)
{
    for (size_t i = 0; i < member; i++) {
        if (reads_topic(&group->members[i], topic)) {
            return true;
        }
    }
    return false;
}

static int spread_topics(struct store_txn *txn, struct group *group, struct error *error)
{
    for (size_t i = 0; i < group->member_count; i++) {
        for (size_t t = 0; t < group->members[i].topic_count; t++) {
            uint32_t id = group->members[i].topics[t];
            if (is_read_by_an_earlier_one(group, i, id)) {
                continue;
            }
            const struct topic *topic;
            int result = topic_table_find_id(txn, id, &topic, error);
            if (result == BUS_OK && topic != NULL) {
                result = spread_topic(txn, group, topic, error);
            }
            if (result != BUS_OK) {
                return result;
            }
        }
    }
    return BUS_OK;
}

/* What nobody reads any more is nobody's. */
static int delete_orphans(struct store_txn *txn, struct group *group, struct error *error)
{
    for (size_t i = 0; i < group->owner_count; i++) {
        const struct owner_row *owner = &group->owners[i];
        if (is_read_by_an_earlier_one(group, group->member_count, owner->topic)) {
            continue;
        }
        group->changed = true;
        int result = group_rows_delete_owner(txn, group->name, owner, error);
        if (result != BUS_OK) {
            return result;
        }
    }
    return BUS_OK;
}

int membership_balance(struct store_txn *txn, const char *name, bool *changed, struct error *error)
{
    struct group group = {.name = name, .now_ms = clock_steady_ms(clock_system())};
    int result = group_rows_list_members(txn, name, &group.members, &group.member_count, error);
    if (result == BUS_OK) {
        result = group_rows_list_owners(txn, name, &group.owners, &group.owner_count, error);
    }
    if (result == BUS_OK) {
        result = remove_dead(txn, &group, error);
    }
    if (result == BUS_OK) {
        result = spread_topics(txn, &group, error);
    }
    if (result == BUS_OK) {
        result = delete_orphans(txn, &group, error);
    }
    free(group.members);
    free(group.owners);
    *changed = group.changed;
    txn->wake_mask |= group.changed ? WAKEUP_GROUPS : 0;
    return result;
}

/* --- coming and going ---- */

/* From now on the group is known, and retention waits for it. */
static int remember_group(struct store_txn *txn, const char *group, const struct member_row *self,
                          struct error *error)
{
    for (size_t t = 0; t < self->topic_count; t++) {
        const struct topic *topic;
        int result = topic_table_find_id(txn, self->topics[t], &topic, error);
        for (int32_t p = 0; result == BUS_OK && topic != NULL && p < topic->partitions; p++) {
            struct offset_row row;
            bool found;
            result = group_rows_get_offset(txn, group, topic, p, &row, &found, error);
            if (result == BUS_OK && !found) {
                result = group_rows_put_offset(txn, group, topic, p, &row, error);
            }
        }
        if (result != BUS_OK) {
            return result;
        }
    }
    return BUS_OK;
}

int membership_enter(struct store_txn *txn, const char *group, struct member_row *self, bool take_over,
                     bool *entered, struct member_row *holder, struct error *error)
{
    bool found, changed;
    *entered = false;
    int result = group_rows_get_member(txn, group, self->member_id, holder, &found, error);
    bool held =
        result == BUS_OK && found && holder->token != self->token && membership_is_alive(txn->store, holder);
    if (result != BUS_OK || (held && !take_over)) {
        return result;
    }
    result = group_rows_next_generation(txn, group, &self->generation, error);
    if (result == BUS_OK) {
        result = group_rows_put_member(txn, group, self, error);
    }
    if (result == BUS_OK) {
        result = remember_group(txn, group, self, error);
    }
    if (result == BUS_OK) {
        result = membership_balance(txn, group, &changed, error);
    }
    txn->wake_mask |= WAKEUP_GROUPS;
    *entered = result == BUS_OK;
    return result;
}

int membership_leave(struct store_txn *txn, const char *group, const char *member_id, int64_t generation,
                     struct error *error)
{
    struct member_row row;
    bool found, changed;
    int result = group_rows_get_member(txn, group, member_id, &row, &found, error);
    if (result != BUS_OK || !found || row.generation != generation) {
        return result;
    }
    result = group_rows_delete_member(txn, group, member_id, error);
    txn->wake_mask |= WAKEUP_GROUPS;
    return result == BUS_OK ? membership_balance(txn, group, &changed, error) : result;
}
