#include "recovery/stream.h"

#include "random/random.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void stream_init(struct stream *stream, uint32_t series, uint32_t rate, int64_t start_ms)
{
    struct random random;
    random_init(&random, series);
    stream->series = series;
    stream->rate = rate;
    stream->start_ms = start_ms;
    for (int i = 0; i < 4096; i++) {
        stream->latencies_s[i] = 0.04 * exp(0.7 * random_normal(&random));
    }
}

/* splitmix64, so that each number has its own event without the ones before. */
static uint64_t scramble(uint64_t value)
{
    value += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

int64_t stream_time_ms(const struct stream *stream, uint64_t number)
{
    return stream->start_ms + (int64_t)(number * 1000 / stream->rate);
}

void stream_make(const struct stream *stream, uint64_t number, struct stream_event *out)
{
    if (number > 50 && number % 100 == 0) {
        number -= 1 + scramble(number) % 50; /* sent again */
    }
    uint64_t bits = scramble(number);
    int64_t late_ms = number % 50 == 7 ? (int64_t)(bits >> 40) % 10000 : 0;
    out->series = (uint32_t)(bits % stream->series);
    int id_size = snprintf(out->id, sizeof out->id, "%016" PRIx64, number);
    int name_size = snprintf(out->service, sizeof out->service, "service-%05" PRIu32, out->series);
    out->event = (struct event){.id = {out->id, (size_t)id_size},
                                .time_unix_ms = stream_time_ms(stream, number) - late_ms,
                                .service = {out->service, (size_t)name_size},
                                .region = {"us-east-1", 9},
                                .kind = EVENT_REQUEST,
                                .method = EVENT_METHOD_GET,
                                .route = {"/orders/{id}", 12},
                                .status_code = bits >> 32 & 255 ? 200 : 500,
                                .duration_s = stream->latencies_s[bits >> 20 & 4095],
                                .count = 1,
                                .cpu_utilization = NAN,
                                .memory_utilization = NAN};
}
