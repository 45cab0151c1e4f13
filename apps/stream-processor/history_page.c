#include "history_page.h"

#include "partition.h"

#include "detect/history.h"
#include "http/http_server.h"
#include "json/json_write.h"

#include <stdlib.h>

/* 0: not a number from 1 to HISTORY_SECONDS. */
static int64_t read_seconds(const char *text)
{
    if (text == NULL) {
        return HISTORY_SECONDS;
    }
    char *end = NULL;
    long value = strtol(text, &end, 10);
    return end == text || *end != '\0' || value < 1 || value > HISTORY_SECONDS ? 0 : value;
}

/* With the worker's lock held. */
static bool write_history(const struct detection_worker *worker, struct json_writer *w, const char *service,
                          const char *region, const char *route, int64_t seconds)
{
    for (const struct partition *p = worker->partitions; p != NULL; p = p->next) {
        if (detector_write_history(p->place.detector, w, service, region, route, seconds)) {
            return true;
        }
    }
    return false;
}

void history_page_show(void *context, const struct http_request *request, struct http_response *response)
{
    struct detection_worker *worker = context;
    const char *service = http_request_query(request, "service.name");
    const char *region = http_request_query(request, "cloud.region");
    const char *route = http_request_query(request, "http.route");
    int64_t seconds = read_seconds(http_request_query(request, "seconds"));
    struct json_writer w;
    if (service == NULL || region == NULL) {
        http_response_fail(response, 400,
                           "service.name and cloud.region are needed: "
                           "/series/history?service.name=api-service&cloud.region=us-east-1");
        return;
    }
    if (seconds == 0) {
        http_response_fail(response, 400, "seconds must be a number from 1 to %d", HISTORY_SECONDS);
        return;
    }
    json_writer_init(&w, http_response_body(response));
    http_response_set_type(response, "application/json");
    json_object_begin(&w);
    json_key(&w, "service.name");
    json_string(&w, service);
    json_key(&w, "cloud.region");
    json_string(&w, region);
    if (route != NULL) {
        json_key(&w, "http.route");
        json_string(&w, route);
    }
    (void)pthread_mutex_lock(&worker->lock);
    bool is_known = write_history(worker, &w, service, region, route, seconds);
    (void)pthread_mutex_unlock(&worker->lock);
    json_object_end(&w);
    if (!is_known) {
        http_response_fail(response, 404, "this processor watches no such series; GET /series lists them");
    }
}
