/* Lines of a file descriptor, of any bytes but line breaks; a stop request ends the wait for more. */
#ifndef BUSCAT_LINE_READER_H
#define BUSCAT_LINE_READER_H

#include "buffer/buffer.h"
#include "error/error.h"

#include <stdbool.h>
#include <stdint.h>

struct program;

struct line_reader {
    int fd;
    size_t max_bytes; /* of a line */
    struct buffer bytes;
    size_t begin; /* of the line to come */
    bool at_end, skipping;
    uint64_t number; /* of the last line given, from 1 */
};

enum line_result { LINE_READ = 0, LINE_END = 1, LINE_WAITING = 2, LINE_TOO_LONG = 3, LINE_FAILED = -1 };

void line_reader_init(struct line_reader *reader, int fd, size_t max_bytes);
void line_reader_free(struct line_reader *reader);

/* The next line without its break; it lives until the next call. WAITING: none within wait_ms. TOO_LONG: it
 * is left out, the next call goes on behind it. */
enum line_result line_reader_next(struct line_reader *reader, int wait_ms, const char **line, size_t *size,
                                  struct error *error);

#endif
