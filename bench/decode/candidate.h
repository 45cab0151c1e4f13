/* bench/decode: the JSON libraries that lib/json might have stood on, each asked for the same: the fields of
 * a metrics.raw event out of its bytes, nothing judged. One file each, because their headers don't get on. */
#ifndef OBS_BENCH_DECODE_CANDIDATE_H
#define OBS_BENCH_DECODE_CANDIDATE_H

#include <stddef.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CANDIDATE_TEXTS   8
#define CANDIDATE_NUMBERS 6

/* Found fields; summed up, so that no compiler leaves out the work and all candidates can be seen to agree.
 */
struct candidate_event {
    size_t text_bytes;
    double number_sum;
};

static const char *const candidate_texts[CANDIDATE_TEXTS] = {
    "id", "service.name", "cloud.region", "kind", "http.request.method", "http.route", "trace_id", "span_id"};
static const char *const candidate_numbers[CANDIDATE_NUMBERS] = {
    "time_unix_ms", "http.response.status_code", "http.server.request.duration",
    "count",        "system.cpu.utilization",    "system.memory.utilization"};

/* 0, or -1: not JSON. data is followed by room for simdjson's padding. */
typedef int candidate_decode(const char *data, size_t size, struct candidate_event *out);

candidate_decode decode_yajl, decode_jansson, decode_json_c, decode_cjson, decode_simdjson_dom,
    decode_simdjson_on_demand;

#ifdef __cplusplus
}
#endif

#endif
