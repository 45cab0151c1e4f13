/* line_reader: a file or a pipe, line by line, in memory of a fixed size. A line ends with \n or \r\n, or
 * where the input ends; one over LINE_READER_BYTES is skipped as a whole and said so. Waits in the kernel, so
 * a live pipe (tail -F access.log | …) costs nothing while it is silent. One thread. */
#ifndef SIMULATOR_LINE_READER_H
#define SIMULATOR_LINE_READER_H

#include "error/error.h"

#include <stddef.h>
#include <stdint.h>

#define LINE_READER_BYTES 65536

struct line_reader;

enum line_reader_result {
    LINE_READER_LINE,
    LINE_READER_TOO_LONG, /* a line was skipped; it has a number */
    LINE_READER_WAITING,  /* nothing within the time-out */
    LINE_READER_END,
    LINE_READER_FAILED /* error says why */
};

struct line_reader_line {
    const char *text; /* not NUL-ended; until the next call */
    size_t size;
    uint64_t number; /* from 1 */
};

/* path "-": standard input. Compressed files are refused with the command that unpacks them. */
int line_reader_open(struct line_reader **out, const char *path, struct error *error);
void line_reader_close(struct line_reader *reader);
enum line_reader_result line_reader_next(struct line_reader *reader, int timeout_ms,
                                         struct line_reader_line *line, struct error *error);
/* How much of a regular file has been read, 0-1; negative: nobody knows how long it is. */
double line_reader_share(const struct line_reader *reader);

#endif
