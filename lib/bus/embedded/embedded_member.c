/* A member's life: join, the turns of its polls, start, release, leave. */
#include "bus/embedded/embedded_member.h"

#include "bus/embedded/partition_log.h"
#include "bus/embedded/wakeup.h"
#include "clock/clock.h"
#include "random/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONGEST_TICK_MS 500  /* a dead member is noticed within two */
#define LONE_TICK_MS    5000 /* of a reader without a group: for retention */
#define TICKS_A_LEASE   5

/* --- the partitions it holds ---- */

struct held_partition *embedded_member_find(struct embedded_member *member, const char *topic, int32_t number)
{
    for (size_t i = 0; i < member->partition_count; i++) {
        struct held_partition *held = &member->partitions[i];
        if (held->number == number && strcmp(held->topic->name, topic) == 0) {
            return held;
        }
    }
    return NULL;
}

int embedded_member_add(struct embedded_member *member, const struct topic *topic, int32_t number,
                        struct held_partition **out, struct error *error)
{
    if (member->partition_count == member->partition_capacity) {
        size_t capacity = member->partition_capacity * 2 + 16;
        struct held_partition *partitions = realloc(member->partitions, capacity * sizeof *partitions);
        if (partitions == NULL) {
            return error_set(error, BUS_FATAL, "no memory for %zu partitions", capacity);
        }
        member->partitions = partitions;
        member->partition_capacity = capacity;
    }
    *out = &member->partitions[member->partition_count++];
    **out = (struct held_partition){.topic = topic, .number = number, .committed = -1, .advance = -1};
    return BUS_OK;
}

void embedded_member_forget(struct embedded_member *member, size_t index)
{
    member->partitions[index] = member->partitions[--member->partition_count];
}

void embedded_member_reset(struct embedded_member *member, const char *why)
{
    if (!member->reset) {
        log_warn_with(member->bus->log, "lost all partitions", log_text("group", member->group),
                      log_text("member", member->self.member_id), log_text("why", why));
    }
    member->reset = true;
}

/* --- turns that name partitions ---- */

static bool reserve_partitions(struct turn_memory *turn, size_t count)
{
    if (count <= turn->partition_capacity) {
        return true;
    }
    struct bus_partition *partitions = realloc(turn->partitions, count * sizeof *partitions);
    if (partitions != NULL) {
        turn->partitions = partitions;
    }
    char(*notes)[BUS_NOTE_BYTES + 1] = realloc(turn->notes, count * sizeof *notes);
    if (notes != NULL) {
        turn->notes = notes;
    }
    bool done = partitions != NULL && notes != NULL;
    turn->partition_capacity = done ? count : turn->partition_capacity;
    return done;
}

static void name_partition(struct turn_memory *turn, const struct held_partition *held)
{
    size_t i = turn->partition_count++;
    memcpy(turn->notes[i], held->note, sizeof turn->notes[i]);
    turn->partitions[i] = (struct bus_partition){.topic = held->topic->name,
                                                 .partition = held->number,
                                                 .committed = held->committed,
                                                 .position = held->position,
                                                 .note = turn->notes[i]};
}

/* Every held partition that `wants` takes (and marks). */
typedef bool want_partition(struct held_partition *held);

static int name_partitions(struct embedded_member *member, want_partition *wants, enum bus_turn_kind kind,
                           struct bus_turn *turn, struct error *error)
{
    struct turn_memory *memory = &member->turn;
    memory->partition_count = 0;
    if (!reserve_partitions(memory, member->partition_count)) {
        return error_set(error, BUS_FATAL, "no memory for %zu partitions", member->partition_count);
    }
    for (size_t i = 0; i < member->partition_count; i++) {
        if (wants(&member->partitions[i])) {
            name_partition(memory, &member->partitions[i]);
        }
    }
    if (memory->partition_count > 0) {
        *turn = (struct bus_turn){
            .kind = kind, .partitions = memory->partitions, .partition_count = memory->partition_count};
    }
    return BUS_OK;
}

static bool wants_any(struct held_partition *held)
{
    return held->phase != HELD_NEW && !held->released;
}

static bool wants_revoking(struct held_partition *held)
{
    bool wanted = held->asked_for && !held->told && held->phase != HELD_NEW;
    held->told |= wanted;
    return wanted;
}

static bool wants_assigned(struct held_partition *held)
{
    bool wanted = held->phase == HELD_NEW && !held->asked_for;
    if (wanted) {
        held->phase = HELD_RESTORING;
        held->position = 0;
    }
    return wanted;
}

