/* C11's threads as POSIX threads, for the tsan preset alone. gcc 12's ThreadSanitizer knows only pthread_*,
 * and librdkafka calls thrd_*, mtx_* and cnd_*: threads it never heard of crash it at once, and locks it
 * doesn't see look like races. Linked into each program with its symbols exported, these stand in front of
 * the C library's. There mtx_t and pthread_mutex_t, cnd_t and pthread_cond_t, thrd_t and pthread_t are the
 * same things by two names. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "a mutex by two names");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "a condition by two names");
_Static_assert(sizeof(thrd_t) == sizeof(pthread_t), "a thread by two names");

static int answer(int code)
{
    switch (code) {
    case 0:
        return thrd_success;
    case ENOMEM:
        return thrd_nomem;
    case ETIMEDOUT:
        return thrd_timedout;
    case EBUSY:
        return thrd_busy;
    default:
        return thrd_error;
    }
}

static pthread_mutex_t *mutex_of(mtx_t *mutex)
{
    return (pthread_mutex_t *)(void *)mutex;
}

static pthread_cond_t *condition_of(cnd_t *condition)
{
    return (pthread_cond_t *)(void *)condition;
}

/* --- threads ---- */

struct start {
    thrd_start_t function;
    void *argument;
};

static void *run(void *argument)
{
    struct start start = *(struct start *)argument;
    free(argument);
    return (void *)(intptr_t)start.function(start.argument);
}

int thrd_create(thrd_t *thread, thrd_start_t function, void *argument)
{
    struct start *start = malloc(sizeof *start);
    if (start == NULL) {
        return thrd_nomem;
    }
    *start = (struct start){function, argument};
    int code = pthread_create(thread, NULL, run, start);
    if (code != 0) {
        free(start);
    }
    return answer(code);
}

int thrd_join(thrd_t thread, int *result)
{
    void *value = NULL;
    int code = pthread_join(thread, &value);
    if (code == 0 && result != NULL) {
        *result = (int)(intptr_t)value;
    }
    return answer(code);
}

int thrd_detach(thrd_t thread)
{
    return answer(pthread_detach(thread));
}

/* --- mutexes ---- */

int mtx_init(mtx_t *mutex, int type)
{
    pthread_mutexattr_t attributes;
    int code = pthread_mutexattr_init(&attributes);
    if (code == 0 && (type & mtx_recursive) != 0) {
        code = pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    }
    if (code == 0) {
        code = pthread_mutex_init(mutex_of(mutex), &attributes);
    }
    (void)pthread_mutexattr_destroy(&attributes);
    return answer(code);
}

int mtx_lock(mtx_t *mutex)
{
    return answer(pthread_mutex_lock(mutex_of(mutex)));
}

int mtx_timedlock(mtx_t *restrict mutex, const struct timespec *restrict until)
{
    return answer(pthread_mutex_timedlock(mutex_of(mutex), until));
}

int mtx_trylock(mtx_t *mutex)
{
    return answer(pthread_mutex_trylock(mutex_of(mutex)));
}

int mtx_unlock(mtx_t *mutex)
{
    return answer(pthread_mutex_unlock(mutex_of(mutex)));
}

void mtx_destroy(mtx_t *mutex)
{
    (void)pthread_mutex_destroy(mutex_of(mutex));
}

/* --- conditions ---- */

int cnd_init(cnd_t *condition)
{
    return answer(pthread_cond_init(condition_of(condition), NULL));
}

int cnd_signal(cnd_t *condition)
{
    return answer(pthread_cond_signal(condition_of(condition)));
}

int cnd_broadcast(cnd_t *condition)
{
    return answer(pthread_cond_broadcast(condition_of(condition)));
}

int cnd_wait(cnd_t *condition, mtx_t *mutex)
{
    return answer(pthread_cond_wait(condition_of(condition), mutex_of(mutex)));
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until)
{
    return answer(pthread_cond_timedwait(condition_of(condition), mutex_of(mutex), until));
}

void cnd_destroy(cnd_t *condition)
{
    (void)pthread_cond_destroy(condition_of(condition));
}
