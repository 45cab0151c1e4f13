/* catalog: what is simulated: four services in three regions, their routes, shares of the traffic, latencies
 * and healthy error rates. Constant data.
 *
 * Chosen so that healthy traffic is far from every shipped rule (P99 of each series 0.12 to 0.3 s against 0.5
 * s; errors at most 0.3 % against 5 %; api-service within its SLO of 99.9 %), and so that a latency spike of
 * factor 5 is over the limit in every service. */
#ifndef SIMULATOR_CATALOG_H
#define SIMULATOR_CATALOG_H

#include "event/event.h"

#include <stddef.h>
#include <stdint.h>

enum { SERVICE_COUNT = 4, REGION_COUNT = 3, SERIES_COUNT = SERVICE_COUNT * REGION_COUNT };

struct catalog_route {
    enum event_method method;
    const char *path;
    double weight; /* share of the service's requests; a service's weights add up to 1 */
    double median_s;
    double sigma; /* of the logarithm: P99 = median · e^(2.33 sigma) */
    int32_t success_status;
};

struct catalog_service {
    const char *name;
    double weight;       /* share of all requests; the services' weights add up to 1 */
    double error_share;  /* healthy share of 5xx */
    double client_share; /* share of 4xx */
    int32_t client_statuses[3];
    const char *dependency; /* what its errors blame */
    const struct catalog_route *routes;
    size_t route_count;
};

struct catalog_region {
    const char *name;
    double weight;       /* share of all requests at equal hours of the day */
    double utc_offset_h; /* of its users */
};

const struct catalog_service *catalog_service(size_t service); /* below SERVICE_COUNT */
const struct catalog_region *catalog_region(size_t region);    /* below REGION_COUNT */
int catalog_find_service(const char *name);                    /* -1: none of that name */
int catalog_find_region(const char *name);

/* How busy the region's users are at that time, over their day: 0.3 at 4 h, 1 at 16 h of their clock. */
double catalog_day_curve(size_t region, int64_t unix_ms);

#endif
