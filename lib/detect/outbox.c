#include "detect/outbox.h"

#include <string.h>

#define NO_VALUE   UINT32_MAX /* as a value's size: forget the key */
#define KEEP_BYTES 65536

void outbox_init(struct outbox *outbox)
{
    outbox->at = 0;
    buffer_init(&outbox->bytes, 0);
}

void outbox_free(struct outbox *outbox)
{
    buffer_free(&outbox->bytes);
    outbox->at = 0;
}

bool outbox_post(struct outbox *outbox, const struct detector_state *record)
{
    size_t value_bytes = record->value == NULL ? 0 : record->value_bytes;
    const uint32_t sizes[2] = {(uint32_t)record->key_bytes,
                               record->value == NULL ? NO_VALUE : (uint32_t)value_bytes};
    char *at = buffer_reserve(&outbox->bytes, sizeof sizes + record->key_bytes + value_bytes);
    if (at == NULL) {
        return false;
    }
    memcpy(at, sizes, sizeof sizes);
    memcpy(at + sizeof sizes, record->key, record->key_bytes);
    if (value_bytes > 0) {
        memcpy(at + sizeof sizes + record->key_bytes, record->value, value_bytes);
    }
    outbox->bytes.size += sizeof sizes + record->key_bytes + value_bytes;
    return true;
}

bool outbox_take(struct outbox *outbox, struct detector_state *out)
{
    struct buffer *bytes = &outbox->bytes;
    if (outbox->at == bytes->size) {
        outbox->at = 0;
        if (bytes->capacity > KEEP_BYTES) {
            buffer_free(bytes);
            buffer_init(bytes, 0);
        }
        buffer_clear(bytes);
        return false;
    }
    uint32_t sizes[2];
    memcpy(sizes, bytes->data + outbox->at, sizeof sizes);
    const char *key = bytes->data + outbox->at + sizeof sizes;
    bool has_value = sizes[1] != NO_VALUE;
    *out = (struct detector_state){.key = key,
                                   .value = has_value ? key + sizes[0] : NULL,
                                   .key_bytes = sizes[0],
                                   .value_bytes = has_value ? sizes[1] : 0};
    outbox->at += sizeof sizes + sizes[0] + out->value_bytes;
    return true;
}

size_t outbox_memory(const struct outbox *outbox)
{
    return outbox->bytes.capacity;
}
