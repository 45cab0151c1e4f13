#include "http/connections.h"

#include "clock/clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define NEVER INT64_MAX

struct connection {
    int fd;
    int64_t deadline_ms; /* steady; NEVER: shut down already */
    struct connection *next, *previous;
};

struct connections {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t sweeper;
    struct connection head; /* of a ring */
    int64_t wake_ms;        /* when the sweeper looks next */
    bool stopping;
};

static int64_t steady_ms(void)
{
    return clock_steady_ms(clock_system());
}

/* Shuts down what is past its deadline; returns the nearest deadline left. The lock is held, and a connection
 * leaves the ring before its descriptor is closed, so the descriptor is still this connection's. */
static int64_t sweep(struct connections *connections)
{
    int64_t now = steady_ms();
    int64_t nearest = NEVER;
    for (struct connection *c = connections->head.next; c != &connections->head; c = c->next) {
        if (c->deadline_ms <= now) {
            (void)shutdown(c->fd, SHUT_RDWR);
            c->deadline_ms = NEVER;
        }
        nearest = c->deadline_ms < nearest ? c->deadline_ms : nearest;
    }
    return nearest;
}

static void *run_sweeper(void *argument)
{
    struct connections *connections = argument;
    pthread_mutex_lock(&connections->lock);
    while (!connections->stopping) {
        connections->wake_ms = sweep(connections);
        if (connections->wake_ms == NEVER) {
            pthread_cond_wait(&connections->changed, &connections->lock);
        } else {
            struct timespec until = {.tv_sec = (time_t)(connections->wake_ms / 1000),
                                     .tv_nsec = (long)(connections->wake_ms % 1000) * 1000000};
            (void)pthread_cond_timedwait(&connections->changed, &connections->lock, &until);
        }
    }
    pthread_mutex_unlock(&connections->lock);
    return NULL;
}

int connections_create(struct connections **out, struct error *error)
{
    *out = NULL;
    struct connections *connections = calloc(1, sizeof *connections);
    if (connections == NULL) {
        return error_set(error, -1, "no memory for the HTTP server's connections");
    }
    connections->head.next = connections->head.previous = &connections->head;
    connections->wake_ms = NEVER;
    pthread_mutex_init(&connections->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&connections->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    int result = pthread_create(&connections->sweeper, NULL, run_sweeper, connections);
    if (result != 0) {
        pthread_cond_destroy(&connections->changed);
        pthread_mutex_destroy(&connections->lock);
        free(connections);
        return error_set_errno(error, -1, result, "cannot start a thread of the HTTP server");
    }
    *out = connections;
    return 0;
}

void connections_destroy(struct connections *connections)
{
    if (connections == NULL) {
        return;
    }
    pthread_mutex_lock(&connections->lock);
    connections->stopping = true;
    pthread_cond_signal(&connections->changed);
    pthread_mutex_unlock(&connections->lock);
    pthread_join(connections->sweeper, NULL);
    while (connections->head.next != &connections->head) {
        connections_remove(connections, connections->head.next);
    }
    pthread_cond_destroy(&connections->changed);
    pthread_mutex_destroy(&connections->lock);
    free(connections);
}

/* The lock is held. Deadlines mostly move away, so the sweeper is seldom woken. */
static void set_deadline(struct connections *connections, struct connection *connection, int64_t timeout_ms)
{
    connection->deadline_ms = steady_ms() + timeout_ms;
    if (connection->deadline_ms < connections->wake_ms) {
        pthread_cond_signal(&connections->changed);
    }
}

struct connection *connections_add(struct connections *connections, int fd, int64_t timeout_ms)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        return NULL;
    }
    connection->fd = fd;
    pthread_mutex_lock(&connections->lock);
    connection->next = &connections->head;
    connection->previous = connections->head.previous;
    connection->previous->next = connection;
    connections->head.previous = connection;
    set_deadline(connections, connection, timeout_ms);
    pthread_mutex_unlock(&connections->lock);
    return connection;
}

void connections_remove(struct connections *connections, struct connection *connection)
{
    if (connection == NULL) {
        return;
    }
    pthread_mutex_lock(&connections->lock);
    connection->previous->next = connection->next;
    connection->next->previous = connection->previous;
    pthread_mutex_unlock(&connections->lock);
    free(connection);
}

void connections_set_deadline(struct connections *connections, struct connection *connection,
                              int64_t timeout_ms)
{
    if (connection == NULL) {
        return;
    }
    pthread_mutex_lock(&connections->lock);
    if (connection->deadline_ms != NEVER) {
        set_deadline(connections, connection, timeout_ms);
    }
    pthread_mutex_unlock(&connections->lock);
}
