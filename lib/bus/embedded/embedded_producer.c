/* Group commit: while one transaction syncs, records gather for the next. Slow producers get one sync a
 * record and an acknowledgement in well under a millisecond, fast ones share a sync among thousands.
 *
 *   produce -> gathering -> (thread) committing -> acks -> poll
 *
 * One thread a producer. A commit that the disk has no room for is tried again until there is room: nothing
 * is lost, nothing acknowledged. */
#include "bus/embedded/embedded_bus.h"

#include "bus/embedded/wakeup.h"
#include "log/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RETRY_MS     100
#define SAY_EVERY_MS 60000
#define BATCH_BYTES  ((size_t)1048576) /* a batch is closed past this, so that readers copy bounded pieces */
#define MAX_TOPICS   64

/* Records of one partition, framed; becomes one batch. */
struct pending_batch {
    const struct topic *topic;
    int32_t partition;
    char *frames;
    size_t frames_bytes, capacity;
    uint32_t count;
};

/* What goes into one transaction. */
struct gathering {
    struct pending_batch *batches;
    size_t batch_count, batch_capacity;
    uint64_t *tags;
    size_t tag_count, tag_capacity;
    size_t bytes;
};

struct embedded_producer {
    struct bus_producer base; /* first */
    struct embedded_bus *bus;
    struct topic *topics[MAX_TOPICS];
    size_t topic_count;
    uint32_t round_robin;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t work, done;
    struct gathering gathering;
    struct gathering committing; /* the thread's own while committing_now */
    struct bus_ack *acks;        /* a ring would be smaller; a list that empties as a whole is simpler */
    size_t ack_count, ack_next, ack_capacity;
    size_t pending;
    size_t queued_bytes;
    bool stopping;
    struct log_throttle full_throttle;
};

static struct embedded_producer *self(struct bus_producer *producer)
{
    return (struct embedded_producer *)(void *)producer;
}

/* --- topics ---- */

static const struct topic *find_topic(struct embedded_producer *producer, const char *name, int *result,
                                      struct error *error)
{
    for (size_t i = 0; i < producer->topic_count; i++) {
        if (strcmp(producer->topics[i]->name, name) == 0) {
            return producer->topics[i];
        }
    }
    MDB_txn *txn = NULL;
    struct topic *topic = calloc(1, sizeof *topic);
    *result = topic == NULL || producer->topic_count == MAX_TOPICS
                  ? error_set(error, BUS_FATAL, "too many topics")
                  : store_begin_read(producer->bus->store, &txn, error);
    if (*result == BUS_OK) {
        *result = topic_find(producer->bus->store, txn, name, topic, error);
        mdb_txn_abort(txn);
    }
    if (*result != BUS_OK) {
        free(topic);
        return NULL;
    }
    producer->topics[producer->topic_count++] = topic;
    return topic;
}

static int32_t choose_partition(struct embedded_producer *producer, const struct topic *topic,
                                const struct bus_record *record)
{
    if (record->partition != BUS_PARTITION_BY_KEY) {
        return record->partition;
    }
    if (record->key.data != NULL) {
        return bus_partition_for_key(record->key.data, record->key.size_bytes, topic->partitions);
    }
    return (int32_t)(producer->round_robin++ % (uint32_t)topic->partitions);
}

/* --- gathering ---- */

static struct pending_batch *add_batch(struct gathering *g, const struct topic *topic, int32_t partition)
{
    if (g->batch_count == g->batch_capacity) {
        size_t capacity = g->batch_capacity == 0 ? 16 : g->batch_capacity * 2;
        struct pending_batch *batches = realloc(g->batches, capacity * sizeof *batches);
        if (batches == NULL) {
            return NULL;
        }
        memset(batches + g->batch_capacity, 0, (capacity - g->batch_capacity) * sizeof *batches);
        g->batches = batches;
        g->batch_capacity = capacity;
    }
    /* The memory of a batch is kept for the next one that takes its place. */
    struct pending_batch *batch = &g->batches[g->batch_count++];
    batch->topic = topic;
    batch->partition = partition;
    batch->frames_bytes = 0;
    batch->count = 0;
    return batch;
}

static struct pending_batch *batch_for(struct gathering *g, const struct topic *topic, int32_t partition)
{
    for (size_t i = g->batch_count; i > 0; i--) {
        struct pending_batch *batch = &g->batches[i - 1];
        if (batch->topic == topic && batch->partition == partition) {
            return batch->frames_bytes < BATCH_BYTES ? batch : add_batch(g, topic, partition);
        }
    }
    return add_batch(g, topic, partition);
}

static bool reserve_frames(struct pending_batch *batch, size_t size)
{
    if (batch->frames_bytes + size <= batch->capacity) {
        return true;
    }
    size_t capacity = batch->capacity == 0 ? 4096 : batch->capacity * 2;
    while (capacity < batch->frames_bytes + size) {
        capacity *= 2;
    }
    char *frames = realloc(batch->frames, capacity);
    if (frames == NULL) {
        return false;
    }
    batch->frames = frames;
    batch->capacity = capacity;
    return true;
}

