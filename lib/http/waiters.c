#include "http/waiters.h"

#include "http/http_message.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>

struct waiter {
    struct waiters *waiters;
    pthread_t thread;
    bool is_busy;
    const void *context; /* of the handler that runs, while it does */
};

struct waiters {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct http_request *first, **last; /* by later_next; as many as there are connections */
    bool is_closed;
    unsigned share;
    unsigned count, joined; /* threads that were started, and those that have ended */
    struct waiter threads[];
};

static bool has_place(const struct waiters *waiters, const void *context)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < waiters->count; i++) {
        taken += waiters->threads[i].is_busy && waiters->threads[i].context == context;
    }
    return taken < waiters->share;
}

/* The first that may run: none whose context has its share already, until all are closed. */
static struct http_request *take_first(struct waiters *waiters)
{
    struct http_request **link = &waiters->first;
    while (*link != NULL && !waiters->is_closed && !has_place(waiters, (*link)->later_context)) {
        link = &(*link)->later_next;
    }
    struct http_request *request = *link;
    if (request != NULL) {
        *link = request->later_next;
        if (*link == NULL) {
            waiters->last = link;
        }
    }
    return request;
}

/* Without the lock. Nothing of the request may be touched afterwards. */
static void finish(struct http_request *request, bool is_closed)
{
    if (is_closed) {
        http_response_fail(request->later, 503, "the server is stopping");
    } else {
        request->later_handler(request->later_context, request, request->later);
    }
    MHD_resume_connection(request->connection);
}

static void *run(void *context)
{
    struct waiter *waiter = context;
    struct waiters *waiters = waiter->waiters;
    (void)pthread_mutex_lock(&waiters->lock);
    while (true) {
        struct http_request *request = take_first(waiters);
        const bool is_closed = waiters->is_closed;
        if (request != NULL) {
            waiter->is_busy = true;
            waiter->context = request->later_context;
            (void)pthread_mutex_unlock(&waiters->lock);
            finish(request, is_closed);
            (void)pthread_mutex_lock(&waiters->lock);
            waiter->is_busy = false;
        } else if (is_closed) {
            break;
        } else {
            (void)pthread_cond_wait(&waiters->wake, &waiters->lock);
        }
    }
    (void)pthread_mutex_unlock(&waiters->lock);
    return NULL;
}

int waiters_create(struct waiters **out, unsigned threads, unsigned share, struct error *error)
{
    struct waiters *waiters = calloc(1, sizeof *waiters + threads * sizeof waiters->threads[0]);
    *out = NULL;
    if (waiters == NULL) {
        return error_set(error, -1, "no memory for the threads that wait");
    }
    (void)pthread_mutex_init(&waiters->lock, NULL);
    (void)pthread_cond_init(&waiters->wake, NULL);
    waiters->last = &waiters->first;
    waiters->share = share;
    bool is_started = true;
    for (unsigned i = 0; i < threads && is_started; i++) {
        struct waiter *waiter = &waiters->threads[i];
        waiter->waiters = waiters;
        (void)pthread_mutex_lock(&waiters->lock); /* those that were started count them */
        is_started = pthread_create(&waiter->thread, NULL, run, waiter) == 0;
        waiters->count += is_started;
        (void)pthread_mutex_unlock(&waiters->lock);
    }
    if (!is_started) {
        waiters_destroy(waiters);
        return error_set(error, -1, "no threads that wait");
    }
    *out = waiters;
    return 0;
}

bool waiters_take(struct waiters *waiters, struct http_request *request)
{
    (void)pthread_mutex_lock(&waiters->lock);
    const bool is_taken = !waiters->is_closed;
    if (is_taken) {
        MHD_suspend_connection(request->connection);
        request->later_next = NULL;
        *waiters->last = request;
        waiters->last = &request->later_next;
        (void)pthread_cond_signal(&waiters->wake);
    }
    (void)pthread_mutex_unlock(&waiters->lock);
    return is_taken;
}

void waiters_close(struct waiters *waiters)
{
    (void)pthread_mutex_lock(&waiters->lock);
    waiters->is_closed = true;
    (void)pthread_cond_broadcast(&waiters->wake);
    (void)pthread_mutex_unlock(&waiters->lock);
    for (; waiters->joined < waiters->count; waiters->joined++) {
        (void)pthread_join(waiters->threads[waiters->joined].thread, NULL);
    }
}

void waiters_destroy(struct waiters *waiters)
{
    if (waiters != NULL) {
        waiters_close(waiters);
        (void)pthread_cond_destroy(&waiters->wake);
        (void)pthread_mutex_destroy(&waiters->lock);
        free(waiters);
    }
}
