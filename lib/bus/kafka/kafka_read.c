#include "bus/kafka/kafka_member.h"

#include <stdlib.h>
#include <string.h>

void kafka_member_free_messages(struct kafka_member *member)
{
    for (size_t i = 0; i < member->message_count; i++) {
        rd_kafka_message_destroy(member->messages[i]);
    }
    member->message_count = 0;
    member->record_count = 0;
    member->header_count = 0;
}

static bool make_room(struct kafka_member *member)
{
    if (member->messages != NULL) {
        return true;
    }
    member->messages = calloc(member->batch_records, sizeof(rd_kafka_message_t *));
    member->records = calloc(member->batch_records, sizeof *member->records);
    return member->messages != NULL && member->records != NULL;
}

/* Headers of all messages, counted first: records point into the array. */
static bool make_room_for_headers(struct kafka_member *member)
{
    size_t count = 0;
    for (size_t i = 0; i < member->message_count; i++) {
        rd_kafka_headers_t *headers = NULL;
        if (rd_kafka_message_headers(member->messages[i], &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            count += rd_kafka_header_cnt(headers);
        }
    }
    if (count > member->header_capacity) {
        struct bus_header *grown = realloc(member->headers, count * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        member->headers = grown;
        member->header_capacity = count;
    }
    return true;
}

static void read_headers(struct kafka_member *member, const rd_kafka_message_t *message,
                         struct bus_record *record)
{
    rd_kafka_headers_t *headers = NULL;
    record->headers = member->headers + member->header_count;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    const char *name = NULL;
    const void *value = NULL;
    size_t size = 0;
    while (rd_kafka_header_get_all(headers, record->header_count, &name, &value, &size) ==
           RD_KAFKA_RESP_ERR_NO_ERROR) {
        member->headers[member->header_count++] = (struct bus_header){name, {value, size}};
        record->header_count++;
    }
}

static void read_message(struct kafka_member *member, const rd_kafka_message_t *message)
{
    struct kafka_partition *partition =
        kafka_member_find(member, rd_kafka_topic_name(message->rkt), message->partition);
    if (partition == NULL) {
        return; /* fetched before it was given up */
    }
    if (message->offset >= partition->ended_at) {
        partition->ended_at = -1; /* it goes on: an end noted before isn't one any more */
    }
    struct bus_record *record = &member->records[member->record_count++];
    *record = (struct bus_record){.topic = partition->topic,
                                  .partition = message->partition,
                                  .offset = message->offset,
                                  .appended_ms = rd_kafka_message_timestamp(message, NULL),
                                  .key = {message->key, message->key_len},
                                  .value = {message->payload, message->len},
                                  .replayed = message->offset < partition->committed};
    read_headers(member, message, record);
}

/* An error in a message's clothes. */
int kafka_member_take_event(struct kafka_member *member, const rd_kafka_message_t *message,
                            struct error *error)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        struct kafka_partition *partition =
            kafka_member_find(member, rd_kafka_topic_name(message->rkt), message->partition);
        if (partition != NULL) {
            partition->ended_at = message->offset;
        }
        kafka_note_connected(member->bus);
        return BUS_OK;
    }
    if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
        message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
        return error_set(
            error, BUS_FATAL,
            "topic %s partition %d: records that were not read yet are gone (%s); decide where to go on: "
            "kafka-consumer-"
            "groups.sh --bootstrap-server %s --group %s --topic %s --reset-offsets --to-earliest --execute",
            rd_kafka_topic_name(message->rkt), message->partition, rd_kafka_message_errstr(message),
            member->bus->brokers, member->group, rd_kafka_topic_name(message->rkt));
    }
    if (message->err == RD_KAFKA_RESP_ERR__FATAL || message->err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
        member->reset = true; /* another one with the same name: begin anew */
        log_warn_with(member->bus->log, "the group has put this member out",
                      log_text("why", rd_kafka_err2str(message->err)));
        return BUS_OK;
    }
    if (message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
        message->err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
        message->err == RD_KAFKA_RESP_ERR__AUTHENTICATION) {
        return error_set(error, BUS_FATAL, "Kafka refuses: %s", rd_kafka_err2str(message->err));
    }
    log_debug_with(member->bus->log, "consumer", log_text("event", rd_kafka_err2str(message->err)));
    return BUS_OK;
}

static bool ends_turn(struct kafka_member *member, struct bus_turn *turn)
{
    *turn = (struct bus_turn){.kind = BUS_END, .partitions = member->turn_partitions};
    for (size_t i = 0; i < member->partition_count; i++) {
        struct kafka_partition *partition = &member->partitions[i];
        if (partition->ended_at >= 0) {
            member->turn_partitions[turn->partition_count++] =
                (struct bus_partition){.topic = partition->topic,
                                       .partition = partition->number,
                                       .committed = partition->committed,
                                       .position = partition->ended_at,
                                       .note = partition->note};
            partition->ended_at = -1;
        }
    }
    return turn->partition_count > 0;
}

int kafka_member_read(struct kafka_member *member, int timeout_ms, struct bus_turn *turn, bool *any,
                      struct error *error)
{
    size_t bytes = 0;
    int result = make_room(member) ? BUS_OK : error_set(error, BUS_FATAL, "no memory for records");
    *any = result == BUS_OK && ends_turn(member, turn);
    while (result == BUS_OK && !*any && member->message_count < member->batch_records &&
           bytes < member->batch_bytes) {
        rd_kafka_message_t *message =
            rd_kafka_consumer_poll(member->consumer, member->message_count == 0 ? timeout_ms : 0);
        if (message == NULL || member->revoking || member->lost || member->reset) {
            if (message != NULL) {
                rd_kafka_message_destroy(message);
            }
            break;
        }
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            member->messages[member->message_count++] = message;
            bytes += message->len + message->key_len;
        } else {
            result = kafka_member_take_event(member, message, error);
            rd_kafka_message_destroy(message);
            timeout_ms = 0; /* an end: look for more, but don't wait for it */
        }
    }
    if (result != BUS_OK || *any) {
        return result;
    }
    if (!make_room_for_headers(member)) {
        return error_set(error, BUS_FATAL, "no memory for headers");
    }
    for (size_t i = 0; i < member->message_count; i++) {
        read_message(member, member->messages[i]);
    }
    *any = member->record_count > 0;
    if (*any) {
        *turn = (struct bus_turn){
            .kind = BUS_RECORDS, .records = member->records, .record_count = member->record_count};
    } else {
        *any = !member->revoking && !member->lost && ends_turn(member, turn);
    }
    return BUS_OK;
}
