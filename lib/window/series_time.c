#include "window/series_time.h"

int64_t series_time_second(int64_t ms)
{
    int64_t second = ms / 1000;
    return ms % 1000 < 0 ? second - 1 : second;
}

int64_t series_time_effective(int64_t time_unix_ms, int64_t appended_ms)
{
    return time_unix_ms < appended_ms ? time_unix_ms : appended_ms;
}

bool series_time_is_late(int64_t effective_ms, int64_t newest_ms, int64_t lateness_ms)
{
    return effective_ms < newest_ms && newest_ms - effective_ms > lateness_ms;
}

int64_t series_time_idle(int64_t clock_ms, int64_t idle_after_ms)
{
    return clock_ms == INT64_MIN ? INT64_MIN : clock_ms - idle_after_ms;
}
