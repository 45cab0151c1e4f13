/* Lag as the brokers see it: committed offsets of each group against the last stable end, and the append time
 * of the record at the committed offset, read by a client that belongs to no group. */
#include "bus/kafka/kafka_bus.h"

#include "clock/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_MS 1500 /* for all records whose age is read */

/* When this process first saw the group at this offset. */
static int64_t note_commit(struct kafka_bus *bus, const struct bus_lag *row)
{
    int64_t now_ms = clock_wall_ms(bus->clock);
    struct kafka_commit_seen *seen = NULL;
    (void)pthread_mutex_lock(&bus->lock);
    for (size_t i = 0; i < bus->seen_count && seen == NULL; i++) {
        struct kafka_commit_seen *known = &bus->seen[i];
        if (known->partition == row->partition && strcmp(known->group, row->group) == 0 &&
            strcmp(known->topic, row->topic) == 0) {
            seen = known;
        }
    }
    if (seen == NULL) {
        struct kafka_commit_seen *grown = realloc(bus->seen, (bus->seen_count + 1) * sizeof *grown);
        if (grown != NULL) {
            bus->seen = grown;
            seen = &grown[bus->seen_count++];
            *seen = (struct kafka_commit_seen){.partition = row->partition, .committed = INT64_MIN};
            (void)snprintf(seen->group, sizeof seen->group, "%s", row->group);
            (void)snprintf(seen->topic, sizeof seen->topic, "%s", row->topic);
        }
    }
    if (seen != NULL && seen->committed != row->committed) {
        seen->committed = row->committed;
        seen->seen_ms = now_ms;
    }
    int64_t seen_ms = seen == NULL ? 0 : seen->seen_ms;
    (void)pthread_mutex_unlock(&bus->lock);
    return seen_ms;
}

/* --- ages ---- */

static struct bus_lag *row_of(struct bus_lag *rows, size_t count, const rd_kafka_message_t *message)
{
    const char *topic = rd_kafka_topic_name(message->rkt);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].lag > 0 && rows[i].lag_ms < 0 && rows[i].partition == message->partition &&
            strcmp(rows[i].topic, topic) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

static void sample_ages(struct kafka_bus *bus, rd_kafka_t *reader, struct bus_lag *rows, size_t count,
                        size_t wanted)
{
    int64_t deadline_ms = clock_steady_ms(clock_system()) + SAMPLE_MS;
    while (wanted > 0 && clock_steady_ms(clock_system()) < deadline_ms) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, 100);
        struct bus_lag *row = message == NULL || message->err != RD_KAFKA_RESP_ERR_NO_ERROR
                                  ? NULL
                                  : row_of(rows, count, message);
        if (row != NULL) {
            int64_t age_ms = clock_wall_ms(bus->clock) - rd_kafka_message_timestamp(message, NULL);
            row->lag_ms = age_ms > 0 ? age_ms : 0;
            wanted--;
        }
        if (message != NULL) {
            rd_kafka_message_destroy(message);
        }
    }
}

/* Rows of one group; those with lag get the age of the record they stand at. */
static void read_ages(struct kafka_bus *bus, struct bus_lag *rows, size_t count)
{
    static const char *const settings[] = {"group.id",
                                           "obs-lag",
                                           "enable.auto.commit",
                                           "false",
                                           "auto.offset.reset",
                                           "earliest",
                                           "queued.min.messages",
                                           "1",
                                           "fetch.message.max.bytes", /* one batch a partition is enough */
                                           "1024",
                                           NULL};
    rd_kafka_topic_partition_list_t *places = rd_kafka_topic_partition_list_new((int)count);
    rd_kafka_t *reader = NULL;
    struct kafka_client opaque = {bus};
    for (size_t i = 0; i < count; i++) {
        if (rows[i].lag > 0) {
            rows[i].lag_ms = -1;
            rd_kafka_topic_partition_list_add(places, rows[i].topic, rows[i].partition)->offset =
                rows[i].committed < 0 ? RD_KAFKA_OFFSET_BEGINNING : rows[i].committed;
        }
    }
    if (places->cnt > 0 &&
        kafka_client_create(bus, RD_KAFKA_CONSUMER, settings, NULL, &opaque, &reader, NULL) == BUS_OK) {
        (void)rd_kafka_poll_set_consumer(reader);
        (void)rd_kafka_assign(reader, places);
        sample_ages(bus, reader, rows, count, (size_t)places->cnt);
        (void)rd_kafka_assign(reader, NULL);
        rd_kafka_destroy(reader);
    }
    for (size_t i = 0; i < count; i++) {
        rows[i].lag_ms = rows[i].lag_ms < 0 ? 0 : rows[i].lag_ms;
    }
    rd_kafka_topic_partition_list_destroy(places);
}