static bool wants_end(struct held_partition *held)
{
    bool wanted = held->phase == HELD_READING && !held->told && held->at_end && !held->end_said;
    held->end_said |= wanted;
    return wanted;
}

static int say_lost(struct embedded_member *member, struct bus_turn *turn, struct error *error)
{
    int result = name_partitions(member, wants_any, BUS_LOST, turn, error);
    if (result != BUS_OK) {
        return result;
    }
    /* Out with its own row too, if there is one: the new beginning is the same for every kind of loss. */
    struct error ignored;
    (void)member_group_leave(member, &ignored);
    member_drop_collected(member);
    member->partition_count = 0;
    member->reset = false;
    member->releases_wait = false;
    member->next_tick_ms = 0;
    return BUS_OK;
}

/* Asked back before it was even announced: given back without a word. */
static int return_unannounced(struct embedded_member *member, struct error *error)
{
    bool any = false;
    for (size_t i = 0; i < member->partition_count; i++) {
        struct held_partition *held = &member->partitions[i];
        if (held->phase == HELD_NEW && held->asked_for && !held->released) {
            held->released = true;
            any = true;
        }
    }
    int result = any ? member_group_release(member, error) : BUS_OK;
    return member_group_tolerates(member, result, error) ? BUS_OK : result;
}

/* --- polling ---- */

static int restore_one(struct embedded_member *member, struct held_partition *held, struct bus_turn *turn,
                       struct error *error)
{
    bool found;
    int result = bus_answer_for_test(FAILPOINT(EMBEDDED_STATE_BEFORE), error);
    if (result == BUS_OK) {
        result = member_read_state(member, held, &found, error);
    }
    if (result != BUS_OK) {
        return result;
    }
    member->turn.partition_count = 0;
    name_partition(&member->turn, held);
    *turn = (struct bus_turn){.kind = found ? BUS_STATE : BUS_RESTORED,
                              .partitions = member->turn.partitions,
                              .partition_count = 1,
                              .records = found ? member->turn.records : NULL,
                              .record_count = member->turn.record_count};
    if (!found) {
        held->phase = HELD_WAITING;
    }
    return BUS_OK;
}

static int restore(struct embedded_member *member, struct bus_turn *turn, struct error *error)
{
    for (size_t i = 0; i < member->partition_count; i++) {
        struct held_partition *held = &member->partitions[i];
        if (held->phase == HELD_RESTORING && !held->told) {
            return restore_one(member, held, turn, error);
        }
    }
    return BUS_OK;
}

static int read_on(struct embedded_member *member, struct bus_turn *turn, struct error *error)
{
    bool found = false;
    int result = name_partitions(member, wants_end, BUS_END, turn, error);
    if (result != BUS_OK || turn->kind != BUS_IDLE || member->held) {
        return result;
    }
    result = member_read_records(member, &found, error);
    if (result == BUS_OK && found) {
        *turn = (struct bus_turn){
            .kind = BUS_RECORDS, .records = member->turn.records, .record_count = member->turn.record_count};
        return BUS_OK;
    }
    return result == BUS_OK ? name_partitions(member, wants_end, BUS_END, turn, error) : result;
}

/* What there is to say now; the turn stays BUS_IDLE when there is nothing. */
static int find_turn(struct embedded_member *member, struct bus_turn *turn, struct error *error)
{
    if (FAILPOINT(EMBEDDED_POLL) == FAILPOINT_RESET) {
        embedded_member_reset(member, "a test says so");
    }
    int result = member->reset ? BUS_OK : member_look(member, error);
    if (result == BUS_OK && member->reset) {
        result = say_lost(member, turn, error);
        if (result != BUS_OK || turn->kind != BUS_IDLE) {
            return result;
        }
    }
    if (result == BUS_OK) {
        result = return_unannounced(member, error);
    }
    if (result == BUS_OK) {
        result = name_partitions(member, wants_revoking, BUS_REVOKING, turn, error);
    }
    if (result == BUS_OK && turn->kind == BUS_IDLE) {
        result = name_partitions(member, wants_assigned, BUS_ASSIGNED, turn, error);
    }
    if (result == BUS_OK && turn->kind == BUS_IDLE) {
        result = restore(member, turn, error);
    }
    return result == BUS_OK && turn->kind == BUS_IDLE ? read_on(member, turn, error) : result;
}

