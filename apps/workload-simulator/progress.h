/* progress: the line of --progress on stderr: how fast, how much is safe, how long it has been and will be.
 *
 *   1 000/s   42 113 acknowledged   0 failed   elapsed 0:42   remaining 9:18
 *
 * On a terminal the line is rewritten in place twice a second; otherwise a line is written every 10 s. One
 * thread. */
#ifndef SIMULATOR_PROGRESS_H
#define SIMULATOR_PROGRESS_H

#include "publisher.h"

#include <stdbool.h>
#include <stdint.h>

struct clock;

struct progress {
    bool shown, in_place;
    const struct clock *clock;
    int64_t started_ms, next_ms, last_ms;
    uint64_t last_acknowledged;
    double rate;
};

/* remaining_ms in progress_show: negative means nobody knows. */
void progress_init(struct progress *progress, bool shown, const struct clock *clock);
void progress_show(struct progress *progress, const struct publisher *publisher, int64_t remaining_ms);
void progress_end(struct progress *progress); /* leaves the terminal's line clean */

#define PROGRESS_LINE_BYTES 256
/* The line itself, without its end. */
void progress_format(char out[PROGRESS_LINE_BYTES], double rate, const struct publisher_counts *events,
                     int64_t elapsed_ms, int64_t remaining_ms);

#endif
