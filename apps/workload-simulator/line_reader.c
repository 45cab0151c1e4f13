#include "line_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES (2 * LINE_READER_BYTES)

/*   data: | given out | line being found | free |
 *         0          begin  scanned     end       BUFFER_BYTES */
struct line_reader {
    int fd;
    const char *path;
    bool at_end;
    bool skipping; /* in a line that is too long */
    uint64_t lines, read_bytes, file_bytes;
    size_t begin, scanned, end;
    char data[BUFFER_BYTES];
};

int line_reader_open(struct line_reader **out, const char *path, struct error *error)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct line_reader *reader = calloc(1, sizeof *reader);
    *out = NULL;
    if (reader == NULL) {
        return error_set(error, -1, "no memory to read %s", path);
    }
    reader->path = is_stdin ? "standard input" : path;
    reader->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (reader->fd < 0 || fstat(reader->fd, &status) != 0) {
        (void)error_set_errno(error, -1, errno, "cannot read %s", path);
        line_reader_close(reader);
        return -1;
    }
    if (S_ISDIR(status.st_mode)) {
        line_reader_close(reader);
        return error_set(error, -1, "cannot read %s: it is a directory", path);
    }
    reader->file_bytes = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
    *out = reader;
    return 0;
}

void line_reader_close(struct line_reader *reader)
{
    if (reader != NULL) {
        if (reader->fd > STDIN_FILENO) {
            (void)close(reader->fd);
        }
        free(reader);
    }
}

double line_reader_share(const struct line_reader *reader)
{
    if (reader->file_bytes == 0) {
        return -1;
    }
    double used = (double)(reader->read_bytes - (reader->end - reader->begin));
    return used < (double)reader->file_bytes ? used / (double)reader->file_bytes : 1;
}

/* --- filling ---- */

static int refuse_compressed(const struct line_reader *reader, struct error *error)
{
    static const struct {
        const char *magic, *command;
    } kinds[] = {
        {"\x1f\x8b", "zcat"}, {"BZh", "bzcat"}, {"\xfd\x37zXZ", "xzcat"}, {"\x28\xb5\x2f\xfd", "zstdcat"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t size = strlen(kinds[i].magic);
        if (reader->end >= size && memcmp(reader->data, kinds[i].magic, size) == 0) {
            return error_set(error, -1, "%s is compressed: %s FILE | workload-simulator --replay -",
                             reader->path, kinds[i].command);
        }
    }
    return 0;
}

/* A byte order mark, as some editors leave it. */
static void skip_mark(struct line_reader *reader)
{
    if (reader->end >= 3 && memcmp(reader->data, "\xef\xbb\xbf", 3) == 0) {
        reader->begin = reader->scanned = 3;
    }
}

/* LINE_READER_LINE: there is more (or the end was found). */
static enum line_reader_result fill(struct line_reader *reader, int timeout_ms, struct error *error)
{
    memmove(reader->data, reader->data + reader->begin, reader->end - reader->begin);
    reader->end -= reader->begin;
    reader->scanned -= reader->begin;
    reader->begin = 0;
    struct pollfd ready = {.fd = reader->fd, .events = POLLIN};
    int result = poll(&ready, 1, timeout_ms);
    if (result == 0 || (result < 0 && errno == EINTR)) {
        return LINE_READER_WAITING;
    }
    ssize_t size = read(reader->fd, reader->data + reader->end, BUFFER_BYTES - reader->end);
    if (size < 0) {
        if (errno == EINTR || errno == EAGAIN) {
            return LINE_READER_WAITING;
        }
        (void)error_set_errno(error, -1, errno, "cannot read %s", reader->path);
        return LINE_READER_FAILED;
    }
    bool is_first = reader->read_bytes == 0;
    reader->at_end = size == 0;
    reader->end += (size_t)size;
    reader->read_bytes += (uint64_t)size;
    if (is_first) {
        if (refuse_compressed(reader, error) != 0) {
            return LINE_READER_FAILED;
        }
        skip_mark(reader);
    }
    return LINE_READER_LINE;
}

/* --- lines ---- */

static enum line_reader_result give(struct line_reader *reader, size_t end, size_t next,
                                    struct line_reader_line *line)
{
    bool was_skipping = reader->skipping;
    size_t begin = reader->begin;
    reader->skipping = false;
    reader->begin = reader->scanned = next;
    if (end > begin && reader->data[end - 1] == '\r') {
        end--;
    }
    *line = (struct line_reader_line){reader->data + begin, end - begin, ++reader->lines};
    return was_skipping || line->size > LINE_READER_BYTES ? LINE_READER_TOO_LONG : LINE_READER_LINE;
}

enum line_reader_result line_reader_next(struct line_reader *reader, int timeout_ms,
                                         struct line_reader_line *line, struct error *error)
{
    for (;;) {
        char *from = reader->data + reader->scanned;
        char *newline = memchr(from, '\n', reader->end - reader->scanned);
        if (newline != NULL) {
            size_t at = (size_t)(newline - reader->data);
            return give(reader, at, at + 1, line);
        }
        reader->scanned = reader->end;
        if (reader->at_end) {
            bool has_rest = reader->end > reader->begin || reader->skipping;
            return has_rest ? give(reader, reader->end, reader->end, line) : LINE_READER_END;
        }
        if (reader->end - reader->begin > LINE_READER_BYTES) {
            reader->skipping = true;
            reader->begin = reader->end;
        }
        enum line_reader_result result = fill(reader, timeout_ms, error);
        if (result != LINE_READER_LINE) {
            return result;
        }
    }
}
