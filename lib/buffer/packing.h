/* lib/buffer/packing: numbers and texts of saved states: little-endian, texts with their length in 16 bits
 * before them, and numbers of seven bits a byte (varints) where most are small. Reading checks every length:
 * damaged bytes set `failed` and read as 0. */
#ifndef OBS_BUFFER_PACKING_H
#define OBS_BUFFER_PACKING_H

#include "buffer/buffer.h"

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* --- writing ---- */

static inline void put_number(struct buffer *out, uint64_t value, int bytes)
{
    uint64_t little = htole64(value);
    buffer_append(out, &little, (size_t)bytes);
}

static inline void put_real(struct buffer *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_number(out, bits, 8);
}

static inline void put_text(struct buffer *out, const char *text)
{
    size_t size = strlen(text);
    put_number(out, size, 2);
    buffer_append(out, text, size);
}

static inline void put_varint(struct buffer *out, uint64_t value)
{
    unsigned char bytes[10];
    size_t count = 0;
    for (; value >= 0x80; value >>= 7) {
        bytes[count++] = (unsigned char)((value & 0x7f) | 0x80);
    }
    bytes[count++] = (unsigned char)value;
    buffer_append(out, bytes, count);
}

/* Small numbers of either sign are short: 0, -1, 1, -2 … become 0, 1, 2, 3 … */
static inline void put_signed(struct buffer *out, int64_t value)
{
    put_varint(out, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

/* --- reading ---- */

struct reader {
    const unsigned char *at;
    size_t left;
    bool failed;
};

static inline uint64_t take_number(struct reader *reader, size_t bytes)
{
    if (reader->left < bytes) {
        reader->failed = true;
        return 0;
    }
    uint64_t little = 0;
    memcpy(&little, reader->at, bytes);
    reader->at += bytes;
    reader->left -= bytes;
    return le64toh(little);
}

static inline double take_real(struct reader *reader)
{
    uint64_t bits = take_number(reader, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline void take_text(struct reader *reader, char *out, size_t room)
{
    size_t size = take_number(reader, 2);
    if (size >= room || size > reader->left || memchr(reader->at, '\0', size) != NULL) {
        reader->failed = true;
        return;
    }
    memcpy(out, reader->at, size);
    out[size] = '\0';
    reader->at += size;
    reader->left -= size;
}

static inline uint64_t take_varint(struct reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (reader->left == 0) {
            break;
        }
        unsigned char byte = *reader->at++;
        reader->left--;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return value;
        }
    }
    reader->failed = true;
    return 0;
}

static inline int64_t take_signed(struct reader *reader)
{
    uint64_t value = take_varint(reader);
    return (int64_t)((value >> 1) ^ (~(value & 1) + 1));
}

#endif
