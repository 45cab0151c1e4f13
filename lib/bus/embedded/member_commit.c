/* What a member collects, and the one transaction that makes all of it visible. */
#include "bus/embedded/embedded_member.h"

#include "bus/embedded/partition_log.h"
#include "clock/clock.h"

#include <stdio.h>
#include <string.h>

static int refuse_lone(const struct embedded_member *member, struct error *error)
{
    if (member->group == NULL) {
        return error_set(error, BUS_REFUSED, "a reader without a group commits nothing");
    }
    return member->reset ? error_set(error, BUS_RESET, "what was done since the last commit is void: poll")
                         : BUS_OK;
}

int embedded_put(struct bus_member *base, const struct bus_record *output, struct error *error)
{
    struct embedded_member *member = embedded_member_of(base);
    const struct topic *topic;
    int result = refuse_lone(member, error);
    if (result == BUS_OK) {
        result = topic_table_find(member->store, output->topic, &topic, error);
    }
    return result == BUS_OK ? append_set_add(&member->collected, topic, output, error) : result;
}

static bool holds_number(const struct embedded_member *member, int32_t number)
{
    for (size_t i = 0; i < member->partition_count; i++) {
        if (member->partitions[i].number == number && !member->partitions[i].released) {
            return true;
        }
    }
    return false;
}

int embedded_put_state(struct bus_member *base, int32_t partition, struct bus_bytes key,
                       struct bus_bytes value, struct error *error)
{
    struct embedded_member *member = embedded_member_of(base);
    int result = refuse_lone(member, error);
    if (result != BUS_OK) {
        return result;
    }
    if (member->state_topic == NULL) {
        return error_set(error, BUS_REFUSED, "the member joined without a state topic");
    }
    if (!holds_number(member, partition)) {
        return error_set(error, BUS_REFUSED,
                         "the member doesn't hold partition %d, so it can't change its state", partition);
    }
    const struct bus_record record = {
        .topic = member->state_topic->name, .partition = partition, .key = key, .value = value};
    return append_set_add(&member->collected, member->state_topic, &record, error);
}

int embedded_advance(struct bus_member *base, const char *topic, int32_t partition, int64_t next,
                     const char *note, struct error *error)
{
    struct embedded_member *member = embedded_member_of(base);
    int result = refuse_lone(member, error);
    if (result != BUS_OK) {
        return result;
    }
    struct held_partition *held = embedded_member_find(member, topic, partition);
    if (held == NULL || held->released) {
        return error_set(error, BUS_REFUSED, "the member doesn't hold %s/%d, so it can't commit for it",
                         topic, partition);
    }
    held->advance = next;
    (void)snprintf(held->advance_note, sizeof held->advance_note, "%s", note);
    return BUS_OK;
}

void member_drop_collected(struct embedded_member *member)
{
    append_set_clear(&member->collected);
    for (size_t i = 0; i < member->partition_count; i++) {
        member->partitions[i].advance = -1;
    }
}

/* --- the commit ---- */

static bool has_advance(const struct embedded_member *member)
{
    for (size_t i = 0; i < member->partition_count; i++) {
        if (member->partitions[i].advance >= 0) {
            return true;
        }
    }
    return false;
}

static int fenced(const struct embedded_member *member, const char *why, struct error *error)
{
    return error_set(error, BUS_RESET, "group %s, member %s: %s", member->group, member->self.member_id, why);
}

/* The member's own row, then the ownership of everything it holds: outputs and state come from any of it. */
static int check_fence(const struct embedded_member *member, const struct store_txn *txn, struct error *error)
{
    struct member_row self;
    bool found;
    int result = group_rows_get_member(txn, member->group, member->self.member_id, &self, &found, error);
    if (result == BUS_OK && (!found || self.generation != member->self.generation)) {
        return fenced(member, found ? "another member has joined under its id" : "its lease ran out", error);
    }
    for (size_t i = 0; i < member->partition_count && result == BUS_OK; i++) {
        const struct held_partition *held = &member->partitions[i];
        struct owner_row owner;
        if (held->released) {
            continue;
        }
        result = group_rows_get_owner(txn, member->group, held->topic, held->number, &owner, &found, error);
        if (result == BUS_OK && (!found || owner.generation != member->self.generation)) {
            return fenced(member, "a partition wasn't released in time, another member has it", error);
        }
    }
    return result;
}

