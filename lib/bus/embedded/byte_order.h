/* Numbers as bytes: little-endian in values, big-endian in keys (so that keys sort as numbers do). */
#ifndef OBS_BUS_EMBEDDED_BYTE_ORDER_H
#define OBS_BUS_EMBEDDED_BYTE_ORDER_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void put_le32(void *out, uint32_t value)
{
    value = htole32(value);
    memcpy(out, &value, sizeof value);
}

static inline void put_le64(void *out, uint64_t value)
{
    value = htole64(value);
    memcpy(out, &value, sizeof value);
}

static inline uint32_t get_le32(const void *in)
{
    uint32_t value;
    memcpy(&value, in, sizeof value);
    return le32toh(value);
}

static inline uint64_t get_le64(const void *in)
{
    uint64_t value;
    memcpy(&value, in, sizeof value);
    return le64toh(value);
}

static inline void put_be32(void *out, uint32_t value)
{
    value = htobe32(value);
    memcpy(out, &value, sizeof value);
}

static inline void put_be64(void *out, uint64_t value)
{
    value = htobe64(value);
    memcpy(out, &value, sizeof value);
}

static inline uint32_t get_be32(const void *in)
{
    uint32_t value;
    memcpy(&value, in, sizeof value);
    return be32toh(value);
}

static inline uint64_t get_be64(const void *in)
{
    uint64_t value;
    memcpy(&value, in, sizeof value);
    return be64toh(value);
}

#endif
