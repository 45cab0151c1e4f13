#include "bus/embedded/record_frame.h"

#include "bus/embedded/byte_order.h"
#include "bus/embedded/crc32c.h"

#define NAME_HEADER_BYTES 8

static size_t stored_size(struct bus_bytes bytes)
{
    return bytes.data == NULL ? 0 : bytes.size_bytes;
}

size_t record_frame_size(const struct bus_record *record)
{
    size_t size = RECORD_HEADER_BYTES + stored_size(record->key) + stored_size(record->value);
    for (size_t i = 0; i < record->header_count; i++) {
        size +=
            NAME_HEADER_BYTES + strlen(record->headers[i].name) + 1 + stored_size(record->headers[i].value);
    }
    return size;
}

static void put_size(char *out, struct bus_bytes bytes)
{
    put_le32(out, bytes.data == NULL ? 0 : (uint32_t)bytes.size_bytes + 1);
}

static char *put_bytes(char *out, struct bus_bytes bytes)
{
    if (stored_size(bytes) > 0) {
        memcpy(out, bytes.data, bytes.size_bytes);
    }
    return out + stored_size(bytes);
}

size_t record_frame_write(char *out, const struct bus_record *record)
{
    char *at = out;
    put_size(at, record->key);
    put_size(at + 4, record->value);
    put_le32(at + 8, (uint32_t)record->header_count);
    at += RECORD_HEADER_BYTES;
    for (size_t i = 0; i < record->header_count; i++) {
        const struct bus_header *header = &record->headers[i];
        size_t name_size = strlen(header->name) + 1;
        put_le32(at, (uint32_t)name_size);
        put_size(at + 4, header->value);
        memcpy(at + NAME_HEADER_BYTES, header->name, name_size);
        at = put_bytes(at + NAME_HEADER_BYTES + name_size, header->value);
    }
    at = put_bytes(at, record->key);
    at = put_bytes(at, record->value);
    return (size_t)(at - out);
}

/* Takes size_plus_one - 1 bytes off the front; false: there aren't as many. */
static bool take_bytes(const char **at, size_t *left, uint32_t size_plus_one, struct bus_bytes *out)
{
    size_t size = size_plus_one == 0 ? 0 : size_plus_one - 1;
    if (size > *left) {
        return false;
    }
    *out = (struct bus_bytes){.data = size_plus_one == 0 ? NULL : *at, .size_bytes = size};
    *at += size;
    *left -= size;
    return true;
}

static bool take_header(const char **at, size_t *left, struct bus_header *out)
{
    if (*left < NAME_HEADER_BYTES) {
        return false;
    }
    size_t name_size = get_le32(*at);
    uint32_t value_size = get_le32(*at + 4);
    *at += NAME_HEADER_BYTES;
    *left -= NAME_HEADER_BYTES;
    if (name_size == 0 || name_size > *left || (*at)[name_size - 1] != '\0') {
        return false;
    }
    out->name = *at;
    *at += name_size;
    *left -= name_size;
    return take_bytes(at, left, value_size, &out->value);
}

bool record_frame_measure(const char *data, size_t size, size_t *frame_size, size_t *header_count)
{
    if (size < RECORD_HEADER_BYTES) {
        return false;
    }
    const char *at = data + RECORD_HEADER_BYTES;
    size_t left = size - RECORD_HEADER_BYTES;
    struct bus_bytes skipped;
    struct bus_header header;
    *header_count = get_le32(data + 8);
    for (size_t i = 0; i < *header_count; i++) {
        if (!take_header(&at, &left, &header)) {
            return false;
        }
    }
    if (!take_bytes(&at, &left, get_le32(data), &skipped) ||
        !take_bytes(&at, &left, get_le32(data + 4), &skipped)) {
        return false;
    }
    *frame_size = (size_t)(at - data);
    return true;
}

bool record_frame_read(const char *data, size_t frame_size, struct bus_record *record,
                       struct bus_header *headers)
{
    const char *at = data + RECORD_HEADER_BYTES;
    size_t left = frame_size - RECORD_HEADER_BYTES;
    record->header_count = get_le32(data + 8);
    record->headers = headers;
    for (size_t i = 0; i < record->header_count; i++) {
        if (!take_header(&at, &left, &headers[i])) {
            return false;
        }
    }
    return take_bytes(&at, &left, get_le32(data), &record->key) &&
           take_bytes(&at, &left, get_le32(data + 4), &record->value);
}

void batch_seal(char *out, const struct batch *batch)
{
    put_le32(out + 4, batch->topic);
    put_le32(out + 8, batch->partition);
    put_le32(out + 12, batch->record_count);
    put_le64(out + 16, (uint64_t)batch->base_offset);
    put_le64(out + 24, (uint64_t)batch->appended_ms);
    put_le32(out, crc32c(0, out + 4, BATCH_HEADER_BYTES - 4 + batch->records_bytes));
}

bool batch_open(const void *data, size_t size, struct batch *out)
{
    const char *bytes = data;
    if (size < BATCH_HEADER_BYTES || crc32c(0, bytes + 4, size - 4) != get_le32(bytes)) {
        return false;
    }
    *out = (struct batch){.topic = get_le32(bytes + 4),
                          .partition = get_le32(bytes + 8),
                          .record_count = get_le32(bytes + 12),
                          .base_offset = (int64_t)get_le64(bytes + 16),
                          .appended_ms = (int64_t)get_le64(bytes + 24),
                          .records = bytes + BATCH_HEADER_BYTES,
                          .records_bytes = size - BATCH_HEADER_BYTES};
    return true;
}
