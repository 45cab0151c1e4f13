/* Records as our encoders write them, one "topic TAB json" a line, for check_schemas.py. */
#include "alert/encode.h"
#include "buffer/buffer.h"
#include "event/encode.h"
#include "event/log_record.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct event_text text_of(const char *text)
{
    return (struct event_text){text, strlen(text)};
}

static void print(const char *topic, struct buffer *json)
{
    printf("%s\t%s\n", topic, buffer_text(json));
    buffer_clear(json);
}

static void print_events(struct buffer *json)
{
    struct event event = {.id = text_of("quote \" tab \t \xc3\xa4"),
                          .time_unix_ms = 1764025592125,
                          .service = text_of("api-service"),
                          .region = text_of("eu-west-1"),
                          .method = EVENT_METHOD_OTHER,
                          .route = text_of("/v1/orders/{id}"),
                          .status_code = 599,
                          .duration_s = 5e-324,
                          .count = 1,
                          .cpu_utilization = NAN,
                          .memory_utilization = NAN};
    event_encode(json, &event);
    print("metrics.raw", json);
    event.count = EVENT_COUNT_MAX;
    event.cpu_utilization = 0;
    event.memory_utilization = 1;
    event.trace_id = text_of("0123456789abcdef0123456789abcdef");
    event.span_id = text_of("0123456789abcdef");
    event_encode(json, &event);
    print("metrics.raw", json);
    event.kind = EVENT_RESOURCE;
    event_encode(json, &event);
    print("metrics.raw", json);
}

static void print_logs(struct buffer *json)
{
    for (int severity = 0; severity < LOG_SEVERITY_COUNT; severity++) {
        struct log_record record = {.time_unix_ms = 0,
                                    .service = text_of("api-service"),
                                    .region = text_of("eu-west-1"),
                                    .severity = (enum log_severity)severity,
                                    .body = {"a\0b\n", 4},
                                    .span_id = text_of("0123456789abcdef")};
        log_record_encode(json, &record);
        print("logs.raw", json);
    }
}

static void print_alerts(struct buffer *json)
{
    struct alert_transition transition = {.fingerprint = 0x0123456789abcdef,
                                          .sequence = 1,
                                          .state = ALERT_FIRING,
                                          .rule = "HighErrorRate",
                                          .severity = RULE_CRITICAL,
                                          .signal = RULE_ERROR_RATE,
                                          .labels = {.service = "api-service", .region = "eu-west-1"},
                                          .value = 0.312,
                                          .threshold = 0.05,
                                          .samples = 1000,
                                          .bad = 312,
                                          .window_seconds = 10,
                                          .evaluations = 3,
                                          .starts_ms = 1764025592125,
                                          .detected_ms = 1764025593000,
                                          .runbook = "HighErrorRate.md"};
    alert_encode(json, &transition, "https://example.org/runbooks/");
    print("alerts.fired", json);
    transition.signal = RULE_LATENCY_P99;
    (void)strcpy(transition.labels.route, "/v1/orders/{id}");
    transition.state = ALERT_RESOLVED;
    transition.ends_ms = 1764025599000;
    for (int reason = ALERT_REASON_CLEAR; reason <= ALERT_REASON_RULE_REMOVED; reason++) {
        transition.reason = (enum alert_reason)reason;
        transition.sequence++;
        transition.value = reason == ALERT_REASON_NO_DATA ? (double)NAN : 0.2;
        alert_encode(json, &transition, "");
        print("alerts.fired", json);
    }
}

int main(void)
{
    struct buffer json;
    buffer_init(&json, 0);
    print_events(&json);
    print_logs(&json);
    print_alerts(&json);
    buffer_free(&json);
    return 0;
}
