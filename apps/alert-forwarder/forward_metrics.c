#include "forward_metrics.h"

#include "metrics/metric_set.h"

static const double delay_bounds[] = {0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300};

static struct metric *series(struct metric_family *family, const char *value)
{
    return metric_series(family, (const char *const[]){value, NULL});
}

void forward_metrics_init(struct forward_metrics *m, struct metric_set *set, const char *const *urls,
                          unsigned targets)
{
    static const char *const result[] = {"result", NULL};
    static const char *const state[] = {"state", NULL};
    static const char *const alertmanager[] = {"alertmanager", NULL};
    struct metric_family *family = metric_family_add(
        set, METRIC_COUNTER, "alert_forwarder_notifications_total",
        "Alerts told to Alertmanagers, by what came of it; refused: not valid to it.", result);
    m->sent = series(family, "sent");
    m->failed = series(family, "failed");
    m->refused = series(family, "refused");
    family = metric_family_add(set, METRIC_COUNTER, "alert_forwarder_transitions_total",
                               "Records of alerts.fired that were read.", state);
    m->fired = series(family, "firing");
    m->resolved = series(family, "resolved");
    m->unreadable = metric_add_counter(set, "alert_forwarder_unreadable_total",
                                       "Records of alerts.fired and alerts.active that are no transition.");
    m->no_room = metric_add_counter(set, "alert_forwarder_no_room_total",
                                    "Alerts that weren't taken because there are --max-alerts.");
    m->active = metric_add_gauge(set, "alert_forwarder_active_alerts", "Alerts that fire.");
    m->untold = metric_add_gauge(set, "alert_forwarder_untold_alerts",
                                 "Alerts whose last change an Alertmanager hasn't accepted yet.");
    family =
        metric_family_add(set, METRIC_HISTOGRAM, "alert_forwarder_delay_seconds",
                          "From the event that decided to the change accepted by an Alertmanager.", NULL);
    metric_family_set_buckets(family, delay_bounds, sizeof delay_bounds / sizeof delay_bounds[0]);
    m->delay = metric_series(family, NULL);
    struct metric_family *up = metric_family_add(set, METRIC_GAUGE, "alert_forwarder_alertmanager_up",
                                                 "1: its last answer was good.", alertmanager);
    struct metric_family *success =
        metric_family_add(set, METRIC_GAUGE, "alert_forwarder_last_success_timestamp_seconds",
                          "When it last accepted alerts; 0: not since the start.", alertmanager);
    for (unsigned i = 0; i < targets; i++) {
        m->up[i] = series(up, urls[i]);
        m->last_success[i] = series(success, urls[i]);
    }
}
