#include "clock/clock.h"

#include <time.h>

static int64_t system_wall_ms(const struct clock *clock)
{
    (void)clock;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_steady_ns(const struct clock *clock)
{
    (void)clock;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

const struct clock *clock_system(void)
{
    static const struct clock system = {.wall_ms = system_wall_ms, .steady_ns = system_steady_ns};
    return &system;
}

int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock);
}

int64_t clock_steady_ns(const struct clock *clock)
{
    return clock->steady_ns(clock);
}

int64_t clock_steady_ms(const struct clock *clock)
{
    return clock->steady_ns(clock) / 1000000;
}

static int64_t manual_wall_ms(const struct clock *clock)
{
    return ((const struct clock_manual *)(const void *)clock)->wall_ms;
}

static int64_t manual_steady_ns(const struct clock *clock)
{
    return ((const struct clock_manual *)(const void *)clock)->steady_ns;
}

void clock_manual_init(struct clock_manual *manual, int64_t wall_ms)
{
    manual->clock = (struct clock){.wall_ms = manual_wall_ms, .steady_ns = manual_steady_ns};
    manual->wall_ms = wall_ms;
    manual->steady_ns = 0;
}

void clock_manual_advance_ms(struct clock_manual *manual, int64_t ms)
{
    manual->wall_ms += ms;
    manual->steady_ns += ms * 1000000;
}
