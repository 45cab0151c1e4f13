/* lib/bus/embedded/record_frame: records as bytes, and batches of them as the values of the store.
 *
 * A record (numbers little-endian; a size of 0 means absent, else it is one too large):
 *
 *   +0 key size + 1   +4 value size + 1   +8 header count   +12 headers, key, value
 *   a header: +0 name size with its NUL   +4 value size + 1   +8 name NUL value
 *
 * A batch: records of one partition with offsets that follow each other, appended at one moment.
 *
 *   +0 CRC-32C of all that follows   +4 topic id   +8 partition   +12 record count   +16 base offset   +24
 * appended ms +32 records
 *
 * Topic, partition and offset are in the key already; here they stand under the checksum, so that a batch
 * that was put in another one's place is found out too. Plain functions; what is read points into the given
 * bytes. */
#ifndef OBS_BUS_EMBEDDED_RECORD_FRAME_H
#define OBS_BUS_EMBEDDED_RECORD_FRAME_H

#include "bus/bus.h"

#define BATCH_HEADER_BYTES  32
#define RECORD_HEADER_BYTES 12

size_t record_frame_size(const struct bus_record *record);
/* Writes record_frame_size bytes; returns how many. */
size_t record_frame_write(char *out, const struct bus_record *record);

/* The frame that begins at data: its size and how many headers it has. False: no whole frame. */
bool record_frame_measure(const char *data, size_t size, size_t *frame_size, size_t *header_count);
/* After record_frame_measure said true: key, value and headers of the record; headers has room for
 * header_count. False: the inside doesn't fit the sizes. */
bool record_frame_read(const char *data, size_t frame_size, struct bus_record *record,
                       struct bus_header *headers);

struct batch {
    uint32_t topic, partition, record_count;
    int64_t base_offset, appended_ms;
    const char *records; /* borrowed */
    size_t records_bytes;
};

/* out has room for BATCH_HEADER_BYTES and then already holds the records. */
void batch_seal(char *out, const struct batch *batch);
/* False: too short, or the checksum differs. */
bool batch_open(const void *data, size_t size, struct batch *out);

#endif
