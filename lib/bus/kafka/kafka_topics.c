/* Topics are made with exactly the settings that programs rely on, and checked at each start: one that
 * differs is refused with the command that repairs it. */
#include "bus/kafka/kafka_bus.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COMPACTED_SEGMENT_BYTES 4194304
#define COMPACTED_SEGMENT_MS    600000

/* Partitions by the brokers without naming the topic; 0: there is none. One that isn't there yet must not be
 * named, or clients and brokers remember that it isn't there (or make it). */
static int list_partitions_of(struct kafka_bus *bus, const char *name, int32_t *partitions,
                              struct error *error)
{
    const struct rd_kafka_metadata *metadata = NULL;
    int result = kafka_result(bus, rd_kafka_metadata(bus->asker, 1, NULL, &metadata, kafka_ask_ms(bus)),
                              "listing topics", error);
    *partitions = 0;
    if (result != BUS_OK) {
        return result;
    }
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (strcmp(metadata->topics[i].topic, name) == 0) {
            *partitions = metadata->topics[i].partition_cnt;
        }
    }
    rd_kafka_metadata_destroy(metadata);
    return BUS_OK;
}

/* --- creating ---- */

static int64_t max_bytes_of(const struct bus_topic *topic)
{
    return topic->max_message_bytes == 0 ? BUS_DEFAULT_MESSAGE_BYTES : topic->max_message_bytes;
}

static void set_number(rd_kafka_NewTopic_t *topic, const char *name, int64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, value);
    (void)rd_kafka_NewTopic_set_config(topic, name, text);
}

/* A compacted topic is read whole at each start, so it should be little more than what is alive in it: the
 * segment that is written is never compacted, hence small ones; and old versions go soon. */
static void set_compaction(rd_kafka_NewTopic_t *topic)
{
    set_number(topic, "segment.bytes", COMPACTED_SEGMENT_BYTES);
    set_number(topic, "segment.ms", COMPACTED_SEGMENT_MS);
    set_number(topic, "max.compaction.lag.ms", COMPACTED_SEGMENT_MS);
    (void)rd_kafka_NewTopic_set_config(topic, "min.cleanable.dirty.ratio", "0.2");
}

static rd_kafka_NewTopic_t *describe_new(const struct bus_topic *wanted)
{
    char reason[256];
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(wanted->name, wanted->partitions, -1, reason, sizeof reason);
    if (topic != NULL) {
        (void)rd_kafka_NewTopic_set_config(topic, "message.timestamp.type", "LogAppendTime");
        (void)rd_kafka_NewTopic_set_config(topic, "cleanup.policy", wanted->compacted ? "compact" : "delete");
        set_number(topic, "max.message.bytes", max_bytes_of(wanted));
        if (wanted->compacted) {
            set_compaction(topic);
        } else {
            set_number(topic, "retention.ms", wanted->retention_ms == 0 ? -1 : wanted->retention_ms);
            set_number(topic, "retention.bytes", wanted->retention_bytes == 0 ? -1 : wanted->retention_bytes);
        }
    }
    return topic;
}

static int read_creation(struct kafka_bus *bus, rd_kafka_event_t *event, const struct bus_topic *wanted,
                         struct error *error)
{
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_result(bus, rd_kafka_event_error(event), "creating a topic", error);
    }
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    rd_kafka_resp_err_t code =
        count == 1 ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR_UNKNOWN;
    if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
        return BUS_OK;
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_info_with(bus->log, "topic created", log_text("topic", wanted->name),
                      log_integer("partitions", wanted->partitions));
    }
    return kafka_result(bus, code, wanted->name, error);
}

/* Asks the brokers one thing and waits for the answer's event; NULL: none came. */
static rd_kafka_event_t *wait_for(const struct kafka_bus *bus, rd_kafka_queue_t *queue)
{
    return rd_kafka_queue_poll(queue, kafka_ask_ms(bus) + 1000);
}

static int create_topic(struct kafka_bus *bus, const struct bus_topic *wanted, struct error *error)
{
    rd_kafka_NewTopic_t *topic = describe_new(wanted);
    if (topic == NULL) {
        return error_set(error, BUS_REFUSED, "topic %s cannot be made", wanted->name);
    }
    char reason[128];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(bus->asker);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(bus->asker, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, kafka_ask_ms(bus), reason, sizeof reason);
    rd_kafka_CreateTopics(bus->asker, &topic, 1, options, queue);
    rd_kafka_event_t *event = wait_for(bus, queue);
    int result = event == NULL ? error_set(error, BUS_AWAY, "creating topic %s: no answer", wanted->name)
                               : read_creation(bus, event, wanted, error);
    if (event != NULL) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(topic);
    rd_kafka_queue_destroy(queue);
    return result;
}

/* --- checking ---- */

