#include "bus/embedded/crc32c.h"

#include "bus/embedded/byte_order.h"

#include <pthread.h>
#include <stdbool.h>

#define POLYNOMIAL 0x82f63b78U /* 0x1edc6f41 with its bits reversed */

static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void fill_tables(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        }
        tables[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++) {
        for (int i = 1; i < 8; i++) {
            tables[i][byte] = tables[i - 1][byte] >> 8 ^ tables[0][tables[i - 1][byte] & 0xff];
        }
    }
}

uint32_t crc32c_by_table(uint32_t crc, const void *data, size_t size)
{
    (void)pthread_once(&tables_once, fill_tables);
    const unsigned char *bytes = data;
    crc = ~crc;
    for (; size >= 8; size -= 8, bytes += 8) {
        uint64_t word = get_le64(bytes) ^ crc;
        crc = 0;
        for (int i = 0; i < 8; i++) {
            crc ^= tables[7 - i][word >> (8 * i) & 0xff];
        }
    }
    for (; size > 0; size--, bytes++) {
        crc = crc >> 8 ^ tables[0][(crc ^ *bytes) & 0xff];
    }
    return ~crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

static bool has_instruction(void)
{
    return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint64_t state = ~crc;
    for (; size >= 8; size -= 8, bytes += 8) {
        state = _mm_crc32_u64(state, get_le64(bytes));
    }
    for (; size > 0; size--, bytes++) {
        state = _mm_crc32_u8((uint32_t)state, *bytes);
    }
    return ~(uint32_t)state;
}
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

static bool has_instruction(void)
{
    return true;
}

static uint32_t by_instruction(uint32_t crc, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    crc = ~crc;
    for (; size >= 8; size -= 8, bytes += 8) {
        crc = __crc32cd(crc, get_le64(bytes));
    }
    for (; size > 0; size--, bytes++) {
        crc = __crc32cb(crc, *bytes);
    }
    return ~crc;
}
#else
static bool has_instruction(void)
{
    return false;
}

static uint32_t by_instruction(uint32_t crc, const void *data, size_t size)
{
    return crc32c_by_table(crc, data, size);
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    return has_instruction() ? by_instruction(crc, data, size) : crc32c_by_table(crc, data, size);
}
