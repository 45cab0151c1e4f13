#include "bus/embedded/group_commit.h"

#include "clock/clock.h"
#include "log/log.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHORTEST_PAUSE_MS    20
#define LONGEST_PAUSE_MS     1000
#define SAY_EVERY_MS         60000
/* Other writers wait for a commit's end: this much is written in some tens of milliseconds. */
#define LARGEST_COMMIT_BYTES ((size_t)8 << 20)

struct tagged_set {
    struct append_set records;
    struct buffer tags; /* uint64_t each */
};

struct commit_queue {
    struct embedded_bus *bus;
    struct group_commit *committer;
    struct commit_queue *next;
    struct commit_queue *next_flying; /* the thread's own list */
    pthread_cond_t acked;
    struct tagged_set filling, committing;
    bool in_flight;     /* committing is the thread's */
    struct buffer acks; /* struct bus_ack each, from next_ack on still to be taken */
    size_t next_ack;
    size_t pending;
};

/* One mutex for the queues of a process: it is held for a copy of a record or of pointers, never for I/O. */
struct group_commit {
    struct store *store;
    pthread_mutex_t mutex;
    pthread_cond_t work;   /* the thread waits for it */
    pthread_cond_t landed; /* a commit has ended, a queue has closed, or the thread is to stop */
    pthread_t thread;
    struct commit_queue *queues;
    struct commit_queue
        *flying;     /* what the commit at hand is of; changed by the thread alone, under the mutex */
    bool committing; /* the thread is inside a commit, without the mutex */
    bool stopping;
    struct log_throttle trouble;
};

/* Guards store->committer and its first and last queue. */
static pthread_mutex_t lifetime_mutex = PTHREAD_MUTEX_INITIALIZER;

/* --- the thread ---- */

/* Everything that is queued, and what the last attempt didn't get through. */
static bool take_flights(struct group_commit *committer)
{
    committer->flying = NULL;
    for (struct commit_queue *queue = committer->queues; queue != NULL; queue = queue->next) {
        if (!queue->in_flight && queue->filling.records.record_count > 0) {
            struct tagged_set taken = queue->filling;
            queue->filling = queue->committing;
            queue->committing = taken;
            queue->in_flight = true;
        }
        if (queue->in_flight) {
            queue->next_flying = committer->flying;
            committer->flying = queue;
        }
    }
    return committer->flying != NULL;
}

static int write_flights(struct group_commit *committer, struct store_txn *txn, struct error *error)
{
    int result = BUS_OK;
    for (struct commit_queue *queue = committer->flying; queue != NULL && result == BUS_OK;
         queue = queue->next_flying) {
        result = append_set_write(&queue->committing.records, txn, &queue->bus->retention,
                                  STORE_CLAIM_PRODUCER, clock_wall_ms(queue->bus->clock), error);
    }
    return result;
}

/* The strictest wish of those whose records are in it. */
static bool survives_power_cut(const struct group_commit *committer)
{
    for (const struct commit_queue *queue = committer->flying; queue != NULL; queue = queue->next_flying) {
        if (queue->bus->survive_power_cut) {
            return true;
        }
    }
    return false;
}