static bool add_tag(struct gathering *g, uint64_t tag)
{
    if (g->tag_count == g->tag_capacity) {
        size_t capacity = g->tag_capacity == 0 ? 256 : g->tag_capacity * 2;
        uint64_t *tags = realloc(g->tags, capacity * sizeof *tags);
        if (tags == NULL) {
            return false;
        }
        g->tags = tags;
        g->tag_capacity = capacity;
    }
    g->tags[g->tag_count++] = tag;
    return true;
}

static int gather(struct embedded_producer *producer, const struct topic *topic, int32_t partition,
                  const struct bus_record *record, size_t size, uint64_t tag, struct error *error)
{
    if (producer->queued_bytes > 0 && producer->queued_bytes + size > producer->bus->queue_limit_bytes) {
        return error_set(error, BUS_FULL, "the producer's queue is full");
    }
    struct pending_batch *batch = batch_for(&producer->gathering, topic, partition);
    if (batch == NULL || !reserve_frames(batch, size) || !add_tag(&producer->gathering, tag)) {
        return error_set(error, BUS_FULL, "no memory for the producer's queue");
    }
    batch->frames_bytes += record_frame_write(batch->frames + batch->frames_bytes, record);
    batch->count++;
    producer->gathering.bytes += size;
    producer->queued_bytes += size;
    producer->pending++;
    (void)pthread_cond_signal(&producer->work);
    return BUS_OK;
}

int embedded_produce(struct bus_producer *base, const struct bus_record *record, uint64_t tag,
                     struct error *error)
{
    struct embedded_producer *producer = self(base);
    int result = BUS_OK;
    const struct topic *topic = find_topic(producer, record->topic, &result, error);
    if (topic == NULL) {
        return result;
    }
    int32_t partition = choose_partition(producer, topic, record);
    if (partition < 0 || partition >= topic->partitions) {
        return error_set(error, BUS_REFUSED, "topic %s has no partition %d", topic->name, partition);
    }
    size_t size = record_frame_size(record);
    if ((int64_t)size > topic->max_message_bytes) {
        return error_set(error, BUS_REFUSED, "a record of %zu bytes is too large for topic %s (at most %lld)",
                         size, topic->name, (long long)topic->max_message_bytes);
    }
    (void)pthread_mutex_lock(&producer->lock);
    result = gather(producer, topic, partition, record, size, tag, error);
    (void)pthread_mutex_unlock(&producer->lock);
    return result;
}

/* --- committing ---- */

static int append_all(struct embedded_producer *producer, MDB_txn *txn, uint32_t *mask, struct error *error)
{
    const struct gathering *g = &producer->committing;
    for (size_t i = 0; i < g->batch_count; i++) {
        const struct pending_batch *batch = &g->batches[i];
        int result = embedded_append(producer->bus, txn, batch->topic, batch->partition, batch->frames,
                                     batch->frames_bytes, batch->count, error);
        if (result != BUS_OK) {
            return result;
        }
        *mask |= wakeup_topic_mask(batch->topic->id);
    }
    return BUS_OK;
}

