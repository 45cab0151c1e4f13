#include "partition_clock.h"

#include "buffer/packing.h"

#define VERSION 2

void partition_clock_init(struct partition_clock *clock)
{
    *clock = (struct partition_clock){.history_until_ms = INT64_MIN,
                                      .last_effective_ms = INT64_MIN,
                                      .tick_clock_ms = INT64_MIN,
                                      .replay_from = -1};
}

int64_t partition_clock_now_ms(const struct partition_clock *clock)
{
    return clock->tick_clock_ms > clock->last_effective_ms ? clock->tick_clock_ms : clock->last_effective_ms;
}

void partition_clock_write(struct buffer *out, const struct partition_clock *clock)
{
    buffer_clear(out);
    put_number(out, VERSION, 1);
    put_number(out, (uint32_t)clock->partition_count, 4);
    put_number(out, (uint64_t)clock->history_until_ms, 8);
    put_number(out, (uint64_t)clock->last_effective_ms, 8);
    put_number(out, (uint64_t)clock->last_appended_ms, 8);
    put_number(out, (uint64_t)clock->tick_clock_ms, 8);
    put_number(out, (uint64_t)clock->replay_from, 8);
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
    struct reader reader = {.at = at + 1, .left = value.size_bytes - 1};
    clock->partition_count = (int32_t)take_number(&reader, 4);
    clock->history_until_ms = (int64_t)take_number(&reader, 8);
    clock->last_effective_ms = (int64_t)take_number(&reader, 8);
    clock->last_appended_ms = (int64_t)take_number(&reader, 8);
    clock->tick_clock_ms = (int64_t)take_number(&reader, 8);
    clock->replay_from = (int64_t)take_number(&reader, 8);
    return 0;
}
