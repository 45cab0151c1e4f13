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

/* --- what librdkafka answers ---- */

struct answer {
    bool done, retriable, requires_abort, fatal;
    rd_kafka_resp_err_t code;
    char why[256];
};

static struct answer take_answer(rd_kafka_error_t *failure)
{
    struct answer answer = {.done = failure == NULL};
    if (failure != NULL) {
        answer.retriable = rd_kafka_error_is_retriable(failure) != 0;
        answer.requires_abort = rd_kafka_error_txn_requires_abort(failure) != 0;
        answer.fatal = rd_kafka_error_is_fatal(failure) != 0;
        answer.code = rd_kafka_error_code(failure);
        (void)snprintf(answer.why, sizeof answer.why, "%s", rd_kafka_error_string(failure));
        rd_kafka_error_destroy(failure);
    }
    return answer;
}

/* Instead of the given answer, where a failpoint says so. */
static struct answer answer_for_test(enum failpoint_answer wanted, struct answer given)
{
    if (wanted == FAILPOINT_GO) {
        return given;
    }
    return (struct answer){.retriable = wanted == FAILPOINT_RETRY || wanted == FAILPOINT_TIMEOUT,
                           .requires_abort = wanted == FAILPOINT_ABORT,
                           .fatal = wanted == FAILPOINT_FATAL,
                           .code = wanted == FAILPOINT_TIMEOUT ? RD_KAFKA_RESP_ERR__TIMED_OUT
                                                               : RD_KAFKA_RESP_ERR_UNKNOWN,
                           .why = "a test says so"};
}

static struct answer init_transactions(struct kafka_member *member)
{
    struct answer answer = answer_for_test(FAILPOINT(KAFKA_INIT_BEFORE), (struct answer){.done = true});
    if (answer.done) {
        answer = take_answer(rd_kafka_init_transactions(member->producer, INIT_MS));
        answer = answer_for_test(FAILPOINT(KAFKA_INIT_AFTER), answer);
    }
    return answer;
}

static struct answer begin_transaction(struct kafka_member *member)
{
    struct answer answer = answer_for_test(FAILPOINT(KAFKA_BEGIN_BEFORE), (struct answer){.done = true});
    if (answer.done) {
        answer = take_answer(rd_kafka_begin_transaction(member->producer));
        answer = answer_for_test(FAILPOINT(KAFKA_BEGIN_AFTER), answer);
    }
    return answer;
}

static struct answer send_offsets_once(struct kafka_member *member,
                                       const rd_kafka_topic_partition_list_t *list, int timeout_ms)
{
    struct answer answer = answer_for_test(FAILPOINT(KAFKA_OFFSETS_BEFORE), (struct answer){.done = true});
    if (answer.done) {
        rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata(member->consumer);
        answer =
            take_answer(rd_kafka_send_offsets_to_transaction(member->producer, list, metadata, timeout_ms));
        rd_kafka_consumer_group_metadata_destroy(metadata);
        answer = answer_for_test(FAILPOINT(KAFKA_OFFSETS_AFTER), answer);
    }
    return answer;
}

static struct answer commit_transaction(struct kafka_member *member, int timeout_ms)
{
    struct answer answer = answer_for_test(FAILPOINT(KAFKA_COMMIT_BEFORE), (struct answer){.done = true});
    if (answer.done) {
        answer = take_answer(rd_kafka_commit_transaction(member->producer, timeout_ms));
        answer = answer_for_test(FAILPOINT(KAFKA_COMMIT_AFTER), answer);
    }
    return answer;
}

static struct answer abort_transaction(struct kafka_member *member, int timeout_ms)
{
    struct answer answer = answer_for_test(FAILPOINT(KAFKA_ABORT_BEFORE), (struct answer){.done = true});
    if (answer.done) {
        answer = take_answer(rd_kafka_abort_transaction(member->producer, timeout_ms));
        answer = answer_for_test(FAILPOINT(KAFKA_ABORT_AFTER), answer);
    }
    return answer;
}

/* --- the producer ---- */

static int create_producer(struct kafka_member *member, struct error *error)
{
    char id[sizeof member->group + sizeof member->member_id + 1];
    (void)snprintf(id, sizeof id, "%s-%s", member->group, member->member_id);
    /* Without linger: a commit waits for what it has put. */
    const char *const settings[] = {
        "transactional.id", id, "transaction.timeout.ms", "5000", "linger.ms", "0", NULL};
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
    if (!abort_transaction(member, timeout_ms).done) {
        kafka_member_close_producer(member);
    }
    member->in_transaction = false;
}

/* A topic that the client hears of with its first record keeps that record waiting for up to a second, until
 * the client asks for leaders again. So it hears of all known ones before the first alert. */