static void sleep_until_something(struct embedded_member *member, uint32_t word, int64_t deadline_ms,
                                  int64_t now_ms)
{
    uint32_t mask = WAKEUP_BY_HAND;
    int64_t until_ms = member->next_tick_ms < deadline_ms ? member->next_tick_ms : deadline_ms;
    if (member->group != NULL) {
        mask |= WAKEUP_GROUPS;
    }
    if (!member->held) {
        mask |= member->topic_mask;
    }
    if (until_ms > now_ms) {
        wakeup_wait(member->store->page, word, mask, until_ms - now_ms);
    }
}

int embedded_poll(struct bus_member *base, int timeout_ms, struct bus_turn *turn, struct error *error)
{
    struct embedded_member *member = embedded_member_of(base);
    int64_t deadline_ms = clock_steady_ms(clock_system()) + (timeout_ms > 0 ? timeout_ms : 0);
    for (;;) {
        uint32_t word = wakeup_now(member->store->page);
        int result = find_turn(member, turn, error);
        if (result == BUS_AWAY || result == BUS_FULL) {
            result = BUS_OK; /* it passes; said in the log */
        }
        int64_t now_ms = clock_steady_ms(clock_system());
        if (result != BUS_OK || turn->kind != BUS_IDLE || atomic_exchange(&member->woken, false) ||
            now_ms >= deadline_ms) {
            return result;
        }
        sleep_until_something(member, word, deadline_ms, now_ms);
    }
}

void embedded_hold(struct bus_member *base, bool held)
{
    embedded_member_of(base)->held = held;
}

void embedded_wake(struct bus_member *base)
{
    struct embedded_member *member = embedded_member_of(base);
    atomic_store(&member->woken, true);
    wakeup_signal(member->store->page, WAKEUP_BY_HAND);
}

/* --- start and release ---- */

