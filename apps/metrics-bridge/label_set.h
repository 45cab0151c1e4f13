/* One label set of the bridge: its names, as the key of its state record and as labels of the page, and its
 * numbers. For series_counters.c. The key:
 *
 *   requests| classes| logs|   a byte 0 or 1: of overflow   each label's value after its length in 16 bits */
#ifndef METRICS_BRIDGE_LABEL_SET_H
#define METRICS_BRIDGE_LABEL_SET_H

#include "label_numbers.h"
#include "series_counters.h"

#define LABEL_NAMES 5

struct label_names {
    enum counter_kind kind;
    bool overflow;
    size_t count;
    struct event_text values[LABEL_NAMES]; /* service first; then as the kind has them */
};

struct label_set {
    uint64_t hash;
    enum counter_kind kind;
    bool overflow;
    bool is_touched;
    int64_t first_shown_ms;       /* by this process */
    struct label_numbers live;    /* the counting thread's */
    struct packed_numbers *saved; /* for the commit under way; the counting thread's */
    struct packed_numbers *shown; /* as committed, NULL: never yet; under the counters' lock */
    struct label_set *next_touched, *next_hidden;
    size_t key_bytes, labels_bytes;
    const char *key, *labels; /* into texts; labels NUL-ended */
    char texts[];
};

struct label_set *label_set_create(uint64_t hash, const struct label_names *names);
void label_set_destroy(struct label_set *set); /* NULL is fine */
bool label_set_is(const struct label_set *set, const struct label_names *names);

/* The names point into the key. */
int label_names_read(struct label_names *names, struct bus_bytes key, struct error *error);

#endif