/* --- rows ---- */

static void fill_row(struct kafka_bus *bus, const char *group, const rd_kafka_topic_partition_t *place,
                     int64_t begin, int64_t end, struct bus_lag *row)
{
    *row = (struct bus_lag){
        .partition = place->partition, .committed = place->offset < 0 ? -1 : place->offset, .end = end};
    (void)snprintf(row->group, sizeof row->group, "%s", group);
    (void)snprintf(row->topic, sizeof row->topic, "%s", place->topic);
    int64_t from = row->committed > begin ? row->committed : begin;
    row->lag = end > from ? end - from : 0;
    row->last_commit_ms = row->committed < 0 ? 0 : note_commit(bus, row);
}

/* Positions first, ends then: a lag is never negative, and a group that keeps up lags by what came between.
 */
static int read_group(struct kafka_bus *bus, const char *group, const rd_kafka_topic_partition_list_t *all,
                      struct bus_lag *rows, size_t limit, size_t *count, struct error *error)
{
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_copy(all);
    rd_kafka_topic_partition_list_t *places = rd_kafka_topic_partition_list_copy(all);
    int64_t *bounds = calloc((size_t)all->cnt * 2, sizeof *bounds);
    size_t first = *count;
    for (int i = 0; i < offsets->cnt; i++) {
        offsets->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
    }
    int result = bounds == NULL ? error_set(error, BUS_FATAL, "no memory for offsets")
                                : kafka_ask_committed(bus, group, offsets, error);
    if (result == BUS_OK) {
        result = kafka_ask_bounds(bus, places, bounds, bounds + all->cnt, error);
    }
    for (int i = 0; i < offsets->cnt && result == BUS_OK && bounds != NULL; i++) {
        if (*count < limit) {
            fill_row(bus, group, &offsets->elems[i], bounds[i], bounds[all->cnt + i], &rows[*count]);
        }
        ++*count;
    }
    rd_kafka_topic_partition_list_destroy(offsets);
    rd_kafka_topic_partition_list_destroy(places);
    free(bounds);
    if (result == BUS_OK && first < limit) {
        read_ages(bus, rows + first, (*count < limit ? *count : limit) - first);
    }
    return result;
}

int kafka_read_lag(struct bus *base, const char *const *groups, size_t group_count, const char *const *topics,
                   size_t topic_count, struct bus_lag *rows, size_t limit, size_t *count, struct error *error)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(64);
    int result = BUS_OK;
    *count = 0;
    for (size_t t = 0; t < topic_count && result == BUS_OK; t++) {
        struct kafka_topic topic;
        result = kafka_find_topic(bus, topics[t], &topic, error);
        if (result == BUS_OK) {
            rd_kafka_topic_partition_list_add_range(all, topics[t], 0, topic.partitions - 1);
        } else if (result == BUS_REFUSED) {
            result = BUS_OK; /* not created yet: nobody is behind on it */
        }
    }
    for (size_t g = 0; g < group_count && result == BUS_OK && all->cnt > 0; g++) {
        result = read_group(bus, groups[g], all, rows, limit, count, error);
    }
    rd_kafka_topic_partition_list_destroy(all);
    return result;
}
