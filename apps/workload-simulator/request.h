/* request (inside traffic): what happens in one request: route, duration, status, utilisation, ids and its
 * line in the log. A plain function of its inputs. */
#ifndef SIMULATOR_REQUEST_H
#define SIMULATOR_REQUEST_H

#include "buffer/buffer.h"
#include "catalog.h"
#include "fault.h"
#include "traffic.h"

#include <stdint.h>

#define REQUEST_BODY_BYTES 256

/* What a series' requests have in common, and room for the texts of one. */
struct request_maker {
    uint64_t seed, instance_hash;
    double error_share, log_share; /* as in struct traffic_settings */
    char id[32], trace_id[32], span_id[16];
    char body_bytes[REQUEST_BODY_BYTES];
    struct buffer body;
};

void request_maker_init(struct request_maker *maker, const struct traffic_settings *settings);

struct request_place {
    int series;
    uint64_t number; /* 0, 1, 2 … within the series */
    int64_t unix_ms; /* when it ends */
    double load;     /* how busy the region's users are, 0.3-1 */
    struct fault_effect effect;
};

void request_make(struct request_maker *maker, const struct request_place *place,
                  struct traffic_request *out);

/* CPU as a function of load and surge, before noise: what saturation is compared with. */
double request_utilisation(double load, double traffic_factor);

#endif
