#include "buffer/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buffer_init(struct buffer *buffer, size_t limit_bytes)
{
    *buffer = (struct buffer){.limit = limit_bytes == 0 ? SIZE_MAX / 2 : limit_bytes};
}

void buffer_init_fixed(struct buffer *buffer, char *storage, size_t storage_bytes)
{
    *buffer =
        (struct buffer){.data = storage, .capacity = storage_bytes, .limit = storage_bytes, .fixed = true};
}

void buffer_free(struct buffer *buffer)
{
    if (!buffer->fixed) {
        free(buffer->data);
        buffer->data = NULL;
        buffer->capacity = 0;
    }
    buffer_clear(buffer);
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

char *buffer_reserve(struct buffer *buffer, size_t size)
{
    if (buffer->failed || size > buffer->limit - buffer->size) {
        buffer->failed = true;
        return NULL;
    }
    size_t needed = buffer->size + size;
    if (needed > buffer->capacity) {
        size_t capacity = buffer->capacity < 128 ? 256 : buffer->capacity * 2;
        if (capacity < needed) {
            capacity = needed;
        }
        if (capacity > buffer->limit) {
            capacity = buffer->limit;
        }
        char *data = realloc(buffer->data, capacity);
        if (data == NULL) {
            buffer->failed = true;
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->size;
}

bool buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (size == 0) {
        return !buffer->failed;
    }
    char *room = buffer_reserve(buffer, size);
    if (room == NULL) {
        return false;
    }
    memcpy(room, data, size);
    buffer->size += size;
    return true;
}

bool buffer_append_text(struct buffer *buffer, const char *text)
{
    return buffer_append(buffer, text, strlen(text));
}

bool buffer_append_char(struct buffer *buffer, char c)
{
    return buffer_append(buffer, &c, 1);
}

bool buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        buffer->failed = true;
        return false;
    }
    if ((size_t)length < sizeof text) {
        return buffer_append(buffer, text, (size_t)length);
    }
    char *room = buffer_reserve(buffer, (size_t)length + 1); /* vsnprintf wants room for its NUL */
    if (room == NULL) {
        return false;
    }
    va_start(arguments, format);
    (void)vsnprintf(room, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)length;
    return true;
}

const char *buffer_text(struct buffer *buffer)
{
    bool failed = buffer->failed;
    buffer->failed = false;
    char *end = buffer_reserve(buffer, 1);
    buffer->failed = failed;
    if (end == NULL) {
        return "";
    }
    *end = '\0';
    return buffer->data;
}
