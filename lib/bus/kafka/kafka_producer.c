/* Producing with acknowledgement: an idempotent producer with acks=all; delivery reports become acks on the
 * caller's own thread. The partition is chosen here and not by the client, so that both buses agree
 * (murmur2). */
#include "bus/kafka/kafka_bus.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_BYTES  61 /* the head of a batch, format 2 */
#define RECORD_BYTES 36 /* attributes and the longest numbers */
#define HEADER_BYTES 10

struct kafka_producer {
    struct bus_producer base; /* first */
    struct kafka_client opaque;
    struct kafka_bus *bus;
    rd_kafka_t *client;
    uint32_t round_robin;
    struct bus_ack *acks;
    size_t ack_count, ack_next, ack_capacity;
    size_t pending;
};

static struct kafka_producer *self(struct bus_producer *producer)
{
    return (struct kafka_producer *)(void *)producer;
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    struct kafka_client *owner = opaque;
    struct kafka_producer *producer =
        (struct kafka_producer *)(void *)((char *)owner - offsetof(struct kafka_producer, opaque));
    enum bus_status status = BUS_OK;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_note_connected(producer->bus);
    } else {
        status = message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
                         message->err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
                         message->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
                     ? BUS_REFUSED
                     : BUS_FATAL;
        bool is_purged = message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
                         message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
        if (!is_purged) { /* the caller gave these up, and knows how many */
            log_warn_with(producer->bus->log, "record not delivered",
                          log_text("why", rd_kafka_err2str(message->err)));
        }
    }
    producer->acks[producer->ack_count++] = (struct bus_ack){(uint64_t)(uintptr_t)message->_private, status};
}

static void set_delivery(rd_kafka_conf_t *conf)
{
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
}

int kafka_producer_create(struct bus *base, struct bus_producer **out, struct error *error)
{
    /* Records wait for a broker as long as it takes; the bounded queue pushes back meanwhile. */
    static const char *const settings[] = {
        "enable.idempotence", "true",  "message.timeout.ms",           "0",      "linger.ms", "5",
        "batch.num.messages", "10000", "queue.buffering.max.messages", "200000", NULL};
    struct kafka_producer *producer = calloc(1, sizeof *producer);
    if (producer == NULL) {
        return error_set(error, BUS_FATAL, "no memory for a producer");
    }
    producer->base.driver = &bus_driver_kafka;
    producer->bus = kafka_bus_of(base);
    producer->opaque.bus = producer->bus;
    int result = kafka_client_create(producer->bus, RD_KAFKA_PRODUCER, settings, set_delivery,
                                     &producer->opaque, &producer->client, error);
    if (result != BUS_OK) {
        free(producer);
        return result;
    }
    *out = &producer->base;
    return BUS_OK;
}

/* At most what the record takes in a batch of its own; the brokers judge the batch. Judging too mildly would
 * let a transaction fail for ever on the same record. */
static size_t size_in_batch(const struct bus_record *record)
{
    size_t size = BATCH_BYTES + RECORD_BYTES + record->key.size_bytes + record->value.size_bytes;
    for (size_t i = 0; i < record->header_count; i++) {
        size += HEADER_BYTES + strlen(record->headers[i].name) + record->headers[i].value.size_bytes;
    }
    return size;
}

int kafka_choose_partition(struct kafka_bus *bus, const struct bus_record *record, uint32_t *round_robin,
                           int32_t *partition, struct error *error)
{
    struct kafka_topic topic;
    int result = kafka_find_topic(bus, record->topic, &topic, error);
    if (result != BUS_OK) {
        return result;
    }
    if (record->partition >= topic.partitions) {
        return error_set(error, BUS_REFUSED, "topic %s has no partition %d", record->topic,
                         record->partition);
    }
    if ((int64_t)size_in_batch(record) > topic.max_message_bytes) {
        return error_set(error, BUS_REFUSED,
                         "a record of %zu bytes (as sent) is too large for topic %s (at most %lld)",
                         size_in_batch(record), record->topic, (long long)topic.max_message_bytes);
    }
    *partition = record->partition != BUS_PARTITION_BY_KEY ? record->partition
                 : record->key.data != NULL
                     ? bus_partition_for_key(record->key.data, record->key.size_bytes, topic.partitions)
                     : (int32_t)((*round_robin)++ % (uint32_t)topic.partitions);
    return BUS_OK;
}