static int write_offsets(const struct embedded_member *member, struct store_txn *txn, int64_t now_ms,
                         struct error *error)
{
    for (size_t i = 0; i < member->partition_count; i++) {
        const struct held_partition *held = &member->partitions[i];
        if (held->advance < 0) {
            continue;
        }
        struct partition_bounds bounds;
        int result = partition_log_bounds(txn, held->topic, held->number, &bounds, error);
        if (result != BUS_OK) {
            return result;
        }
        if (held->advance > bounds.end) {
            return error_set(error, BUS_REFUSED, "%s/%d ends at offset %lld; %lld can't be committed",
                             held->topic->name, held->number, (long long)bounds.end,
                             (long long)held->advance);
        }
        struct offset_row row = {.committed = held->advance, .commit_ms = now_ms};
        memcpy(row.note, held->advance_note, sizeof row.note);
        result = group_rows_put_offset(txn, member->group, held->topic, held->number, &row, error);
        if (result != BUS_OK) {
            return result;
        }
    }
    return BUS_OK;
}

static int write_all(const struct embedded_member *member, struct store_txn *txn, struct error *error)
{
    int64_t now_ms = clock_wall_ms(member->bus->clock);
    int result = check_fence(member, txn, error);
    if (result == BUS_OK) {
        result = write_offsets(member, txn, now_ms, error); /* first: it may free room for the outputs */
    }
    if (result == BUS_OK) {
        result = bus_answer_for_test(FAILPOINT(EMBEDDED_OFFSETS_AFTER), error);
    }
    if (result == BUS_OK) {
        result = append_set_write(&member->collected, txn, &member->bus->retention, STORE_CLAIM_MEMBER,
                                  now_ms, error);
    }
    return result == BUS_OK ? bus_answer_for_test(FAILPOINT(EMBEDDED_APPEND_AFTER), error) : result;
}

static void note_committed(struct embedded_member *member)
{
    for (size_t i = 0; i < member->partition_count; i++) {
        struct held_partition *held = &member->partitions[i];
        if (held->advance >= 0) {
            held->committed = held->advance;
            memcpy(held->note, held->advance_note, sizeof held->note);
        }
    }
    member_drop_collected(member);
}

int embedded_commit(struct bus_member *base, struct error *error)
{
    struct embedded_member *member = embedded_member_of(base);
    if (member->reset) {
        return error_set(error, BUS_RESET, "what was done since the last commit is void: poll");
    }
    if (member->collected.record_count == 0 && !has_advance(member)) {
        return BUS_OK;
    }
    membership_beat(member->slot);
    struct store_txn txn;
    int result = bus_answer_for_test(FAILPOINT(EMBEDDED_BEGIN_BEFORE), error);
    if (result == BUS_OK) {
        result = store_begin_write(member->store, member->bus->survive_power_cut, &txn, error);
    }
    if (result != BUS_OK) {
        return result;
    }
    (void)FAILPOINT(EMBEDDED_BEGIN_AFTER);
    result = write_all(member, &txn, error);
    if (result == BUS_OK) {
        result = bus_answer_for_test(FAILPOINT(EMBEDDED_COMMIT_BEFORE), error);
    }
    if (result == BUS_OK) {
        result = store_commit(&txn, error);
        if (result == BUS_OK) {
            result = bus_answer_for_test(FAILPOINT(EMBEDDED_COMMIT_AFTER), error);
        }
    } else {
        store_abort(&txn);
    }
    if (result == BUS_OK) {
        embedded_note_dropped(member->bus, txn.dropped);
        note_committed(member);
    } else if (result == BUS_RESET) {
        embedded_member_reset(member, "a commit was refused");
    }
    membership_beat(member->slot);
    return result;
}
