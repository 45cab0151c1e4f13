/* GET /alerts/FINGERPRINT/SEQUENCE: one transition with what it needed and had. */
#ifndef STREAM_PROCESSOR_TRANSITION_PAGE_H
#define STREAM_PROCESSOR_TRANSITION_PAGE_H

struct http_request;
struct http_response;

/* context: the worker */
void transition_page_show(void *context, const struct http_request *request, struct http_response *response);

#endif
