/* Lag as the brokers see it: committed offsets of each group against the last stable end, and the append time
 * of the record at the committed offset, read by a client that belongs to no group. */
#include "bus/kafka/kafka_bus.h"

#include "clock/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_MS 1500 /* for all records whose age is read */
#define STABLE_MS 500
#define PAUSE_MS  20

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

/* --- committed offsets ---- */

/* *unstable: a transaction that moves one of the offsets has committed but isn't written everywhere, or is
 * still open. */
static int read_committed(struct kafka_bus *bus, rd_kafka_event_t *event,
                          rd_kafka_topic_partition_list_t *offsets, bool *unstable, struct error *error)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    size_t count = 0;
    const rd_kafka_group_result_t **groups =
        code == RD_KAFKA_RESP_ERR_NO_ERROR
            ? rd_kafka_ListConsumerGroupOffsets_result_groups(
                  rd_kafka_event_ListConsumerGroupOffsets_result(event), &count)
            : NULL;
    if (count == 1 && rd_kafka_group_result_error(groups[0]) != NULL) {
        code = rd_kafka_error_code(rd_kafka_group_result_error(groups[0]));
    }
    const rd_kafka_topic_partition_list_t *answer =
        count == 1 && code == RD_KAFKA_RESP_ERR_NO_ERROR ? rd_kafka_group_result_partitions(groups[0]) : NULL;
    *unstable = code == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT;
    for (int i = 0; answer != NULL && i < answer->cnt; i++) {
        const rd_kafka_topic_partition_t *item = &answer->elems[i];
        rd_kafka_topic_partition_t *asked =
            rd_kafka_topic_partition_list_find(offsets, item->topic, item->partition);
        *unstable |= item->err == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT;
        if (asked != NULL) {
            asked->offset = item->offset;
        }
    }
    return *unstable ? BUS_OK : kafka_result(bus, code, "asking for committed offsets", error);
}

/* A consumer, though it never joins: a client without a group of its own crashes in librdkafka when a
 * restarting broker answers that it is not the coordinator (its issue 5040). */
static int find_asker(struct kafka_bus *bus, rd_kafka_t **asker, struct error *error)
{
    static const char *const settings[] = {"group.id", "obs-lag", "enable.auto.commit", "false", NULL};
    int result = BUS_OK;
    (void)pthread_mutex_lock(&bus->lock);
    if (bus->group_asker == NULL) {
        result = kafka_client_create(bus, RD_KAFKA_CONSUMER, settings, NULL, &bus->asker_opaque,
                                     &bus->group_asker, error);
    }
    *asker = bus->group_asker;
    (void)pthread_mutex_unlock(&bus->lock);
    return result;
}

static int ask_once(struct kafka_bus *bus, const char *group, rd_kafka_topic_partition_list_t *offsets,
                    bool stable, bool *unstable, struct error *error)
{
    char reason[128];
    rd_kafka_t *asker = NULL;
    if (find_asker(bus, &asker, error) != BUS_OK) {
        return BUS_REFUSED;
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(asker);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(asker, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, kafka_ask_ms(bus), reason, sizeof reason);
    rd_kafka_error_t *failure = rd_kafka_AdminOptions_set_require_stable_offsets(options, stable);
    if (failure != NULL) { /* then as it comes */
        rd_kafka_error_destroy(failure);
    }
    rd_kafka_ListConsumerGroupOffsets_t *request = rd_kafka_ListConsumerGroupOffsets_new(group, offsets);
    rd_kafka_ListConsumerGroupOffsets(asker, &request, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, kafka_ask_ms(bus) + 1000);
    int result = event == NULL ? error_set(error, BUS_AWAY, "asking for committed offsets: no answer")
                               : read_committed(bus, event, offsets, unstable, error);
    if (event != NULL) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_ListConsumerGroupOffsets_destroy(request);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return result;
}

/* A commit that was answered is in the group's offsets only when its marker has been written there, some
 * milliseconds later: without asking for stable offsets a lag would be seen that isn't there. A transaction
 * that stays open (its owner is dead) isn't waited for longer than STABLE_MS. */
static int ask_committed(struct kafka_bus *bus, const char *group, rd_kafka_topic_partition_list_t *offsets,
                         struct error *error)
{
    bool unstable = true;
    int result = BUS_OK;
    for (int waited_ms = 0; result == BUS_OK && unstable && waited_ms <= STABLE_MS; waited_ms += PAUSE_MS) {
        if (waited_ms > 0) {
            struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
            (void)nanosleep(&pause, NULL);
        }
        result = ask_once(bus, group, offsets, true, &unstable, error);
    }
    return result == BUS_OK && unstable ? ask_once(bus, group, offsets, false, &unstable, error) : result;
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
                                : ask_committed(bus, group, offsets, error);
    if (result == BUS_OK) {
        result = kafka_ask_bounds(bus, places, bounds, bounds + all->cnt, error);
    }
    for (int i = 0; i < offsets->cnt && result == BUS_OK; i++) {
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
