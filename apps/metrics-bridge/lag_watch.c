#include "lag_watch.h"

#include "clock/clock.h"
#include "log/log.h"
#include "program/program.h"
#include "topics/topics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ROWS 512

static const char *const groups[] = {"stream-processor", "metrics-bridge", "alert-forwarder"};
static const char *const topics[] = {TOPIC_METRICS_RAW, TOPIC_LOGS_RAW, TOPIC_ALERTS_FIRED};

struct lag_watch {
    struct program *program;
    struct bus *bus;
    int64_t interval_ms;
    pthread_t thread;
    struct bus_lag read[MAX_ROWS]; /* the thread's own */
    pthread_mutex_t lock;          /* of what follows */
    pthread_cond_t stopped;
    bool stopping;
    struct bus_lag rows[MAX_ROWS];
    size_t count;
    int64_t read_ms; /* wall; 0: never yet */
};

static bool has_committed(const struct lag_watch *watch, size_t count, const struct bus_lag *row)
{
    for (size_t i = 0; i < count; i++) {
        const struct bus_lag *other = &watch->read[i];
        if (other->committed >= 0 && strcmp(other->group, row->group) == 0 &&
            strcmp(other->topic, row->topic) == 0) {
            return true;
        }
    }
    return false;
}

/* Kafka doesn't say when a group committed: it is when the offset was first seen here. */
static int64_t commit_time_ms(const struct lag_watch *watch, const struct bus_lag *row, int64_t now_ms)
{
    if (row->last_commit_ms > 0 || row->committed < 0) {
        return row->last_commit_ms;
    }
    for (size_t i = 0; i < watch->count; i++) {
        const struct bus_lag *before = &watch->rows[i];
        if (before->partition == row->partition && before->committed == row->committed &&
            strcmp(before->group, row->group) == 0 && strcmp(before->topic, row->topic) == 0) {
            return before->last_commit_ms;
        }
    }
    return now_ms;
}

static void read_lag(struct lag_watch *watch)
{
    struct error error;
    error_clear(&error);
    size_t count = 0;
    int result = bus_read_lag(watch->bus, groups, sizeof groups / sizeof groups[0], topics,
                              sizeof topics / sizeof topics[0], watch->read, MAX_ROWS, &count, &error);
    if (result != BUS_OK) {
        log_debug_with(program_log(watch->program), "lag not read", log_text("why", error.message));
        return; /* the last rows stand; their time is in them */
    }
    count = count > MAX_ROWS ? MAX_ROWS : count;
    int64_t now_ms = clock_wall_ms(program_clock(watch->program));
    for (size_t i = 0; i < count; i++) {
        watch->read[i].last_commit_ms = commit_time_ms(watch, &watch->read[i], now_ms);
    }
    (void)pthread_mutex_lock(&watch->lock);
    watch->read_ms = now_ms;
    watch->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (has_committed(watch, count, &watch->read[i])) {
            watch->rows[watch->count++] = watch->read[i];
        }
    }
    (void)pthread_mutex_unlock(&watch->lock);
}

static void *watch_lag(void *context)
{
    struct lag_watch *watch = context;
    (void)pthread_mutex_lock(&watch->lock);
    while (!watch->stopping) {
        (void)pthread_mutex_unlock(&watch->lock);
        read_lag(watch);
        (void)pthread_mutex_lock(&watch->lock);
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += watch->interval_ms / 1000;
        until.tv_nsec += watch->interval_ms % 1000 * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (!watch->stopping) {
            (void)pthread_cond_timedwait(&watch->stopped, &watch->lock, &until);
        }
    }
    (void)pthread_mutex_unlock(&watch->lock);
    return NULL;
}

int lag_watch_start(struct lag_watch **out, struct program *program, struct bus *bus, int64_t interval_ms,
                    struct error *error)
{
    *out = NULL;
    struct lag_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        return error_set(error, -1, "no memory for the lag");
    }
    watch->program = program;
    watch->bus = bus;
    watch->interval_ms = interval_ms;
    (void)pthread_mutex_init(&watch->lock, NULL);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&watch->stopped, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (pthread_create(&watch->thread, NULL, watch_lag, watch) != 0) {
        (void)pthread_cond_destroy(&watch->stopped);
        (void)pthread_mutex_destroy(&watch->lock);
        free(watch);
        return error_set(error, -1, "no thread for the lag");
    }
    *out = watch;
    return 0;
}

void lag_watch_stop(struct lag_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&watch->lock);
    watch->stopping = true;
    (void)pthread_cond_signal(&watch->stopped);
    (void)pthread_mutex_unlock(&watch->lock);
    (void)pthread_join(watch->thread, NULL);
    (void)pthread_cond_destroy(&watch->stopped);
    (void)pthread_mutex_destroy(&watch->lock);
    free(watch);
}

static void copy_row(struct lag_row *out, const struct bus_lag *row)
{
    (void)snprintf(out->labels, sizeof out->labels,
                   "consumergroup=\"%s\",topic=\"%s\",partition=\"%" PRId32 "\"", row->group, row->topic,
                   row->partition);
    out->records = (double)row->lag;
    out->seconds = (double)row->lag_ms / 1000;
    out->committed_s = (double)row->last_commit_ms / 1000;
}

int lag_watch_take(struct lag_watch *watch, bool with_rows, struct lag_snapshot *snapshot)
{
    (void)pthread_mutex_lock(&watch->lock);
    size_t count = with_rows ? watch->count : 0;
    *snapshot = (struct lag_snapshot){.rows = calloc(count + 1, sizeof *snapshot->rows),
                                      .read_s = (double)watch->read_ms / 1000};
    for (; snapshot->rows != NULL && snapshot->count < count; snapshot->count++) {
        copy_row(&snapshot->rows[snapshot->count], &watch->rows[snapshot->count]);
    }
    (void)pthread_mutex_unlock(&watch->lock);
    return snapshot->rows == NULL ? -1 : 0;
}

void lag_snapshot_release(struct lag_snapshot *snapshot)
{
    free(snapshot->rows);
    *snapshot = (struct lag_snapshot){0};
}
