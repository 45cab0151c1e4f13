#include "program/stop_signal.h"

#include "bus/bus.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* make and timeout(1) pass a signal on that the process group gets anyway: the same one again within this
 * time is no impatience. */
#define SAME_SIGNAL_MS 300

static atomic_bool stopping;
static atomic_bool reloading;
static atomic_int stop_fd = -1;
static atomic_int signal_count;
static atomic_int first_signal;
static atomic_uint longest_seconds;
static _Atomic int64_t first_signal_ms;
static _Atomic(struct bus_member *) sleeping_member;
static atomic_int wakers; /* inside stop_signal_set, perhaps holding the member */

static void wake_member(void)
{
    (void)atomic_fetch_add(&wakers, 1);
    struct bus_member *member = atomic_load(&sleeping_member);
    if (member != NULL) {
        bus_wake(member);
    }
    (void)atomic_fetch_sub(&wakers, 1);
}

void stop_signal_set(void)
{
    atomic_store(&stopping, true);
    const uint64_t one = 1;
    int fd = atomic_load(&stop_fd);
    if (fd >= 0 && write(fd, &one, sizeof one) < 0) {
        /* full already: it is readable, which is all that is wanted */
    }
    wake_member();
}

static int64_t steady_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* async-signal-safe */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_signal(int number)
{
    int saved = errno;
    if (atomic_fetch_add(&signal_count, 1) == 0) {
        atomic_store(&first_signal, number);
        atomic_store(&first_signal_ms, steady_ms());
        (void)alarm(atomic_load(&longest_seconds)); /* async-signal-safe, and 0 is none */
    } else if (number != atomic_load(&first_signal) ||
               steady_ms() - atomic_load(&first_signal_ms) >= SAME_SIGNAL_MS) {
        _exit(1);
    }
    stop_signal_set();
    errno = saved;
}

/* No line of the log: its time and its format can't be made in a handler. */
static void on_alarm(int number)
{
    static const char why[] =
        "not ended in time after the signal; what is uncommitted is done again at the next start\n";
    (void)number;
    (void)!write(STDERR_FILENO, why, sizeof why - 1);
    _exit(1);
}

static void on_hangup(int number)
{
    (void)number;
    int saved = errno;
    atomic_store(&reloading, true);
    wake_member();
    errno = saved;
}

int stop_signal_install(unsigned longest_s)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        return -1;
    }
    atomic_store(&stop_fd, fd);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    atomic_store(&longest_seconds, longest_s);
    action.sa_handler = on_alarm;
    (void)sigaction(SIGALRM, &action, NULL);
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL);
    return 0;
}

void stop_signal_take_hangups(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_hangup;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGHUP, &action, NULL);
}

bool stop_signal_take_reload(void)
{
    return atomic_exchange(&reloading, false);
}

bool stop_signal_is_set(void)
{
    return atomic_load(&stopping);
}

bool stop_signal_wait(int64_t ms)
{
    struct pollfd wait = {.fd = atomic_load(&stop_fd), .events = POLLIN};
    if (!atomic_load(&stopping)) {
        (void)poll(&wait, 1, ms > INT32_MAX ? INT32_MAX : (int)ms);
    }
    return atomic_load(&stopping);
}

void stop_signal_wake_member(struct bus_member *member)
{
    atomic_store(&sleeping_member, member);
    while (atomic_load(&wakers) > 0) { /* the one taken back may be freed next */
        (void)sched_yield();
    }
    if (member != NULL && atomic_load(&stopping)) {
        bus_wake(member);
    }
}
