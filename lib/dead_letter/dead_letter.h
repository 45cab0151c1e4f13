/* lib/dead_letter: a malformed record with the reason, as headers that Kafka Connect's tools read.
 *
 * The original bytes and key stay untouched. A value over DEAD_LETTER_VALUE_BYTES is kept as its first 64 KiB
 * with dlq.truncated, dlq.size and dlq.sha256, so that one record never stops the stream. */
#ifndef OBS_DEAD_LETTER_DEAD_LETTER_H
#define OBS_DEAD_LETTER_DEAD_LETTER_H

#include "bus/bus.h"
#include "event/reason.h"

#define DEAD_LETTER_VALUE_BYTES (2 * 1048576 - 16384) /* what fits a 2 MiB topic with key and headers */
#define DEAD_LETTER_HEADERS     24

/* A dead letter being built: record points into this struct and into the original, so keep both until bus_put
 * returned. */
struct dead_letter {
    struct bus_record record;
    struct bus_header headers[DEAD_LETTER_HEADERS];
    char texts[1024];
};

/* topic: where it goes ("metrics.raw.dlq"); app: who writes; original's own headers are kept, after ours. */
void dead_letter_build(struct dead_letter *letter, const char *topic, const char *app,
                       const struct bus_record *original, const struct event_fault *fault, int64_t now_ms);

/* What the headers of a dead letter say; texts borrowed from the record and NOT NUL-ended. Missing headers:
 * size 0. */
struct dead_letter_view {
    struct bus_bytes topic, partition, offset, stage, app, reason, message, field, time_unix_ms, attempts;
    bool truncated;
};
void dead_letter_read(struct dead_letter_view *view, const struct bus_record *record);

#endif
