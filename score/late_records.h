/* late_records: records that arrive some time after they are made, in the order in which they arrive: a
 * binary heap. */
#ifndef SCORE_LATE_RECORDS_H
#define SCORE_LATE_RECORDS_H

#include "event/event.h"
#include "random/random.h"

struct late_record {
    int64_t arrives_ms;
    uint64_t number; /* in the order of coming, for equal times */
    int series;
    struct event event;
    char id[EVENT_ID_BYTES];
};

struct late_records {
    struct late_record *heap;
    size_t count, capacity;
    uint64_t next_number;
    struct random random;
};

void late_records_init(struct late_records *late, uint64_t seed);
void late_records_free(struct late_records *late);
bool late_records_choose(struct late_records *late, double share);
/* A copy of the event arrives up to 20 s after now_ms. */
void late_records_put(struct late_records *late, int series, const struct event *event, int64_t now_ms);
/* The first that arrives up to until_ms; false: none. */
bool late_records_take(struct late_records *late, int64_t until_ms, struct late_record *out);

#endif
