/* Which rules have decided since when: one record of the partition's state for each change, committed with
 * the first decisions that the new rules make. So --verify decides every stretch of the log as it was decided
 * then, and a change of rules is as exactly-once as an alert.
 *
 *   key    "rules|<offset>": the first record that they judge (16 hex digits)
 *   value  1 (version), then little-endian, 64 bits each: tick clock, allowed lateness, idle-after, max
 * series, then the rule file's text
 *
 * Limits are in it because they decide too. */
#ifndef STREAM_PROCESSOR_RULES_RECORD_H
#define STREAM_PROCESSOR_RULES_RECORD_H

#include "bus/bus.h"
#include "detect/detector.h"
#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;

#define RULES_PREFIX    "rules|"
#define RULES_KEY_BYTES (6 + 16 + 1 + 16)

struct rules_record {
    int64_t offset;
    int64_t tick_clock_ms; /* where ticks had brought the partition's clock; INT64_MIN: none yet */
    struct detector_limits limits;
    const void *text; /* borrowed: the rule file */
    size_t text_bytes;
};

void rules_key_write(char out[RULES_KEY_BYTES + 1], const struct rules_record *record);
void rules_record_write(struct buffer *out, const struct rules_record *record);
bool rules_is_key(struct bus_bytes key);
/* text points into value. */
int rules_record_read(struct rules_record *record, struct bus_bytes key, struct bus_bytes value,
                      struct error *error);
/* Negative, 0 or positive: before, the same, after. */
int rules_record_compare(const struct rules_record *a, const struct rules_record *b);
/* Of what decides: limits and text. */
uint64_t rules_record_hash(const struct rules_record *record);

#endif
