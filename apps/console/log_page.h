/* GET /api/logs: the newest lines that match; asked again with what it said last, it gives what came since.
 */
#ifndef CONSOLE_LOG_PAGE_H
#define CONSOLE_LOG_PAGE_H

struct http_request;
struct http_response;

/* An http_handler; context: struct log_ring. Parameters: service (several with commas), region, severity (and
 * above), trace, q, after, from, until (UTC ms), limit, bars=1. */
void log_page_show(void *context, const struct http_request *request, struct http_response *response);

#endif
