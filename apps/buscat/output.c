#include "output.h"

#include "json/utf8.h"

#include <errno.h>
#include <unistd.h>

enum output_result output_flush(struct buffer *buffer, int fd, struct error *error)
{
    if (buffer->failed) {
        error_set(error, OUTPUT_FAILED, "no memory for the output");
        return OUTPUT_FAILED;
    }
    size_t done = 0;
    while (done < buffer->size) {
        ssize_t written = write(fd, buffer->data + done, buffer->size - done);
        if (written < 0 && errno == EPIPE) {
            return OUTPUT_CLOSED;
        }
        if (written < 0 && errno != EINTR) {
            error_set_errno(error, OUTPUT_FAILED, errno, "can't write to standard output");
            return OUTPUT_FAILED;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    buffer_clear(buffer);
    return OUTPUT_OK;
}

/* A terminal must not take what a stranger sent for a command: C0, DEL and C1 are shown as escapes. */
static bool is_control(const unsigned char *at, size_t length)
{
    return (length == 1 && (at[0] < 0x20 || at[0] == 0x7f)) || (length == 2 && at[0] == 0xc2 && at[1] < 0xa0);
}

void output_append_readable(struct buffer *buffer, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t at = 0; at < size;) {
        size_t length = utf8_sequence((const char *)bytes + at, size - at);
        if (length > 0 && !is_control(bytes + at, length)) {
            buffer_append(buffer, bytes + at, length);
            at += length;
        } else {
            buffer_append_format(buffer, "\\x%02x", bytes[at]);
            at++;
        }
    }
}
