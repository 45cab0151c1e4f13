/* lib/window/series_time: event time, in ms and in seconds: what counts as a record's time, what is late, and
 * where a series stands that nothing comes for.
 *
 * Time advances for each series by its own records. A partition's clock is the largest effective time on it;
 * a series that is idle_after behind the clock is taken along at that distance. Plain functions. */
#ifndef OBS_WINDOW_SERIES_TIME_H
#define OBS_WINDOW_SERIES_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* The second in which a time lies: rounded down, also before 1970. */
int64_t series_time_second(int64_t ms);
/* An event ahead of the bus advances nothing beyond bus time. */
int64_t series_time_effective(int64_t time_unix_ms, int64_t appended_ms);
/* Too far behind its series to be counted. */
bool series_time_is_late(int64_t effective_ms, int64_t newest_ms, int64_t lateness_ms);
/* Where the clock takes an idle series along to; INT64_MIN while there is no clock. */
int64_t series_time_idle(int64_t clock_ms, int64_t idle_after_ms);

#endif
