/* tests/support/http_sink: an HTTP server of the test's own that keeps what is sent to it, standing in for
 * Slack, PagerDuty, the console or Alertmanager. Any path; answers 200 unless told otherwise. */
#ifndef OBS_TESTS_SUPPORT_HTTP_SINK_H
#define OBS_TESTS_SUPPORT_HTTP_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_sink;

struct sink_request {
    char path[128];
    const char *body; /* NUL-ended; the sink's, until it is stopped */
    int64_t wall_ms;  /* when it was there */
};

struct http_sink *http_sink_start(uint16_t port);
void http_sink_stop(struct http_sink *sink); /* NULL is fine */
/* From now on: the status of every answer, or of those whose body contains text (NULL: of all). */
void http_sink_answer(struct http_sink *sink, int status, const char *text);

/* Requests so far whose path begins with path and whose body contains text (NULL: any). */
size_t http_sink_count(struct http_sink *sink, const char *path, const char *text);
/* The nth of those, 0 the oldest. False: there aren't so many. */
bool http_sink_get(struct http_sink *sink, const char *path, const char *text, size_t nth,
                   struct sink_request *out);
/* Waits until there are at least count of them; fails the test after timeout_ms. */
void http_sink_wait(struct http_sink *sink, const char *path, const char *text, size_t count, int timeout_ms);

#endif
