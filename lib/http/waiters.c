#include "http/waiters.h"

#include "http/http_message.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>

struct waiters {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct http_request *first, **last; /* by later_next; as many as there are connections */
    bool is_closed;
    unsigned count; /* threads that were started */
    pthread_t threads[];
};

static struct http_request *take_first(struct waiters *waiters)
{
    struct http_request *request = waiters->first;
    waiters->first = request->later_next;
    if (waiters->first == NULL) {
        waiters->last = &waiters->first;
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
    struct waiters *waiters = context;
    (void)pthread_mutex_lock(&waiters->lock);
    while (true) {
        while (waiters->first == NULL && !waiters->is_closed) {
            (void)pthread_cond_wait(&waiters->wake, &waiters->lock);
        }
        if (waiters->first == NULL) {
            break;
        }
        struct http_request *request = take_first(waiters);
        const bool is_closed = waiters->is_closed;
        (void)pthread_mutex_unlock(&waiters->lock);
        finish(request, is_closed);
        (void)pthread_mutex_lock(&waiters->lock);
    }
    (void)pthread_mutex_unlock(&waiters->lock);
    return NULL;
}

int waiters_create(struct waiters **out, unsigned threads, struct error *error)
{
    struct waiters *waiters = calloc(1, sizeof *waiters + threads * sizeof waiters->threads[0]);
    *out = NULL;
    if (waiters == NULL) {
        return error_set(error, -1, "no memory for the threads that wait");
    }
    (void)pthread_mutex_init(&waiters->lock, NULL);
    (void)pthread_cond_init(&waiters->wake, NULL);
    waiters->last = &waiters->first;
    while (waiters->count < threads &&
           pthread_create(&waiters->threads[waiters->count], NULL, run, waiters) == 0) {
        waiters->count++;
    }
    if (waiters->count < threads) {
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
    while (waiters->count > 0) {
        (void)pthread_join(waiters->threads[--waiters->count], NULL);
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