static rd_kafka_headers_t *make_headers(const struct bus_record *record)
{
    if (record->header_count == 0) {
        return NULL;
    }
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count);
    for (size_t i = 0; i < record->header_count; i++) {
        const struct bus_header *header = &record->headers[i];
        (void)rd_kafka_header_add(headers, header->name, -1, header->value.data,
                                  (ssize_t)header->value.size_bytes);
    }
    return headers;
}

int kafka_enqueue(struct kafka_bus *bus, rd_kafka_t *client, const char *topic, int32_t partition,
                  const struct bus_record *record, void *opaque, struct error *error)
{
    rd_kafka_headers_t *headers = make_headers(record);
    rd_kafka_vu_t arguments[8] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)record->key.data, record->key.size_bytes}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {(void *)(uintptr_t)record->value.data, record->value.size_bytes}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = opaque},
    };
    size_t count = 6;
    if (headers != NULL) {
        arguments[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers};
    }
    rd_kafka_error_t *failure = rd_kafka_produceva(client, arguments, count);
    if (failure == NULL) {
        return BUS_OK;
    }
    if (headers != NULL) {
        rd_kafka_headers_destroy(headers);
    }
    rd_kafka_resp_err_t code = rd_kafka_error_code(failure);
    int result = code == RD_KAFKA_RESP_ERR__QUEUE_FULL
                     ? error_set(error, BUS_FULL, "the client's queue is full")
                     : kafka_result(bus, code, "a record was not taken", error);
    rd_kafka_error_destroy(failure);
    return result;
}

/* Room for the acknowledgement of each record taken, so that none can be lost for want of memory. */
static bool make_room_for_ack(struct kafka_producer *producer)
{
    size_t needed = producer->ack_next + producer->pending + 1;
    if (needed <= producer->ack_capacity) {
        return true;
    }
    size_t capacity = producer->ack_capacity == 0 ? 1024 : producer->ack_capacity * 2;
    struct bus_ack *acks = realloc(producer->acks, capacity * sizeof *acks);
    if (acks == NULL) {
        return false;
    }
    producer->acks = acks;
    producer->ack_capacity = capacity;
    return true;
}

int kafka_produce(struct bus_producer *base, const struct bus_record *record, uint64_t tag,
                  struct error *error)
{
    struct kafka_producer *producer = self(base);
    int32_t partition = 0;
    int result = kafka_choose_partition(producer->bus, record, &producer->round_robin, &partition, error);
    if (result == BUS_AWAY) {
        return error_set(error, BUS_FULL, "the topic %s is not known while Kafka is away", record->topic);
    }
    if (result == BUS_OK && !make_room_for_ack(producer)) {
        return error_set(error, BUS_FULL, "no memory for an acknowledgement");
    }
    if (result == BUS_OK) {
        result = kafka_enqueue(producer->bus, producer->client, record->topic, partition, record,
                               (void *)(uintptr_t)tag, error);
    }
    producer->pending += result == BUS_OK;
    return result;
}

size_t kafka_producer_poll(struct bus_producer *base, int timeout_ms, struct bus_ack *acks, size_t limit)
{
    struct kafka_producer *producer = self(base);
    if (producer->ack_next == producer->ack_count) {
        producer->ack_next = 0;
        producer->ack_count = 0;
        (void)rd_kafka_poll(producer->client, timeout_ms);
    }
    size_t count = producer->ack_count - producer->ack_next;
    count = count < limit ? count : limit;
    if (count > 0) {
        memcpy(acks, producer->acks + producer->ack_next, count * sizeof *acks);
    }
    producer->ack_next += count;
    producer->pending -= count;
    return count;
}

size_t kafka_producer_pending(const struct bus_producer *producer)
{
    return ((const struct kafka_producer *)(const void *)producer)->pending;
}

void kafka_producer_destroy(struct bus_producer *base)
{
    struct kafka_producer *producer = self(base);
    (void)rd_kafka_purge(producer->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    (void)rd_kafka_poll(producer->client, 0);
    rd_kafka_destroy(producer->client);
    free(producer->acks);
    free(producer);
}
