#include "window/histogram.h"

#include <math.h>
#include <string.h>

#define SUB_BITS      HISTOGRAM_OCTAVE_BITS
#define SUB_BUCKETS   (1 << SUB_BITS)
#define LOWEST_OCTAVE (-20)
#define EXPONENT_BIAS 1023
#define MANTISSA_BITS 52
/* The bits of the double above its lowest 46: exponent and six bits of mantissa, a number that grows with the
 * value. */
#define FIRST_CODE    ((uint64_t)(EXPONENT_BIAS + LOWEST_OCTAVE) << SUB_BITS)

uint16_t histogram_bucket(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t code = bits >> (MANTISSA_BITS - SUB_BITS);
    if (code < FIRST_CODE) {
        return 0;
    }
    code = code - FIRST_CODE + 1;
    return code < HISTOGRAM_BUCKETS ? (uint16_t)code : (uint16_t)(HISTOGRAM_BUCKETS - 1);
}

double histogram_value(uint16_t bucket)
{
    if (bucket == 0) {
        return ldexp(0.5, LOWEST_OCTAVE);
    }
    int octave = (bucket - 1) / SUB_BUCKETS + LOWEST_OCTAVE;
    int sub = (bucket - 1) % SUB_BUCKETS;
    return ldexp(1.0 + (sub + 0.5) / SUB_BUCKETS, octave);
}

void histogram_clear(struct histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
}

void histogram_add(struct histogram *histogram, uint16_t bucket, uint64_t weight)
{
    histogram->counts[bucket] += weight;
    histogram->octaves[bucket >> HISTOGRAM_OCTAVE_BITS] += weight;
    histogram->total += weight;
}

uint64_t histogram_rank(double quantile, uint64_t total)
{
    double n = (double)total;
    double rank = ceil(quantile * n);
    /* 0.95 * 340 may come out a little over 323: then 323 has reached the quantile already. */
    if (rank > 1 && (rank - 1) / n >= quantile) {
        rank -= 1;
    }
    return rank < 1 ? 1 : rank >= n ? total : (uint64_t)rank;
}

double histogram_quantile(const struct histogram *histogram, double quantile)
{
    if (histogram->total == 0) {
        return NAN;
    }
    uint64_t rank = histogram_rank(quantile, histogram->total);
    uint64_t seen = 0;
    uint16_t octave = 0;
    while (seen + histogram->octaves[octave] < rank) {
        seen += histogram->octaves[octave++];
    }
    uint16_t bucket = (uint16_t)(octave << HISTOGRAM_OCTAVE_BITS);
    while (seen + histogram->counts[bucket] < rank) {
        seen += histogram->counts[bucket++];
    }
    return histogram_value(bucket);
}
