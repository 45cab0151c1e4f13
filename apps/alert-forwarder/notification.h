/* An alert as Alertmanager's API v2 takes it (POST /api/v2/alerts, "postableAlert").
 *
 * Its labels are its identity: alertname, service_name, cloud_region, http_route (where the rule groups by
 * it), severity, detector="stream". All else is annotations, so that a value that moves makes no second
 * alert. page="true" would be another identity too; so a page is a second alert beside the first, which lives
 * until both resolve: nothing has to be taken back where the first was told. */
#ifndef OBS_ALERT_FORWARDER_NOTIFICATION_H
#define OBS_ALERT_FORWARDER_NOTIFICATION_H

#include "alert/transition.h"

#include <stdbool.h>
#include <stdint.h>

struct json_writer;

struct notification_links {
    const char *runbook_base;  /* before a relative runbook: "http://127.0.0.1:3000/" */
    const char *console_url;   /* "http://127.0.0.1:3000"; "": no links */
    const char *dashboard_url; /* "http://127.0.0.1:3000/d/golden-signals"; "": none */
};

struct notification {
    const struct alert_transition *transition;
    enum rule_severity severity; /* that it began with */
    int64_t starts_ms;           /* wall; 0: unknown, left out */
    int64_t ends_ms;             /* wall: until when it holds, or when it ended */
    bool page;
};

/* One JSON object. */
void notification_write(struct json_writer *writer, const struct notification *notification,
                        const struct notification_links *links);

#endif
