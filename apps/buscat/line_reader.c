#include "line_reader.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES 65536

void line_reader_init(struct line_reader *reader, int fd, size_t max_bytes)
{
    *reader = (struct line_reader){.fd = fd, .max_bytes = max_bytes};
    buffer_init(&reader->bytes, 0);
}

void line_reader_free(struct line_reader *reader)
{
    buffer_free(&reader->bytes);
}

/* Makes room by forgetting the lines that were given, then reads once. */
static enum line_result read_more(struct line_reader *reader, int wait_ms, struct error *error)
{
    struct pollfd input = {.fd = reader->fd, .events = POLLIN};
    if (poll(&input, 1, wait_ms) <= 0) {
        return LINE_WAITING; /* nothing yet, or a signal: reading would wait past it */
    }
    if (reader->begin > 0) {
        memmove(reader->bytes.data, reader->bytes.data + reader->begin, reader->bytes.size - reader->begin);
        reader->bytes.size -= reader->begin;
        reader->begin = 0;
    }
    char *room = buffer_reserve(&reader->bytes, READ_BYTES);
    if (room == NULL) {
        error_set(error, -1, "no memory for line %llu", (unsigned long long)reader->number + 1);
        return LINE_FAILED;
    }
    ssize_t got = read(reader->fd, room, READ_BYTES);
    if (got < 0) {
        if (errno == EINTR || errno == EAGAIN) {
            return LINE_WAITING;
        }
        error_set_errno(error, -1, errno, "can't read standard input");
        return LINE_FAILED;
    }
    reader->at_end = got == 0;
    reader->bytes.size += (size_t)got;
    return LINE_READ;
}

/* Too long: what there is of the line is dropped until its break comes. */
static enum line_result skip_line(struct line_reader *reader, int wait_ms, struct error *error)
{
    for (;;) {
        const char *text = reader->bytes.data + reader->begin;
        const char *stop = memchr(text, '\n', reader->bytes.size - reader->begin);
        reader->begin = stop == NULL ? reader->bytes.size : (size_t)(stop + 1 - reader->bytes.data);
        reader->skipping = stop == NULL && !reader->at_end;
        if (!reader->skipping) {
            return LINE_TOO_LONG;
        }
        enum line_result result = read_more(reader, wait_ms, error);
        if (result != LINE_READ) {
            return result;
        }
    }
}

enum line_result line_reader_next(struct line_reader *reader, int wait_ms, const char **line, size_t *size,
                                  struct error *error)
{
    if (reader->skipping) {
        return skip_line(reader, wait_ms, error);
    }
    size_t searched = 0;
    for (;;) {
        size_t there = reader->bytes.size - reader->begin;
        const char *text = there == 0 ? "" : reader->bytes.data + reader->begin;
        const char *stop = memchr(text + searched, '\n', there - searched);
        size_t length = stop == NULL ? there : (size_t)(stop - text);
        if (length > reader->max_bytes) {
            reader->number++;
            return skip_line(reader, wait_ms, error);
        }
        if (stop != NULL || (reader->at_end && there > 0)) {
            reader->number++;
            reader->begin += length + (stop != NULL ? 1 : 0);
            *line = text;
            *size = length;
            return LINE_READ;
        }
        if (reader->at_end) {
            return LINE_END;
        }
        searched = there;
        enum line_result result = read_more(reader, wait_ms, error);
        if (result != LINE_READ) {
            return result;
        }
    }
}
