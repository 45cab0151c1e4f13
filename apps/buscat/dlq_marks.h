/* Which dead letters were published again already.
 *
 * A replayed letter gets a mark: a record without key and value behind it, on its own partition of the
 * dead-letter topic, whose header dlq.replayed is the letter's offset. So it is known to all, on either kind
 * of bus, and retention takes letter and mark alike. */
#ifndef BUSCAT_DLQ_MARKS_H
#define BUSCAT_DLQ_MARKS_H

#include "bus/bus.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DLQ_MARK_HEADER "dlq.replayed"

struct dlq_place {
    char topic[BUS_TOPIC_BYTES];
    int32_t partition;
    int64_t offset;
};

struct dlq_marks { /* all zero: none */
    struct dlq_place *places;
    size_t count, capacity;
    bool is_sorted;
};

void dlq_marks_free(struct dlq_marks *marks);
bool dlq_is_mark(const struct bus_record *record);
/* False: no memory. */
bool dlq_marks_add(struct dlq_marks *marks, const char *topic, int32_t partition, int64_t offset);
/* Takes in what a mark says. False: no memory. */
bool dlq_marks_take(struct dlq_marks *marks, const struct bus_record *mark);
bool dlq_marks_have(struct dlq_marks *marks, const struct bus_record *letter);

/* The record that marks a place; it points into the mark. */
struct dlq_mark {
    char digits[24];
    struct bus_header header;
    struct bus_record record;
};
void dlq_mark_build(struct dlq_mark *mark, const struct dlq_place *place);

#endif
