/* Standard output in large writes. A reader that has gone (a closed pipe, `| head`) is a reason to stop, not
 * a fault. */
#ifndef BUSCAT_OUTPUT_H
#define BUSCAT_OUTPUT_H

#include "buffer/buffer.h"
#include "error/error.h"

enum output_result { OUTPUT_OK = 0, OUTPUT_CLOSED = 1, OUTPUT_FAILED = -1 };

/* Writes what the buffer holds to the file descriptor and clears it. */
enum output_result output_flush(struct buffer *buffer, int fd, struct error *error);

/* A table for people: as text where it is printable UTF-8 on one line, else with escapes as JSON has them. */
void output_append_readable(struct buffer *buffer, const void *data, size_t size);

#endif
