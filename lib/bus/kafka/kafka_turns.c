/* The polls of a member: what the group, the restore and the client have to say, a turn at a time. The order
 * is fixed: what was lost, what is to be given up, what is new, its state, and only then records. */
#include "bus/kafka/kafka_member.h"

#include "clock/clock.h"

#include <stdlib.h>
#include <string.h>

#define FENCED_AGAIN_MS 300000

/* Without a group every partition is this reader's. */
static int list_partitions(struct kafka_member *member, struct error *error)
{
    for (size_t t = 0; t < member->topic_count; t++) {
        struct kafka_topic topic;
        int result = kafka_find_topic(member->bus, member->topics[t], &topic, error);
        for (int32_t p = 0; result == BUS_OK && p < topic.partitions; p++) {
            if (!kafka_member_add(member, topic.name, p, KAFKA_NEW)) {
                result = error_set(error, BUS_FATAL, "no memory for partitions");
            }
        }
        if (result != BUS_OK) {
            member->partition_count = 0;
            return result;
        }
    }
    member->listed = true;
    return BUS_OK;
}

/* --- turns ---- */

/* Those that the caller knows of. */
static bool told_turn(struct kafka_member *member, struct bus_turn *turn, enum bus_turn_kind kind)
{
    *turn = (struct bus_turn){.kind = kind};
    for (size_t i = 0; i < member->partition_count; i++) {
        if (member->partitions[i].phase > KAFKA_NEW) {
            kafka_member_add_to_turn(member, turn, &member->partitions[i]);
        }
    }
    return turn->partition_count > 0;
}

/* After a loss: nothing is left of what the caller knew. A member that is still in the group keeps its share
 * and begins it anew. */
static bool lost_turn(struct kafka_member *member, struct bus_turn *turn)
{
    bool any = told_turn(member, turn, BUS_LOST);
    kafka_member_drop_transaction(member, KAFKA_COMMIT_MS);
    kafka_member_take_from_client(member);
    if (member->lost || member->revoking) {
        member->partition_count = 0;
    }
    for (size_t i = 0; i < member->partition_count; i++) {
        member->partitions[i].phase = KAFKA_ASKING;
        member->partitions[i].ended_at = -1;
        member->partitions[i].end = -1;
    }
    member->lost = false;
    member->revoking = false;
    member->reset = false;
    return any;
}

