/* Standard output in large writes. A reader that has gone (a closed pipe, `| head`) is a reason to stop, not
 * a fault. */
#ifndef BUSCAT_OUTPUT_H
#define BUSCAT_OUTPUT_H

#include "buffer/buffer.h"
#include "error/error.h"

enum output_result { OUTPUT_OK = 0, OUTPUT_CLOSED = 1, OUTPUT_FAILED = -1 };

/* Writes what the buffer holds to the file descriptor and clears it. */
enum output_result output_flush(struct buffer *buffer, int fd, struct error *error);

/* For people: text as it is; control characters and what is no UTF-8 as \xNN, so that it can't move a
 * terminal. */
void output_append_readable(struct buffer *buffer, const void *data, size_t size);

#endif