static int read_start(const struct embedded_member *member, const struct held_partition *held, int64_t from,
                      int64_t *position, struct error *error)
{
    struct store_txn txn;
    struct partition_bounds bounds;
    int result = store_begin_read(member->store, &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    result = partition_log_bounds(&txn, held->topic, held->number, &bounds, error);
    store_end_read(&txn);
    if (result != BUS_OK) {
        return result;
    }
    from = from == BUS_FROM_COMMITTED && held->committed >= 0 ? held->committed : from;
    *position = from == BUS_FROM_END ? bounds.end : from < 0 ? bounds.begin : from;
    if (*position < bounds.begin || *position > bounds.end) {
        return error_set(error, BUS_REFUSED,
                         "topic %s partition %d has the offsets %" PRId64 " to %" PRId64 ", not %" PRId64,
                         held->topic->name, held->number, bounds.begin, bounds.end, *position);
    }
    return BUS_OK;
}

int embedded_start(struct bus_member *base, const char *topic, int32_t partition, int64_t from,
                   struct error *error)
{
    struct embedded_member *member = embedded_member_of(base);
    if (member->reset) {
        return error_set(error, BUS_RESET, "the partitions are lost: poll");
    }
    struct held_partition *held = embedded_member_find(member, topic, partition);
    if (held == NULL || held->phase != HELD_WAITING) {
        return error_set(error, BUS_REFUSED, "%s/%d isn't waiting for its start", topic, partition);
    }
    int64_t position;
    int result = read_start(member, held, from, &position, error);
    if (result == BUS_OK) {
        held->position = position;
        held->phase = HELD_READING;
    }
    return result;
}

int embedded_release(struct bus_member *base, struct error *error)
{
    struct embedded_member *member = embedded_member_of(base);
    if (member->reset) {
        return error_set(error, BUS_RESET, "the partitions are lost: poll");
    }
    bool any = false;
    for (size_t i = 0; i < member->partition_count; i++) {
        struct held_partition *held = &member->partitions[i];
        held->released |= held->told;
        any |= held->released;
        held->advance = held->released ? -1 : held->advance;
    }
    int result = any ? member_group_release(member, error) : BUS_OK;
    return member_group_tolerates(member, result, error) ? BUS_OK : result;
}

/* --- join and leave ---- */

static int find_topics(struct embedded_member *member, const struct bus_member_settings *settings,
                       struct error *error)
{
    for (const char *const *name = settings->topics; *name != NULL; name++) {
        if (member->topic_count == MEMBER_TOPICS) {
            return error_set(error, BUS_REFUSED, "a member reads at most %d topics", MEMBER_TOPICS);
        }
        const struct topic **topic = &member->topics[member->topic_count];
        if (topic_table_find(member->store, *name, topic, error) != BUS_OK) {
            return BUS_REFUSED;
        }
        member->self.topics[member->topic_count++] = (*topic)->id;
        member->self.topic_count = member->topic_count;
        member->topic_mask |= wakeup_topic_mask((*topic)->id);
    }
    return BUS_OK;
}

static int find_state_topic(struct embedded_member *member, const char *name, struct error *error)
{
    if (name == NULL) {
        return BUS_OK;
    }
    int result = topic_table_find(member->store, name, &member->state_topic, error);
    for (size_t i = 0; i < member->topic_count && result == BUS_OK; i++) {
        if (!member->state_topic->compacted ||
            member->state_topic->partitions < member->topics[i]->partitions) {
            result = error_set(
                error, BUS_REFUSED,
                "%s can't be the state of %s: it must be compacted, with a partition for each of its %d",
                name, member->topics[i]->name, member->topics[i]->partitions);
        }
    }
    return result;
}

static int set_up_group(struct embedded_member *member, const struct bus_member_settings *settings,
                        struct error *error)
{
    member->self.token = random_seed_from_system() | 1;
    member->self.process = member->store->presence.process;
    member->self.pid = (int32_t)getpid();
    member->self.lease_ms =
        settings->session_timeout_ms > 0 ? settings->session_timeout_ms : member->bus->lease_ms;
    int64_t tick_ms = member->self.lease_ms / TICKS_A_LEASE;
    member->tick_every_ms = tick_ms < LONGEST_TICK_MS ? tick_ms : LONGEST_TICK_MS;
    if (settings->member_id != NULL) {
        (void)snprintf(member->self.member_id, sizeof member->self.member_id, "%s", settings->member_id);
    } else {
        (void)snprintf(member->self.member_id, sizeof member->self.member_id, "%016" PRIx64,
                       member->self.token);
    }
    member->group = strdup(settings->group);
    if (member->group == NULL) {
        return error_set(error, BUS_FATAL, "no memory for the member");
    }
    member->slot = membership_take_slot(member->store, member->self.token);
    if (member->slot == NULL) {
        return error_set(error, BUS_REFUSED, "%s has %d members already", member->store->directory,
                         SHARED_SLOTS);
    }
    member->self.slot = (uint32_t)(member->slot - member->store->page->slots);
    return BUS_OK;
}

/* Alone: every partition, at once. */
static int hold_all(struct embedded_member *member, struct error *error)
{
    for (size_t i = 0; i < member->topic_count; i++) {
        for (int32_t p = 0; p < member->topics[i]->partitions; p++) {
            struct held_partition *held;
            if (embedded_member_add(member, member->topics[i], p, &held, error) != BUS_OK) {
                return BUS_FATAL;
            }
        }
    }
    return BUS_OK;
}

static void destroy(struct embedded_member *member)
{
    membership_free_slot(member->slot);
    store_reader_free(member->store, &member->reader);
    append_set_free(&member->collected);
    turn_memory_free(&member->turn);
    free(member->others);
    free(member->partitions);
    free(member->group);
    free(member);
}

int embedded_join(struct bus *base, const struct bus_member_settings *settings, struct bus_member **out,
                  struct error *error)
{
    struct embedded_bus *bus = embedded_bus_of(base);
    struct embedded_member *member = calloc(1, sizeof *member);
    if (member == NULL) {
        return error_set(error, BUS_FATAL, "no memory for a member");
    }
    member->base.driver = base->driver;
    member->bus = bus;
    member->store = bus->store;
    member->batch_records = settings->batch_records;
    member->batch_bytes = settings->batch_bytes;
    member->tick_every_ms = LONE_TICK_MS;
    append_set_init(&member->collected, bus->queue_limit_bytes);
    buffer_init(&member->turn.bytes, 0);
    member->turn.records = calloc(settings->batch_records, sizeof *member->turn.records);
    int result = member->turn.records == NULL
                     ? error_set(error, BUS_FATAL, "no memory for a member's records")
                     : find_topics(member, settings, error);
    if (result == BUS_OK) {
        result = find_state_topic(member, settings->state_topic, error);
    }
    if (result == BUS_OK) {
        result = settings->group == NULL ? hold_all(member, error) : set_up_group(member, settings, error);
    }
    if (result != BUS_OK) {
        destroy(member);
        return result;
    }
    *out = &member->base;
    return BUS_OK;
}

int embedded_leave(struct bus_member *base, struct error *error)
{
    struct embedded_member *member = embedded_member_of(base);
    int result = member->group == NULL ? BUS_OK : member_group_leave(member, error);
    destroy(member);
    return result;
}
