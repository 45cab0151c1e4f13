#include "play.h"

#include "stage.h"

#include <string.h>
#include <xxhash.h>

int play_scenario(struct result *result, const struct scenario *scenario, const struct rule_set *rules,
                  uint64_t seed, struct error *error)
{
    struct plan_limits limits;
    uint64_t own_seed = XXH3_64bits_withSeed(scenario->name, strlen(scenario->name), seed);
    if (stage_read_limits(rules, &limits, error) != 0) {
        return -1;
    }
    *result = (struct result){.scenario = scenario};
    plan_make(&result->plan, scenario, &limits, own_seed);
    firings_init(&result->firings);
    result->fed = stage_play(scenario, &result->plan, rules, own_seed, &result->firings, error);
    matcher_match(result);
    return result->fed < 0 ? -1 : 0;
}

void play_free(struct result *result)
{
    plan_free(&result->plan);
    firings_free(&result->firings);
}
