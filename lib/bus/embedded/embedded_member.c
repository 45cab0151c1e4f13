/* The life of a member. A poll looks, in this order, for: the loss of everything (BUS_LOST), changes of the
 * group (BUS_REVOKING, BUS_ASSIGNED), state of a new partition (BUS_STATE, BUS_RESTORED), records
 * (BUS_RECORDS), ends (BUS_END); then it sleeps on the shared page's word until a commit or a change of the
 * group wakes it.
 *
 * Losing: a commit that is refused, or a look at the group that finds the member's row gone, sets `reset`;
 * the next poll says LOST for every partition and joins again with a new token. */
#include "bus/embedded/embedded_member.h"

#include "bus/embedded/wakeup.h"
#include "clock/clock.h"
#include "log/log.h"
#include "random/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_WAIT_MS 5000

struct embedded_member *embedded_member_of(struct bus_member *member)
{
    return (struct embedded_member *)(void *)member;
}

struct member_partition *member_find(struct embedded_member *member, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < member->partition_count; i++) {
        if (member->partitions[i].number == partition &&
            strcmp(member->partitions[i].topic->name, topic) == 0) {
            return &member->partitions[i];
        }
    }
    return NULL;
}

static int64_t heartbeat_ms(const struct embedded_member *member)
{
    return member->bus->lease_ms / 4;
}

/* --- partitions ---- */

static int add_partition(struct embedded_member *member, const struct topic *topic, int32_t number,
                         const struct group_offset *offset, struct error *error)
{
    if (member->partition_count == member->partition_capacity) {
        size_t capacity = member->partition_capacity == 0 ? 32 : member->partition_capacity * 2;
        struct member_partition *partitions = realloc(member->partitions, capacity * sizeof *partitions);
        struct bus_partition *turn = realloc(member->turn_partitions, capacity * sizeof *turn);
        member->partitions = partitions == NULL ? member->partitions : partitions;
        member->turn_partitions = turn == NULL ? member->turn_partitions : turn;
        if (partitions == NULL || turn == NULL) {
            return error_set(error, BUS_FATAL, "no memory for partitions");
        }
        member->partition_capacity = capacity;
    }
    member->partitions[member->partition_count++] = (struct member_partition){
        .topic = topic, .number = number, .committed = offset->committed, .offset = *offset};
    return BUS_OK;
}

static void add_to_turn(const struct embedded_member *member, struct bus_turn *turn,
                        const struct member_partition *partition)
{
    member->turn_partitions[turn->partition_count++] =
        (struct bus_partition){.topic = partition->topic->name,
                               .partition = partition->number,
                               .committed = partition->committed,
                               .position = partition->next,
                               .note = partition->offset.note};
    turn->partitions = member->turn_partitions;
}

/* --- joining and leaving ---- */

static int load_topics(struct embedded_member *member, MDB_txn *txn,
                       const struct bus_member_settings *settings, struct error *error)
{
    int result = BUS_OK;
    for (const char *const *name = settings->topics; *name != NULL && result == BUS_OK; name++) {
        if (member->topic_count == MEMBER_TOPICS) {
            return error_set(error, BUS_REFUSED, "a member can read %d topics at most", MEMBER_TOPICS);
        }
        result = topic_find(member->bus->store, txn, *name, &member->topics[member->topic_count], error);
        member->topic_count += result == BUS_OK;
    }
    if (result == BUS_OK && settings->state_topic != NULL) {
        result = topic_find(member->bus->store, txn, settings->state_topic, &member->state_topic, error);
        member->has_state = result == BUS_OK;
    }
    if (result == BUS_OK && member->has_state && !member->state_topic.compacted) {
        result = error_set(error, BUS_REFUSED, "the state topic %s is not compacted", settings->state_topic);
    }
    return result;
}

