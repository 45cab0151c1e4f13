/* GET /series/history?service.name=…&cloud.region=…[&http.route=…][&seconds=300] */
#ifndef STREAM_PROCESSOR_HISTORY_PAGE_H
#define STREAM_PROCESSOR_HISTORY_PAGE_H

struct http_request;
struct http_response;

/* context: the worker */
void history_page_show(void *context, const struct http_request *request, struct http_response *response);

#endif
