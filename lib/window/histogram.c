#include "window/histogram.h"

#include <math.h>
#include <string.h>

#define SUB_BITS      6
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
    histogram->total += weight;
}

double histogram_quantile(const struct histogram *histogram, double quantile)
{
    if (histogram->total == 0) {
        return NAN;
    }
    double exact = ceil(quantile * (double)histogram->total);
    uint64_t rank = exact < 1 ? 1 : (uint64_t)exact;
    if (rank > histogram->total) {
        rank = histogram->total;
    }
    uint64_t seen = 0;
    uint16_t bucket = 0;
    while (seen + histogram->counts[bucket] < rank) {
        seen += histogram->counts[bucket++];
    }
    return histogram_value(bucket);
}
