/* The life of a member. The group's callback only notes what came; partitions are given to the client when
 * bus_start has said from where, and taken from it in bus_release, which librdkafka allows (its issue 1323).
 * The assignor is the eager range: with librdkafka 2.0.2 a commit during a cooperative rebalance loses the
 * assignment (its issue 4059). */
#include "bus/kafka/kafka_member.h"

#include "clock/clock.h"
#include "random/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SESSION_MS 10000
#define LEAVE_MS           2000 /* for the end of an open transaction; the brokers end it after its time-out */

struct kafka_member *kafka_member_of(struct bus_member *member)
{
    return (struct kafka_member *)(void *)member;
}

struct kafka_partition *kafka_member_find(struct kafka_member *member, const char *topic, int32_t partition)
{
    size_t count = member->partition_count;
    for (size_t i = 0; i < count; i++) { /* records come in runs of one partition */
        size_t at = i + member->last_found < count ? i + member->last_found : i + member->last_found - count;
        if (member->partitions[at].number == partition && strcmp(member->partitions[at].topic, topic) == 0) {
            member->last_found = at;
            return &member->partitions[at];
        }
    }
    return NULL;
}

bool kafka_member_add(struct kafka_member *member, const char *topic, int32_t number, enum kafka_phase phase)
{
    if (member->partition_count == member->partition_capacity) {
        size_t capacity = member->partition_capacity == 0 ? 32 : member->partition_capacity * 2;
        struct kafka_partition *partitions = realloc(member->partitions, capacity * sizeof *partitions);
        struct bus_partition *turn = realloc(member->turn_partitions, capacity * sizeof *turn);
        member->partitions = partitions == NULL ? member->partitions : partitions;
        member->turn_partitions = turn == NULL ? member->turn_partitions : turn;
        if (partitions == NULL || turn == NULL) {
            return false;
        }
        member->partition_capacity = capacity;
    }
    struct kafka_partition *partition = &member->partitions[member->partition_count++];
    *partition = (struct kafka_partition){
        .number = number, .phase = phase, .committed = -1, .ended_at = -1, .end = -1};
    (void)snprintf(partition->topic, sizeof partition->topic, "%s", topic);
    return true;
}

/* --- what the group says ---- */

static void on_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    struct kafka_client *owner = opaque;
    struct kafka_member *member =
        (struct kafka_member *)(void *)((char *)owner - offsetof(struct kafka_member, opaque));
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !member->closing) {
        member->partition_count = 0;
        member->assigned_to_client = false;
        bool whole = true;
        for (int i = 0; i < partitions->cnt; i++) {
            whole = whole && kafka_member_add(member, partitions->elems[i].topic,
                                              partitions->elems[i].partition, KAFKA_ASKING);
        }
        member->reset |= !whole;
        if (partitions->cnt == 0) {
            (void)rd_kafka_assign(client, NULL);
        }
        kafka_note_connected(member->bus);
    } else if (member->closing || member->partition_count == 0) {
        (void)rd_kafka_assign(client, NULL);
    } else if (rd_kafka_assignment_lost(client) != 0) {
        member->lost = true;
    } else {
        member->revoking = true;
    }
}

static void set_rebalance(rd_kafka_conf_t *conf)
{
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
}

/* --- joining and leaving ---- */

