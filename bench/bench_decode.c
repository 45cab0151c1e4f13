/* How fast is an event decoded, by us and by the JSON libraries that we didn't build on? Prints ns an event
 * and the ratio to event_decode, all measured in turn in one process, so that the ratios hold on a busy
 * machine; the smallest of several rounds. The libraries only find the fields; event_decode also judges them.
 *
 *   bench_decode [ROUNDS]
 */
#include "buffer/buffer.h"
#include "clock/clock.h"
#include "event/decode.h"
#include "event/decoder.h"
#include "event/encode.h"
#include "random/random.h"
#include "json/json_write.h"

#include "decode/candidate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define EVENTS      20000
#define PADDING     64 /* simdjson reads past the end */
#define MOST_ROUNDS 1000

/* --- allocations: counted by standing in front of glibc's malloc (the sanitizers want that place themselves)
 * --- */

static uint64_t allocations;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    allocations++;
    return __libc_realloc(block, size);
}
#endif

/* --- the events --- */

struct corpus {
    const char *name;
    struct buffer bytes;
    size_t begins[EVENTS + 1];
};

static void hex(char *out, size_t digits, struct random *random)
{
    for (size_t i = 0; i < digits; i++) {
        out[i] = "0123456789abcdef"[random_below(random, 16)];
    }
}

struct sample {
    struct event event;
    char id[32], trace_id[32], span_id[16];
};

static struct event_text text_of(const char *text)
{
    return (struct event_text){text, strlen(text)};
}

static double micros(double seconds)
{
    return round(seconds * 1e6) / 1e6;
}

static void make_sample(struct sample *s, struct random *random, int i)
{
    static const char *const services[] = {"api-service", "auth-service", "payment-service",
                                           "inventory-service"};
    static const char *const regions[] = {"us-east-1", "eu-west-1", "ap-southeast-1"};
    static const char *const routes[] = {"/v1/orders/{id}", "/v1/users/{id}/sessions", "/healthz",
                                         "/v1/stock"};
    hex(s->id, sizeof s->id, random);
    hex(s->trace_id, sizeof s->trace_id, random);
    hex(s->span_id, sizeof s->span_id, random);
    s->event = (struct event){.id = {s->id, sizeof s->id},
                              .time_unix_ms = 1764025592125 + i,
                              .service = text_of(services[random_below(random, 4)]),
                              .region = text_of(regions[random_below(random, 3)]),
                              .method = random_below(random, 4) == 0 ? EVENT_METHOD_POST : EVENT_METHOD_GET,
                              .route = text_of(routes[random_below(random, 4)]),
                              .status_code = random_below(random, 20) == 0 ? 503 : 200,
                              .duration_s = micros(0.02 * exp(random_normal(random))),
                              .count = 1,
                              .cpu_utilization = micros(random_unit(random)),
                              .memory_utilization = micros(random_unit(random)),
                              .trace_id = {s->trace_id, sizeof s->trace_id},
                              .span_id = {s->span_id, sizeof s->span_id}};
}

static void write_ours(struct buffer *buffer, struct sample *s)
{
    event_encode(buffer, &s->event);
}

static void write_least(struct buffer *buffer, struct sample *s)
{
    s->event.cpu_utilization = s->event.memory_utilization = NAN;
    s->event.trace_id = s->event.span_id = (struct event_text){NULL, 0};
    event_encode(buffer, &s->event);
}

/* Another producer's: blanks, another order, full doubles, a field of its own; with or without an escape. */
static void write_foreign(struct buffer *buffer, struct sample *s, const char *user_agent)
{
    const struct event *e = &s->event;
    buffer_append_format(buffer,
                         "{\"service.name\": \"%s\", \"cloud.region\": \"%s\", \"time_unix_ms\": %lld, "
                         "\"http.route\": \"%s\", \"http.request.method\": \"%s\", ",
                         e->service.data, e->region.data, (long long)e->time_unix_ms, e->route.data,
                         event_method_name(e->method));
    buffer_append_format(buffer,
                         "\"http.response.status_code\": %d, \"http.server.request.duration\": %.16g, "
                         "\"user_agent.original\": \"%s\", \"id\": \"%.32s\", \"trace_id\": \"%.32s\"}",
                         e->status_code, e->duration_s * 1.0000001, user_agent, s->id, s->trace_id);
}

static void write_any_order(struct buffer *buffer, struct sample *s)
{
    write_foreign(buffer, s, "curl/7.88.1");
}

static void write_escaped(struct buffer *buffer, struct sample *s)
{
    write_foreign(buffer, s, "\\\"curl\\\" 7.88.1");
}

static void fill(struct corpus *corpus, const char *name, void (*write)(struct buffer *, struct sample *))
{
    struct random random;
    random_init(&random, 1);
    corpus->name = name;
    buffer_init(&corpus->bytes, 0);
    for (int i = 0; i < EVENTS; i++) {
        struct sample sample;
        make_sample(&sample, &random, i);
        corpus->begins[i] = corpus->bytes.size;
        write(&corpus->bytes, &sample);
    }
    corpus->begins[EVENTS] = corpus->bytes.size;
    (void)buffer_reserve(&corpus->bytes, PADDING);
    if (corpus->bytes.failed) {
        fprintf(stderr, "no memory\n");
        exit(1);
    }
}

/* --- the candidates --- */

static struct event_decoder *decoder;

