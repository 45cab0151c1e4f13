#include "bus/partitioner.h"

#define SEED       0x9747b28cU
#define MULTIPLIER 0x5bd1e995U
#define SHIFT      24

uint32_t partitioner_murmur2(const void *key, size_t key_bytes)
{
    const unsigned char *bytes = key;
    uint32_t hash = SEED ^ (uint32_t)key_bytes;
    size_t left = key_bytes;
    for (; left >= 4; left -= 4, bytes += 4) {
        uint32_t word = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                        (uint32_t)bytes[3] << 24;
        word *= MULTIPLIER;
        word ^= word >> SHIFT;
        word *= MULTIPLIER;
        hash *= MULTIPLIER;
        hash ^= word;
    }
    if (left > 0) {
        uint32_t tail = bytes[0];
        tail |= left > 1 ? (uint32_t)bytes[1] << 8 : 0;
        tail |= left > 2 ? (uint32_t)bytes[2] << 16 : 0;
        hash ^= tail;
        hash *= MULTIPLIER;
    }
    hash ^= hash >> 13;
    hash *= MULTIPLIER;
    hash ^= hash >> 15;
    return hash;
}

int32_t partitioner_partition(const void *key, size_t key_bytes, int32_t partition_count)
{
    return (int32_t)((partitioner_murmur2(key, key_bytes) & 0x7fffffffU) % (uint32_t)partition_count);
}
