#include "run_time.h"

#include "clock/clock.h"

void run_time_init(struct run_time *time, enum run_mode mode, const struct clock *clock,
                   int64_t start_unix_ms)
{
    time->mode = mode;
    time->clock = clock;
    time->start_unix_ms = start_unix_ms;
    time->steady_start_ms = clock_steady_ms(clock);
    atomic_init(&time->position_ms, 0);
}

int64_t run_time_target_ms(const struct run_time *time)
{
    if (time->mode != RUN_CAUGHT) {
        return clock_steady_ms(time->clock) - time->steady_start_ms;
    }
    int64_t now_ms = clock_wall_ms(time->clock) - time->start_unix_ms;
    int64_t position_ms = run_time_position_ms(time);
    return now_ms > position_ms ? now_ms : position_ms;
}

int64_t run_time_now_ms(const struct run_time *time)
{
    int64_t position_ms = run_time_position_ms(time);
    if (time->mode == RUN_CAUGHT) {
        return position_ms;
    }
    int64_t now_ms = run_time_target_ms(time);
    return now_ms > position_ms ? now_ms : position_ms;
}

void run_time_move(struct run_time *time, int64_t position_ms)
{
    atomic_store(&time->position_ms, position_ms);
}

int64_t run_time_position_ms(const struct run_time *time)
{
    return atomic_load(&time->position_ms);
}
