#include "base64.h"

#include "buffer/buffer.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_append(struct buffer *buffer, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i += 3) {
        size_t rest = size - i;
        uint32_t bits = (uint32_t)bytes[i] << 16;
        bits |= rest > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        bits |= rest > 2 ? bytes[i + 2] : 0;
        const char four[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63],
                              rest > 1 ? alphabet[bits >> 6 & 63] : '=',
                              rest > 2 ? alphabet[bits & 63] : '='};
        buffer_append(buffer, four, sizeof four);
    }
}

static int value_of(char c)
{
    const char *found = c == '\0' ? NULL : strchr(alphabet, c);
    return found == NULL ? -1 : (int)(found - alphabet);
}

bool base64_decode(struct buffer *buffer, const char *text, size_t size)
{
    if (size % 4 != 0) {
        return false;
    }
    for (size_t i = 0; i < size; i += 4) {
        bool is_last = i + 4 == size;
        size_t padding = !is_last || text[i + 3] != '=' ? 0 : text[i + 2] == '=' ? 2 : 1;
        uint32_t bits = 0;
        for (size_t j = 0; j < 4; j++) {
            int value = j >= 4 - padding ? 0 : value_of(text[i + j]);
            if (value < 0) {
                return false;
            }
            bits = bits << 6 | (uint32_t)value;
        }
        const char three[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
        buffer_append(buffer, three, 3 - padding);
    }
    return !buffer->failed;
}