static int refuse_setting(const struct kafka_bus *bus, const struct bus_topic *wanted, const char *name,
                          const char *is, const char *should_be, struct error *error)
{
    return error_set(error, BUS_REFUSED,
                     "topic %s has %s=%s instead of %s; repair it with: kafka-configs.sh --bootstrap-server "
                     "%s --alter --entity-type "
                     "topics --entity-name %s --add-config %s=%s",
                     wanted->name, name, is, should_be, bus->brokers, wanted->name, name, should_be);
}

static int check_entry(const struct kafka_bus *bus, const struct bus_topic *wanted, const char *name,
                       const char *value, struct error *error)
{
    char bytes[24];
    (void)snprintf(bytes, sizeof bytes, "%" PRId64, max_bytes_of(wanted));
    if (strcmp(name, "message.timestamp.type") == 0 && strcmp(value, "LogAppendTime") != 0) {
        return refuse_setting(bus, wanted, name, value, "LogAppendTime", error);
    }
    const char *policy = wanted->compacted ? "compact" : "delete";
    if (strcmp(name, "cleanup.policy") == 0 && strcmp(value, policy) != 0) {
        return refuse_setting(bus, wanted, name, value, policy, error);
    }
    if (strcmp(name, "max.message.bytes") == 0 && strcmp(value, bytes) != 0) {
        return refuse_setting(bus, wanted, name, value, bytes, error);
    }
    return BUS_OK;
}

static int check_answer(struct kafka_bus *bus, rd_kafka_event_t *event, const struct bus_topic *wanted,
                        struct error *error)
{
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_result(bus, rd_kafka_event_error(event), "checking a topic", error);
    }
    size_t count = 0;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);
    rd_kafka_resp_err_t code =
        count == 1 ? rd_kafka_ConfigResource_error(resources[0]) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) { /* it is there: another broker has said so */
        return error_set(error, BUS_AWAY, "topic %s is not known to all brokers yet", wanted->name);
    }
    int result = kafka_result(bus, code, wanted->name, error);
    size_t entries_count = 0;
    const rd_kafka_ConfigEntry_t **entries =
        result == BUS_OK ? rd_kafka_ConfigResource_configs(resources[0], &entries_count) : NULL;
    for (size_t i = 0; i < entries_count && result == BUS_OK; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        result = check_entry(bus, wanted, rd_kafka_ConfigEntry_name(entries[i]), value == NULL ? "" : value,
                             error);
    }
    return result;
}

static int check_settings(struct kafka_bus *bus, const struct bus_topic *wanted, struct error *error)
{
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, wanted->name);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(bus->asker);
    rd_kafka_DescribeConfigs(bus->asker, &resource, 1, NULL, queue);
    rd_kafka_event_t *event = wait_for(bus, queue);
    int result = event == NULL ? error_set(error, BUS_AWAY, "checking topic %s: no answer", wanted->name)
                               : check_answer(bus, event, wanted, error);
    if (event != NULL) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_queue_destroy(queue);
    return result;
}

static int check_topic(struct kafka_bus *bus, const struct bus_topic *wanted, int32_t partitions,
                       struct error *error)
{
    if (partitions != wanted->partitions) {
        return error_set(
            error, BUS_REFUSED,
            "topic %s has %d partitions instead of %d; keys would move: make it anew with: kafka-topics.sh "
            "--bootstrap-server %s --delete --topic %s",
            wanted->name, partitions, wanted->partitions, bus->brokers, wanted->name);
    }
    return check_settings(bus, wanted, error);
}

static int create_or_check(struct kafka_bus *bus, const struct bus_topic *wanted, struct error *error)
{
    int32_t partitions = 0;
    int result = list_partitions_of(bus, wanted->name, &partitions, error);
    if (result == BUS_OK && partitions > 0) {
        result = check_topic(bus, wanted, partitions, error);
    } else if (result == BUS_OK) {
        result = create_topic(bus, wanted, error);
        /* Not all brokers know a new topic at once. */
        for (int tries = 0; tries < 50 && result == BUS_OK && partitions == 0; tries++) {
            result = list_partitions_of(bus, wanted->name, &partitions, error);
            if (result == BUS_OK && partitions == 0) {
                struct timespec pause = {.tv_nsec = 100000000L};
                (void)nanosleep(&pause, NULL);
            }
        }
        if (result == BUS_OK) {
            result = partitions == 0 ? error_set(error, BUS_AWAY, "topic %s is not there yet", wanted->name)
                                     : check_topic(bus, wanted, partitions, error);
        }
    }
    if (result == BUS_OK) {
        struct kafka_topic topic = {.partitions = partitions, .max_message_bytes = max_bytes_of(wanted)};
        (void)snprintf(topic.name, sizeof topic.name, "%s", wanted->name);
        kafka_remember_topic(bus, &topic);
    }
    return result;
}

int kafka_create_topics(struct bus *base, const struct bus_topic *topics, size_t count, struct error *error)
{
    int result = BUS_OK;
    for (size_t i = 0; i < count && result == BUS_OK; i++) {
        result = create_or_check(kafka_bus_of(base), &topics[i], error);
    }
    return result;
}
