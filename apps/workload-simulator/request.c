#include "request.h"

#include "random/random.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

#define MAX_DURATION_US    86399999999.0
#define MAX_QUEUE_SLOWDOWN 10.0

/* All that is left to chance, drawn in this order whatever the faults are, so that they can't shift it. */
struct draws {
    double route, latency, error, client, status, log, cpu_noise, memory_noise;
    uint64_t trace[2], span;
};

void request_maker_init(struct request_maker *maker, const struct traffic_settings *settings)
{
    *maker = (struct request_maker){
        .seed = settings->seed,
        .instance_hash = XXH64(settings->instance, strlen(settings->instance), 0),
        .error_share = settings->error_share,
        .log_share = settings->log_share,
    };
    buffer_init_fixed(&maker->body, maker->body_bytes, sizeof maker->body_bytes);
}

static void write_hex(char *out, uint64_t value)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 15; i >= 0; i--) {
        out[i] = digits[value & 15];
        value >>= 4;
    }
}

static void draw(struct draws *draws, struct random *random)
{
    draws->route = random_unit(random);
    draws->latency = random_normal(random);
    draws->error = random_unit(random);
    draws->client = random_unit(random);
    draws->status = random_unit(random);
    draws->log = random_unit(random);
    draws->cpu_noise = random_unit(random) - 0.5;
    draws->memory_noise = random_unit(random) - 0.5;
    draws->trace[0] = random_next(random);
    draws->trace[1] = random_next(random) | 1; /* all zeros is no trace id */
    draws->span = random_next(random) | 1;
}

/* --- the parts ---- */

static const struct catalog_route *choose_route(const struct catalog_service *service, double draw)
{
    size_t last = service->route_count - 1;
    for (size_t i = 0; i < last; i++) {
        if (draw < service->routes[i].weight) {
            return &service->routes[i];
        }
        draw -= service->routes[i].weight;
    }
    return &service->routes[last];
}

double request_utilisation(double load, double traffic_factor)
{
    double utilisation = 0.12 + 0.45 * load * traffic_factor;
    return utilisation > 0.97 ? 0.97 : utilisation;
}

/* A busy region is a little slower, a surge a little more, a saturated one as the waiting time of an M/M/1
 * queue says: service time / (1 - utilisation). */
static double slowdown(const struct request_place *place)
{
    const struct fault_effect *effect = &place->effect;
    double load = place->load * effect->traffic_factor;
    double factor = 0.9 + 0.2 * (load > 1.5 ? 1.5 : load);
    double normal = request_utilisation(place->load, effect->traffic_factor);
    if (effect->saturation > normal) {
        double queue = (1 - normal) / (1.000001 - effect->saturation);
        factor *= queue > MAX_QUEUE_SLOWDOWN ? MAX_QUEUE_SLOWDOWN : queue;
    }
    return factor * effect->latency_factor;
}

/* Whole microseconds: what the encoder writes digit by digit. */
static double make_duration(const struct request_place *place, const struct catalog_route *route,
                            double normal)
{
    double micros = nearbyint(1e6 * route->median_s * exp(route->sigma * normal) * slowdown(place));
    micros = micros < 1 ? 1 : micros;
    return (micros > MAX_DURATION_US ? MAX_DURATION_US : micros) / 1e6;
}

static int32_t choose_status(const struct request_maker *maker, const struct request_place *place,
                             const struct catalog_service *service, const struct catalog_route *route,
                             const struct draws *draws)
{
    static const int32_t error_statuses[] = {500, 503, 500, 502, 503, 504, 500, 500};
    double errors = maker->error_share >= 0 ? maker->error_share : service->error_share;
    errors = place->effect.error_share > errors ? place->effect.error_share : errors;
    if (draws->error < errors) {
        return error_statuses[(size_t)(draws->status * 8)];
    }
    if (draws->client < service->client_share) {
        return service->client_statuses[(size_t)(draws->status * 3)];
    }
    return route->success_status;
}

static double thousandths(double value)
{
    value = value < 0 ? 0 : value > 1 ? 1 : value;
    return nearbyint(value * 1000) / 1000;
}

