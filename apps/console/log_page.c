#include "log_page.h"

#include "log_ring.h"

#include "buffer/buffer.h"
#include "http/http_server.h"
#include "text/parse_value.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LIMIT_DEFAULT  200
#define LIMIT_MOST     5000
#define SERVICES_BYTES 1024

static const char *text_of(const struct http_request *request, const char *name)
{
    const char *value = http_request_query(request, name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

/* False: refused, and answered. */
static bool read_number(const struct http_request *request, const char *name, int64_t most, int64_t *value,
                        struct http_response *response)
{
    const char *text = text_of(request, name);
    if (text != NULL && (!parse_integer(text, value) || *value < 0 || *value > most)) {
        http_response_fail(response, 400, "%s: '%.40s' is no number from 0 to %lld", name, text,
                           (long long)most);
        return false;
    }
    return true;
}

static bool read_severity(const char *text, enum log_severity *severity, struct http_response *response)
{
    if (text == NULL) {
        return true;
    }
    for (int i = 0; i < LOG_SEVERITY_COUNT; i++) {
        if (strcasecmp(text, log_severity_name((enum log_severity)i)) == 0) {
            *severity = (enum log_severity)i;
            return true;
        }
    }
    http_response_fail(response, 400, "severity: '%.40s' is none of TRACE, DEBUG, INFO, WARN, ERROR, FATAL",
                       text);
    return false;
}

static void split_services(struct log_filter *filter, char *text)
{
    char *rest = NULL;
    for (char *name = strtok_r(text, ",", &rest); name != NULL && filter->service_count < LOG_RING_VALUES;
         name = strtok_r(NULL, ",", &rest)) {
        filter->services[filter->service_count++] = name;
    }
}

void log_page_show(void *context, const struct http_request *request, struct http_response *response)
{
    struct log_filter filter = {.region = text_of(request, "region"),
                                .trace = text_of(request, "trace"),
                                .text = text_of(request, "q"),
                                .at_least = LOG_SEVERITY_TRACE,
                                .with_bars = text_of(request, "bars") != NULL};
    char services[SERVICES_BYTES] = "";
    int64_t after = 0;
    int64_t limit = LIMIT_DEFAULT;
    if (!read_number(request, "after", INT64_MAX, &after, response) ||
        !read_number(request, "limit", LIMIT_MOST, &limit, response) ||
        !read_number(request, "from", INT64_MAX, &filter.from_ms, response) ||
        !read_number(request, "until", INT64_MAX, &filter.until_ms, response) ||
        !read_severity(text_of(request, "severity"), &filter.at_least, response)) {
        return;
    }
    filter.after = (uint64_t)after;
    filter.most = (size_t)limit;
    if (text_of(request, "service") != NULL) {
        (void)snprintf(services, sizeof services, "%s", text_of(request, "service"));
        split_services(&filter, services);
    }
    http_response_set_type(response, "application/json");
    log_ring_write(context, &filter, http_response_body(response));
}