static int commit_flights(struct group_commit *committer, struct error *error)
{
    struct store_txn txn;
    int result = store_begin_write(committer->store, survives_power_cut(committer), &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    result = write_flights(committer, &txn, error);
    if (result != BUS_OK) {
        store_abort(&txn);
        return result;
    }
    result = store_commit(&txn, error);
    if (result == BUS_OK) {
        embedded_note_dropped(committer->flying->bus, txn.dropped);
    }
    return result;
}

static void land(struct commit_queue *queue, enum bus_status status)
{
    const struct tagged_set *set = &queue->committing;
    const char *tags = set->tags.data;
    for (size_t i = 0; i < set->records.record_count; i++) {
        struct bus_ack ack = {.status = status};
        memcpy(&ack.tag, tags + i * sizeof ack.tag, sizeof ack.tag);
        (void)buffer_append(&queue->acks, &ack, sizeof ack); /* room was made when the record was taken */
    }
    append_set_clear(&queue->committing.records);
    buffer_clear(&queue->committing.tags);
    queue->in_flight = false;
    (void)pthread_cond_signal(&queue->acked);
}

static void land_all(struct group_commit *committer, enum bus_status status)
{
    for (struct commit_queue *queue = committer->flying; queue != NULL; queue = queue->next_flying) {
        land(queue, status);
    }
    committer->flying = NULL;
}

static struct timespec from_now(int64_t ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    return until;
}

/* What passes by itself is tried again, after a pause that grows; anything else is final. */
static void handle_failure(struct group_commit *committer, int result, const struct error *error,
                           int64_t *pause_ms)
{
    uint64_t suppressed;
    bool passes = result == BUS_FULL || result == BUS_AWAY;
    if (log_throttle_allows(&committer->trouble, clock_steady_ms(clock_system()), SAY_EVERY_MS,
                            &suppressed)) {
        log_warn_with(committer->flying->bus->log, passes ? "cannot commit, trying again" : "cannot commit",
                      log_text("why", error->message), log_integer("retries", (int64_t)suppressed));
    }
    if (!passes) {
        land_all(committer, (enum bus_status)result);
        return;
    }
    *pause_ms = *pause_ms == 0 ? SHORTEST_PAUSE_MS : *pause_ms * 2;
    *pause_ms = *pause_ms > LONGEST_PAUSE_MS ? LONGEST_PAUSE_MS : *pause_ms;
    struct timespec until = from_now(*pause_ms);
    if (!committer->stopping) {
        (void)pthread_cond_timedwait(&committer->landed, &committer->mutex, &until);
    }
}

/* Retention's part after a commit: its turn now and then, and a small step at once when there was no room. */
static bool sweep(struct group_commit *committer, int result, bool survive_power_cut, int64_t now_ms)
{
    struct error ignored; /* damage shows itself to whoever reads it */
    bool freed = false;
    if (result == BUS_OK) {
        (void)retention_sweep_if_due(committer->store, survive_power_cut, now_ms, &ignored);
    } else if (result == BUS_FULL) {
        (void)retention_sweep_now(committer->store, survive_power_cut, now_ms, &freed, &ignored);
    }
    return freed;
}

static void commit_once(struct group_commit *committer, int64_t *pause_ms)
{
    struct error error;
    error_clear(&error);
    bool survive_power_cut = survives_power_cut(committer);
    int64_t now_ms = clock_wall_ms(committer->flying->bus->clock);
    committer->committing = true;
    (void)pthread_mutex_unlock(&committer->mutex);
    int result = commit_flights(committer, &error);
    bool freed = sweep(committer, result, survive_power_cut, now_ms);
    (void)pthread_mutex_lock(&committer->mutex);
    committer->committing = false;
    if (result == BUS_OK) {
        *pause_ms = 0;
        land_all(committer, BUS_OK);
    } else if (!freed) {
        handle_failure(committer, result, &error, pause_ms);
    }
    (void)pthread_cond_broadcast(&committer->landed);
}

static void *run(void *context)
{
    struct group_commit *committer = context;
    int64_t pause_ms = 0;
    (void)pthread_mutex_lock(&committer->mutex);
    while (!committer->stopping) {
        if (take_flights(committer)) {
            commit_once(committer, &pause_ms);
        } else {
            (void)pthread_cond_wait(&committer->work, &committer->mutex);
        }
    }
    (void)pthread_mutex_unlock(&committer->mutex);
    return NULL;
}

/* --- the thread's life ---- */

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

static void destroy_committer(struct group_commit *committer)
{
    (void)pthread_cond_destroy(&committer->work);
    (void)pthread_cond_destroy(&committer->landed);
    (void)pthread_mutex_destroy(&committer->mutex);
    free(committer);
}

/* The program's signals aren't this thread's business. */
static int start_thread(struct group_commit *committer)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&committer->thread, NULL, run, committer);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

static struct group_commit *create_committer(struct store *store)
{
    struct group_commit *committer = calloc(1, sizeof *committer);
    if (committer == NULL) {
        return NULL;
    }
    committer->store = store;
    (void)pthread_mutex_init(&committer->mutex, NULL);
    init_condition(&committer->work);
    init_condition(&committer->landed);
    if (start_thread(committer) != 0) {
        destroy_committer(committer);
        return NULL;
    }
    return committer;
}

static void stop_committer(struct group_commit *committer)
{
    (void)pthread_mutex_lock(&committer->mutex);
    committer->stopping = true;
    (void)pthread_cond_broadcast(&committer->work);
    (void)pthread_cond_broadcast(&committer->landed);
    (void)pthread_mutex_unlock(&committer->mutex);
    (void)pthread_join(committer->thread, NULL);
    destroy_committer(committer);
}

/* --- queues ---- */

static void destroy_queue(struct commit_queue *queue)
{
    (void)pthread_cond_destroy(&queue->acked);
    append_set_free(&queue->filling.records);
    append_set_free(&queue->committing.records);
    buffer_free(&queue->filling.tags);
    buffer_free(&queue->committing.tags);
    buffer_free(&queue->acks);
    free(queue);
}

static struct commit_queue *create_queue(struct embedded_bus *bus)
{
    struct commit_queue *queue = calloc(1, sizeof *queue);
    if (queue != NULL) {
        size_t half = bus->queue_limit_bytes / 2 < LARGEST_COMMIT_BYTES ? bus->queue_limit_bytes / 2
                                                                        : LARGEST_COMMIT_BYTES;
        queue->bus = bus;
        init_condition(&queue->acked);
        append_set_init(&queue->filling.records, half);
        append_set_init(&queue->committing.records, half);
        buffer_init(&queue->filling.tags, 0);
        buffer_init(&queue->committing.tags, 0);
        buffer_init(&queue->acks, 0);
    }
    return queue;
}

