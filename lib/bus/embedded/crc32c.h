/* CRC-32C (Castagnoli), as in iSCSI (RFC 3720, B.4) and Kafka's batches: by the processor's own instruction
 * where it has one, else eight bytes a step by tables (M. Kounavis, F. Berry, "Novel table lookup-based
 * algorithms for high-performance CRC generation", IEEE Trans. Computers 57(11), 2008). Any thread. */
#ifndef OBS_BUS_EMBEDDED_CRC32C_H
#define OBS_BUS_EMBEDDED_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc: 0, or the result over what comes before. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

/* The table way alone, so that a test can hold the two to the same answer. */
uint32_t crc32c_by_table(uint32_t crc, const void *data, size_t size);

#endif
