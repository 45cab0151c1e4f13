/* A member's part in its group: it joins, beats, sees what the group gave it or wants back, and takes dead
 * ones out. */
#include "bus/embedded/embedded_member.h"

#include "bus/embedded/wakeup.h"
#include "clock/clock.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAY_EVERY_MS 60000

static int64_t now_ms(void)
{
    return clock_steady_ms(clock_system());
}

bool member_group_tolerates(struct embedded_member *member, int result, const struct error *error)
{
    if (result != BUS_FULL && result != BUS_AWAY) {
        return false;
    }
    uint64_t suppressed;
    if (log_throttle_allows(&member->trouble, now_ms(), SAY_EVERY_MS, &suppressed)) {
        log_warn_with(member->bus->log, "the bus can't be written, trying again",
                      log_text("group", member->group), log_text("member", member->self.member_id),
                      log_text("why", error->message));
    }
    return true;
}

static int begin_write(struct embedded_member *member, struct store_txn *txn, struct error *error)
{
    return store_begin_write(member->store, member->bus->survive_power_cut, txn, error);
}

/* Commits when the work went well and there is something to commit. */
static int end_write(struct store_txn *txn, int result, bool changed, struct error *error)
{
    if (result == BUS_OK && changed) {
        return store_commit(txn, error);
    }
    store_abort(txn);
    return result;
}

/* --- joining ---- */

/* The newest holder of an id wins. Who was fenced so waits until the id is free: two programs started under
 * one id don't take it from each other for ever, the older one is the other's standby. */
static int try_enter(struct embedded_member *member, struct error *error)
{
    struct store_txn txn;
    struct member_row holder;
    bool entered = false;
    int result = begin_write(member, &txn, error);
    if (result == BUS_OK) {
        result =
            membership_enter(&txn, member->group, &member->self, !member->was_in, &entered, &holder, error);
        result = end_write(&txn, result, entered, error);
        (void)FAILPOINT(EMBEDDED_ENTER_AFTER);
    }
    if (result != BUS_OK) {
        return result;
    }
    member->entered = entered;
    member->was_in |= entered;
    member->seen_group_changes = atomic_load(&member->store->page->group_changes) - 1; /* look soon */
    uint64_t suppressed;
    if (!entered && log_throttle_allows(&member->trouble, now_ms(), SAY_EVERY_MS, &suppressed)) {
        log_warn_with(member->bus->log, "the member's id is in use, waiting until it is free",
                      log_text("group", member->group), log_text("member", member->self.member_id),
                      log_integer("pid", holder.pid));
    }
    return BUS_OK;
}

/* --- what the group says ---- */

static int note_owned(struct embedded_member *member, const struct store_txn *txn,
                      const struct owner_row *row, struct error *error)
{
    const struct topic *topic;
    struct offset_row offset;
    bool found;
    int result = topic_table_find_id(txn, row->topic, &topic, error);
    if (result != BUS_OK || topic == NULL) {
        return result;
    }
    struct held_partition *held = embedded_member_find(member, topic->name, row->partition);
    if (held == NULL) {
        result = group_rows_get_offset(txn, member->group, topic, row->partition, &offset, &found, error);
        if (result == BUS_OK) {
            result = embedded_member_add(member, topic, row->partition, &held, error);
        }
        if (result != BUS_OK) {
            return result;
        }
        held->committed = offset.committed;
        memcpy(held->note, offset.note, sizeof held->note);
    }
    held->still_mine = true;
    held->asked_for = row->revoked_ms != 0;
    return BUS_OK;
}

static int note_owners(struct embedded_member *member, const struct store_txn *txn, struct error *error)
{
    struct owner_row *owners;
    size_t count;
    int result = group_rows_list_owners(txn, member->group, &owners, &count, error);
    member->revocations_wait = false;
    for (size_t i = 0; i < member->partition_count; i++) {
        member->partitions[i].still_mine = false;
    }
    for (size_t i = 0; i < count && result == BUS_OK; i++) {
        member->revocations_wait |= owners[i].revoked_ms != 0;
        if (owners[i].generation == member->self.generation) {
            result = note_owned(member, txn, &owners[i], error);
        }
    }
    free(owners);
    return result;
}

/* What it held and holds no more was taken away: then nothing of what it does is sure any longer. */
static bool was_robbed(const struct embedded_member *member)
{
    for (size_t i = 0; i < member->partition_count; i++) {
        if (!member->partitions[i].still_mine && !member->partitions[i].released) {
            return true;
        }
    }
    return false;
}

static int note_others(struct embedded_member *member, const struct store_txn *txn, struct error *error)
{
    free(member->others);
    member->others = NULL;
    member->other_count = 0;
    return group_rows_list_members(txn, member->group, &member->others, &member->other_count, error);
}

