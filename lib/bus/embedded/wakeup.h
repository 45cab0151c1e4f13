/* lib/bus/embedded/wakeup: readers sleep in the kernel until a commit of what they read, of whatever process.
 *
 * One futex word in the shared page counts commits; a mask of interests keeps a sleeper asleep when the
 * commit is none of its topics': 30 bits for topics (by id, shared when there are more), one for groups, one
 * for bus_wake. Sleeping: word = wakeup_now(), look whether there is something to do, wakeup_wait(word). A
 * commit in between has changed the word, and the wait returns at once. Any thread; wakeup_signal also in a
 * signal handler. */
#ifndef OBS_BUS_EMBEDDED_WAKEUP_H
#define OBS_BUS_EMBEDDED_WAKEUP_H

#include "bus/embedded/shared_page.h"

#define WAKEUP_GROUPS  (1U << 30)
#define WAKEUP_BY_HAND (1U << 31)

uint32_t wakeup_topic_mask(uint32_t topic_id);
uint32_t wakeup_now(const struct shared_page *page);
/* Until a signal with one of mask's bits, or timeout_ms. */
void wakeup_wait(struct shared_page *page, uint32_t word, uint32_t mask, int64_t timeout_ms);
void wakeup_signal(struct shared_page *page, uint32_t mask);

#endif
