#include "metrics/native_histogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_BITS 48
#define COUNT_MOST UINT64_C(0xffffffffffff)
#define INDEX_ZERO 4096 /* 2^-128 at schema 5 is index -4096: the least that isn't zero is above it */
#define INDEX_MOST (65535 - INDEX_ZERO)
#define ROOM_STEP  8
#define OCTAVE     (1 << NATIVE_SCHEMA)

/* Upper bounds of the buckets of one octave as frexp gives fractions, in [0.5, 1): 2^(i/32) / 2. */
static const double octave_bounds[OCTAVE] = {0.5,
                                             0.5109485743270583,
                                             0.5221368912137069,
                                             0.5335702003384118,
                                             0.5452538663326288,
                                             0.5571933712979462,
                                             0.5693943173783458,
                                             0.5818624293887887,
                                             0.5946035575013605,
                                             0.6076236799902345,
                                             0.620928906036742,
                                             0.6345254785958666,
                                             0.6484197773255048,
                                             0.6626183215798707,
                                             0.6771277734684463,
                                             0.691954940981916,
                                             0.7071067811865476,
                                             0.7225904034885233,
                                             0.7384130729697497,
                                             0.7545822137967114,
                                             0.7711054127039704,
                                             0.7879904225539432,
                                             0.8052451659746271,
                                             0.8228777390769825,
                                             0.8408964152537145,
                                             0.859309649061239,
                                             0.8781260801866497,
                                             0.8973545375015536,
                                             0.9170040432046712,
                                             0.93708381705515,
                                             0.9576032806985737,
                                             0.9785720620877001};

void native_histogram_init(struct native_histogram *histogram)
{
    *histogram = (struct native_histogram){.schema = NATIVE_SCHEMA};
}

void native_histogram_deinit(struct native_histogram *histogram)
{
    free(histogram->buckets);
    *histogram = (struct native_histogram){.schema = NATIVE_SCHEMA};
}

/* The index at schema 5 of a value above the zero threshold. */
static int32_t index_of(double value)
{
    int exponent;
    double fraction = frexp(value, &exponent);
    int32_t low = 0; /* the first bound that isn't below the fraction; OCTAVE: none */
    int32_t high = OCTAVE;
    while (low < high) {
        int32_t middle = (low + high) / 2;
        if (octave_bounds[middle] < fraction) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low + (exponent - 1) * OCTAVE;
}

/* ceil(index / 2^steps), also of negative ones. */
static int32_t coarser(int32_t index, int steps)
{
    int32_t width = (int32_t)1 << steps;
    int32_t shifted = index + INDEX_ZERO * width; /* not negative */
    return (shifted + width - 1) / width - INDEX_ZERO;
}

static uint64_t make_bucket(int32_t index, uint64_t count)
{
    return (uint64_t)(index + INDEX_ZERO) << COUNT_BITS | (count < COUNT_MOST ? count : COUNT_MOST);
}

static uint64_t with_more(uint64_t bucket, uint64_t count)
{
    uint64_t room = COUNT_MOST - native_bucket_count(bucket);
    return bucket + (count < room ? count : room);
}

/* Where the bucket of that index is, or would be. */
static size_t place_of(const struct native_histogram *histogram, int32_t index)
{
    uint64_t wanted = (uint64_t)(index + INDEX_ZERO) << COUNT_BITS;
    size_t low = 0;
    size_t high = histogram->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (histogram->buckets[middle] < wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool make_room(struct native_histogram *histogram)
{
    if (histogram->count < histogram->room) {
        return true;
    }
    size_t room = (size_t)histogram->room + ROOM_STEP;
    uint64_t *buckets = realloc(histogram->buckets, room * sizeof *buckets);
    if (buckets == NULL) {
        return false;
    }
    histogram->buckets = buckets;
    histogram->room = (uint16_t)room;
    return true;
}

void native_histogram_halve(struct native_histogram *histogram)
{
    size_t kept = 0;
    histogram->schema--;
    for (size_t i = 0; i < histogram->count; i++) {
        int32_t index = coarser(native_bucket_index(histogram->buckets[i]), 1);
        uint64_t count = native_bucket_count(histogram->buckets[i]);
        if (kept > 0 && native_bucket_index(histogram->buckets[kept - 1]) == index) {
            histogram->buckets[kept - 1] = with_more(histogram->buckets[kept - 1], count);
        } else {
            histogram->buckets[kept++] = make_bucket(index, count);
        }
    }
    histogram->count = (uint16_t)kept;
    size_t room = kept + ROOM_STEP;
    uint64_t *buckets = room < histogram->room ? realloc(histogram->buckets, room * sizeof *buckets) : NULL;
    if (buckets != NULL) {
        histogram->buckets = buckets;
        histogram->room = (uint16_t)room;
    }
}

bool native_histogram_add_bucket(struct native_histogram *histogram, int32_t index, uint64_t count)
{
    index = index > INDEX_MOST ? INDEX_MOST : index < 1 - INDEX_ZERO ? 1 - INDEX_ZERO : index;
    size_t place = place_of(histogram, index);
    if (place < histogram->count && native_bucket_index(histogram->buckets[place]) == index) {
        histogram->buckets[place] = with_more(histogram->buckets[place], count);
        return true;
    }
    if (!make_room(histogram)) {
        return false;
    }
    memmove(histogram->buckets + place + 1, histogram->buckets + place,
            (histogram->count - place) * sizeof *histogram->buckets);
    histogram->buckets[place] = make_bucket(index, count);
    histogram->count++;
    while (histogram->count > NATIVE_BUCKETS_MOST && histogram->schema > NATIVE_SCHEMA_LEAST) {
        native_histogram_halve(histogram);
    }
    return true;
}

bool native_histogram_observe(struct native_histogram *histogram, double value, uint64_t weight)
{
    if (!(value > NATIVE_ZERO_THRESHOLD)) {
        histogram->zero_count += weight;
        return true;
    }
    return native_histogram_add_bucket(histogram, coarser(index_of(value), NATIVE_SCHEMA - histogram->schema),
                                       weight);
}

bool native_histogram_add(struct native_histogram *histogram, const struct native_histogram *other)
{
    while (histogram->schema > other->schema) {
        native_histogram_halve(histogram);
    }
    for (size_t i = 0; i < other->count; i++) {
        /* the schema may fall on the way */
        int32_t index = coarser(native_bucket_index(other->buckets[i]), other->schema - histogram->schema);
        if (!native_histogram_add_bucket(histogram, index, native_bucket_count(other->buckets[i]))) {
            return false;
        }
    }
    histogram->zero_count += other->zero_count;
    return true;
}

uint64_t native_histogram_total(const struct native_histogram *histogram)
{
    uint64_t total = histogram->zero_count;
    for (size_t i = 0; i < histogram->count; i++) {
        total += native_bucket_count(histogram->buckets[i]);
    }
    return total;
}
