#include "random/random.h"

#include <math.h>
#include <sys/random.h>
#include <time.h>

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void random_init(struct random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        random->state[i] = splitmix64(&seed);
    }
}

static uint64_t rotate_left(uint64_t value, int bits)
{
    return (value << bits) | (value >> (64 - bits));
}

uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[0] + s[3], 23) + s[0];
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
    /* Numbers under 2^64 mod bound are drawn again, so that every remainder is equally likely. */
    uint64_t reject_under = (UINT64_MAX - bound + 1) % bound;
    uint64_t value;
    do {
        value = random_next(random);
    } while (value < reject_under);
    return value % bound;
}

double random_unit(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1.0p-53;
}

double random_normal(struct random *random)
{
    /* Box and Muller's method; the second of the pair is not kept, so that the state is the four words alone.
     */
    const double two_pi = 6.283185307179586;
    double radius = sqrt(-2.0 * log(1.0 - random_unit(random)));
    return radius * cos(two_pi * random_unit(random));
}

double random_exponential(struct random *random)
{
    return -log(1.0 - random_unit(random));
}

uint64_t random_seed_from_system(void)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        struct timespec now;
        (void)clock_gettime(CLOCK_REALTIME, &now);
        seed = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 32;
    }
    return seed;
}
