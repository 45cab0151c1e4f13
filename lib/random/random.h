/* lib/random: seeded pseudo-random numbers: the same seed gives the same numbers everywhere. Not for secrets.
 * xoshiro256++ seeded by splitmix64 (D. Blackman, S. Vigna, "Scrambled Linear Pseudorandom Number
 * Generators", ACM TOMS 47, 2021). Plain data; one thread at a time. */
#ifndef OBS_RANDOM_RANDOM_H
#define OBS_RANDOM_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state[4];
};

void random_init(struct random *random, uint64_t seed);
uint64_t random_next(struct random *random);
uint64_t random_below(struct random *random,
                      uint64_t bound);            /* uniform in 0 … bound-1, without bias; bound > 0 */
double random_unit(struct random *random);        /* uniform in [0, 1) */
double random_normal(struct random *random);      /* mean 0, deviation 1 */
double random_exponential(struct random *random); /* mean 1 */

/* A seed nobody can guess, from the kernel. */
uint64_t random_seed_from_system(void);

#endif
