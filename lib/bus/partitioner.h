/* lib/bus/partitioner: the partition of a key, as Java's default partitioner and librdkafka's murmur2_random
 * give it: (murmur2(key) & 0x7fffffff) mod partitions. The hash is Austin Appleby's MurmurHash2 with the seed
 * and the tail of org.apache.kafka.common.utils.Utils.murmur2. Plain functions. */
#ifndef OBS_BUS_PARTITIONER_H
#define OBS_BUS_PARTITIONER_H

#include <stddef.h>
#include <stdint.h>

uint32_t partitioner_murmur2(const void *key, size_t key_bytes);
int32_t partitioner_partition(const void *key, size_t key_bytes, int32_t partition_count);

#endif
