/* Where topics begin and end. Asked with rd_kafka_offsets_for_times, all partitions at once:
 * rd_kafka_query_watermark_offsets of librdkafka 2.0.2 never comes back while the leader that the client
 * knows of is dead, whatever its time-out says (it sends the same question to the same broker again and
 * again, and nothing tells the client that another one leads by now). */
#include "bus/kafka/kafka_bus.h"

#include <time.h>

#define NEW_TOPIC_TRIES   10
#define NEW_TOPIC_WAIT_MS 200
#define LOOK_MS           1000

/* A topic that was just made is known to the controller a moment before its leader knows of it; a new leader
 * doesn't know its end at once. */
static bool is_not_led_yet(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
           code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
           code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
           code == RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE;
}

/* Who leads by now? The client would find out by itself, at its next regular look. */
static void look_for_leaders(rd_kafka_t *client)
{
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(client, 1, NULL, &metadata, LOOK_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(metadata);
    }
}

static rd_kafka_resp_err_t ask_once(rd_kafka_t *client, rd_kafka_topic_partition_list_t *places,
                                    int64_t which, int timeout_ms)
{
    for (int i = 0; i < places->cnt; i++) {
        places->elems[i].offset = which;
        places->elems[i].err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client, places, timeout_ms);
    for (int i = 0; i < places->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        code = places->elems[i].err;
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR && places->elems[i].offset < 0) {
            code = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE; /* nobody was there to be asked */
        }
    }
    return code == RD_KAFKA_RESP_ERR__NOENT ? RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE : code;
}

int kafka_ask_offsets(struct kafka_bus *bus, rd_kafka_t *client, rd_kafka_topic_partition_list_t *places,
                      int64_t which, struct error *error)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; i < NEW_TOPIC_TRIES && places->cnt > 0; i++) {
        code = ask_once(client, places, which, kafka_ask_ms(bus));
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            look_for_leaders(client);
        }
        if (!is_not_led_yet(code)) {
            break;
        }
        const struct timespec pause = {.tv_nsec = NEW_TOPIC_WAIT_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
    }
    return kafka_result(bus, code, "asking for offsets", error);
}

int kafka_ask_bounds(struct kafka_bus *bus, rd_kafka_topic_partition_list_t *places, int64_t *begins,
                     int64_t *ends, struct error *error)
{
    int result = kafka_ask_offsets(bus, bus->asker, places, RD_KAFKA_OFFSET_BEGINNING, error);
    for (int i = 0; i < places->cnt && result == BUS_OK; i++) {
        begins[i] = places->elems[i].offset;
    }
    if (result == BUS_OK) { /* the asker's isolation level is read_committed: the last stable offset */
        result = kafka_ask_offsets(bus, bus->asker, places, RD_KAFKA_OFFSET_END, error);
    }
    for (int i = 0; i < places->cnt && result == BUS_OK; i++) {
        ends[i] = places->elems[i].offset;
    }
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
    rd_kafka_topic_partition_list_t *place = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(place, name, partition);
    result = kafka_ask_bounds(bus, place, begin, end, error);
    rd_kafka_topic_partition_list_destroy(place);
    return result;
}
