/* lib/clock: time comes in from outside. A program hands its parts a clock; a test hands them one it turns by
 * hand.
 *
 * Two times: wall (ms since 1970 UTC, may jump) and steady (ns, never goes back, its zero means nothing).
 * Threads: the system clock may be read by any; a manual clock belongs to one. */
#ifndef OBS_CLOCK_CLOCK_H
#define OBS_CLOCK_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*wall_ms)(const struct clock *clock);
    int64_t (*steady_ns)(const struct clock *clock);
};

/* The machine's own clocks; lives for ever. */
const struct clock *clock_system(void);

int64_t clock_wall_ms(const struct clock *clock);
int64_t clock_steady_ns(const struct clock *clock);
int64_t clock_steady_ms(const struct clock *clock);

/* A clock that stands still until it is moved; &manual->clock is what to hand on. */
struct clock_manual {
    struct clock clock; /* first, so that the two can be converted */
    int64_t wall_ms;
    int64_t steady_ns;
};

void clock_manual_init(struct clock_manual *manual, int64_t wall_ms);
void clock_manual_advance_ms(struct clock_manual *manual, int64_t ms); /* both times */

#endif
