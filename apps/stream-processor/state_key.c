#include "state_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEX_DIGITS 16

void state_key_write(char *out, size_t room, const char *prefix, int64_t offset)
{
    (void)snprintf(out, room, "%s%016" PRIx64, prefix, (uint64_t)offset);
}

bool state_key_read(struct bus_bytes key, const char *prefix, int64_t *offset)
{
    size_t prefix_bytes = strlen(prefix);
    char digits[HEX_DIGITS + 1];
    if (key.size_bytes != prefix_bytes + HEX_DIGITS || memcmp(key.data, prefix, prefix_bytes) != 0) {
        return false;
    }
    memcpy(digits, (const char *)key.data + prefix_bytes, HEX_DIGITS);
    digits[HEX_DIGITS] = '\0';
    if (strspn(digits, "0123456789abcdef") != HEX_DIGITS) {
        return false;
    }
    *offset = (int64_t)strtoull(digits, NULL, 16);
    return true;
}