int kafka_member_open_consumer(struct kafka_member *member, struct error *error)
{
    char session[24];
    char heartbeat[24];
    char reader[64];
    (void)snprintf(session, sizeof session, "%" PRId64, member->session_timeout_ms);
    (void)snprintf(heartbeat, sizeof heartbeat, "%" PRId64, member->session_timeout_ms / 4);
    (void)snprintf(reader, sizeof reader, "obs-reader-%016" PRIx64, random_seed_from_system());
    const char *settings[32] = {"group.id",
                                member->has_group ? member->group : reader,
                                "enable.auto.commit",
                                "false",
                                "enable.auto.offset.store",
                                "false",
                                "isolation.level",
                                "read_committed",
                                "auto.offset.reset",
                                "error",
                                "partition.assignment.strategy",
                                "range",
                                "enable.partition.eof",
                                "true",
                                "session.timeout.ms",
                                session,
                                "heartbeat.interval.ms",
                                heartbeat};
    if (member->has_name) {
        settings[18] = "group.instance.id";
        settings[19] = member->member_id;
    }
    member->opaque.bus = member->bus;
    int result = kafka_client_create(member->bus, RD_KAFKA_CONSUMER, settings, set_rebalance, &member->opaque,
                                     &member->consumer, error);
    if (result != BUS_OK) {
        return result;
    }
    (void)rd_kafka_poll_set_consumer(member->consumer);
    if (!member->has_group) {
        return BUS_OK;
    }
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new((int)member->topic_count);
    for (size_t i = 0; i < member->topic_count; i++) {
        rd_kafka_topic_partition_list_add(topics, member->topics[i], RD_KAFKA_PARTITION_UA);
    }
    rd_kafka_resp_err_t code = rd_kafka_subscribe(member->consumer, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    return kafka_result(member->bus, code, "subscribing", error);
}

void kafka_member_close_consumer(struct kafka_member *member)
{
    if (member->consumer != NULL) {
        member->closing = true;
        kafka_member_free_messages(member);
        if (member->has_group) {
            (void)rd_kafka_consumer_close(member->consumer);
        } else {
            (void)rd_kafka_assign(member->consumer, NULL);
        }
        rd_kafka_destroy(member->consumer);
        member->consumer = NULL;
        member->closing = false;
    }
}

static void free_member(struct kafka_member *member)
{
    kafka_restore_end(member->restore);
    kafka_member_close_producer(member);
    kafka_member_close_consumer(member);
    free(member->partitions);
    free(member->turn_partitions);
    free(member->messages);
    free(member->records);
    free(member->headers);
    free(member->advances);
    free(member);
}

static int name_topics(struct kafka_member *member, const struct bus_member_settings *settings,
                       struct error *error)
{
    for (const char *const *name = settings->topics; *name != NULL; name++) {
        struct kafka_topic topic;
        if (member->topic_count == KAFKA_MEMBER_TOPICS) {
            return error_set(error, BUS_REFUSED, "a member can read %d topics at most", KAFKA_MEMBER_TOPICS);
        }
        (void)snprintf(member->topics[member->topic_count++], BUS_TOPIC_BYTES, "%s", *name);
        int result = kafka_find_topic(member->bus, *name, &topic, error);
        if (result != BUS_OK && result != BUS_AWAY) {
            return result;
        }
    }
    return BUS_OK;
}

int kafka_join(struct bus *base, const struct bus_member_settings *settings, struct bus_member **out,
               struct error *error)
{
    struct kafka_member *member = calloc(1, sizeof *member);
    if (member == NULL) {
        return error_set(error, BUS_FATAL, "no memory for a member");
    }
    member->base.driver = &bus_driver_kafka;
    member->bus = kafka_bus_of(base);
    member->has_group = settings->group != NULL;
    member->has_name = member->has_group && settings->member_id != NULL;
    member->batch_records = settings->batch_records;
    member->batch_bytes = settings->batch_bytes;
    member->session_timeout_ms =
        settings->session_timeout_ms == 0 ? DEFAULT_SESSION_MS : settings->session_timeout_ms;
    (void)snprintf(member->group, sizeof member->group, "%s", member->has_group ? settings->group : "");
    (void)snprintf(member->state_topic, sizeof member->state_topic, "%s",
                   settings->state_topic == NULL ? "" : settings->state_topic);
    if (settings->member_id != NULL) {
        (void)snprintf(member->member_id, sizeof member->member_id, "%s", settings->member_id);
    } else {
        (void)snprintf(member->member_id, sizeof member->member_id, "member-%016" PRIx64,
                       random_seed_from_system());
    }
    int result = name_topics(member, settings, error);
    if (result == BUS_OK) {
        result = kafka_member_open_consumer(member, error);
    }
    if (result != BUS_OK) {
        free_member(member);
        return result;
    }
    *out = &member->base;
    return BUS_OK;
}

int kafka_leave(struct bus_member *base, struct error *error)
{
    (void)error;
    struct kafka_member *member = kafka_member_of(base);
    kafka_member_drop_transaction(member, LEAVE_MS);
    free_member(member);
    return BUS_OK;
}

rd_kafka_topic_partition_list_t *kafka_member_list_started(const struct kafka_member *member)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)member->partition_count);
    for (size_t i = 0; i < member->partition_count; i++) {
        if (member->partitions[i].phase == KAFKA_STARTED) {
            rd_kafka_topic_partition_list_add(list, member->partitions[i].topic, member->partitions[i].number)
                ->offset = member->partitions[i].start;
        }
    }
    return list;
}

void kafka_wake(struct bus_member *base)
{
    atomic_store(&kafka_member_of(base)->woken, true);
}

void kafka_hold(struct bus_member *base, bool held)
{
    struct kafka_member *member = kafka_member_of(base);
    if (held == member->held) {
        return;
    }
    member->held = held;
    if (member->assigned_to_client) {
        rd_kafka_topic_partition_list_t *list = kafka_member_list_started(member);
        (void)(held ? rd_kafka_pause_partitions(member->consumer, list)
                    : rd_kafka_resume_partitions(member->consumer, list));
        rd_kafka_topic_partition_list_destroy(list);
    }
}

/* --- answers ---- */

/* Of all partitions that wait for their start, in one question: asking for each would cost two a partition.
 */
