#include "traffic.h"

#include "random/random.h"
#include "request.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/*          rates constant            rates constant
 *   |------------------------|-------------------------|----->  time
 *   step or fault            step or fault
 *
 * A series owes a number of "chances" until its next request, drawn from the exponential distribution; they
 * are used up at the series' rate. Where the rate changes, the chances that are left stay owed: this is an
 * exact inhomogeneous Poisson process (time rescaling theorem; D. Daley, D. Vere-Jones, "An Introduction to
 * the Theory of Point Processes", 2003, section 7.4). Times are ns, so that no request depends on how calls
 * are cut. */

#define STEP_NS   INT64_C(10000000000) /* how often the day curve moves */
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  1e9
#define NEVER     INT64_MAX

struct series {
    struct random arrivals;
    uint64_t made;    /* requests so far: the next one's number */
    double rate;      /* a second */
    double owed;      /* chances left at since_ns */
    int64_t since_ns; /* when owed was true */
    int64_t due_ns;   /* when they are used up; NEVER at rate 0 */
    double load;      /* of the region at the last step */
    double base_rate; /* without faults */
    struct fault_effect effect;
    char key[EVENT_KEY_BYTES];
    size_t key_size;
};

struct traffic {
    struct traffic_settings settings;
    struct request_maker maker;
    struct series series[SERIES_COUNT];
    int64_t next_step_ns;
    bool is_told;       /* traffic_next_at is used: times are told, the processes run by themselves at … */
    int64_t process_ns; /* … */
};

/* --- rates ---- */

static void rescale(struct series *series, int64_t now_ns)
{
    if (series->rate > 0) {
        series->owed -= series->rate * (double)(now_ns - series->since_ns) / NS_PER_S;
        series->owed = series->owed > 0 ? series->owed : 0;
    }
    series->since_ns = now_ns;
    series->rate = series->base_rate * series->effect.traffic_factor;
    double wait_ns = series->rate > 0 ? series->owed / series->rate * NS_PER_S : 1e19;
    series->due_ns = wait_ns < 9e18 - (double)now_ns ? now_ns + (int64_t)wait_ns : NEVER;
}

/* The regions' shares at that time: their weights times how busy each is, made to add up to 1. */
static void read_shares(int64_t unix_ms, double shares[REGION_COUNT], double loads[REGION_COUNT])
{
    double sum = 0;
    for (size_t i = 0; i < REGION_COUNT; i++) {
        loads[i] = catalog_day_curve(i, unix_ms);
        shares[i] = catalog_region(i)->weight * loads[i];
        sum += shares[i];
    }
    for (size_t i = 0; i < REGION_COUNT; i++) {
        shares[i] /= sum;
    }
}

/* The hour at time_ns, with the processes at process_ns. */
static void step(struct traffic *traffic, int64_t time_ns, int64_t process_ns)
{
    double shares[REGION_COUNT], loads[REGION_COUNT];
    read_shares(traffic->settings.start_unix_ms + time_ns / NS_PER_MS, shares, loads);
    for (size_t i = 0; i < SERIES_COUNT; i++) {
        struct series *series = &traffic->series[i];
        const struct catalog_service *service = catalog_service(i / REGION_COUNT);
        series->load = loads[i % REGION_COUNT];
        series->base_rate = traffic->settings.target_rps * service->weight * shares[i % REGION_COUNT];
        rescale(series, process_ns);
    }
    traffic->next_step_ns = (time_ns / STEP_NS + 1) * STEP_NS;
}

void traffic_set_effect(struct traffic *traffic, int series_index, int64_t now_ms,
                        const struct fault_effect *effect)
{
    struct series *series = &traffic->series[series_index];
    bool same_rate = series->effect.traffic_factor == effect->traffic_factor;
    series->effect = *effect;
    if (!same_rate) {
        rescale(series, traffic->is_told ? traffic->process_ns : now_ms * NS_PER_MS);
    }
}

/* --- life ---- */

static void init_series(struct series *series, size_t index, const struct request_maker *maker)
{
    const uint64_t parts[3] = {maker->seed, maker->instance_hash, index};
    random_init(&series->arrivals, XXH3_64bits(parts, sizeof parts));
    series->owed = random_exponential(&series->arrivals);
    fault_effect_init(&series->effect);
    const char *service = catalog_service(index / REGION_COUNT)->name;
    const char *region = catalog_region(index % REGION_COUNT)->name;
    const struct event named = {.service = {service, strlen(service)}, .region = {region, strlen(region)}};
    series->key_size = event_key(series->key, &named);
}

int traffic_create(struct traffic **out, const struct traffic_settings *settings, struct error *error)
{
    struct traffic *traffic = calloc(1, sizeof *traffic);
    *out = traffic;
    if (traffic == NULL) {
        return error_set(error, -1, "no memory for the simulated traffic");
    }
    traffic->settings = *settings;
    traffic->settings.instance = NULL;
    request_maker_init(&traffic->maker, settings);
    for (size_t i = 0; i < SERIES_COUNT; i++) {
        init_series(&traffic->series[i], i, &traffic->maker);
    }
    step(traffic, 0, 0);
    return 0;
}

void traffic_destroy(struct traffic *traffic)
{
    free(traffic);
}

struct event_text traffic_key(const struct traffic *traffic, int series)
{
    return (struct event_text){traffic->series[series].key, traffic->series[series].key_size};
}

/* --- requests ---- */

static int find_first(const struct traffic *traffic)
{
    int first = 0;
    for (int i = 1; i < SERIES_COUNT; i++) {
        if (traffic->series[i].due_ns < traffic->series[first].due_ns) {
            first = i;
        }
    }
    return first;
}

/* The request that is due, told as at time_ns; the series owes the next one from then on. */
static void take(struct traffic *traffic, int index, int64_t time_ns, struct traffic_request *request)
{
    struct series *series = &traffic->series[index];
    const struct request_place place = {
        .series = index,
        .number = series->made++,
        .unix_ms = traffic->settings.start_unix_ms + time_ns / NS_PER_MS,
        .load = series->load,
        .effect = series->effect,
    };
    series->owed = random_exponential(&series->arrivals);
    double wait_ns = series->owed / series->rate * NS_PER_S;
    series->since_ns = series->due_ns;
    series->due_ns = wait_ns < 9e18 - (double)series->due_ns ? series->due_ns + (int64_t)wait_ns : NEVER;
    request_make(&traffic->maker, &place, request);
}

bool traffic_next(struct traffic *traffic, int64_t until_ms, struct traffic_request *request)
{
    int64_t until_ns = until_ms * NS_PER_MS;
    for (;;) {
        int first = find_first(traffic);
        int64_t due_ns = traffic->series[first].due_ns;
        if (traffic->next_step_ns <= due_ns && traffic->next_step_ns < until_ns) {
            step(traffic, traffic->next_step_ns, traffic->next_step_ns);
            continue;
        }
        if (due_ns >= until_ns) {
            return false;
        }
        take(traffic, first, due_ns, request);
        return true;
    }
}

bool traffic_next_at(struct traffic *traffic, int64_t at_ms, struct traffic_request *request)
{
    int64_t at_ns = at_ms * NS_PER_MS;
    traffic->is_told = true;
    if (at_ns >= traffic->next_step_ns) {
        step(traffic, at_ns, traffic->process_ns);
    }
    int first = find_first(traffic);
    if (traffic->series[first].due_ns == NEVER) {
        return false;
    }
    traffic->process_ns = traffic->series[first].due_ns;
    take(traffic, first, at_ns, request);
    return true;
}

int64_t traffic_due_ms(const struct traffic *traffic)
{
    int64_t due_ns = traffic->series[find_first(traffic)].due_ns;
    return due_ns == NEVER ? NEVER : due_ns / NS_PER_MS;
}
