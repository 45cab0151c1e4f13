/* One label set of the bridge: its names, its numbers, and its form in the state topic. For
 * series_counters.c.
 *
 *   key    requests| classes| logs|   a byte 0 or 1: of overflow   each label's value after its length in 16
 * bits value  version   flags   seen, 64-bit ms   sum, double   number of values, 8 bits   values, 64 bits
 * each
 *
 * Little-endian. Flags: 1: may show its counts (its time at zero is over). Utilisation is not saved: it is a
 * sample, and the next one comes soon. */
#ifndef METRICS_BRIDGE_LABEL_SET_H
#define METRICS_BRIDGE_LABEL_SET_H

#include "series_counters.h"

struct buffer;

#define LABEL_NAMES 5

struct label_names {
    enum counter_kind kind;
    bool overflow;
    size_t count;
    struct event_text values[LABEL_NAMES]; /* service first; then as the kind has them */
};

struct label_numbers {
    uint64_t values[COUNTER_VALUES];
    double sum, cpu, memory;     /* utilisation NaN: never seen */
    int64_t seen_ms, sampled_ms; /* wall: the last record, the last utilisation; 0: none */
    bool is_revealed;            /* false: stands at zero */
};

struct label_set {
    uint64_t hash;
    enum counter_kind kind;
    bool overflow;
    bool is_touched, is_shown;
    int64_t first_shown_ms;     /* by this process */
    struct label_numbers live;  /* the counting thread's */
    struct label_numbers shown; /* as committed; under the counters' lock */
    struct label_set *next_touched, *next_hidden;
    size_t key_bytes, labels_bytes;
    const char *key, *labels; /* into texts; labels NUL-ended */
    char texts[];
};

struct label_set *label_set_create(uint64_t hash, const struct label_names *names);
void label_set_destroy(struct label_set *set);
bool label_set_is(const struct label_set *set, const struct label_names *names);

/* The names point into the key. */
int label_names_read(struct label_names *names, struct bus_bytes key, struct error *error);
void label_set_write(const struct label_set *set, struct buffer *value);
int label_set_read(struct label_set *set, struct bus_bytes value, struct error *error);
void totals_write(struct buffer *value, const uint64_t *totals, size_t count);
int totals_read(struct bus_bytes value, uint64_t *totals, size_t count, struct error *error);

#endif
