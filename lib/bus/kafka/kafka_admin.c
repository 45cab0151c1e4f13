#include "bus/kafka/kafka_bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int kafka_ask_ms(const struct kafka_bus *bus)
{
    return atomic_load(&bus->connected) ? KAFKA_ASK_MS : KAFKA_ASK_AWAY_MS;
}

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
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
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
    } else if (code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION) {
        result = BUS_AWAY; /* its number was checked before: the client only hasn't heard of it yet */
    } else if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
               code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
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

void kafka_remember_topic(struct kafka_bus *bus, const struct kafka_topic *topic)
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
    rd_kafka_resp_err_t code = rd_kafka_metadata(bus->asker, 0, handle, &metadata, kafka_ask_ms(bus));
    rd_kafka_topic_destroy(handle);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_result(bus, code, "asking for a topic", error);
    }
    kafka_note_connected(bus);
    code = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    *partitions = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    /* A topic just made has no leader for a moment: that is no absence. */
    return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
               ? BUS_OK
               : kafka_result(bus, code, "asking for a topic", error);
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
    kafka_remember_topic(bus, topic);
    return BUS_OK;
}

int kafka_partition_count(struct bus *base, const char *name, int32_t *count, struct error *error)
{
    struct kafka_topic topic;
    int result = kafka_find_topic(kafka_bus_of(base), name, &topic, error);
    *count = result == BUS_OK ? topic.partitions : 0;
    return result;
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
    int result = kafka_result(bus, rd_kafka_metadata(bus->asker, 1, NULL, &metadata, kafka_ask_ms(bus)),
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
