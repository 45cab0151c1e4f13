#include "rule/binomial.h"

#include <math.h>

static double log_factorial(double n)
{
    int sign = 0;
    return lgamma_r(n + 1.0, &sign);
}

bool binomial_tail_is_at_most(uint64_t n, uint64_t bad, double p, double limit)
{
    double trials = (double)n;
    double k = (double)bad;
    if (k <= trials * p) {
        return false; /* from the mean on the tail is about a half, and limits are smaller */
    }
    double term = exp(log_factorial(trials) - log_factorial(k) - log_factorial(trials - k) + k * log(p) +
                      (trials - k) * log1p(-p));
    double sum = 0;
    for (uint64_t at = bad; at <= n; at++) {
        k = (double)at;
        sum += term;
        if (sum > limit) {
            return false;
        }
        double ratio = (trials - k) / (k + 1.0) * p / (1.0 - p);
        /* Ratios only fall from here: the rest is below term * ratio / (1 - ratio). */
        if (ratio < 1.0 && sum + term * ratio / (1.0 - ratio) <= limit) {
            return true;
        }
        term *= ratio;
    }
    return true;
}