static int ask_bounds(struct kafka_member *member, struct error *error)
{
    rd_kafka_topic_partition_list_t *places = rd_kafka_topic_partition_list_new((int)member->partition_count);
    int64_t *bounds = calloc(member->partition_count * 2, sizeof *bounds);
    for (size_t i = 0; i < member->partition_count; i++) {
        rd_kafka_topic_partition_list_add(places, member->partitions[i].topic, member->partitions[i].number);
    }
    int result = bounds == NULL ? error_set(error, BUS_FATAL, "no memory for offsets")
                                : kafka_ask_bounds(member->bus, places, bounds, bounds + places->cnt, error);
    for (size_t i = 0; i < member->partition_count && result == BUS_OK && bounds != NULL; i++) {
        member->partitions[i].begin = bounds[i];
        member->partitions[i].end = bounds[member->partition_count + i];
    }
    rd_kafka_topic_partition_list_destroy(places);
    free(bounds);
    return result;
}

/* As of its assignment, but for who wants the very end, or starts again. */
static int find_bounds(struct kafka_member *member, const struct kafka_partition *partition, int64_t from,
                       int64_t *begin, int64_t *end, struct error *error)
{
    if (from == BUS_FROM_END || partition->phase == KAFKA_STARTED) {
        return kafka_read_offsets(&member->bus->base, partition->topic, partition->number, begin, end, error);
    }
    int result = partition->end < 0 ? ask_bounds(member, error) : BUS_OK;
    *begin = partition->begin;
    *end = partition->end;
    return result;
}

/* The offset that the client is to begin at. Where the brokers can't be asked, a logical one: it then finds
 * out by itself. */
static int resolve_start(struct kafka_member *member, const struct kafka_partition *partition, int64_t from,
                         int64_t *start, struct error *error)
{
    int64_t begin = 0;
    int64_t end = 0;
    bool anew = from == BUS_FROM_BEGINNING || (from == BUS_FROM_COMMITTED && partition->committed < 0);
    int result = find_bounds(member, partition, from, &begin, &end, error);
    if (result == BUS_AWAY) {
        *start = anew                         ? RD_KAFKA_OFFSET_BEGINNING
                 : from == BUS_FROM_COMMITTED ? partition->committed
                 : from == BUS_FROM_END       ? RD_KAFKA_OFFSET_END
                                              : from;
        return BUS_OK;
    }
    *start = anew                         ? begin
             : from == BUS_FROM_COMMITTED ? partition->committed
             : from == BUS_FROM_END       ? end
                                          : from;
    /* The committed offset may stand behind markers that a reader doesn't count. */
    if (result == BUS_OK && (*start < begin || (*start > end && from != BUS_FROM_COMMITTED))) {
        return error_set(error, BUS_REFUSED,
                         "topic %s partition %d has the offsets %" PRId64 " to %" PRId64 ", not %" PRId64
                         ": records that were not read yet are gone",
                         partition->topic, partition->number, begin, end, *start);
    }
    return result;
}

int kafka_start(struct bus_member *base, const char *topic, int32_t number, int64_t from, struct error *error)
{
    struct kafka_member *member = kafka_member_of(base);
    struct kafka_partition *partition = kafka_member_find(member, topic, number);
    if (member->reset || member->lost) {
        return error_set(error, BUS_RESET, "the partitions were lost");
    }
    if (partition == NULL || (partition->phase != KAFKA_WAITING && partition->phase != KAFKA_STARTED)) {
        return error_set(error, BUS_REFUSED, "topic %s partition %d does not wait for a start", topic,
                         number);
    }
    int result = resolve_start(member, partition, from, &partition->start, error);
    if (result != BUS_OK) {
        return result;
    }
    partition->phase = KAFKA_STARTED;
    partition->ended_at = -1;
    if (member->assigned_to_client) { /* again, from somewhere else */
        rd_kafka_topic_partition_list_t *seek = rd_kafka_topic_partition_list_new(1);
        rd_kafka_topic_partition_list_add(seek, topic, number)->offset = partition->start;
        rd_kafka_error_t *failure =
            rd_kafka_seek_partitions(member->consumer, seek, kafka_ask_ms(member->bus));
        rd_kafka_topic_partition_list_destroy(seek);
        if (failure != NULL) {
            result = kafka_result(member->bus, rd_kafka_error_code(failure), "seeking", error);
            rd_kafka_error_destroy(failure);
        }
    }
    return result;
}

void kafka_member_take_from_client(struct kafka_member *member)
{
    kafka_restore_end(member->restore);
    member->restore = NULL;
    (void)rd_kafka_assign(member->consumer, NULL);
    member->assigned_to_client = false;
}

int kafka_release(struct bus_member *base, struct error *error)
{
    struct kafka_member *member = kafka_member_of(base);
    if (member->reset || member->lost) {
        return error_set(error, BUS_RESET, "the partitions were lost");
    }
    kafka_member_drop_transaction(member, KAFKA_COMMIT_MS);
    kafka_member_take_from_client(member);
    member->partition_count = 0;
    member->revoking = false;
    return BUS_OK;
}
