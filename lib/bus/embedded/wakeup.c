#include "bus/embedded/wakeup.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TOPIC_BITS 30

uint32_t wakeup_topic_mask(uint32_t topic_id)
{
    return 1U << topic_id % TOPIC_BITS;
}

uint32_t wakeup_now(const struct shared_page *page)
{
    return atomic_load_explicit(&page->word, memory_order_acquire);
}

void wakeup_wait(struct shared_page *page, uint32_t word, uint32_t mask, int64_t timeout_ms)
{
    /* FUTEX_WAIT_BITSET takes a point in time, of CLOCK_MONOTONIC. */
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    /* Shared between processes: no FUTEX_PRIVATE_FLAG. Why it returned doesn't matter: the caller looks
     * again. */
    (void)syscall(SYS_futex, &page->word, FUTEX_WAIT_BITSET, word, &until, NULL, mask);
}

void wakeup_signal(struct shared_page *page, uint32_t mask)
{
    (void)atomic_fetch_add_explicit(&page->word, 1, memory_order_acq_rel);
    (void)syscall(SYS_futex, &page->word, FUTEX_WAKE_BITSET, INT_MAX, NULL, NULL, mask);
}
