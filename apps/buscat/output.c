#include "output.h"

#include "json/json_write.h"

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

void output_append_readable(struct buffer *buffer, const void *data, size_t size)
{
    json_append_escaped(buffer, data, size);
}