static int refresh(struct embedded_member *member, struct error *error)
{
    struct store_txn txn;
    struct member_row row;
    bool found = false;
    uint32_t changes = atomic_load(&member->store->page->group_changes);
    int result = store_begin_read_again(member->store, &member->reader, &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    result = group_rows_get_member(&txn, member->group, member->self.member_id, &row, &found, error);
    bool fenced = result == BUS_OK && (!found || row.generation != member->self.generation);
    if (result == BUS_OK && !fenced) {
        result = note_owners(member, &txn, error);
    }
    if (result == BUS_OK && !fenced) {
        result = note_others(member, &txn, error);
    }
    store_end_read_again(&txn);
    member->seen_group_changes = changes;
    if (fenced) {
        embedded_member_reset(member, found ? "another member has joined under its id"
                                            : "its lease ran out, others have its partitions");
    } else if (result == BUS_OK && was_robbed(member)) {
        embedded_member_reset(member, "a partition wasn't released in time, another member has it");
    }
    return result;
}

/* --- what has to be done now and then ---- */

static bool somebody_died(const struct embedded_member *member)
{
    for (size_t i = 0; i < member->other_count; i++) {
        if (!membership_is_alive(member->store, &member->others[i])) {
            return true;
        }
    }
    return false;
}

static int balance(struct embedded_member *member, struct error *error)
{
    struct store_txn txn;
    bool changed = false;
    int result = begin_write(member, &txn, error);
    if (result == BUS_OK) {
        result = membership_balance(&txn, member->group, &changed, error);
        result = end_write(&txn, result, changed, error);
    }
    return result;
}

static int tick_group(struct embedded_member *member, struct error *error)
{
    int result = BUS_OK;
    if (!member->entered) {
        return try_enter(member, error);
    }
    if (member->releases_wait) {
        result = member_group_release(member, error);
    }
    if (result == BUS_OK && (member->revocations_wait || somebody_died(member))) {
        result = balance(member, error);
    }
    return result;
}

static int tick(struct embedded_member *member, struct error *error)
{
    int result = member->group == NULL ? BUS_OK : tick_group(member, error);
    return result == BUS_OK ? retention_sweep_if_due(member->store, member->bus->survive_power_cut,
                                                     clock_wall_ms(member->bus->clock), error)
                            : result;
}

int member_look(struct embedded_member *member, struct error *error)
{
    int64_t now = now_ms();
    if (member->group != NULL) {
        membership_beat(member->slot);
    }
    if (now >= member->next_tick_ms) {
        member->next_tick_ms = now + member->tick_every_ms;
        int result = tick(member, error);
        if (result != BUS_OK && !member_group_tolerates(member, result, error)) {
            return result;
        }
    }
    bool changed = member->seen_group_changes != atomic_load(&member->store->page->group_changes);
    return member->entered && changed ? refresh(member, error) : BUS_OK;
}

/* --- giving back ---- */

static int delete_owned(struct embedded_member *member, struct store_txn *txn,
                        const struct held_partition *held, struct error *error)
{
    struct owner_row row;
    bool found;
    int result = group_rows_get_owner(txn, member->group, held->topic, held->number, &row, &found, error);
    bool mine = result == BUS_OK && found && row.generation == member->self.generation;
    return mine ? group_rows_delete_owner(txn, member->group, &row, error) : result;
}

int member_group_release(struct embedded_member *member, struct error *error)
{
    struct store_txn txn;
    bool changed;
    int result = begin_write(member, &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    for (size_t i = 0; i < member->partition_count && result == BUS_OK; i++) {
        if (member->partitions[i].released) {
            result = delete_owned(member, &txn, &member->partitions[i], error);
        }
    }
    if (result == BUS_OK) {
        result = membership_balance(&txn, member->group, &changed, error);
    }
    txn.wake_mask |= WAKEUP_GROUPS;
    result = end_write(&txn, result, true, error);
    for (size_t i = member->partition_count; i > 0 && result == BUS_OK; i--) {
        if (member->partitions[i - 1].released) {
            embedded_member_forget(member, i - 1);
        }
    }
    member->releases_wait = result != BUS_OK;
    return result;
}

int member_group_leave(struct embedded_member *member, struct error *error)
{
    struct store_txn txn;
    if (!member->entered) {
        return BUS_OK;
    }
    int result = begin_write(member, &txn, error);
    if (result == BUS_OK) {
        result =
            membership_leave(&txn, member->group, member->self.member_id, member->self.generation, error);
        result = end_write(&txn, result, true, error);
    }
    member->entered = false;
    return result;
}
