/* A whole record as a line of JSON (--envelope), there and back without loss:
 *
 *   {"partition":3,"offset":17,"timestamp":1764025592125,"key":"a|b","headers":{"name":"text"},"value":"…"}
 *
 * key_base64 and value_base64 stand in for key and value that aren't UTF-8; null: there is none. A header's
 * value is a text, null, {"base64":"…"} where it isn't UTF-8, or an array of these where several headers have
 * the name. Reading ignores the timestamp, which is the bus's to give; partition and offset (-1: none) are
 * what the line says, for produce an order and nothing. */
#ifndef BUSCAT_ENVELOPE_H
#define BUSCAT_ENVELOPE_H

#include "bus/bus.h"
#include "error/error.h"

struct buffer;
struct envelope_reader;

#define ENVELOPE_LINE_BYTES (16 * 1024 * 1024) /* a 2 MiB dead letter, every byte of it an escape */

/* One line, without the line break. */
void envelope_write(struct buffer *buffer, const struct bus_record *record);

int envelope_reader_create(struct envelope_reader **out, struct error *error);
void envelope_reader_destroy(struct envelope_reader *reader);
/* 0, or -1 with what is wrong. The record's topic is left alone; the rest points into text and into the
 * reader and lives until its next call. */
int envelope_read(struct envelope_reader *reader, const char *text, size_t size, struct bus_record *record,
                  struct error *error);

#endif
