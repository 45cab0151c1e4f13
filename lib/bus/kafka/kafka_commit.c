/* The commit as a Kafka transaction: outputs, state and positions, in the call order of librdkafka's
 * documentation. It begins with the first output, sends as outputs come, and ends with fresh group metadata,
 * so that the brokers fence by generation.
 *
 * One way out of every doubt: whatever isn't plainly done (an abort, a time-out, a fencing, a fatal error)
 * destroys the producer and answers BUS_RESET. A late end of a transaction can then never meet a later one:
 * the next producer raises the epoch. */
#include "bus/kafka/kafka_member.h"

#include "clock/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INIT_MS 1000 /* a slice: the member goes on polling between two */

static int create_producer(struct kafka_member *member, struct error *error)
{
    char id[sizeof member->group + sizeof member->member_id + 1];
    (void)snprintf(id, sizeof id, "%s-%s", member->group, member->member_id);
    const char *const settings[] = {
        "transactional.id", id, "transaction.timeout.ms", "5000", "linger.ms", "5", NULL};
    member->producer_opaque.bus = member->bus;
    return kafka_client_create(member->bus, RD_KAFKA_PRODUCER, settings, NULL, &member->producer_opaque,
                               &member->producer, error);
}

void kafka_member_close_producer(struct kafka_member *member)
{
    if (member->producer != NULL) {
        (void)rd_kafka_purge(member->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                                   RD_KAFKA_PURGE_F_NON_BLOCKING);
        rd_kafka_destroy(member->producer);
    }
    member->producer = NULL;
    member->producer_ready = false;
    member->in_transaction = false;
}

void kafka_member_drop_transaction(struct kafka_member *member, int timeout_ms)
{
    member->advance_count = 0;
    if (!member->in_transaction) {
        return;
    }
    rd_kafka_error_t *failure = rd_kafka_abort_transaction(member->producer, timeout_ms);
    if (failure != NULL) {
        rd_kafka_error_destroy(failure);
        kafka_member_close_producer(member);
    }
    member->in_transaction = false;
}

int kafka_member_prepare(struct kafka_member *member, struct error *error)
{
    if (member->producer_ready || !member->has_group) {
        return BUS_OK;
    }
    if (member->producer == NULL) {
        int result = create_producer(member, error);
        if (result != BUS_OK) {
            return result;
        }
    }
    rd_kafka_error_t *failure = rd_kafka_init_transactions(member->producer, INIT_MS);
    if (failure == NULL) {
        member->producer_ready = true;
        kafka_note_connected(member->bus);
        return BUS_OK;
    }
    int result = BUS_AWAY;
    (void)error_set(error, BUS_AWAY, "transactions cannot begin: %s", rd_kafka_error_string(failure));
    if (rd_kafka_error_code(failure) == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED) {
        result = BUS_FATAL;
    } else if (rd_kafka_error_is_fatal(failure) || !rd_kafka_error_is_retriable(failure)) {
        kafka_member_close_producer(member);
    }
    rd_kafka_error_destroy(failure);
    return result;
}

/* The one way out. */
static int reset(struct kafka_member *member, const char *what, const char *why, struct error *error)
{
    kafka_member_close_producer(member);
    member->advance_count = 0;
    member->reset = true;
    return error_set(error, BUS_RESET, "%s: %s", what, why);
}

static int reset_for(struct kafka_member *member, const char *what, rd_kafka_error_t *failure,
                     struct error *error)
{
    char why[256];
    (void)snprintf(why, sizeof why, "%s", rd_kafka_error_string(failure));
    rd_kafka_error_destroy(failure);
    return reset(member, what, why, error);
}

static int begin(struct kafka_member *member, struct error *error)
{
    if (member->in_transaction) {
        return BUS_OK;
    }
    rd_kafka_error_t *failure = rd_kafka_begin_transaction(member->producer);
    if (failure != NULL) {
        return reset_for(member, "a transaction cannot begin", failure, error);
    }
    member->in_transaction = true;
    return BUS_OK;
}

static int check_open(const struct kafka_member *member, struct error *error)
{
    if (!member->has_group) {
        return error_set(error, BUS_REFUSED, "a member without a group commits nothing");
    }
    if (member->reset || member->lost || !member->producer_ready) {
        return error_set(error, BUS_RESET, "the partitions were lost");
    }
    return BUS_OK;
}

int kafka_put(struct bus_member *base, const struct bus_record *output, struct error *error)
{
    struct kafka_member *member = kafka_member_of(base);
    int32_t partition = 0;
    int result = check_open(member, error);
    if (result == BUS_OK) {
        result = kafka_choose_partition(member->bus, output, &member->round_robin, &partition, error);
    }
    if (result == BUS_OK) {
        result = begin(member, error);
    }
    if (result == BUS_OK) {
        result = kafka_enqueue(member->bus, member->producer, output->topic, partition, output, NULL, error);
        if (result == BUS_FULL) {
            (void)rd_kafka_poll(member->producer, 10);
        } else if (result == BUS_FATAL || result == BUS_AWAY) { /* the transaction can't take it any more */
            result = reset(member, "an output was not taken", error == NULL ? "" : error->message, error);
        }
    }
    return result;
}

int kafka_put_state(struct bus_member *base, int32_t partition, struct bus_bytes key, struct bus_bytes value,
                    struct error *error)
{
    struct kafka_member *member = kafka_member_of(base);
    if (member->state_topic[0] == '\0') {
        return error_set(error, BUS_REFUSED, "there is no state for partition %d", partition);
    }
    const struct bus_record record = {
        .topic = member->state_topic, .partition = partition, .key = key, .value = value};
    return kafka_put(base, &record, error);
}

