/* traffic: simulated requests, one after the other, as a plain function of seed, instance, start and faults.
 * No clock, no I/O, no thread.
 *
 * Each of the twelve series (service × region) is a Poisson process of its own: exact for rates that are
 * constant between steps (the day curve moves every 10 s of the traffic's time, faults exactly when they
 * begin and end). All that happens in request number n of a series is drawn from a generator seeded with
 * hash(seed, instance, series, n). So a fault changes what it is about and nothing else: the same requests
 * come in the other series, and in its own series the same ones come, only slower, or failed.
 *
 * target_rps is met at any hour: the regions' shares follow the sun, their sum doesn't. A surge or an outage
 * comes on top. Cost: about 0.3 µs a request; nothing is allocated after creation. */
#ifndef SIMULATOR_TRAFFIC_H
#define SIMULATOR_TRAFFIC_H

#include "catalog.h"
#include "error/error.h"
#include "event/event.h"
#include "event/log_record.h"
#include "fault.h"

#include <stdbool.h>
#include <stdint.h>

struct traffic;

struct traffic_settings {
    uint64_t seed;
    const char *instance;  /* borrowed until traffic_create returns */
    int64_t start_unix_ms; /* when the traffic's time 0 is */
    double target_rps;     /* of all series together; 0: none */
    double error_share;    /* of 5xx in every service; negative: each service's own */
    double log_share;      /* of the successful requests that leave a log record; all others do */
};

/* One request: what its service reports. Texts live until the next call. */
struct traffic_request {
    int series; /* service * REGION_COUNT + region */
    struct event event;
    bool logged; /* log is filled: the same trace_id, span_id and time */
    struct log_record log;
};

int traffic_create(struct traffic **out, const struct traffic_settings *settings, struct error *error);
void traffic_destroy(struct traffic *traffic);

/* The next request that ends before until_ms of the traffic's time. False: there is none, the time is
 * until_ms. How the time is cut into calls makes no difference. */
bool traffic_next(struct traffic *traffic, int64_t until_ms, struct traffic_request *request);
/* The next request, whenever it is, moved to at_ms: for going as fast as the bus does. at_ms never goes back;
 * the rates only say how the series share. False: none has a rate. Not to be mixed with traffic_next. */
bool traffic_next_at(struct traffic *traffic, int64_t at_ms, struct traffic_request *request);
/* When the next request is due, in ms rounded down; INT64_MAX: never. */
int64_t traffic_due_ms(const struct traffic *traffic);
/* From now_ms on; between two calls of traffic_next, with the time up to which the last one was asked. */
void traffic_set_effect(struct traffic *traffic, int series, int64_t now_ms,
                        const struct fault_effect *effect);

/* The key of a series' records: service.name|cloud.region. */
struct event_text traffic_key(const struct traffic *traffic, int series);

#endif
