#include "rules_record.h"

#include "state_key.h"

#include "buffer/buffer.h"

#include <xxhash.h>

#define VERSION    1
#define HEAD_BYTES (1 + 4 * 8)

void rules_key_write(char out[RULES_KEY_BYTES + 1], int64_t offset)
{
    state_key_write(out, RULES_KEY_BYTES + 1, RULES_PREFIX, offset);
}

static void put(struct buffer *out, int64_t value)
{
    for (int i = 0; i < 8; i++) {
        buffer_append_char(out, (char)((uint64_t)value >> (8 * i) & 0xff));
    }
}

static int64_t take(const unsigned char *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return (int64_t)value;
}

static void put_limits(struct buffer *out, const struct detector_limits *limits)
{
    put(out, limits->lateness_ms);
    put(out, limits->idle_after_ms);
    put(out, limits->series);
}

void rules_record_write(struct buffer *out, const struct rules_record *record)
{
    buffer_clear(out);
    buffer_append_char(out, VERSION);
    put(out, record->tick_clock_ms);
    put_limits(out, &record->limits);
    buffer_append(out, record->text, record->text_bytes);
}

bool rules_is_key(struct bus_bytes key)
{
    int64_t offset;
    return state_key_read(key, RULES_PREFIX, &offset);
}

int rules_record_read(struct rules_record *record, struct bus_bytes key, struct bus_bytes value,
                      struct error *error)
{
    const unsigned char *bytes = value.data;
    *record = (struct rules_record){0};
    if (!state_key_read(key, RULES_PREFIX, &record->offset) || value.size_bytes < HEAD_BYTES ||
        bytes[0] != VERSION) {
        return error_set(error, -1, "the state '%.*s' is damaged or of another version: %zu bytes",
                         (int)(key.size_bytes < 40 ? key.size_bytes : 40), (const char *)key.data,
                         value.size_bytes);
    }
    record->tick_clock_ms = take(bytes + 1);
    record->limits.lateness_ms = take(bytes + 9);
    record->limits.idle_after_ms = take(bytes + 17);
    record->limits.series = (uint32_t)take(bytes + 25);
    record->text = bytes + HEAD_BYTES;
    record->text_bytes = value.size_bytes - HEAD_BYTES;
    return 0;
}

uint64_t rules_record_hash(const struct rules_record *record)
{
    const uint64_t parts[] = {XXH3_64bits(record->text, record->text_bytes),
                              (uint64_t)record->limits.lateness_ms, (uint64_t)record->limits.idle_after_ms,
                              record->limits.series};
    return XXH3_64bits(parts, sizeof parts);
}