int commit_queue_open(struct embedded_bus *bus, struct commit_queue **out, struct error *error)
{
    struct commit_queue *queue = create_queue(bus);
    (void)pthread_mutex_lock(&lifetime_mutex);
    struct group_commit *committer = bus->store->committer;
    if (queue != NULL && committer == NULL) {
        committer = bus->store->committer = create_committer(bus->store);
    }
    if (queue != NULL && committer != NULL) {
        (void)pthread_mutex_lock(&committer->mutex);
        queue->committer = committer;
        queue->next = committer->queues;
        committer->queues = queue;
        (void)pthread_mutex_unlock(&committer->mutex);
        *out = queue;
    }
    (void)pthread_mutex_unlock(&lifetime_mutex);
    if (*out == NULL && queue != NULL) {
        destroy_queue(queue);
    }
    return *out != NULL ? BUS_OK : error_set(error, BUS_FATAL, "no memory or no thread for a producer");
}

static bool unlink_queue(struct group_commit *committer, struct commit_queue *queue)
{
    (void)pthread_mutex_lock(&committer->mutex);
    while (queue->in_flight && committer->committing) {
        (void)pthread_cond_wait(&committer->landed, &committer->mutex);
    }
    struct commit_queue **link = &committer->queues;
    while (*link != queue) {
        link = &(*link)->next;
    }
    *link = queue->next;
    bool last = committer->queues == NULL;
    (void)pthread_cond_broadcast(&committer->landed); /* it may have been the one without room */
    (void)pthread_mutex_unlock(&committer->mutex);
    return last;
}

void commit_queue_close(struct commit_queue *queue)
{
    struct group_commit *committer = queue->committer;
    struct store *store = queue->bus->store;
    (void)pthread_mutex_lock(&lifetime_mutex);
    if (unlink_queue(committer, queue)) {
        store->committer = NULL;
        stop_committer(committer);
    }
    (void)pthread_mutex_unlock(&lifetime_mutex);
    destroy_queue(queue);
}

/* Room for the record's tag and, later, its ack: so that nothing can fail once it is taken. */
static bool make_room(struct commit_queue *queue)
{
    size_t untold = queue->pending - (queue->acks.size - queue->next_ack) / sizeof(struct bus_ack);
    bool made = buffer_reserve(&queue->filling.tags, sizeof(uint64_t)) != NULL &&
                buffer_reserve(&queue->acks, (untold + 1) * sizeof(struct bus_ack)) != NULL;
    queue->filling.tags.failed = false;
    queue->acks.failed = false;
    return made;
}

int commit_queue_add(struct commit_queue *queue, const struct topic *topic, const struct bus_record *record,
                     uint64_t tag, struct error *error)
{
    struct group_commit *committer = queue->committer;
    (void)pthread_mutex_lock(&committer->mutex);
    int result = make_room(queue) ? append_set_add(&queue->filling.records, topic, record, error)
                                  : error_set(error, BUS_FULL, "no memory for an acknowledgement");
    if (result == BUS_OK) {
        (void)buffer_append(&queue->filling.tags, &tag, sizeof tag);
        queue->pending++;
        (void)pthread_cond_signal(&committer->work);
    }
    (void)pthread_mutex_unlock(&committer->mutex);
    return result;
}

static size_t copy_acks(struct commit_queue *queue, struct bus_ack *acks, size_t limit)
{
    size_t count = (queue->acks.size - queue->next_ack) / sizeof *acks;
    count = count < limit ? count : limit;
    if (count > 0) {
        memcpy(acks, queue->acks.data + queue->next_ack, count * sizeof *acks);
    }
    queue->next_ack += count * sizeof *acks;
    queue->pending -= count;
    if (queue->next_ack == queue->acks.size) {
        buffer_clear(&queue->acks);
        queue->next_ack = 0;
    } else if (queue->next_ack > queue->acks.size / 2) {
        queue->acks.size -= queue->next_ack;
        memmove(queue->acks.data, queue->acks.data + queue->next_ack, queue->acks.size);
        queue->next_ack = 0;
    }
    return count;
}

size_t commit_queue_take_acks(struct commit_queue *queue, int timeout_ms, struct bus_ack *acks, size_t limit)
{
    struct group_commit *committer = queue->committer;
    struct timespec until = from_now(timeout_ms > 0 ? timeout_ms : 0);
    (void)pthread_mutex_lock(&committer->mutex);
    int waited = 0;
    while (timeout_ms > 0 && waited == 0 && queue->pending > 0 && queue->next_ack == queue->acks.size) {
        waited = pthread_cond_timedwait(&queue->acked, &committer->mutex, &until);
    }
    size_t count = copy_acks(queue, acks, limit);
    (void)pthread_mutex_unlock(&committer->mutex);
    return count;
}

size_t commit_queue_pending(struct commit_queue *queue)
{
    (void)pthread_mutex_lock(&queue->committer->mutex);
    size_t pending = queue->pending;
    (void)pthread_mutex_unlock(&queue->committer->mutex);
    return pending;
}
