/* One label set of the bridge: its names, its numbers, and its form in the state topic. For
 * series_counters.c.
 *
 *   key    requests| classes| logs|, then a byte 0 or 1 (overflow), then each label's value with its length
 * in 16 bits before it value  1 (version), little-endian: born, seen (64-bit ms), sum (double), count of
 * values (8 bits), values (64 bits each)
 *
 * Utilisation is not saved: it is a sample, and the next one comes soon. */
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
    double sum, cpu, memory;
};

struct label_set {
    uint64_t hash;
    enum counter_kind kind;
    bool overflow;
    bool is_touched, is_shown;
    int64_t born_ms, seen_ms, shown_seen_ms; /* wall */
    struct label_numbers live, shown;
    struct label_set *next_touched;
    size_t key_bytes, labels_bytes;
    char *key, *labels;
};

struct label_set *label_set_create(uint64_t hash, const struct label_names *names, int64_t born_ms);
void label_set_destroy(struct label_set *set);
bool label_set_is(const struct label_set *set, const struct label_names *names);

/* The names point into the key. */
int label_names_read(struct label_names *names, struct bus_bytes key, struct error *error);
void label_set_write(const struct label_set *set, struct buffer *value);
int label_set_read(struct label_set *set, struct bus_bytes value, struct error *error);
void totals_write(struct buffer *value, const uint64_t *totals, size_t count);
int totals_read(struct bus_bytes value, uint64_t *totals, size_t count, struct error *error);

#endif
