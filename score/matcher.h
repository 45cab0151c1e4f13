/* matcher: who found what: firings are matched with incidents, and incidents are summed up.
 *
 * A firing belongs to the incident of its rule and series that has begun and is not over for more than three
 * minutes (what a detector of Prometheus' kind may need). The first one finds it, further ones are repeats.
 * A burst hardly over the limit is to be found where it has MATCHER_MANY bad records in its first minute.
 * One that belongs to none, or to one that is no fault for the rule, is false. docs/scored.md says the same
 * for people. */
#ifndef SCORE_MATCHER_H
#define SCORE_MATCHER_H

#include "firings.h"
#include "plan.h"

#define MATCHER_MANY     20
#define MATCHER_GRACE_MS INT64_C(180000)

struct result {
    const struct scenario *scenario;
    struct plan plan;
    struct firings firings;
    int64_t fed;
};

void matcher_match(struct result *result);

/* Which incidents are summed up; what is zero or empty (NULL, -1) is not asked. */
struct selection {
    int watch, kind; /* -1: any */
    double min_size, max_size, min_rate, max_rate;
    uint32_t min_first_bad, max_first_bad; /* max: fewer than that */
    const struct scenario *scenario;       /* NULL: any */
};

#define SELECT_ALL                                                                                           \
    (struct selection)                                                                                       \
    {                                                                                                        \
        .watch = -1, .kind = -1                                                                              \
    }

struct tally {
    uint32_t faults, found, repeats;
    uint32_t wrong; /* firings that are false; only when neither size, rate, kind nor first_bad are asked */
    double median_s, worst_s; /* to detect; NaN: nothing found */
    double earliest_s;        /* median of what no detector that leaves blips alone can be quicker than */
};

void matcher_sum(struct tally *tally, const struct result *results, size_t count, int side,
                 const struct selection *selection);
/* Firings that are false or repeats are the errors of precision. NaN: nothing fired, or nothing to find. */
double tally_precision(const struct tally *tally);
double tally_recall(const struct tally *tally);
double tally_f1(const struct tally *tally);

#endif