static int decode_ours(const char *data, size_t size, struct candidate_event *out)
{
    struct event event;
    struct event_fault fault;
    if (event_decode(decoder, data, size, &event, &fault) != EVENT_OK) {
        return -1;
    }
    out->text_bytes += event.id.size + event.service.size + event.region.size + event.route.size +
                       event.trace_id.size + event.span_id.size + strlen(event_method_name(event.method));
    out->number_sum += (double)event.time_unix_ms + event.status_code + event.duration_s;
    out->number_sum += isnan(event.cpu_utilization) ? 0 : event.cpu_utilization;
    out->number_sum += isnan(event.memory_utilization) ? 0 : event.memory_utilization;
    return 0;
}

static int decode_ours_general(const char *data, size_t size, struct candidate_event *out)
{
    decoder->general_only = true;
    int result = decode_ours(data, size, out);
    decoder->general_only = false;
    return result;
}

/* A floor to see the rest against: one look at each byte. */
static int find_quotes(const char *data, size_t size, struct candidate_event *out)
{
    const char *end = data + size;
    for (const char *at = data; (at = memchr(at, '"', (size_t)(end - at))) != NULL; at++) {
        out->text_bytes++;
    }
    return 0;
}

static const struct {
    const char *name;
    candidate_decode *decode;
} candidates[] = {
    {"event_decode", decode_ours},
    {"event_decode, general way only", decode_ours_general},
#ifdef BENCH_YAJL
    {"yajl", decode_yajl},
#endif
#ifdef BENCH_SIMDJSON
    {"simdjson DOM", decode_simdjson_dom},
    {"simdjson on demand", decode_simdjson_on_demand},
#endif
#ifdef BENCH_CJSON
    {"cJSON", decode_cjson},
#endif
#ifdef BENCH_JSON_C
    {"json-c", decode_json_c},
#endif
#ifdef BENCH_JANSSON
    {"jansson", decode_jansson},
#endif
    {"(memchr for every quote)", find_quotes},
};

#define CANDIDATES (sizeof candidates / sizeof candidates[0])

struct measure {
    double best_ns;
    double allocations;
    struct candidate_event sum;
    int failures;
};

static void run(const struct corpus *corpus, size_t candidate, struct measure *measure)
{
    measure->sum = (struct candidate_event){0};
    measure->failures = 0;
    uint64_t allocated = allocations;
    int64_t begin = clock_steady_ns(clock_system());
    for (int i = 0; i < EVENTS; i++) {
        const char *data = corpus->bytes.data + corpus->begins[i];
        size_t size = corpus->begins[i + 1] - corpus->begins[i];
        measure->failures += candidates[candidate].decode(data, size, &measure->sum) != 0;
    }
    double ns = (double)(clock_steady_ns(clock_system()) - begin) / EVENTS;
    measure->allocations = (double)(allocations - allocated) / EVENTS;
    if (measure->best_ns == 0 || ns < measure->best_ns) {
        measure->best_ns = ns;
    }
}

static void compare(const struct corpus *corpus, long rounds)
{
    struct measure measures[CANDIDATES] = {0};
    for (long round = 0; round < rounds; round++) {
        for (size_t i = 0; i < CANDIDATES; i++) {
            run(corpus, i, &measures[i]);
        }
    }
    printf("\n%s: %d events of %.0f bytes\n", corpus->name, EVENTS, (double)corpus->begins[EVENTS] / EVENTS);
    printf("  %-32s %9s %9s %8s %8s\n", "", "ns/event", "M/s", "ratio", "allocs");
    for (size_t i = 0; i < CANDIDATES; i++) {
        const struct measure *m = &measures[i];
        printf("  %-32s %9.1f %9.2f %7.2fx %8.1f", candidates[i].name, m->best_ns, 1e3 / m->best_ns,
               m->best_ns / measures[0].best_ns, m->allocations);
        if (m->failures > 0) {
            printf("  refused %d", m->failures);
        } else if (i + 1 < CANDIDATES && m->sum.text_bytes != measures[0].sum.text_bytes) {
            printf("  found other texts");
        }
        printf("\n");
    }
}

static void time_encoding(const struct corpus *corpus, long rounds)
{
    struct random random;
    random_init(&random, 1);
    static struct sample samples[256];
    for (int i = 0; i < 256; i++) {
        make_sample(&samples[i], &random, i);
    }
    struct buffer buffer;
    buffer_init(&buffer, 0);
    double ns = 0;
    for (long round = 0; round < rounds; round++) {
        int64_t begin = clock_steady_ns(clock_system());
        for (int i = 0; i < EVENTS; i++) {
            buffer_clear(&buffer);
            event_encode(&buffer, &samples[i % 256].event);
        }
        double now_ns = (double)(clock_steady_ns(clock_system()) - begin) / EVENTS;
        ns = ns == 0 || now_ns < ns ? now_ns : ns;
    }
    printf("\nevent_encode (%s): %.1f ns/event, %.2f M/s\n", corpus->name, ns, 1e3 / ns);
    buffer_free(&buffer);
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 5;
    struct error error;
    if (rounds < 1 || rounds > MOST_ROUNDS || event_decoder_create(&decoder, &error) != 0) {
        fprintf(stderr, "usage: bench_decode [ROUNDS]\n");
        return 2;
    }
    static const struct {
        const char *name;
        void (*write)(struct buffer *, struct sample *);
    } kinds[] = {{"common form, all fields", write_ours},
                 {"common form, required fields", write_least},
                 {"any order, blanks, an unknown field", write_any_order},
                 {"the same with an escape", write_escaped}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        static struct corpus corpus;
        fill(&corpus, kinds[i].name, kinds[i].write);
        compare(&corpus, rounds);
        if (i == 0) {
            time_encoding(&corpus, rounds);
        }
        buffer_free(&corpus.bytes);
    }
    event_decoder_destroy(decoder);
    return 0;
}
