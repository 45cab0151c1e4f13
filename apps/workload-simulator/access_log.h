/* access_log: a line of a web server's access log, taken apart without copying. Two forms:
 *
 *   combined   203.0.113.7 - - [24/Nov/2026:23:06:32 +0000] "GET /a?b=c HTTP/1.1" 200 512 "-" "curl/8" 0.004
 *              nginx and Apache; common form and a virtual host in front too; between the agent and the
 * request time at the end anything may stand; \" inside quotes is Apache's JSON       nginx log_format
 * escape=json: one object, names as nginx's variables (json_log_parse says which)
 *
 * What the log doesn't know stays absent. A request line that is none (scanners, TLS on a plain port) is
 * still a request: method _OTHER, target empty. Malformed input is a normal result: why is a constant
 * sentence. */
#ifndef SIMULATOR_ACCESS_LOG_H
#define SIMULATOR_ACCESS_LOG_H

#include "event/event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_reader;

struct access_line {
    int64_t unix_ms; /* when the request ended */
    enum event_method method;
    struct event_text target; /* as sent: path and query; empty: unknown */
    int32_t status;
    double duration_s;
    /* JSON only; absent otherwise */
    struct event_text route, service, region, trace_id, span_id;
};

enum access_log_result {
    ACCESS_LOG_OK,
    ACCESS_LOG_NO_DURATION, /* a good line, but without a request time */
    ACCESS_LOG_MALFORMED
};

/* units_per_s: how many units of the log a second is: 1, 1000 or 1e6. Texts of the line point into it. */
enum access_log_result access_log_parse(struct access_line *line, const char *text, size_t size,
                                        double units_per_s, const char **why);

/* Names, the first that is there counts: msec, time_iso8601, time_local, @timestamp, timestamp, time;
 * request_method, method; request_uri, uri, path, or request (the whole line); status; request_time,
 * duration; http.route, route; service.name, service; cloud.region, region; trace_id; span_id. Numbers may be
 * strings. Texts live until the reader's next json_read. */
enum access_log_result json_log_parse(struct access_line *line, struct json_reader *reader, const char *text,
                                      size_t size, double units_per_s, const char **why);

/* --- the pieces, shared by both --- */

/* "24/Nov/2026:23:06:32 +0000", with or without .fraction after the seconds. */
bool access_log_parse_time(const char *text, size_t size, int64_t *unix_ms);
/* "GET /path HTTP/1.1" into method and target. */
void access_log_parse_request(struct access_line *line, const char *text, size_t size);
/* A duration in units; whole text. */
bool access_log_parse_duration(const char *text, size_t size, double units_per_s, double *duration_s);

#endif
