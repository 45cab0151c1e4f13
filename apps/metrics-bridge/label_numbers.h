/* The numbers of one label set: as they are counted, and packed as they are saved and shown.
 *
 * What a scrape shows are the very bytes that the last commit saved (and a tail that isn't saved), so it
 * can't show anything else, and needs no second copy of the counters. Format of the state, version 2:
 *
 *   version, 8 bits   flags, 8 bits   last record, Unix ms, 64 bits   sum, double   number of values, 8 bits
 *   each value, varint
 *   requests only: schema, signed varint   zero count, varint   number of buckets, varint
 *                  for each bucket: index minus the one before (the first: minus 0), signed varint; count,
 * varint
 *
 * Numbers are little-endian; flag 1: may show its counts (its time at zero is over). Version 1, which is
 * still read, had values of 64 bits and no buckets: they are made of its values, each at its upper bound, so
 * that both forms of the histogram keep one total; what is counted from then on is exact in both. The tail is
 * exemplars (requests) or utilisation (classes): samples, and the next ones come soon. */
#ifndef METRICS_BRIDGE_LABEL_NUMBERS_H
#define METRICS_BRIDGE_LABEL_NUMBERS_H

#include "series_counters.h"

#include "metrics/metric_source.h"
#include "metrics/native_histogram.h"

struct buffer;

struct label_numbers {
    uint64_t values[COUNTER_VALUES];
    double sum, cpu, memory;           /* utilisation NaN: never seen */
    int64_t seen_ms, sampled_ms;       /* wall: the last record, the last utilisation; 0: none */
    bool is_revealed;                  /* false: stands at zero */
    uint16_t exemplar_buckets;         /* a bit for each value that has an exemplar */
    struct metric_exemplar *exemplars; /* in the order of those bits; owned */
    struct native_histogram native;
};

/* Immutable; shared by a label set and the snapshots that show it. */
struct packed_numbers {
    unsigned holders; /* under the counters' lock; the last frees */
    bool is_revealed;
    int64_t seen_ms;
    size_t record_bytes, bytes; /* what is saved; with the tail */
    unsigned char data[];
};

void label_numbers_init(struct label_numbers *numbers, enum counter_kind kind);
void label_numbers_deinit(struct label_numbers *numbers);

/* count requests of that duration. trace_id: 32 hexadecimal digits, or empty. False: no memory. */
bool label_numbers_count(struct label_numbers *numbers, double duration_s, uint64_t count,
                         struct event_text trace_id, int64_t time_ms);
/* All of other's into numbers; samples of the later one. False: no memory. */
bool label_numbers_add(struct label_numbers *numbers, const struct label_numbers *other);

/* With one holder; scratch: memory to work in. before: what was packed last, whose exemplars go on in buckets
 * that have no newer one; NULL: nothing. NULL: no memory. */
struct packed_numbers *label_numbers_pack(const struct label_numbers *numbers, enum counter_kind kind,
                                          const struct packed_numbers *before, struct buffer *scratch);
/* They are in what was packed: the memory for another label set's. */
void label_numbers_forget_exemplars(struct label_numbers *numbers);
/* As they are shown: while a label set stands at zero, its values are 0. numbers was initialised and may have
 * been used before; its memory is used again. False: no memory. */
bool label_numbers_unpack(struct label_numbers *numbers, enum counter_kind kind,
                          const struct packed_numbers *packed);
void packed_numbers_drop(struct packed_numbers *packed); /* NULL is fine */

/* A record of the state; numbers as initialised. what: named in the error. */
int label_numbers_read(struct label_numbers *numbers, enum counter_kind kind, struct bus_bytes value,
                       const char *what, struct error *error);
void totals_write(struct buffer *value, const uint64_t *totals, size_t count);
int totals_read(struct bus_bytes value, uint64_t *totals, size_t count, struct error *error);

#endif