/* Committed offsets of all that are new, in one question. */
static int ask_committed(struct kafka_member *member, struct error *error)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)member->partition_count);
    for (size_t i = 0; i < member->partition_count; i++) {
        if (member->partitions[i].phase == KAFKA_ASKING) {
            rd_kafka_topic_partition_list_add(list, member->partitions[i].topic,
                                              member->partitions[i].number);
        }
    }
    int result = BUS_OK;
    if (list->cnt > 0) {
        result = bus_answer_for_test(FAILPOINT(KAFKA_COMMITTED_BEFORE), error);
    }
    if (list->cnt > 0 && result == BUS_OK) {
        result =
            kafka_result(member->bus, rd_kafka_committed(member->consumer, list, kafka_ask_ms(member->bus)),
                         "asking for positions", error);
    }
    for (int i = 0; i < list->cnt && result == BUS_OK; i++) {
        const rd_kafka_topic_partition_t *item = &list->elems[i];
        struct kafka_partition *partition = kafka_member_find(member, item->topic, item->partition);
        if (item->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            result = kafka_result(member->bus, item->err, "asking for positions", error);
        } else if (partition != NULL) {
            partition->committed = item->offset < 0 ? -1 : item->offset;
            partition->phase = KAFKA_NEW;
            size_t size = item->metadata_size < sizeof partition->note ? item->metadata_size
                                                                       : sizeof partition->note - 1;
            if (size > 0) {
                memcpy(partition->note, item->metadata, size);
            }
            partition->note[size] = '\0';
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
    return result;
}

static bool assigned_turn(struct kafka_member *member, struct bus_turn *turn)
{
    *turn = (struct bus_turn){.kind = BUS_ASSIGNED};
    for (size_t i = 0; i < member->partition_count; i++) {
        if (member->partitions[i].phase == KAFKA_NEW) {
            member->partitions[i].phase = KAFKA_RESTORING;
            kafka_member_add_to_turn(member, turn, &member->partitions[i]);
        }
    }
    return turn->partition_count > 0;
}

/* All have been started: the client may fetch. */
static int give_to_client(struct kafka_member *member, struct error *error)
{
    rd_kafka_topic_partition_list_t *list = kafka_member_list_started(member);
    int result = BUS_OK;
    if (list->cnt > 0 && (size_t)list->cnt == member->partition_count) {
        result =
            kafka_result(member->bus, rd_kafka_assign(member->consumer, list), "assigning partitions", error);
        member->assigned_to_client = result == BUS_OK;
        if (result == BUS_OK && member->held) {
            (void)rd_kafka_pause_partitions(member->consumer, list);
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
    return result;
}

/* Serves the group while nothing is fetched; what comes here is an event, never a record. */
static int serve_group(struct kafka_member *member, int timeout_ms, struct error *error)
{
    rd_kafka_message_t *message = rd_kafka_consumer_poll(member->consumer, timeout_ms);
    int result = BUS_OK;
    if (message != NULL) {
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            result = kafka_member_take_event(member, message, error);
        }
        rd_kafka_message_destroy(message);
    }
    return result;
}

/* The group has put this client out because another one has joined under its name. That may be itself: when
 * the coordinator dies, a join that is sent again can count as a newer one. So it joins once more; whoever is
 * put out twice in a short time has a second process beside it, and the two would go on for ever. */
static int join_again(struct kafka_member *member, struct error *error)
{
    int64_t now_ms = clock_steady_ms(clock_system());
    if (member->partition_count > 0) { /* the caller hears that first, in the next round */
        member->lost = true;
        return BUS_OK;
    }
    if (member->fenced_ms != 0 && now_ms - member->fenced_ms < FENCED_AGAIN_MS) {
        return error_set(error, BUS_FATAL,
                         "another process has joined group %s as '%s': give each member a name of its own",
                         member->group, member->member_id);
    }
    member->fenced_ms = now_ms;
    log_warn_with(member->bus->log, "put out of the group by its own name, joining once more",
                  log_text("group", member->group), log_text("member_id", member->member_id));
    kafka_member_take_from_client(member);
    kafka_member_close_consumer(member);
    member->revoking = false;
    member->lost = false;
    return kafka_member_open_consumer(member, error) == BUS_OK ? BUS_OK : BUS_FATAL;
}

/* A client that has failed for good can't be used again. */
static int check_alive(struct kafka_member *member, struct error *error)
{
    char why[256];
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(member->consumer, why, sizeof why);
    if (code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
        return join_again(member, error);
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? BUS_OK
                                              : error_set(error, BUS_FATAL, "the Kafka client: %s", why);
}

static int prepare(struct kafka_member *member, struct error *error)
{
    int result = BUS_OK;
    if (!member->has_group && !member->listed) {
        result = list_partitions(member, error);
    }
    if (result == BUS_OK && !member->assigned_to_client) {
        result = serve_group(member, 0, error);
        if (result == BUS_OK) {
            result = kafka_member_prepare(member, error);
        }
    }
    return result;
}

static int next_turn(struct kafka_member *member, int timeout_ms, struct bus_turn *turn, bool *any,
                     struct error *error)
{
    member->reset |= FAILPOINT(KAFKA_POLL) == FAILPOINT_RESET;
    member->reset |= member->in_transaction && FAILPOINT(KAFKA_POLL_IN_TRANSACTION) == FAILPOINT_RESET;
    if (member->lost || member->reset) {
        *any = lost_turn(member, turn);
        return BUS_OK;
    }
    int result = check_alive(member, error);
    if (result == BUS_OK) {
        result = prepare(member, error);
    }
    if (result != BUS_OK || member->lost || member->reset) { /* what came meanwhile: in the next round */
        return result;
    }
    if (member->revoking) {
        *any = told_turn(member, turn, BUS_REVOKING);
        return *any ? BUS_OK : kafka_release(&member->base, error);
    }
    result = ask_committed(member, error);
    *any = result == BUS_OK && assigned_turn(member, turn);
    if (result == BUS_OK && !*any) {
        result = kafka_member_restoring_turn(member, turn, any, error);
    }
    if (result == BUS_OK && !*any && !member->assigned_to_client) {
        result = give_to_client(member, error);
        if (result == BUS_OK && !member->assigned_to_client) {
            return serve_group(member, timeout_ms, error);
        }
    }
    if (result == BUS_OK && !*any) {
        result = kafka_member_read(member, timeout_ms, turn, any, error);
    }
    return result;
}

int kafka_poll(struct bus_member *base, int timeout_ms, struct bus_turn *turn, struct error *error)
{
    struct kafka_member *member = kafka_member_of(base);
    int64_t deadline_ms = clock_steady_ms(clock_system()) + timeout_ms;
    kafka_member_free_messages(member);
    for (;;) {
        int64_t left_ms = deadline_ms - clock_steady_ms(clock_system());
        bool any = false;
        int slice_ms = left_ms <= 0 ? 0 : left_ms < KAFKA_SLICE_MS ? (int)left_ms : KAFKA_SLICE_MS;
        int result = next_turn(member, slice_ms, turn, &any, error);
        if (result == BUS_FATAL || result == BUS_REFUSED) {
            return BUS_FATAL;
        }
        if (any) {
            return BUS_OK;
        }
        if (atomic_exchange(&member->woken, false) || clock_steady_ms(clock_system()) >= deadline_ms) {
            *turn = (struct bus_turn){.kind = BUS_IDLE};
            return BUS_OK;
        }
        if (result != BUS_OK) { /* away: don't ask again at once */
            struct timespec pause = {.tv_nsec = (slice_ms > 0 ? slice_ms : 1) * 1000000L};
            (void)nanosleep(&pause, NULL);
        }
    }
}
