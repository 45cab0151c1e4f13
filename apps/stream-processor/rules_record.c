#include "rules_record.h"

#include "state_key.h"

#include "buffer/packing.h"

#include <string.h>
#include <xxhash.h>

#define VERSION    1
#define HEAD_BYTES (1 + 3 * 8)
#define HEX_DIGITS 16

void rules_key_write(char out[RULES_KEY_BYTES + 1], const struct rules_record *record)
{
    size_t first_bytes = strlen(RULES_PREFIX) + HEX_DIGITS;
    state_key_write(out, RULES_KEY_BYTES + 1, RULES_PREFIX, record->offset);
    state_key_write(out + first_bytes, RULES_KEY_BYTES + 1 - first_bytes, "|", record->tick_clock_ms);
}

static bool read_key(struct bus_bytes key, struct rules_record *record)
{
    size_t first_bytes = strlen(RULES_PREFIX) + HEX_DIGITS;
    const char *data = key.data;
    return key.size_bytes == RULES_KEY_BYTES &&
           state_key_read((struct bus_bytes){data, first_bytes}, RULES_PREFIX, &record->offset) &&
           state_key_read((struct bus_bytes){data + first_bytes, 1 + HEX_DIGITS}, "|",
                          &record->tick_clock_ms);
}

static void put_limits(struct buffer *out, const struct detector_limits *limits)
{
    put_number(out, (uint64_t)limits->lateness_ms, 8);
    put_number(out, (uint64_t)limits->idle_after_ms, 8);
    put_number(out, limits->series, 8);
}

void rules_record_write(struct buffer *out, const struct rules_record *record)
{
    buffer_clear(out);
    put_number(out, VERSION, 1);
    put_limits(out, &record->limits);
    buffer_append(out, record->text, record->text_bytes);
}

bool rules_is_key(struct bus_bytes key)
{
    struct rules_record record;
    return read_key(key, &record);
}

int rules_record_read(struct rules_record *record, struct bus_bytes key, struct bus_bytes value,
                      struct error *error)
{
    const unsigned char *bytes = value.data;
    *record = (struct rules_record){0};
    if (!read_key(key, record) || value.size_bytes < HEAD_BYTES || bytes[0] != VERSION) {
        return error_set(error, -1, "the state '%.*s' is damaged or of another version: %zu bytes",
                         (int)(key.size_bytes < 60 ? key.size_bytes : 60), (const char *)key.data,
                         value.size_bytes);
    }
    struct reader reader = {.at = bytes + 1, .left = value.size_bytes - 1};
    record->limits.lateness_ms = (int64_t)take_number(&reader, 8);
    record->limits.idle_after_ms = (int64_t)take_number(&reader, 8);
    record->limits.series = (uint32_t)take_number(&reader, 8);
    record->text = reader.at;
    record->text_bytes = reader.left;
    return 0;
}

int rules_record_compare(const struct rules_record *a, const struct rules_record *b)
{
    return a->offset != b->offset
               ? (a->offset > b->offset) - (a->offset < b->offset)
               : (a->tick_clock_ms > b->tick_clock_ms) - (a->tick_clock_ms < b->tick_clock_ms);
}

uint64_t rules_record_hash(const struct rules_record *record)
{
    const uint64_t parts[] = {XXH3_64bits(record->text, record->text_bytes),
                              (uint64_t)record->limits.lateness_ms, (uint64_t)record->limits.idle_after_ms,
                              record->limits.series};
    return XXH3_64bits(parts, sizeof parts);
}