static void know_topics(struct kafka_member *member)
{
    struct kafka_bus *bus = member->bus;
    const struct rd_kafka_metadata *metadata = NULL;
    (void)pthread_mutex_lock(&bus->lock);
    for (size_t i = 0; i < bus->topic_count; i++) {
        rd_kafka_topic_t *topic = rd_kafka_topic_new(member->producer, bus->topics[i].name, NULL);
        if (topic != NULL) {
            rd_kafka_topic_destroy(topic); /* our hold on it alone */
        }
    }
    (void)pthread_mutex_unlock(&bus->lock);
    if (rd_kafka_metadata(member->producer, 0, NULL, &metadata, INIT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(metadata);
    }
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
    struct answer answer = init_transactions(member);
    if (answer.done) {
        member->producer_ready = true;
        know_topics(member);
        kafka_note_connected(member->bus);
        return BUS_OK;
    }
    if (answer.code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED) {
        return error_set(error, BUS_FATAL, "transactions cannot begin: %s", answer.why);
    }
    if (answer.fatal || !answer.retriable) {
        kafka_member_close_producer(member);
    }
    return error_set(error, BUS_AWAY, "transactions cannot begin: %s", answer.why);
}

/* The one way out. */
static int reset(struct kafka_member *member, const char *what, const char *why, struct error *error)
{
    kafka_member_close_producer(member);
    member->advance_count = 0;
    member->reset = true;
    return error_set(error, BUS_RESET, "%s: %s", what, why);
}

static int begin(struct kafka_member *member, struct error *error)
{
    if (member->in_transaction) {
        return BUS_OK;
    }
    struct answer answer = begin_transaction(member);
    if (!answer.done) {
        return reset(member, "a transaction cannot begin", answer.why, error);
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

static void add_position(rd_kafka_topic_partition_list_t *list, const char *topic, int32_t partition,
                         int64_t offset, const char *note)
{
    rd_kafka_topic_partition_t *item = rd_kafka_topic_partition_list_add(list, topic, partition);
    item->offset = offset;
    if (note[0] != '\0') { /* the list frees it with free() */
        item->metadata = strdup(note);
        item->metadata_size = item->metadata == NULL ? 0 : strlen(note);
    }
}

static bool is_advanced(const struct kafka_member *member, const struct kafka_partition *partition)
{
    for (size_t i = 0; i < member->advance_count; i++) {
        if (member->advances[i].partition == partition->number &&
            strcmp(member->advances[i].topic, partition->topic) == 0) {
            return true;
        }
    }
    return false;
}

/* Where a partition doesn't advance (a tick that decided something, a checkpoint in mid-replay), what is
 * committed once more. It is the positions that the brokers check the group's generation with, and an owner
 * of yesterday that wakes up must not get its outputs through. And while one is pending, the next owner is
 * told to wait for it: else it could read the state before the last records of this transaction are on it. */
static rd_kafka_topic_partition_list_t *list_advances(const struct kafka_member *member)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)member->partition_count);
    for (size_t i = 0; i < member->advance_count; i++) {
        const struct kafka_advance *advance = &member->advances[i];
        add_position(list, advance->topic, advance->partition, advance->next, advance->note);
    }
    for (size_t i = 0; i < member->partition_count; i++) {
        const struct kafka_partition *partition = &member->partitions[i];
        if (partition->phase == KAFKA_STARTED && partition->committed >= 0 &&
            !is_advanced(member, partition)) {
            add_position(list, partition->topic, partition->number, partition->committed, partition->note);
        }
    }
    return list;
}

/* The same call again, while it may be: a time-out is no answer, and no clear one comes later. */
static bool may_retry(const struct answer *answer, int64_t deadline_ms)
{
    return !answer->done && answer->retriable && !answer->requires_abort && !answer->fatal &&
           answer->code != RD_KAFKA_RESP_ERR__TIMED_OUT && left_ms(deadline_ms) > 0;
}

static int send_offsets(struct kafka_member *member, int64_t deadline_ms, struct error *error)
{
    rd_kafka_topic_partition_list_t *list = list_advances(member);
    struct answer answer = {.done = list->cnt == 0};
    while (!answer.done) {
        answer = send_offsets_once(member, list, left_ms(deadline_ms));
        if (!may_retry(&answer, deadline_ms)) {
            break;
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
    return answer.done ? BUS_OK : reset(member, "positions were not taken", answer.why, error);
}

static int end_transaction(struct kafka_member *member, int64_t deadline_ms, struct error *error)
{
    struct answer answer = commit_transaction(member, left_ms(deadline_ms));
    while (may_retry(&answer, deadline_ms)) {
        answer = commit_transaction(member, left_ms(deadline_ms));
    }
    return answer.done ? BUS_OK : reset(member, "the transaction did not commit", answer.why, error);
}

int kafka_commit(struct bus_member *base, struct error *error)
{
    struct kafka_member *member = kafka_member_of(base);
    if (!member->in_transaction && member->advance_count == 0) {
        return member->reset ? error_set(error, BUS_RESET, "the partitions were lost") : BUS_OK;
    }
    int64_t begin_ms = clock_steady_ms(clock_system());
    int64_t deadline_ms = begin_ms + KAFKA_COMMIT_MS;
    bool is_begun = member->in_transaction;
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
    int64_t offsets_ms = clock_steady_ms(clock_system());
    if (result == BUS_OK) {
        result = end_transaction(member, deadline_ms, error);
    }
    log_debug_with(member->bus->log, "transaction", log_boolean("with_outputs", is_begun),
                   log_integer("offsets_ms", offsets_ms - begin_ms),
                   log_integer("end_ms", clock_steady_ms(clock_system()) - offsets_ms));
    if (result != BUS_OK) {
        return result;
    }
    member->in_transaction = false;
    for (size_t i = 0; i < member->advance_count; i++) {
        struct kafka_partition *partition =
            kafka_member_find(member, member->advances[i].topic, member->advances[i].partition);
        if (partition != NULL) {
            partition->committed = member->advances[i].next;
            (void)snprintf(partition->note, sizeof partition->note, "%s", member->advances[i].note);
        }
    }
    member->advance_count = 0;
    kafka_note_connected(member->bus);
    return BUS_OK;
}