static int commit_gathering(struct embedded_producer *producer, struct error *error)
{
    struct store *store = producer->bus->store;
    MDB_txn *txn = NULL;
    uint32_t mask = 0;
    int result = store_begin(store, &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    result = append_all(producer, txn, &mask, error);
    if (result != BUS_OK) {
        store_abort(store, txn);
        return result;
    }
    result = store_commit(store, txn, error);
    if (result == BUS_OK) {
        wakeup_signal(store->page, mask);
    }
    return result;
}

static void give_acks(struct embedded_producer *producer, enum bus_status status)
{
    struct gathering *g = &producer->committing;
    if (producer->ack_count + g->tag_count > producer->ack_capacity) {
        size_t capacity = (producer->ack_count + g->tag_count) * 2;
        struct bus_ack *acks = realloc(producer->acks, capacity * sizeof *acks);
        if (acks == NULL) {
            abort(); /* acknowledgements must not be lost */
        }
        producer->acks = acks;
        producer->ack_capacity = capacity;
    }
    for (size_t i = 0; i < g->tag_count; i++) {
        producer->acks[producer->ack_count++] = (struct bus_ack){g->tags[i], status};
    }
    producer->queued_bytes -= g->bytes;
    g->tag_count = 0;
    g->batch_count = 0;
    g->bytes = 0;
    (void)pthread_cond_broadcast(&producer->done);
}

static void say_full(struct embedded_producer *producer, const struct error *error)
{
    uint64_t suppressed = 0;
    if (log_throttle_allows(&producer->full_throttle, embedded_steady_ms(), SAY_EVERY_MS, &suppressed)) {
        log_warn_with(producer->bus->log, "records wait: they cannot be written now, trying again",
                      log_text("why", error->message), log_integer("retries", (int64_t)suppressed));
    }
}

/* With the lock held, which is given up while the store works. False: stopping, and the commit was given up.
 */
static bool commit_until_done(struct embedded_producer *producer)
{
    struct error error;
    for (;;) {
        (void)pthread_mutex_unlock(&producer->lock);
        int result = commit_gathering(producer, &error);
        embedded_sweep(producer->bus);
        (void)pthread_mutex_lock(&producer->lock);
        if (result == BUS_OK || result == BUS_FATAL) {
            if (result == BUS_FATAL) {
                log_error_with(producer->bus->log, "records lost: the store cannot be written",
                               log_text("why", error.message));
            }
            give_acks(producer, (enum bus_status)result);
            return true;
        }
        say_full(producer, &error);
        if (producer->stopping) {
            return false;
        }
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += RETRY_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        (void)pthread_cond_timedwait(&producer->done, &producer->lock, &until);
    }
}

static void *run_committer(void *context)
{
    struct embedded_producer *producer = context;
    (void)pthread_mutex_lock(&producer->lock);
    while (!producer->stopping) {
        if (producer->gathering.tag_count == 0) {
            (void)pthread_cond_wait(&producer->work, &producer->lock);
            continue;
        }
        struct gathering swap = producer->committing;
        producer->committing = producer->gathering;
        producer->gathering = swap;
        if (!commit_until_done(producer)) {
            break;
        }
    }
    (void)pthread_mutex_unlock(&producer->lock);
    return NULL;
}

/* --- the rest ---- */

static void free_gathering(struct gathering *g)
{
    for (size_t i = 0; i < g->batch_capacity; i++) {
        free(g->batches[i].frames);
    }
    free(g->batches);
    free(g->tags);
}

static void free_producer(struct embedded_producer *producer)
{
    for (size_t i = 0; i < producer->topic_count; i++) {
        free(producer->topics[i]);
    }
    free_gathering(&producer->gathering);
    free_gathering(&producer->committing);
    free(producer->acks);
    (void)pthread_cond_destroy(&producer->work);
    (void)pthread_cond_destroy(&producer->done);
    (void)pthread_mutex_destroy(&producer->lock);
    free(producer);
}

int embedded_producer_create(struct bus *bus, struct bus_producer **out, struct error *error)
{
    struct embedded_producer *producer = calloc(1, sizeof *producer);
    if (producer == NULL) {
        return error_set(error, BUS_FATAL, "no memory for a producer");
    }
    producer->base.driver = &bus_driver_embedded;
    producer->bus = (struct embedded_bus *)(void *)bus;
    (void)pthread_mutex_init(&producer->lock, NULL);
    (void)pthread_cond_init(&producer->work, NULL);
    (void)pthread_cond_init(&producer->done, NULL);
    if (pthread_create(&producer->thread, NULL, run_committer, producer) != 0) {
        free_producer(producer);
        return error_set(error, BUS_FATAL, "no thread for a producer");
    }
    *out = &producer->base;
    return BUS_OK;
}

size_t embedded_producer_poll(struct bus_producer *base, int timeout_ms, struct bus_ack *acks, size_t limit)
{
    struct embedded_producer *producer = self(base);
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)pthread_mutex_lock(&producer->lock);
    while (producer->ack_next == producer->ack_count && timeout_ms > 0) {
        if (pthread_cond_timedwait(&producer->done, &producer->lock, &until) != 0) {
            break;
        }
    }
    size_t count = producer->ack_count - producer->ack_next;
    count = count < limit ? count : limit;
    if (count > 0) {
        memcpy(acks, producer->acks + producer->ack_next, count * sizeof *acks);
    }
    producer->ack_next += count;
    producer->pending -= count;
    if (producer->ack_next == producer->ack_count) {
        producer->ack_next = 0;
        producer->ack_count = 0;
    }
    (void)pthread_mutex_unlock(&producer->lock);
    return count;
}

size_t embedded_producer_pending(const struct bus_producer *base)
{
    struct embedded_producer *producer = self((struct bus_producer *)(uintptr_t)base);
    (void)pthread_mutex_lock(&producer->lock);
    size_t pending = producer->pending;
    (void)pthread_mutex_unlock(&producer->lock);
    return pending;
}

void embedded_producer_destroy(struct bus_producer *base)
{
    struct embedded_producer *producer = self(base);
    (void)pthread_mutex_lock(&producer->lock);
    producer->stopping = true;
    (void)pthread_cond_broadcast(&producer->work);
    (void)pthread_cond_broadcast(&producer->done);
    (void)pthread_mutex_unlock(&producer->lock);
    (void)pthread_join(producer->thread, NULL);
    free_producer(producer);
}