int kafka_advance(struct bus_member *base, const char *topic, int32_t partition, int64_t next,
                  const char *note, struct error *error)
{
    struct kafka_member *member = kafka_member_of(base);
    int result = check_open(member, error);
    if (result != BUS_OK) {
        return result;
    }
    if (kafka_member_find(member, topic, partition) == NULL) {
        return error_set(error, BUS_REFUSED, "topic %s partition %d is not this member's", topic, partition);
    }
    size_t at = 0;
    while (at < member->advance_count &&
           (member->advances[at].partition != partition || strcmp(member->advances[at].topic, topic) != 0)) {
        at++;
    }
    if (at == member->advance_capacity) {
        size_t capacity = member->advance_capacity == 0 ? 32 : member->advance_capacity * 2;
        struct kafka_advance *advances = realloc(member->advances, capacity * sizeof *advances);
        if (advances == NULL) {
            return error_set(error, BUS_FATAL, "no memory for positions");
        }
        member->advances = advances;
        member->advance_capacity = capacity;
    }
    member->advance_count = at == member->advance_count ? at + 1 : member->advance_count;
    struct kafka_advance *advance = &member->advances[at];
    *advance = (struct kafka_advance){.partition = partition, .next = next};
    (void)snprintf(advance->topic, sizeof advance->topic, "%s", topic);
    (void)snprintf(advance->note, sizeof advance->note, "%s", note == NULL ? "" : note);
    return BUS_OK;
}

/* --- the end of the transaction ---- */

static int left_ms(int64_t deadline_ms)
{
    int64_t left = deadline_ms - clock_steady_ms(clock_system());
    return left > 0 ? (int)left : 0;
}

static rd_kafka_topic_partition_list_t *list_advances(const struct kafka_member *member)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)member->advance_count);
    for (size_t i = 0; i < member->advance_count; i++) {
        const struct kafka_advance *advance = &member->advances[i];
        rd_kafka_topic_partition_t *item =
            rd_kafka_topic_partition_list_add(list, advance->topic, advance->partition);
        item->offset = advance->next;
        if (advance->note[0] != '\0') { /* the list frees it with free() */
            item->metadata = strdup(advance->note);
            item->metadata_size = item->metadata == NULL ? 0 : strlen(advance->note);
        }
    }
    return list;
}

/* The same call again, while it may be: a time-out is no answer, and no clear one comes later. */
static bool may_retry(const rd_kafka_error_t *failure, int64_t deadline_ms)
{
    return failure != NULL && rd_kafka_error_is_retriable(failure) != 0 &&
           rd_kafka_error_txn_requires_abort(failure) == 0 &&
           rd_kafka_error_code(failure) != RD_KAFKA_RESP_ERR__TIMED_OUT && left_ms(deadline_ms) > 0;
}

static int send_offsets(struct kafka_member *member, int64_t deadline_ms, struct error *error)
{
    rd_kafka_error_t *failure = NULL;
    if (member->advance_count == 0) {
        return BUS_OK;
    }
    rd_kafka_topic_partition_list_t *list = list_advances(member);
    for (;;) {
        rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata(member->consumer);
        failure =
            rd_kafka_send_offsets_to_transaction(member->producer, list, metadata, left_ms(deadline_ms));
        rd_kafka_consumer_group_metadata_destroy(metadata);
        if (!may_retry(failure, deadline_ms)) {
            break;
        }
        rd_kafka_error_destroy(failure);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return failure == NULL ? BUS_OK : reset_for(member, "positions were not taken", failure, error);
}

static int end_transaction(struct kafka_member *member, int64_t deadline_ms, struct error *error)
{
    rd_kafka_error_t *failure = rd_kafka_commit_transaction(member->producer, left_ms(deadline_ms));
    while (may_retry(failure, deadline_ms)) {
        rd_kafka_error_destroy(failure);
        failure = rd_kafka_commit_transaction(member->producer, left_ms(deadline_ms));
    }
    return failure == NULL ? BUS_OK : reset_for(member, "the transaction did not commit", failure, error);
}

int kafka_commit(struct bus_member *base, struct error *error)
{
    struct kafka_member *member = kafka_member_of(base);
    if (!member->in_transaction && member->advance_count == 0) {
        return member->reset ? error_set(error, BUS_RESET, "the partitions were lost") : BUS_OK;
    }
    int64_t deadline_ms = clock_steady_ms(clock_system()) + KAFKA_COMMIT_MS;
    int result = check_open(member, error);
    if (result == BUS_OK && rd_kafka_assignment_lost(member->consumer) != 0) {
        result = reset(member, "the commit is void", "the partitions were lost", error);
    }
    if (result == BUS_OK) {
        result = begin(member, error);
    }
    if (result == BUS_OK) {
        result = send_offsets(member, deadline_ms, error);
    }
    if (result == BUS_OK) {
        result = end_transaction(member, deadline_ms, error);
    }
    if (result != BUS_OK) {
        return result;
    }
    member->in_transaction = false;
    for (size_t i = 0; i < member->advance_count; i++) {
        struct kafka_partition *partition =
            kafka_member_find(member, member->advances[i].topic, member->advances[i].partition);
        if (partition != NULL) {
            partition->committed = member->advances[i].next;
        }
    }
    member->advance_count = 0;
    kafka_note_connected(member->bus);
    return BUS_OK;
}
