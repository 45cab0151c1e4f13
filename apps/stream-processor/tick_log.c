#include "tick_log.h"

#include "state_key.h"

#include "buffer/packing.h"

#include <stdlib.h>
#include <string.h>

#define VERSION 1

void tick_log_free(struct tick_log *log)
{
    free(log->ticks);
    *log = (struct tick_log){0};
}

static bool make_room(struct tick_log *log)
{
    if (log->count < log->capacity) {
        return true;
    }
    size_t capacity = log->capacity == 0 ? 16 : log->capacity * 2;
    struct tick *ticks = realloc(log->ticks, capacity * sizeof *ticks);
    if (ticks == NULL) {
        return false;
    }
    log->ticks = ticks;
    log->capacity = capacity;
    return true;
}

bool tick_log_put(struct tick_log *log, int64_t offset, int64_t clock_ms)
{
    size_t at = log->count;
    while (at > 0 && log->ticks[at - 1].offset > offset) { /* live ones are the newest: no step */
        at--;
    }
    if (at > 0 && log->ticks[at - 1].offset == offset) {
        struct tick *tick = &log->ticks[at - 1];
        tick->clock_ms = clock_ms > tick->clock_ms ? clock_ms : tick->clock_ms;
        return true;
    }
    if (!make_room(log)) {
        return false;
    }
    memmove(&log->ticks[at + 1], &log->ticks[at], (log->count - at) * sizeof log->ticks[0]);
    log->ticks[at] = (struct tick){.offset = offset, .clock_ms = clock_ms};
    log->count++;
    return true;
}

size_t tick_log_drop_before(struct tick_log *log, int64_t offset)
{
    size_t gone = 0;
    while (gone < log->count && log->ticks[gone].offset < offset) {
        gone++;
    }
    log->count -= gone;
    if (gone > 0) {
        memmove(log->ticks, &log->ticks[gone], log->count * sizeof log->ticks[0]);
    }
    return gone;
}

void tick_key_write(char out[TICK_KEY_BYTES + 1], int64_t offset)
{
    state_key_write(out, TICK_KEY_BYTES + 1, TICK_PREFIX, offset);
}

void tick_value_write(struct buffer *out, int64_t clock_ms)
{
    buffer_clear(out);
    put_number(out, VERSION, 1);
    put_number(out, (uint64_t)clock_ms, 8);
}

bool tick_is_key(struct bus_bytes key)
{
    int64_t offset;
    return state_key_read(key, TICK_PREFIX, &offset);
}

int tick_log_restore(struct tick_log *log, struct bus_bytes key, struct bus_bytes value, struct error *error)
{
    struct reader reader = {.at = value.data, .left = value.size_bytes};
    int64_t offset = 0;
    uint64_t version = take_number(&reader, 1);
    int64_t clock_ms = (int64_t)take_number(&reader, 8);
    if (!state_key_read(key, TICK_PREFIX, &offset) || reader.failed || reader.left > 0 ||
        version != VERSION) {
        return error_set(error, -1, "the state '%.*s' is damaged or of another version: %zu bytes",
                         (int)(key.size_bytes < 40 ? key.size_bytes : 40), (const char *)key.data,
                         value.size_bytes);
    }
    return tick_log_put(log, offset, clock_ms) ? 0 : error_set(error, -1, "no memory for ticks");
}