static int join_group(struct embedded_member *member, struct error *error)
{
    const char *names[MEMBER_TOPICS + 1] = {NULL};
    struct store *store = member->bus->store;
    MDB_txn *txn = NULL;
    for (size_t i = 0; i < member->topic_count; i++) {
        names[i] = member->topics[i].name;
    }
    if (member->slot != NULL) {
        group_free_slot(member->slot);
    }
    member->identity.token = random_seed_from_system() | 1;
    member->slot = group_take_slot(store, member->identity.token);
    if (member->slot == NULL) {
        return error_set(error, BUS_REFUSED, "the bus has %d members already", SHARED_SLOTS);
    }
    int result = store_begin(store, &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    result = group_join(store, txn, &member->identity, names, error);
    if (result != BUS_OK) {
        store_abort(store, txn);
    } else {
        result = store_commit(store, txn, error);
    }
    if (result == BUS_OK) {
        member->joined = true;
        member->reset = false;
        member->next_sync_ms = 0;
        wakeup_signal(store->page, WAKEUP_GROUPS);
    }
    return result;
}

/* A reader without a group has every partition, from the beginning of its life. */
static int take_all_partitions(struct embedded_member *member, struct error *error)
{
    const struct group_offset none = {.committed = -1};
    for (size_t t = 0; t < member->topic_count; t++) {
        for (int32_t p = 0; p < member->topics[t].partitions; p++) {
            if (add_partition(member, &member->topics[t], p, &none, error) != BUS_OK) {
                return BUS_FATAL;
            }
        }
    }
    return BUS_OK;
}

static void free_member(struct embedded_member *member)
{
    if (member->slot != NULL) {
        group_free_slot(member->slot);
    }
    member_free_collected(member);
    free(member->partitions);
    free(member->turn_partitions);
    free(member->records);
    free(member->headers);
    free(member->arena);
    free(member);
}

static void name_member(struct embedded_member *member, const struct bus_member_settings *settings)
{
    member->has_group = settings->group != NULL;
    (void)snprintf(member->group, sizeof member->group, "%s", settings->group == NULL ? "" : settings->group);
    if (settings->member_id != NULL) {
        (void)snprintf(member->member_id, sizeof member->member_id, "%s", settings->member_id);
    } else {
        (void)snprintf(member->member_id, sizeof member->member_id, "member-%016" PRIx64,
                       random_seed_from_system());
    }
    member->identity = (struct group_member){.group = member->group, .member_id = member->member_id};
}

int embedded_join(struct bus *base, const struct bus_member_settings *settings, struct bus_member **out,
                  struct error *error)
{
    struct embedded_member *member = calloc(1, sizeof *member);
    if (member == NULL) {
        return error_set(error, BUS_FATAL, "no memory for a member");
    }
    member->base.driver = &bus_driver_embedded;
    member->bus = (struct embedded_bus *)(void *)base;
    member->batch_records = settings->batch_records;
    member->batch_bytes = settings->batch_bytes;
    buffer_init(&member->frames, 0);
    name_member(member, settings);
    MDB_txn *txn = NULL;
    int result = store_begin_read(member->bus->store, &txn, error);
    if (result == BUS_OK) {
        result = load_topics(member, txn, settings, error);
        mdb_txn_abort(txn);
    }
    if (result == BUS_OK && !member->has_group) {
        result = take_all_partitions(member, error);
    }
    if (result != BUS_OK) {
        free_member(member);
        return result;
    }
    *out = &member->base;
    return BUS_OK;
}

int embedded_leave(struct bus_member *base, struct error *error)
{
    struct embedded_member *member = embedded_member_of(base);
    struct store *store = member->bus->store;
    MDB_txn *txn = NULL;
    int result = BUS_OK;
    if (member->has_group && member->joined && !member->reset) {
        result = store_begin(store, &txn, error);
        if (result == BUS_OK) {
            result = group_leave(store, txn, &member->identity, error);
            if (result != BUS_OK) {
                store_abort(store, txn);
            } else {
                result = store_commit(store, txn, error);
            }
            wakeup_signal(store->page, WAKEUP_GROUPS);
        }
    }
    free_member(member);
    return result;
}

/* --- the group ---- */

struct group_look {
    bool is_member;
    size_t dead;
    bool to_claim, to_revoke;
};

static bool is_mine_by_share(int32_t partition, int32_t first, int32_t count)
{
    return partition >= first && partition < first + count;
}

/* What the group wants of this member; with write, dead members are removed and free partitions claimed. */
static int look_at_topic(struct embedded_member *member, MDB_txn *txn, const struct topic *topic, bool write,
                         struct group_look *look, struct error *error)
{
    struct store *store = member->bus->store;
    int32_t first = 0;
    int32_t count = 0;
    int result = group_share(store, txn, &member->identity, topic, &first, &count, error);
    for (int32_t p = 0; p < topic->partitions && result == BUS_OK; p++) {
        struct member_partition *mine = member_find(member, topic->name, p);
        bool wanted = is_mine_by_share(p, first, count);
        uint64_t owner = 0;
        if (mine != NULL && !wanted && mine->phase != PHASE_REVOKING) {
            look->to_revoke = true;
            mine->phase_before = mine->phase;
            mine->phase = write ? PHASE_REVOKING : mine->phase;
        }
        if (mine != NULL || !wanted) {
            continue;
        }
        result = group_read_owner(store, txn, member->group, topic->name, p, &owner, error);
        if (result != BUS_OK || (owner != 0 && owner != member->identity.token)) {
            continue; /* it comes when its owner lets go */
        }
        look->to_claim = true;
        if (write) {
            struct group_offset offset;
            result =
                group_write_owner(store, txn, member->group, topic->name, p, member->identity.token, error);
            if (result == BUS_OK) {
                result = group_read_offset(store, txn, member->group, topic->name, p, &offset, error);
            }
            if (result == BUS_OK) {
                result = add_partition(member, topic, p, &offset, error);
            }
        }
    }
    return result;
}

static int look_at_group(struct embedded_member *member, MDB_txn *txn, bool write, struct group_look *look,
                         struct error *error)
{
    struct store *store = member->bus->store;
    *look = (struct group_look){0};
    int result = group_is_member(store, txn, &member->identity, &look->is_member, error);
    if (result != BUS_OK || !look->is_member) {
        return result;
    }
    result = group_find_dead(store, txn, member->group, member->bus->lease_ms, write, &look->dead, error);
    for (size_t t = 0; t < member->topic_count && result == BUS_OK; t++) {
        result = look_at_topic(member, txn, &member->topics[t], write, look, error);
    }
    return result;
}

/* Undoes what a transaction that failed had done to the memory: claims, and revocations that nobody was told
 * of. */
static void undo_changes(struct embedded_member *member, size_t count)
{
    member->partition_count = count;
    for (size_t i = 0; i < count; i++) {
        if (member->partitions[i].phase == PHASE_REVOKING) {
            member->partitions[i].phase = member->partitions[i].phase_before;
        }
    }
}

static void keep_changes(struct embedded_member *member)
{
    for (size_t i = 0; i < member->partition_count; i++) {
        if (member->partitions[i].phase == PHASE_REVOKING) {
            member->partitions[i].phase_before = PHASE_REVOKING; /* told, whatever fails later */
        }
    }
}

static int change_group(struct embedded_member *member, struct group_look *look, struct error *error)
{
    struct store *store = member->bus->store;
    MDB_txn *txn = NULL;
    size_t count = member->partition_count;
    int result = store_begin(store, &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    result = look_at_group(member, txn, true, look, error);
    if (result != BUS_OK) {
        store_abort(store, txn);
    } else {
        result = store_commit(store, txn, error);
    }
    if (result != BUS_OK) {
        undo_changes(member, count);
    } else {
        keep_changes(member);
        wakeup_signal(store->page, WAKEUP_GROUPS);
    }
    return result;
}

/* Looks at the group when it has changed, and now and then for members that died. */
static int sync_group(struct embedded_member *member, struct error *error)
{
    struct store *store = member->bus->store;
    uint32_t changes = atomic_load(&store->page->group_changes);
    int64_t now_ms = embedded_steady_ms();
    if (changes == member->seen_changes && now_ms < member->next_sync_ms) {
        return BUS_OK;
    }
    member->next_sync_ms = now_ms + (heartbeat_ms(member) < 1000 ? heartbeat_ms(member) : 1000);
    MDB_txn *txn = NULL;
    struct group_look look;
    int result = store_begin_read(store, &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    result = look_at_group(member, txn, false, &look, error);
    mdb_txn_abort(txn);
    if (result == BUS_OK && look.is_member && (look.dead > 0 || look.to_claim || look.to_revoke)) {
        result = change_group(member, &look, error);
    }
    if (result == BUS_OK) {
        member->seen_changes = changes;
        member->reset = !look.is_member;
    }
    return result;
}

/* --- turns ---- */

static bool lost_turn(struct embedded_member *member, struct bus_turn *turn)
{
    *turn = (struct bus_turn){.kind = BUS_LOST};
    for (size_t i = 0; i < member->partition_count; i++) {
        if (member->partitions[i].phase != PHASE_NEW) { /* a new one was never told of */
            add_to_turn(member, turn, &member->partitions[i]);
        }
    }
    member_drop_collected(member);
    member->partition_count = 0;
    member->joined = false;
    member->reset = false;
    return turn->partition_count > 0;
}

static bool revoking_turn(struct embedded_member *member, struct bus_turn *turn)
{
    *turn = (struct bus_turn){.kind = BUS_REVOKING};
    for (size_t i = 0; i < member->partition_count; i++) {
        if (member->partitions[i].phase == PHASE_REVOKING) {
            add_to_turn(member, turn, &member->partitions[i]);
        }
    }
    return turn->partition_count > 0;
}

static bool assigned_turn(struct embedded_member *member, struct bus_turn *turn)
{
    *turn = (struct bus_turn){.kind = BUS_ASSIGNED};
    for (size_t i = 0; i < member->partition_count; i++) {
        if (member->partitions[i].phase == PHASE_NEW) {
            member->partitions[i].phase = PHASE_RESTORING;
            add_to_turn(member, turn, &member->partitions[i]);
        }
    }
    return turn->partition_count > 0;
}

static int restoring_turn(struct embedded_member *member, struct bus_turn *turn, bool *any,
                          struct error *error)
{
    *any = false;
    for (size_t i = 0; i < member->partition_count; i++) {
        struct member_partition *partition = &member->partitions[i];
        if (partition->phase != PHASE_RESTORING) {
            continue;
        }
        int result = member->has_state ? member_read_state(member, partition, turn, any, error) : BUS_OK;
        if (result != BUS_OK) {
            return result;
        }
        if (!*any) {
            partition->phase = PHASE_WAITING;
            *turn = (struct bus_turn){.kind = BUS_RESTORED};
        }
        add_to_turn(member, turn, partition);
        *any = true;
        return BUS_OK;
    }
    return BUS_OK;
}

static bool end_turn(struct embedded_member *member, struct bus_turn *turn)
{
    *turn = (struct bus_turn){.kind = BUS_END};
    for (size_t i = 0; i < member->partition_count; i++) {
        struct member_partition *partition = &member->partitions[i];
        if (partition->phase == PHASE_RUNNING && !partition->end_said) {
            partition->end_said = true; /* nothing was found behind it just now */
            add_to_turn(member, turn, partition);
        }
    }
    return turn->partition_count > 0;
}

/* What there is to say now; *any false: nothing. */
static int next_turn(struct embedded_member *member, struct bus_turn *turn, bool *any, struct error *error)
{
    int result = BUS_OK;
    *any = member->reset && lost_turn(member, turn);
    if (*any) {
        return BUS_OK;
    }
    if (member->has_group && !member->joined) {
        result = join_group(member, error);
    }
    if (result == BUS_OK && member->has_group) {
        group_beat(member->slot);
        result = sync_group(member, error);
        *any = result == BUS_OK && member->reset && lost_turn(member, turn);
    }
    if (result != BUS_OK || *any) {
        return result;
    }
    *any = revoking_turn(member, turn) || assigned_turn(member, turn);
    if (!*any) {
        result = restoring_turn(member, turn, any, error);
    }
    if (result == BUS_OK && !*any && !member->held) {
        result = member_read_records(member, turn, any, error);
        if (result == BUS_OK && !*any) {
            *any = end_turn(member, turn);
        }
    }
    return result;
}

static uint32_t interests(const struct embedded_member *member)
{
    uint32_t mask = WAKEUP_BY_HAND | (member->has_group ? WAKEUP_GROUPS : 0);
    for (size_t i = 0; i < member->topic_count && !member->held; i++) {
        mask |= wakeup_topic_mask(member->topics[i].id);
    }
    return mask;
}

int embedded_poll(struct bus_member *base, int timeout_ms, struct bus_turn *turn, struct error *error)
{
    struct embedded_member *member = embedded_member_of(base);
    struct store *store = member->bus->store;
    int64_t deadline_ms = embedded_steady_ms() + timeout_ms;
    for (;;) {
        uint32_t word = wakeup_now(store->page);
        bool any = false;
        int result = next_turn(member, turn, &any, error);
        if (result == BUS_FATAL || result == BUS_REFUSED) {
            return BUS_FATAL;
        }
        if (any) {
            return BUS_OK;
        }
        embedded_sweep(member->bus);
        int64_t left_ms = deadline_ms - embedded_steady_ms();
        if (left_ms <= 0 || atomic_exchange(&member->woken, false)) {
            *turn = (struct bus_turn){.kind = BUS_IDLE};
            return BUS_OK;
        }
        int64_t most_ms = member->has_group ? heartbeat_ms(member) : SWEEP_WAIT_MS;
        if (result != BUS_OK) { /* the store is full or held up: look again soon */
            most_ms = 100;
        }
        wakeup_wait(store->page, word, interests(member), left_ms < most_ms ? left_ms : most_ms);
    }
}

void embedded_wake(struct bus_member *base)
{
    struct embedded_member *member = embedded_member_of(base);
    atomic_store(&member->woken, true);
    wakeup_signal(member->bus->store->page, WAKEUP_BY_HAND);
}

void embedded_hold(struct bus_member *base, bool held)
{
    embedded_member_of(base)->held = held;
}

/* --- answers ---- */

int embedded_start(struct bus_member *base, const char *topic, int32_t partition, int64_t from,
                   struct error *error)
{
    struct embedded_member *member = embedded_member_of(base);
    struct member_partition *mine = member_find(member, topic, partition);
    struct partition_head head;
    MDB_txn *txn = NULL;
    if (member->reset) {
        return error_set(error, BUS_RESET, "the partitions were lost");
    }
    if (mine == NULL || (mine->phase != PHASE_WAITING && mine->phase != PHASE_RUNNING)) {
        return error_set(error, BUS_REFUSED, "topic %s partition %d does not wait for a start", topic,
                         partition);
    }
    int result = store_begin_read(member->bus->store, &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    result = head_read(member->bus->store, txn, mine->topic->id, partition, &head, error);
    mdb_txn_abort(txn);
    if (result != BUS_OK) {
        return result;
    }
    bool anew = from == BUS_FROM_BEGINNING || (from == BUS_FROM_COMMITTED && mine->committed < 0);
    int64_t next = anew                         ? head.begin
                   : from == BUS_FROM_COMMITTED ? mine->committed
                   : from == BUS_FROM_END       ? head.end
                                                : from;
    if (next < head.begin || next > head.end) {
        return error_set(error, BUS_REFUSED,
                         "topic %s partition %d has the offsets %" PRId64 " to %" PRId64 ", not %" PRId64
                         ": records that were not read yet are gone",
                         topic, partition, head.begin, head.end, next);
    }
    mine->next = next;
    mine->end_said = false;
    mine->phase = PHASE_RUNNING;
    return BUS_OK;
}

static int give_back(struct embedded_member *member, MDB_txn *txn, struct error *error)
{
    for (size_t i = 0; i < member->partition_count; i++) {
        const struct member_partition *partition = &member->partitions[i];
        uint64_t owner = 0;
        if (partition->phase != PHASE_REVOKING) {
            continue;
        }
        int result = group_read_owner(member->bus->store, txn, member->group, partition->topic->name,
                                      partition->number, &owner, error);
        if (result == BUS_OK && owner == member->identity.token) {
            result = group_write_owner(member->bus->store, txn, member->group, partition->topic->name,
                                       partition->number, 0, error);
        }
        if (result != BUS_OK) {
            return result;
        }
    }
    return BUS_OK;
}

int embedded_release(struct bus_member *base, struct error *error)
{
    struct embedded_member *member = embedded_member_of(base);
    struct store *store = member->bus->store;
    MDB_txn *txn = NULL;
    if (member->reset) {
        return error_set(error, BUS_RESET, "the partitions were lost");
    }
    int result = store_begin(store, &txn, error);
    if (result != BUS_OK) {
        member->reset = true; /* the lease gives them to the others; this member begins anew */
        return error_set(error, BUS_RESET, "the partitions could not be given back in order");
    }
    result = give_back(member, txn, error);
    if (result != BUS_OK) {
        store_abort(store, txn);
    } else {
        result = store_commit(store, txn, error);
    }
    if (result != BUS_OK && result != BUS_FATAL) {
        member->reset = true;
        return error_set(error, BUS_RESET, "the partitions could not be given back in order");
    }
    size_t kept = 0;
    for (size_t i = 0; i < member->partition_count; i++) {
        if (member->partitions[i].phase != PHASE_REVOKING) {
            member->partitions[kept++] = member->partitions[i];
        }
    }
    member->partition_count = kept;
    wakeup_signal(store->page, WAKEUP_GROUPS);
    return result;
}
