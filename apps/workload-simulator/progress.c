#include "progress.h"

#include "clock/clock.h"

#include <stdio.h>
#include <unistd.h>

#define IN_PLACE_EVERY_MS 500
#define LINES_EVERY_MS    10000

void progress_init(struct progress *progress, bool shown, const struct clock *clock)
{
    *progress = (struct progress){.shown = shown, .in_place = isatty(STDERR_FILENO) != 0, .clock = clock};
    progress->started_ms = progress->last_ms = clock_steady_ms(clock);
    progress->next_ms = progress->started_ms + (progress->in_place ? IN_PLACE_EVERY_MS : LINES_EVERY_MS);
}

/* 1234567 as "1 234 567". */
static void format_count(char out[32], uint64_t value)
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    int at = 0;
    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0) {
            out[at++] = ' ';
        }
        out[at++] = digits[i];
    }
    out[at] = '\0';
}

/* "0:42", "1:02:03"; "-" when nobody knows. */
static void format_time(char out[32], int64_t ms)
{
    int64_t seconds = (ms + 500) / 1000;
    if (ms < 0) {
        (void)snprintf(out, 32, "-");
    } else if (seconds < 3600) {
        (void)snprintf(out, 32, "%d:%02d", (int)(seconds / 60), (int)(seconds % 60));
    } else {
        (void)snprintf(out, 32, "%lld:%02d:%02d", (long long)(seconds / 3600), (int)(seconds / 60 % 60),
                       (int)(seconds % 60));
    }
}

void progress_format(char out[PROGRESS_LINE_BYTES], double rate, const struct publisher_counts *events,
                     int64_t elapsed_ms, int64_t remaining_ms)
{
    char per_second[32], acknowledged[32], failed[32], elapsed[32], remaining[32];
    format_count(per_second, (uint64_t)(rate + 0.5));
    format_count(acknowledged, events->acknowledged);
    format_count(failed, events->failed);
    format_time(elapsed, elapsed_ms);
    format_time(remaining, remaining_ms);
    (void)snprintf(out, PROGRESS_LINE_BYTES, "%s/s   %s acknowledged   %s failed   elapsed %s   remaining %s",
                   per_second, acknowledged, failed, elapsed, remaining);
}

void progress_show(struct progress *progress, const struct publisher *publisher, int64_t remaining_ms)
{
    if (!progress->shown) {
        return;
    }
    int64_t now_ms = clock_steady_ms(progress->clock);
    if (now_ms < progress->next_ms) {
        return;
    }
    struct publisher_counts events;
    char line[PROGRESS_LINE_BYTES];
    publisher_read_counts(publisher, PUBLISHER_EVENTS, &events);
    double rate = (double)(events.acknowledged - progress->last_acknowledged) * 1000.0 /
                  (double)(now_ms - progress->last_ms);
    progress_format(line, rate, &events, now_ms - progress->started_ms, remaining_ms);
    (void)fprintf(stderr, progress->in_place ? "\r%s\033[K" : "%s\n", line);
    (void)fflush(stderr);
    progress->last_acknowledged = events.acknowledged;
    progress->last_ms = now_ms;
    progress->next_ms = now_ms + (progress->in_place ? IN_PLACE_EVERY_MS : LINES_EVERY_MS);
}

void progress_end(struct progress *progress)
{
    if (progress->shown && progress->in_place) {
        (void)fputs("\r\033[K", stderr);
        (void)fflush(stderr);
    }
}
