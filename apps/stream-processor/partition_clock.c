#include "partition_clock.h"

#define VERSION 2

void partition_clock_init(struct partition_clock *clock)
{
    *clock = (struct partition_clock){.history_until_ms = INT64_MIN,
                                      .last_effective_ms = INT64_MIN,
                                      .tick_clock_ms = INT64_MIN,
                                      .replay_from = -1};
}

static unsigned char *put(unsigned char *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        *at++ = (unsigned char)(value >> (8 * i));
    }
    return at;
}

static uint64_t take(const unsigned char **at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) {
        value |= (uint64_t) * (*at)++ << (8 * i);
    }
    return value;
}

int64_t partition_clock_now_ms(const struct partition_clock *clock)
{
    return clock->tick_clock_ms > clock->last_effective_ms ? clock->tick_clock_ms : clock->last_effective_ms;
}

void partition_clock_write(unsigned char out[PARTITION_CLOCK_BYTES], const struct partition_clock *clock)
{
    unsigned char *at = put(out, VERSION, 1);
    at = put(at, (uint32_t)clock->partition_count, 4);
    at = put(at, (uint64_t)clock->history_until_ms, 8);
    at = put(at, (uint64_t)clock->last_effective_ms, 8);
    at = put(at, (uint64_t)clock->last_appended_ms, 8);
    at = put(at, (uint64_t)clock->tick_clock_ms, 8);
    (void)put(at, (uint64_t)clock->replay_from, 8);
}

int partition_clock_read(struct partition_clock *clock, struct bus_bytes value, struct error *error)
{
    const unsigned char *at = value.data;
    if (value.size_bytes == 0 || at[0] != VERSION) {
        return error_set(error, -1,
                         "the state '" PARTITION_CLOCK_KEY "' has format version %d, this program reads %d",
                         value.size_bytes == 0 ? -1 : at[0], VERSION);
    }
    if (value.size_bytes != PARTITION_CLOCK_BYTES) {
        return error_set(error, -1, "the state '" PARTITION_CLOCK_KEY "' is damaged: %zu bytes instead of %d",
                         value.size_bytes, PARTITION_CLOCK_BYTES);
    }
    at++;
    clock->partition_count = (int32_t)take(&at, 4);
    clock->history_until_ms = (int64_t)take(&at, 8);
    clock->last_effective_ms = (int64_t)take(&at, 8);
    clock->last_appended_ms = (int64_t)take(&at, 8);
    clock->tick_clock_ms = (int64_t)take(&at, 8);
    clock->replay_from = (int64_t)take(&at, 8);
    return 0;
}
