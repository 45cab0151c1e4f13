#include "bus/embedded/writer_gate.h"

#include "bus/bus.h"
#include "clock/clock.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

/* The time-out is a point of the wall clock: the only one that a mutex of this kind takes. A jump of it makes
 * a wait longer or shorter, no worse. */
static int lock_with_patience(pthread_mutex_t *gate, int64_t patience_ms)
{
    int result = pthread_mutex_trylock(gate);
    if (result != EBUSY) {
        return result;
    }
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += patience_ms / 1000;
    until.tv_nsec += patience_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    return pthread_mutex_timedlock(gate, &until);
}

int writer_gate_enter(struct shared_page *page, int64_t patience_ms, struct error *error)
{
    int result = lock_with_patience(&page->gate, patience_ms);
    if (result == EOWNERDEAD) {
        result = pthread_mutex_consistent(&page->gate);
    }
    if (result == ETIMEDOUT) {
        int64_t since_ns = atomic_load(&page->writer_since_ns);
        return error_set(
            error, BUS_AWAY,
            "process %d has been inside a write transaction for %.1f s: it is stopped or its disk "
            "hangs; continue it (kill -CONT %d) or end it",
            (int)atomic_load(&page->writer_pid), (double)(clock_steady_ns(clock_system()) - since_ns) / 1e9,
            (int)atomic_load(&page->writer_pid));
    }
    if (result != 0) {
        return error_set_errno(error, BUS_FATAL, result, "the writers' mutex can't be locked");
    }
    atomic_store(&page->writer_pid, (int32_t)getpid());
    atomic_store(&page->writer_since_ns, clock_steady_ns(clock_system()));
    return BUS_OK;
}

void writer_gate_leave(struct shared_page *page)
{
    atomic_store(&page->writer_pid, 0);
    (void)pthread_mutex_unlock(&page->gate);
}
