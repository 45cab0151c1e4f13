#include "bus/kafka/kafka_bus.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_away(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
        return true;
    default:
        return false;
    }
}

int kafka_result(struct kafka_bus *bus, rd_kafka_resp_err_t code, const char *what, struct error *error)
{
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_note_connected(bus);
        return BUS_OK;
    }
    int result = BUS_FATAL;
    if (is_away(code)) {
        result = BUS_AWAY;
        if (code != RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT) { /* a broker said that */
            (void)rd_kafka_poll(bus->asker, 0); /* a better reason than "time-out" may be waiting */
            kafka_note_away(bus, rd_kafka_err2str(code));
        }
    } else if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
               code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
               code == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
        result = BUS_REFUSED;
    }
    return error_set(error, result, "%s: %s", what, rd_kafka_err2str(code));
}

/* --- what is known of topics ---- */

static struct kafka_topic *known_topic(struct kafka_bus *bus, const char *name)
{
    for (size_t i = 0; i < bus->topic_count; i++) {
        if (strcmp(bus->topics[i].name, name) == 0) {
            return &bus->topics[i];
        }
    }
    return NULL;
}

static void remember_topic(struct kafka_bus *bus, const struct kafka_topic *topic)
{
    (void)pthread_mutex_lock(&bus->lock);
    struct kafka_topic *known = known_topic(bus, topic->name);
    if (known == NULL) {
        struct kafka_topic *topics = realloc(bus->topics, (bus->topic_count + 1) * sizeof *topics);
        if (topics != NULL) {
            bus->topics = topics;
            known = &topics[bus->topic_count++];
        }
    }
    if (known != NULL) {
        *known = *topic;
    }
    (void)pthread_mutex_unlock(&bus->lock);
}

/* Partitions by the brokers; 0: there is no such topic. */
static int ask_partitions(struct kafka_bus *bus, const char *name, int32_t *partitions, struct error *error)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(bus->asker, name, NULL);
    if (handle == NULL) {
        return error_set(error, BUS_REFUSED, "topic %s: %s", name, rd_kafka_err2str(rd_kafka_last_error()));
    }
    rd_kafka_resp_err_t code = rd_kafka_metadata(bus->asker, 0, handle, &metadata, KAFKA_ASK_MS);
    rd_kafka_topic_destroy(handle);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_result(bus, code, "asking for a topic", error);
    }
    kafka_note_connected(bus);
    *partitions = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    return BUS_OK;
}

/* The same without naming it: a topic that isn't there yet must not be named, or clients and brokers
 * remember that it isn't there (or make it). */
static int list_partitions_of(struct kafka_bus *bus, const char *name, int32_t *partitions,
                              struct error *error)
{
    const struct rd_kafka_metadata *metadata = NULL;
    int result = kafka_result(bus, rd_kafka_metadata(bus->asker, 1, NULL, &metadata, KAFKA_ASK_MS),
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

int kafka_find_topic(struct kafka_bus *bus, const char *name, struct kafka_topic *topic, struct error *error)
{
    (void)pthread_mutex_lock(&bus->lock);
    const struct kafka_topic *known = known_topic(bus, name);
    if (known != NULL) {
        *topic = *known;
    }
    (void)pthread_mutex_unlock(&bus->lock);
    if (known != NULL) {
        return BUS_OK;
    }
    *topic = (struct kafka_topic){.max_message_bytes = 2 * BUS_DEFAULT_MESSAGE_BYTES};
    (void)snprintf(topic->name, sizeof topic->name, "%s", name);
    int result = ask_partitions(bus, name, &topic->partitions, error);
    if (result != BUS_OK) {
        return result;
    }
    if (topic->partitions == 0) {
        return error_set(error, BUS_REFUSED, "there is no topic '%s' on kafka://%s", name, bus->brokers);
    }
    remember_topic(bus, topic);
    return BUS_OK;
}

int kafka_partition_count(struct bus *base, const char *name, int32_t *count, struct error *error)
{
    struct kafka_topic topic;
    int result = kafka_find_topic(kafka_bus_of(base), name, &topic, error);
    *count = result == BUS_OK ? topic.partitions : 0;
    return result;
}

int kafka_read_offsets(struct bus *base, const char *name, int32_t partition, int64_t *begin, int64_t *end,
                       struct error *error)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    struct kafka_topic topic;
    int result = kafka_find_topic(bus, name, &topic, error);
    if (result != BUS_OK) {
        return result;
    }
    if (partition < 0 || partition >= topic.partitions) {
        return error_set(error, BUS_REFUSED, "topic %s has no partition %d", name, partition);
    }
    /* The client's isolation level is read_committed: the end is the last stable offset. */
    return kafka_result(
        bus, rd_kafka_query_watermark_offsets(bus->asker, name, partition, begin, end, KAFKA_ASK_MS),
        "asking for offsets", error);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct bus_topic_info *)a)->name, ((const struct bus_topic_info *)b)->name);
}

int kafka_list_topics(struct bus *base, struct bus_topic_info *topics, size_t limit, size_t *count,
                      struct error *error)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    const struct rd_kafka_metadata *metadata = NULL;
    *count = 0;
    int result = kafka_result(bus, rd_kafka_metadata(bus->asker, 1, NULL, &metadata, KAFKA_ASK_MS),
                              "listing topics", error);
    if (result != BUS_OK) {
        return result;
    }
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const char *name = metadata->topics[i].topic;
        if (strncmp(name, "__", 2) == 0) {
            continue;
        }
        if (*count < limit) {
            (void)snprintf(topics[*count].name, sizeof topics[*count].name, "%s", name);
            topics[*count].partitions = metadata->topics[i].partition_cnt;
        }
        ++*count;
    }
    rd_kafka_metadata_destroy(metadata);
    qsort(topics, *count < limit ? *count : limit, sizeof *topics, compare_names);
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

static rd_kafka_NewTopic_t *describe_new(const struct bus_topic *wanted)
{
    char reason[256];
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(wanted->name, wanted->partitions, -1, reason, sizeof reason);
    if (topic != NULL) {
        (void)rd_kafka_NewTopic_set_config(topic, "message.timestamp.type", "LogAppendTime");
        (void)rd_kafka_NewTopic_set_config(topic, "cleanup.policy", wanted->compacted ? "compact" : "delete");
        set_number(topic, "max.message.bytes", max_bytes_of(wanted));
        if (!wanted->compacted) {
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
static rd_kafka_event_t *wait_for(rd_kafka_queue_t *queue)
{
    return rd_kafka_queue_poll(queue, KAFKA_ASK_MS + 1000);
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
    (void)rd_kafka_AdminOptions_set_request_timeout(options, KAFKA_ASK_MS, reason, sizeof reason);
    rd_kafka_CreateTopics(bus->asker, &topic, 1, options, queue);
    rd_kafka_event_t *event = wait_for(queue);
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
    int result = count == 1
                     ? kafka_result(bus, rd_kafka_ConfigResource_error(resources[0]), wanted->name, error)
                     : error_set(error, BUS_AWAY, "checking topic %s: no answer", wanted->name);
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
    rd_kafka_event_t *event = wait_for(queue);
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
        remember_topic(bus, &topic);
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
