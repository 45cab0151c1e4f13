/* A stream for bench_recovery: many series, a fixed rate of event time, log-normal latencies; one in fifty
 * late by up to 10 s, one in a hundred sent twice. The same numbers give the same events, so a part of it can
 * be read again. */
#ifndef OBS_BENCH_RECOVERY_STREAM_H
#define OBS_BENCH_RECOVERY_STREAM_H

#include "event/event.h"

#include <stdint.h>

#define STREAM_PARTITIONS 12

struct stream {
    uint32_t series, rate; /* records a second of event time */
    int64_t start_ms;
    double latencies_s[4096];
};
struct stream_event {
    struct event event;
    char id[24], service[24];
    uint32_t series;
};

void stream_init(struct stream *stream, uint32_t series, uint32_t rate, int64_t start_ms);
/* The event with that number; its time_unix_ms without lateness is stream_time_ms. */
void stream_make(const struct stream *stream, uint64_t number, struct stream_event *out);
int64_t stream_time_ms(const struct stream *stream, uint64_t number);

#endif
