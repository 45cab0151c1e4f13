/* lib/metrics/native_histogram: a histogram whose buckets follow the values: exponential ones, of which only
 * those that hold something exist.
 *
 * As the official clients build them (client_golang, prometheus/histogram.go): at schema s bucket i holds
 * values in (2^((i-1)/2^s), 2^(i/2^s)], so at schema 5 neighbours are 2.2 % apart; values up to 2^-128 are
 * counted as zero. When more than NATIVE_BUCKETS_MOST buckets hold something, pairs of neighbours become one
 * (schema s - 1: bucket ceil(i / 2)) until they don't. Counts are exact at any resolution.
 *
 * Memory: 8 bytes a bucket, in sorted order: its index in the upper 16 bits, its count in the lower 48 (a
 * bucket stays at 2^48 - 1 when it is full, after 8 years of a million observations a second). An insert is
 * a binary search. One thread at a time. */
#ifndef OBS_METRICS_NATIVE_HISTOGRAM_H
#define OBS_METRICS_NATIVE_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NATIVE_SCHEMA         5
#define NATIVE_SCHEMA_LEAST   (-4)
#define NATIVE_BUCKETS_MOST   160
#define NATIVE_ZERO_THRESHOLD 0x1p-128

struct native_histogram {
    uint64_t zero_count;
    uint64_t *buckets; /* owned */
    uint16_t count, room;
    int16_t schema;
};

void native_histogram_init(struct native_histogram *histogram);
void native_histogram_deinit(struct native_histogram *histogram);

/* value: not negative, finite; weight: how many such observations. False: no memory, nothing was counted. */
bool native_histogram_observe(struct native_histogram *histogram, double value, uint64_t weight);
/* count observations in the bucket of that index, given at histogram's own schema. */
bool native_histogram_add_bucket(struct native_histogram *histogram, int32_t index, uint64_t count);
/* All of other's; at the coarser of both resolutions, or below. */
bool native_histogram_add(struct native_histogram *histogram, const struct native_histogram *other);
/* Coarser by one, in no more memory than it needs; the schema must be above NATIVE_SCHEMA_LEAST. */
void native_histogram_halve(struct native_histogram *histogram);

static inline int32_t native_bucket_index(uint64_t bucket)
{
    return (int32_t)(bucket >> 48) - 4096;
}

static inline uint64_t native_bucket_count(uint64_t bucket)
{
    return bucket & (UINT64_C(0xffffffffffff));
}

uint64_t native_histogram_total(const struct native_histogram *histogram);

#endif
