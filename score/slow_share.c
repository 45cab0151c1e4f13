#include "slow_share.h"

#include "catalog.h"
#include "request.h"

#include <math.h>

#define DRAWS     40000
#define SHARES    4096
#define LOAD_STEP 0.1

struct known {
    int service;
    double factor, load, limit_s, share;
};

static double draw_share(const struct known *wanted)
{
    const struct traffic_settings settings = {.seed = 1, .instance = "truth", .error_share = -1};
    struct request_maker maker;
    struct request_place place = {.series = wanted->service * REGION_COUNT, .load = wanted->load};
    struct traffic_request request;
    uint64_t slow = 0;
    request_maker_init(&maker, &settings);
    fault_effect_init(&place.effect);
    place.effect.latency_factor = wanted->factor;
    for (place.number = 0; place.number < DRAWS; place.number++) {
        request_make(&maker, &place, &request);
        slow += request.event.duration_s > wanted->limit_s;
    }
    return (double)slow / DRAWS;
}

double slow_share(int service, double factor, double load, double limit_s)
{
    static struct known known[SHARES];
    static int count;
    const struct known wanted = {service, factor, nearbyint(load / LOAD_STEP) * LOAD_STEP, limit_s, 0};
    for (int i = 0; i < count; i++) {
        if (known[i].service == service && known[i].factor == factor && known[i].load == wanted.load &&
            known[i].limit_s == limit_s) {
            return known[i].share;
        }
    }
    int slot = count < SHARES ? count++ : SHARES - 1;
    known[slot] = wanted;
    known[slot].share = draw_share(&wanted);
    return known[slot].share;
}