static void fill_utilisation(struct event *event, const struct request_place *place,
                             const struct draws *draws)
{
    double cpu = request_utilisation(place->load, place->effect.traffic_factor);
    double memory = 0.30 + 0.45 * cpu;
    double floor = place->effect.saturation;
    event->cpu_utilization = thousandths((floor > cpu ? floor : cpu) + 0.04 * draws->cpu_noise);
    event->memory_utilization = thousandths((floor > memory ? floor : memory) + 0.01 * draws->memory_noise);
}

/* --- its line in the log ---- */

static void append_number(struct buffer *buffer, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buffer_append(buffer, digits + at, sizeof digits - at);
}

static const char *why_failed(int32_t status)
{
    switch (status) {
    case 502:
        return "bad answer from ";
    case 503:
        return "no connection left to ";
    case 504:
        return "no answer in time from ";
    default:
        return "unexpected answer from ";
    }
}

static void fill_log(struct request_maker *maker, struct traffic_request *out,
                     const struct catalog_service *service)
{
    const struct event *event = &out->event;
    struct buffer *body = &maker->body;
    buffer_clear(body);
    buffer_append_text(body, event_method_name(event->method));
    buffer_append_char(body, ' ');
    buffer_append(body, event->route.data, event->route.size);
    buffer_append_char(body, ' ');
    append_number(body, (uint64_t)event->status_code);
    buffer_append_text(body, " in ");
    append_number(body, (uint64_t)(event->duration_s * 1000 + 0.5));
    buffer_append_text(body, " ms");
    if (event->status_code >= 500) {
        buffer_append_text(body, ": ");
        buffer_append_text(body, why_failed(event->status_code));
        buffer_append_text(body, service->dependency);
    }
    out->log = (struct log_record){
        .time_unix_ms = event->time_unix_ms,
        .service = event->service,
        .region = event->region,
        .severity = event->status_code >= 500   ? LOG_SEVERITY_ERROR
                    : event->status_code >= 400 ? LOG_SEVERITY_WARN
                                                : LOG_SEVERITY_INFO,
        .body = {body->data, body->size},
        .trace_id = event->trace_id,
        .span_id = event->span_id,
    };
}

/* --- the whole ---- */

static struct event_text text_of(const char *text)
{
    return (struct event_text){text, strlen(text)};
}

/* The seed of the request's draws, and its id's text. */
static uint64_t identify(struct request_maker *maker, const struct request_place *place)
{
    const uint64_t parts[4] = {maker->seed, maker->instance_hash, (uint64_t)place->series, place->number};
    XXH128_hash_t hash = XXH3_128bits(parts, sizeof parts);
    write_hex(maker->id, hash.high64);
    write_hex(maker->id + 16, hash.low64);
    return hash.low64;
}

void request_make(struct request_maker *maker, const struct request_place *place, struct traffic_request *out)
{
    const struct catalog_service *service = catalog_service((size_t)(place->series / REGION_COUNT));
    const struct catalog_region *region = catalog_region((size_t)(place->series % REGION_COUNT));
    struct random random;
    struct draws draws;
    random_init(&random, identify(maker, place));
    draw(&draws, &random);
    write_hex(maker->trace_id, draws.trace[0]);
    write_hex(maker->trace_id + 16, draws.trace[1]);
    write_hex(maker->span_id, draws.span);

    const struct catalog_route *route = choose_route(service, draws.route);
    out->series = place->series;
    out->event = (struct event){
        .id = {maker->id, sizeof maker->id},
        .time_unix_ms = place->unix_ms,
        .service = text_of(service->name),
        .region = text_of(region->name),
        .kind = EVENT_REQUEST,
        .method = route->method,
        .route = text_of(route->path),
        .status_code = choose_status(maker, place, service, route, &draws),
        .duration_s = make_duration(place, route, draws.latency),
        .count = 1,
        .trace_id = {maker->trace_id, sizeof maker->trace_id},
        .span_id = {maker->span_id, sizeof maker->span_id},
    };
    fill_utilisation(&out->event, place, &draws);
    out->logged = out->event.status_code >= 400 || draws.log < maker->log_share;
    if (out->logged) {
        fill_log(maker, out, service);
    }
}
