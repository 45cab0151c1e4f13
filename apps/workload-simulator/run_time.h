/* run_time: where a run is in its own time (ms since its start), and how that follows the machine's.
 *
 *   RUN_PACED   as the steady clock does: a second of traffic takes a second
 *   RUN_CAUGHT  as fast as it can from a start in the past, but never ahead of the wall clock
 *   RUN_NOW     the run's time is the clock's, as in PACED; it's the number of requests that isn't bound
 *
 * Any thread may ask; the traffic's own thread alone moves the position. */
#ifndef SIMULATOR_RUN_TIME_H
#define SIMULATOR_RUN_TIME_H

#include <stdatomic.h>
#include <stdint.h>

struct clock;

enum run_mode { RUN_PACED, RUN_CAUGHT, RUN_NOW };

struct run_time {
    enum run_mode mode;
    const struct clock *clock;
    int64_t start_unix_ms;
    int64_t steady_start_ms;
    _Atomic int64_t position_ms; /* up to where requests have been made */
};

void run_time_init(struct run_time *time, enum run_mode mode, const struct clock *clock,
                   int64_t start_unix_ms);
/* Where the run should be now. */
int64_t run_time_target_ms(const struct run_time *time);
/* What "now" means to somebody who asks from outside. */
int64_t run_time_now_ms(const struct run_time *time);
void run_time_move(struct run_time *time, int64_t position_ms);
int64_t run_time_position_ms(const struct run_time *time);

#endif
